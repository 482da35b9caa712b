"""What DynamoDB puts off, cuts in pieces or refuses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError

from functions.shared.attributes import to_item
from functions.shared.errors import ConditionFailedError, LedgerBusyError
from functions.shared.landings import Landing
from functions.shared.ledger import Action, Ledger, landing_key


@pytest.mark.parametrize(
    "code", ["ProvisionedThroughputExceededException", "ThrottlingException", "InternalServerError"]
)
@pytest.mark.parametrize(
    "call",
    [
        lambda ledger: ledger.lease("planes"),
        lambda ledger: ledger.pending("planes"),
        lambda ledger: ledger.landings("planes", ["a"]),
        lambda ledger: ledger.write(Action("Put", {"pk": "TABLE#planes", "sk": "LEASE"})),
        lambda ledger: ledger.transact([Action("Put", {"pk": "TABLE#planes", "sk": "LEASE"})]),
    ],
    ids=["get", "query", "batch", "write", "transact"],
)
def test_an_overloaded_ledger_is_busy(call: Callable[[Ledger], Any], code: str) -> None:
    refused = ClientError({"Error": {"Code": code, "Message": "Rate exceeded"}}, "AnyOperation")
    client = mock.Mock(**{f"{name}.side_effect": refused for name in OPERATIONS})
    with pytest.raises(LedgerBusyError, match="^the ledger is overloaded: .*Rate exceeded$"):
        call(Ledger(client, "ledger", sleep=lambda _seconds: None))


OPERATIONS = ("get_item", "query", "batch_get_item", "put_item", "transact_write_items")


def item(name: str) -> dict[str, Any]:
    """Return a landing as DynamoDB holds it."""
    return to_item(
        Landing(f"{name}-1", "raw", name, "v1", "01", f"2013-01-01T00:00:00.00000{name}Z", "e", 1).to_plain()
    )


def test_a_partition_is_read_to_its_last_page_or_to_as_many_as_are_asked_for() -> None:
    pages = [{"Items": [item("1"), item("2")], "LastEvaluatedKey": {"sk": {"S": "2"}}}, {"Items": [item("3")]}]
    for limit, limits in ((None, [None, None]), (3, [3, 1])):
        client = mock.Mock(**{"query.side_effect": pages})
        assert [one.key for one in Ledger(client, "ledger").pending("planes", limit)] == ["1", "2", "3"]
        asked = [call.kwargs for call in client.query.call_args_list]
        assert [one.get("Limit") for one in asked] == limits
        assert all(one["ConsistentRead"] for one in asked)
    client = mock.Mock(**{"query.side_effect": pages})
    assert [one.key for one in Ledger(client, "ledger").pending("planes", 2)] == ["1", "2"]
    assert client.query.call_count == 1


def test_what_dynamodb_leaves_of_a_read_is_asked_for_again() -> None:
    keys = [to_item(landing_key("planes", f"{name}-1")) for name in "12"]
    first = {"Responses": {"ledger": [item("1")]}, "UnprocessedKeys": {"ledger": {"Keys": keys[1:]}}}
    client = mock.Mock(**{"batch_get_item.side_effect": [first, {"Responses": {"ledger": [item("2")]}}]})
    ledger = Ledger(client, "ledger", sleep=lambda _seconds: None)
    assert list(ledger.landings("planes", ["1-1", "2-1"])) == ["1-1", "2-1"]
    asked = [call.kwargs["RequestItems"]["ledger"] for call in client.batch_get_item.call_args_list]
    assert asked == [{"Keys": some, "ConsistentRead": True} for some in (keys, keys[1:])]
    never = mock.Mock(**{"batch_get_item.return_value": first})
    with pytest.raises(LedgerBusyError, match="planes: the ledger does not hand out all landings of the batch"):
        Ledger(never, "ledger", sleep=lambda _seconds: None).landings("planes", ["1-1", "2-1"])


def cancelled(*codes: str) -> ClientError:
    reasons = {"CancellationReasons": [{"Code": code} for code in codes]}
    error = {"Error": {"Code": "TransactionCanceledException", "Message": "no"}}
    return ClientError({**error, **reasons}, "TransactWriteItems")


def test_a_write_that_meets_another_is_tried_again_and_one_whose_condition_fails_is_not() -> None:
    lease = Action("Put", {"pk": "TABLE#planes", "sk": "LEASE"})
    batch = Action("Put", {"pk": "TABLE#planes", "sk": "BATCH#b"})

    def written(*answers: Any) -> int:
        client = mock.Mock(**{"transact_write_items.side_effect": answers})
        Ledger(client, "ledger", sleep=lambda _seconds: None).transact([lease, batch])
        return int(client.transact_write_items.call_count)

    assert written(cancelled("None", "TransactionConflict"), {}) == 2
    with pytest.raises(ConditionFailedError, match="not as expected in the ledger: BATCH#b") as failed:
        written(cancelled("TransactionConflict", "ConditionalCheckFailed"), {})
    assert failed.value.failed == (1,)
    with pytest.raises(LedgerBusyError, match="TABLE#planes: others write the same items; tried 8 times"):
        written(*[cancelled("TransactionConflict", "None")] * 8)
    with pytest.raises(ClientError, match="TransactionCanceledException"):
        written(cancelled("ValidationError", "None"), {})
