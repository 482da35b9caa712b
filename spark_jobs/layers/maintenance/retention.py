"""Which snapshots of a table somebody still needs: those that a mart has not read past, and those that name a state."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

from contracts.model import Plan
from spark_jobs.layers.lake import PROPERTY, Lake, Snapshot


def unread(lake: Lake, plan: Plan) -> dict[str, dict[str, int]]:
    """Return by table or mart the snapshot up to which each mart has read it: a mart reads on from there."""
    found: dict[str, dict[str, int]] = {}
    for mart in sorted(plan.marts):
        for source, snapshot_id in seen(lake, mart).items():
            found.setdefault(source, {})[mart] = snapshot_id
    return found


def seen(lake: Lake, mart: str) -> Mapping[str, int]:
    """Return the snapshots of its sources that a mart has read; nothing where it was never built."""
    text = lake.property(lake.table("mart", mart), "seen")
    known: dict[str, int] = json.loads(text) if text else {}
    return known


def kept(history: Sequence[Snapshot], since: int, needed: Collection[int], mark: str = "") -> int:
    """Return how many snapshots of a history (newest first) must stay.

    Those that readers saw after `since` (ms), so that whoever reads one may go on; all from a needed one on; and
    the newest that bears the `landfall.` property `mark`.
    """
    count = 1
    for place, snapshot in enumerate(history):
        was_head_lately = place > 0 and history[place - 1].milliseconds >= since
        if was_head_lately or snapshot.id in needed:
            count = place + 1
    marked = next((place for place, one in enumerate(history) if PROPERTY + mark in one.summary), 0) if mark else 0
    return min(max(count, marked + 1), max(len(history), 1))


def holder(history: Sequence[Snapshot], keep: int, since: int, readers: Mapping[str, int]) -> str:
    """Return the mart for whose sake the oldest kept snapshot stays although it is old enough to go; or nothing."""
    if keep < 2 or history[keep - 2].milliseconds >= since:
        return ""
    oldest = history[keep - 1].id
    return next((mart for mart, snapshot_id in sorted(readers.items()) if snapshot_id == oldest), "")
