"""Branches that runs have left behind, and those on which one may work now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from spark_jobs.layers.branches import BRANCH_PREFIX, drop_branches
from spark_jobs.layers.java import as_dict
from spark_jobs.layers.lake import Lake, Snapshot


def branches(lake: Lake, table: str) -> dict[str, int]:
    """Return the last snapshots of the batches' branches."""
    refs = as_dict(lake.handle(table).refs())
    return {str(name): int(ref.snapshotId()) for name, ref in refs.items() if str(name).startswith(BRANCH_PREFIX)}


def drop_dead(lake: Lake, table: str, history: Sequence[Snapshot], before: int, spared: int | None = None) -> int:
    """Drop the branches that no run has touched since `before` (ms); return their number.

    `spared` is the state that the published log names: its branch stays until a batch has settled it.
    """
    gone = [
        name
        for name, tip in branches(lake, table).items()
        if tip != spared and _last_touched(lake.handle(table), tip, history) < before
    ]
    drop_branches(lake, table, gone)
    return len(gone)


def _last_touched(handle: Any, tip: int, history: Sequence[Snapshot]) -> int:
    """Return when a branch was last written to; of one without own commits, when main last stood where it begins."""
    places = {snapshot.id: place for place, snapshot in enumerate(history)}
    if tip not in places:
        return int(handle.snapshot(tip).timestampMillis())
    place = places[tip]
    return history[place - 1].milliseconds if place else history[0].milliseconds
