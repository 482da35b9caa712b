"""DynamoDB in moto: a refused transaction leaves nothing, queries answer as before, and neither looks at all items."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.dynamodb.models.dynamo_type import Item

from orchestration.embedded import dynamodb

ONE, TWO = {"pk": {"S": "t"}, "sk": {"S": "L#1"}}, {"pk": {"S": "t"}, "sk": {"S": "L#2"}}


@pytest.fixture
def client() -> Iterator[Any]:
    with mock_aws(), dynamodb.attached():
        client = boto3.client("dynamodb")
        client.create_table(
            TableName="ledger",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        )
        yield client


def put(client: Any, *numbers: int, kind: str = "L", pk: str = "t") -> None:
    for number in numbers:
        item = {"pk": {"S": pk}, "sk": {"S": f"{kind}#{number}"}, "n": {"N": str(number)}}
        client.put_item(TableName="ledger", Item=item)


def transaction(condition: str) -> list[dict[str, Any]]:
    """Return writes of four items, the last of which is as its condition wants it, or not."""
    return [
        {"Put": {"TableName": "ledger", "Item": {"pk": {"S": "t"}, "sk": {"S": "L#9"}}}},
        {"Update": {"TableName": "ledger", "Key": ONE, "UpdateExpression": "SET n = :n",
                    "ExpressionAttributeValues": {":n": {"N": "7"}}}},
        {"Delete": {"TableName": "ledger", "Key": TWO}},
        {"ConditionCheck": {"TableName": "ledger", "Key": {"pk": {"S": "t"}, "sk": {"S": "LEASE"}},
                            "ConditionExpression": condition}},
    ]  # fmt: skip


def items(client: Any) -> list[str]:
    found = client.scan(TableName="ledger")["Items"]
    return [f"{one['pk']['S']} {one['sk']['S']} {one.get('n', {}).get('N')}" for one in found]


def test_a_refused_transaction_leaves_every_item_as_it_was(client: Any) -> None:
    put(client, 1, 2, 3)
    with pytest.raises(ClientError) as caught:
        client.transact_write_items(TransactItems=transaction("attribute_exists(pk)"))
    assert [one["Code"] for one in caught.value.response["CancellationReasons"]] == [
        "None",
        "None",
        "None",
        "ConditionalCheckFailed",
    ]
    assert sorted(items(client)) == ["t L#1 1", "t L#2 2", "t L#3 3"]
    client.transact_write_items(TransactItems=transaction("attribute_not_exists(pk)"))
    assert sorted(items(client)) == ["t L#1 7", "t L#3 3", "t L#9 None"]


def test_a_transaction_copies_what_it_touches_and_no_more(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    copied: list[str] = []

    def copy_of(item: Any, _memo: Any) -> Any:
        copied.append(item.range_key.value)
        return copy.copy(item)

    put(client, *range(1, 30))
    monkeypatch.setattr(Item, "__deepcopy__", copy_of, raising=False)
    client.transact_write_items(TransactItems=transaction("attribute_not_exists(pk)"))
    assert sorted(set(copied)) == ["L#1", "L#2", "L#9"]


def test_a_query_of_a_prefix_measures_only_what_has_it(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(client, 3, 1, 2)
    put(client, 1, 2, kind="P")
    put(client, 1, pk="u")
    measured: list[str] = []
    plain = Item.size
    monkeypatch.setattr(Item, "size", lambda item: [measured.append(item.range_key.value), plain(item)][1])
    pages = client.get_paginator("query").paginate(
        TableName="ledger",
        KeyConditionExpression="pk = :pk AND begins_with(sk, :prefix)",
        ExpressionAttributeValues={":pk": {"S": "t"}, ":prefix": {"S": "L#"}},
        PaginationConfig={"PageSize": 2},
    )
    assert [[one["sk"]["S"] for one in page["Items"]] for page in pages] == [["L#1", "L#2"], ["L#3"]]
    assert set(measured) == {"L#1", "L#2", "L#3"}
