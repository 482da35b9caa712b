"""The key state after it was compacted: the log's summary names the snapshot of it from which batches go on."""

from __future__ import annotations

from collections.abc import Sequence

from spark_jobs.layers.lake import PROPERTY, Lake, Snapshot, branch_name

POINTER = "state-snapshot"


def pointer(lake: Lake, log: str) -> int | None:
    """Return the state's snapshot that the published log names."""
    sealed = lake.sealed(log)
    value = sealed.summary.get(PROPERTY + POINTER) if sealed else None
    return int(value) if value else None


def point_to(lake: Lake, log: str, state: str) -> None:
    """Seal the log once more, as its last batch did, with the compacted state in the place of the one before.

    Nothing is done where the state's newer snapshots have other rows than the one that is named. A batch that
    publishes meanwhile is not disturbed: ConcurrentPublishError, and its own state stays named.
    """
    history = list(lake.history(log))
    last = next((one for one in history if PROPERTY + "batch-id" in one.summary), None)
    named = int(last.summary[PROPERTY + POINTER]) if last and PROPERTY + POINTER in last.summary else None
    newest = list(lake.history(state))
    if last is None or named is None or named == newest[0].id or not _same_rows(newest, named):
        return
    branch = lake.branch(log, branch_name("maintenance"), at=history[0].id)
    mine = {name.removeprefix(PROPERTY): value for name, value in last.summary.items() if name.startswith(PROPERTY)}
    branch.seal({**mine, POINTER: str(newest[0].id)})
    branch.publish()


def _same_rows(history: Sequence[Snapshot], named: int) -> bool:
    """Tell whether all snapshots after the one that is named only rearranged its rows."""
    for snapshot in history:
        if snapshot.id == named:
            return True
        if snapshot.operation != "replace":
            return False
    return False
