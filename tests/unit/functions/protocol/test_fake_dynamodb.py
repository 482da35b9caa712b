"""The ledger in memory, held to moto: the same items and the same call give the same answer and the same items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.unit.functions.protocol.cloud import Call, Cloud, perform
from tests.unit.functions.protocol.explorer import Explorer, Places
from tests.unit.functions.protocol.programs import Programs, execution

KEYS = ("pk", "sk")


def seen(answer: Any) -> Any:
    """Return what the Lambdas look at in an answer."""
    if isinstance(answer, ClientError):
        reasons = [reason["Code"] for reason in answer.response.get("CancellationReasons", [])]
        return answer.response["Error"]["Code"], reasons
    responses = {name: sorted(found, key=str) for name, found in answer.get("Responses", {}).items()}
    return plain(answer.get("Item")), plain(answer.get("Items")), plain(responses)


def plain(value: Any) -> Any:
    """Return typed values with their sets in order."""
    match value:
        case {"SS": names}:
            return {"SS": sorted(names)}
        case Mapping():
            return {name: plain(part) for name, part in value.items()}
        case list():
            return [plain(part) for part in value]
    return value


def calls_of_a_run() -> list[tuple[Cloud, Call]]:
    """Return one (cloud, call) for each different call and answer of an exploration with failures."""
    found: dict[tuple[str, str], tuple[Cloud, Call]] = {}
    kinds = frozenset({"abort", "kill", "twice", "job"})
    explorer = Explorer(Places(Programs().all()), execution, lambda *_: None, lambda _: None, kinds)

    def notice(cloud: Cloud, call: Call) -> None:
        if call[0] == "dynamodb":
            found.setdefault((str(call), str(seen(perform(cloud, call)[1]))), (cloud, call))

    explorer.noticed = notice
    explorer.explore(Cloud(), [("receive", "a")], 1)
    return list(found.values())


def large_calls() -> list[Call]:
    """Return calls for as many items as DynamoDB takes at once, and for one more."""
    items = [{"pk": {"S": "TABLE#planes"}, "sk": {"S": f"LANDING#{number}"}} for number in range(101)]
    puts = [{"Put": {"TableName": "ledger", "Item": item}} for item in items]
    return [
        ("dynamodb", method, request)
        for most in (100, 101)
        for method, request in (
            ("transact_write_items", {"TransactItems": puts[:most]}),
            ("batch_get_item", {"RequestItems": {"ledger": {"Keys": items[:most], "ConsistentRead": True}}}),
        )
    ]


def test_every_call_of_an_exploration_is_answered_as_moto_answers_it() -> None:
    calls = calls_of_a_run()
    assert {call[1] for _, call in calls} == {
        "get_item",
        "query",
        "batch_get_item",
        "update_item",
        "transact_write_items",
    }
    with mock_aws():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[
                {"AttributeName": name, "KeyType": kind} for name, kind in zip(KEYS, ("HASH", "RANGE"), strict=True)
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in KEYS],
        )
        for cloud, call in [*calls, *((Cloud(), call) for call in large_calls())]:
            compare(client, cloud, call)


def compare(client: Any, cloud: Cloud, call: Call) -> None:
    """Make one call on both; assert that answer and items are the same."""
    for item in client.scan(TableName="ledger")["Items"]:
        client.delete_item(TableName="ledger", Key={name: item[name] for name in KEYS})
    for item in cloud.items.values():
        client.put_item(TableName="ledger", Item=item)
    _, method, request = call
    try:
        answer = getattr(client, method)(**request)
    except ClientError as error:
        answer = error
    after, ours = perform(cloud, call)
    assert seen(answer) == seen(ours), call
    items = {(item["pk"]["S"], item["sk"]["S"]): plain(item) for item in client.scan(TableName="ledger")["Items"]}
    assert items == plain(after.items), call
