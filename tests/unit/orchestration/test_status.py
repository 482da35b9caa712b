"""What the ledger's items and the queues' messages say of the pipeline's state."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contracts.model import Column, EffectiveAt, Mart, Plan, Source, Table
from contracts.snapshot_parts import ANOTHER_FAILED, Parts
from functions.shared.attributes import from_item, to_item
from functions.shared.landings import Landing, landing_id
from orchestration.embedded.cli.status import advice
from orchestration.embedded.report import FailedFile
from orchestration.embedded.saved import saved
from orchestration.embedded.status import tell, unsettled

TABLE = Table("planes", "append", Source(prefix="planes/"), (Column("a", "int"),))
DAILY = Mart("daily", "sql", "planes", reads=("planes",))
PLAN = Plan("shop", {"planes": TABLE}, {"daily": DAILY})
LEASE = {"pk": "TABLE#planes", "sk": "LEASE", "token": 3}


@pytest.mark.parametrize("marts", [(), (replace(DAILY, sql="SELECT 1"),)], ids=["added", "changed"])
def test_a_mart_that_was_added_or_changed_is_due_and_its_table_has_work(marts: tuple[Mart, ...]) -> None:
    known = to_item({**LEASE, "known": {"planes", *(mart.revision for mart in marts)}})
    [table] = tell(PLAN, [known], [], {}).tables
    assert table.due_marts == ("daily",)
    assert unsettled(PLAN, [known]) == {"planes": ""}


def test_marts_that_were_built_or_of_an_empty_table_are_not_due() -> None:
    for facts in ({"known": {"planes", DAILY.revision}}, {}):
        item = to_item({**LEASE, **facts})
        [table] = tell(PLAN, [item], [], {}).tables
        assert table.due_marts == ()
        assert unsettled(PLAN, [item]) == {}


def test_a_mart_that_no_contract_names_any_more_is_not_due() -> None:
    item = to_item({**LEASE, "known": {"planes", DAILY.revision}, "due_marts": {"daily", "weekly"}})
    assert tell(PLAN, [item], [], {}).tables[0].due_marts == ("daily",)


def test_what_waits_for_a_table_that_no_contract_names_any_more_is_no_work() -> None:
    lease = {"pk": "TABLE#ships", "sk": "LEASE", "holder": "arn:died"}
    marker = {"pk": "TABLE#ships", "sk": "PENDING#2013-01-01#a"}
    waits = from_item(landing("ships/a.csv", "pending")) | {"pk": "TABLE#ships"}
    items = [to_item(one) for one in (lease, marker, waits)]
    assert unsettled(PLAN, items) == {}
    assert advice(tell(PLAN, items, [], {})) == [
        "ships: no contract names it any more; 1 landing pending until one does"
    ]


def landing(key: str, state: str, reason: str = "", version: int = 1) -> dict[str, Any]:
    one = Landing(landing_id(key, f"v{version}"), "raw", key, f"v{version}", f"{version:04}", "2013-01-01", "e", 1)
    told = replace(one, state=state, reason=reason)
    return to_item({"pk": "TABLE#planes", "sk": f"LANDING#{told.id}", **told.to_plain()})


def test_an_object_that_a_later_contract_has_claimed_is_unrouted_no_more() -> None:
    notes = [from_item(landing(key, "unrouted")) | {"pk": "UNROUTED"} for key in ("planes/a.csv", "ships/b.csv")]
    items = [landing("planes/a.csv", "staged"), *map(to_item, notes)]
    assert tell(PLAN, items, [], {}).unrouted == 1


def test_files_that_failed_are_told_with_their_reason() -> None:
    items = [
        landing("planes/b.csv", "failed", "cannot be read"),
        landing("planes/a.csv", "failed", "'x' is no int"),
        landing("planes/c.csv", "staged"),
        landing("planes/d.csv", "staged", "the replay failed: 'y' is no int"),
    ]
    [table] = tell(PLAN, items, [], {}).tables
    assert table.failed == (
        FailedFile("planes/a.csv", "'x' is no int"),
        FailedFile("planes/b.csv", "cannot be read"),
        FailedFile("planes/d.csv", "the replay failed: 'y' is no int"),
    )


def test_a_file_that_failed_is_told_until_a_corrected_version_is_staged() -> None:
    first = landing("planes/a.csv", "failed", "'x' is no int")
    for state, told in (("pending", 1), ("failed", 2), ("staged", 0)):
        second = landing("planes/a.csv", state, version=2)
        [table] = tell(PLAN, [second, first, landing("planes/b.csv", "staged", version=3)], [], {}).tables
        assert (len(table.failed), table.landings.get("failed")) == (told, 2 if state == "failed" else 1)


def test_files_that_wait_for_one_that_failed_are_told_with_its_key() -> None:
    first = Landing(landing_id("planes/a.csv", "v1"), "raw", "planes/a.csv", "v1", "0001", "2012-12-31", "e", 1)
    failed = to_item({"pk": "TABLE#planes", "sk": f"LANDING#{first.id}", **first.with_state("failed").to_plain()})
    lease = to_item({**LEASE, "held": {"#".join(first.order)}})
    corrected = landing("planes/a.csv", "pending", version=2)
    [table] = tell(PLAN, [lease, failed, corrected, landing("planes/b.csv", "pending")], [], {}).tables
    assert (table.held, table.held_by, table.landings) == (1, "planes/a.csv", {"failed": 1, "pending": 2})


def test_what_parts_of_a_snapshot_wait_for_is_told_as_long_as_they_do() -> None:
    source = Source(prefix="planes/", parts=Parts(count=r"of(?P<parts>\d)"))
    daily = replace(TABLE, load="snapshot", source=source, effective_at=EffectiveAt(from_key="/(?P<date>[^/]+)/"))
    plan = Plan("shop", {"planes": daily}, {})
    lacks = "planes waits for the rest of the snapshot of planes/2024-01-0{}/1of2: 1 of 2 objects have landed"
    works = "2 landings pending: landfall run works on them."
    items = []
    for key, told in (("1/1of2", [lacks.format(1)]), ("1/2of2", [works]), ("2/1of2", [lacks.format(2), works])):
        items.append(landing(f"planes/2024-01-0{key}", "pending"))
        assert advice(tell(plan, items, [], {})) == told


def test_of_a_snapshot_in_parts_files_wait_for_the_part_that_others_failed_with() -> None:
    reasons = {"a": ANOTHER_FAILED, "b": "column seats is missing", "c": ANOTHER_FAILED}
    items = [landing(f"planes/{name}.csv", "failed", reason) for name, reason in reasons.items()]
    entries = {Landing.from_plain(from_item(one)).entry for one in items}
    lease = to_item({**LEASE, "held": entries})
    [table] = tell(PLAN, [lease, *items], [], {}).tables
    assert table.held_by == "planes/b.csv"


def test_events_in_the_queue_and_dead_letters_are_counted() -> None:
    s3_test = {"body": json.dumps({"Event": "s3:TestEvent", "Bucket": "raw"})}
    two = {"body": json.dumps({"Records": [{"s3": {}}, {"s3": {}}]})}
    seen = tell(PLAN, [], [], {"landings": [s3_test, two], "dead": [two]})
    assert (seen.queued, seen.dead) == (2, 1)


def test_an_execution_that_maintains_all_tables_is_saved_as_that(tmp_path: Path) -> None:
    words = dict.fromkeys(("name", "arn", "status", "output", "error", "cause", "stopped"))
    one = words | {"input": "{}", "machine": "arn:shop-dev-maintain-lake", "started": "2024-01-01T00:00:00"}
    (tmp_path / "state.json").write_text(json.dumps({"items": [], "executions": [one], "messages": {}}))
    assert [execution.table for execution in saved(tmp_path)[1]] == ["maintenance"]
