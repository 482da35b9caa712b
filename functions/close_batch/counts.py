"""What close_batch counts for CloudWatch; orchestration/metrics.py finds it there by these names."""

from __future__ import annotations

from functions.close_batch.closing import Closed
from functions.shared.batches import PUBLISHED
from functions.shared.landings import QUARANTINED, STAGED, SUPERSEDED

_BOOKS = {
    "read": "RowsRead",
    "inserted": "RowsInserted",
    "updated": "RowsUpdated",
    "unchanged": "RowsUnchanged",
    "duplicate": "RowsDuplicate",
    "rejected": "RowsRejected",
    "deleting": "RowsDeleting",
    "deleted": "RowsDeleted",
}
_PARTS = ("inserted", "updated", "unchanged", "duplicate", "rejected", "deleting")


def counts(closed: Closed) -> dict[str, int]:
    """Return the metrics of a batch that was closed."""
    item, told = closed.item, closed.answer["summary"]
    staged = any(told["states"].get(state) for state in (STAGED, SUPERSEDED))
    published = item["state"] == PUBLISHED
    books = item.get("books", {})
    balanced = books.get("read", 0) == sum(books.get(part, 0) for part in _PARTS)
    return {
        "BatchesPublished": int(staged and published),
        "BatchesFailed": int(not published),
        "BooksUnbalanced": int(not balanced),
        "LandingsStaged": told["states"].get(STAGED, 0),
        "LandingsQuarantined": told["states"].get(QUARANTINED, 0),
        "MartsFailed": len(told.get("failed_marts", {})),
        "DpuSeconds": sum(told.get("dpu_seconds", {}).values()),
        **{metric: books.get(name, 0) for name, metric in _BOOKS.items()},
    }
