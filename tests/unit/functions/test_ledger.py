"""What DynamoDB puts off has a name that the state machine waits for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError

from functions.shared.errors import LedgerBusyError
from functions.shared.ledger import Action, Ledger


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
