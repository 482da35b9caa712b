"""What a batch adds to the metrics that alarms and dashboards watch."""

from __future__ import annotations

from typing import Any

from functions.close_batch.closing import Closed
from functions.close_batch.counts import counts

BOOKS = {"read": 21, "inserted": 1, "updated": 2, "unchanged": 3, "duplicate": 4, "rejected": 5, "deleting": 6}
NOTHING = dict.fromkeys(
    (
        *("BatchesPublished", "BatchesFailed", "BooksUnbalanced", "LandingsStaged", "LandingsQuarantined"),
        *("MartsFailed", "DpuSeconds", "RowsRead", "RowsInserted", "RowsUpdated", "RowsUnchanged", "RowsDuplicate"),
        *("RowsRejected", "RowsDeleting", "RowsDeleted"),
    ),
    0,
)


def counted(state: str, states: dict[str, int], books: dict[str, int] | None = None, **summary: Any) -> dict[str, int]:
    item = {"state": state} | ({"books": books} if books else {})
    return counts(Closed({"summary": {"states": states, **summary}}, item, first=True))


def test_a_batch_that_was_published() -> None:
    told = counted(
        "published",
        {"staged": 2, "quarantined": 1, "failed": 1},
        BOOKS | {"deleted": 7},
        failed_marts={"daily": "boom"},
        dpu_seconds={"planes": 120, "daily": 60},
    )
    assert told == NOTHING | {
        "BatchesPublished": 1,
        "LandingsStaged": 2,
        "LandingsQuarantined": 1,
        "MartsFailed": 1,
        "DpuSeconds": 180,
        "RowsRead": 21,
        "RowsInserted": 1,
        "RowsUpdated": 2,
        "RowsUnchanged": 3,
        "RowsDuplicate": 4,
        "RowsRejected": 5,
        "RowsDeleting": 6,
        "RowsDeleted": 7,
    }


def test_rows_that_are_accounted_for_nowhere_or_twice_are_unbalanced() -> None:
    for part in BOOKS:
        assert counted("published", {"staged": 1}, BOOKS | {part: BOOKS[part] + 1})["BooksUnbalanced"] == 1


def test_a_replay_that_failed_is_no_good_batch_though_its_files_stay_staged() -> None:
    assert counted("failed", {"staged": 1}) == NOTHING | {"BatchesFailed": 1, "LandingsStaged": 1}


def test_a_batch_is_a_good_one_once_any_file_of_it_is_staged_or_covered() -> None:
    good = {state: counted("published", {state: 1})["BatchesPublished"] for state in ("superseded", "quarantined")}
    assert (good, counted("published", {})["BatchesPublished"]) == ({"superseded": 1, "quarantined": 0}, 0)
