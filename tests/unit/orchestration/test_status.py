"""What the ledger's items and the queues' messages say of the pipeline's state."""

from __future__ import annotations

import json

from contracts.model import Column, Mart, Plan, Source, Table
from functions.shared.attributes import to_item
from orchestration.embedded.report import FailedFile
from orchestration.embedded.status import tell, unsettled

TABLE = Table("planes", "append", Source(prefix="planes/"), (Column("a", "int"),))
PLAN = Plan("shop", {"planes": TABLE}, {"daily": Mart("daily", "sql", "planes", reads=("planes",))})
LEASE = {"pk": "TABLE#planes", "sk": "LEASE", "token": 3}


def test_a_mart_that_was_added_is_due_and_its_table_has_work() -> None:
    known = to_item({**LEASE, "known": {"planes"}})
    [table] = tell(PLAN, [known], [], {}).tables
    assert table.due_marts == ("daily",)
    assert unsettled(PLAN, [known]) == {"planes": ""}


def test_marts_that_were_built_or_of_an_empty_table_are_not_due() -> None:
    for facts in ({"known": {"planes", "daily"}}, {}):
        item = to_item({**LEASE, **facts})
        [table] = tell(PLAN, [item], [], {}).tables
        assert table.due_marts == ()
        assert unsettled(PLAN, [item]) == {}


def test_files_that_failed_are_told_with_their_reason() -> None:
    landing = {"pk": "TABLE#planes", "attempts": 1}
    items = [
        {**landing, "sk": "LANDING#2", "key": "planes/b.csv", "state": "failed", "reason": "cannot be read"},
        {**landing, "sk": "LANDING#1", "key": "planes/a.csv", "state": "failed", "reason": "'x' is no int"},
        {**landing, "sk": "LANDING#3", "key": "planes/c.csv", "state": "staged"},
    ]
    [table] = tell(PLAN, map(to_item, items), [], {}).tables
    assert table.failed == (FailedFile("planes/a.csv", "'x' is no int"), FailedFile("planes/b.csv", "cannot be read"))


def test_events_in_the_queue_and_dead_letters_are_counted() -> None:
    s3_test = {"body": json.dumps({"Event": "s3:TestEvent", "Bucket": "raw"})}
    two = {"body": json.dumps({"Records": [{"s3": {}}, {"s3": {}}]})}
    seen = tell(PLAN, [], [], {"landings": [s3_test, two], "dead": [two]})
    assert (seen.queued, seen.dead) == (2, 1)
