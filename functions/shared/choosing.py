"""What an execution can do next for a table: which pending landings to stage, and which need no staging.

The rules are SEMANTICS 1 (equal content under one key) and 4 (overwrites). The same function tells open_batch
what to claim and close_batch whether anything is left to do, so that the two never disagree. Neither the order in
which versions arrive nor what failed on the way changes which of them count in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import takewhile

from contracts.file_times import parse_time
from contracts.model import Table
from functions.shared.landings import (
    CLAIMED,
    DUPLICATE,
    FAILED,
    PENDING,
    QUARANTINED,
    REBUILD,
    STAGED,
    SUPERSEDED,
    Landing,
    object_in,
)
from functions.shared.wholes import time_of, wholes

_UNSETTLED = (PENDING, CLAIMED)
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Limits:
    """How much one batch may claim or settle, and how often a landing is tried."""

    landings: int
    bytes: int
    attempts: int


ENDLESS = Limits(landings=10**9, bytes=10**18, attempts=10**9)


@dataclass(frozen=True)
class Change:
    """A landing that goes to another state without being staged now, and why."""

    landing: Landing
    state: str
    reason: str


@dataclass(frozen=True)
class Work:
    """What to stage; what to settle without staging; whose staged rows leave when `claims` are published."""

    claims: tuple[Landing, ...] = ()
    settled: tuple[Change, ...] = ()
    retired: tuple[Change, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.claims or self.settled)


@dataclass(frozen=True)
class _Fate:
    """What becomes of one pending landing: a change without staging, or staged, or (neither) it waits.

    A change of another landing makes it wait too: a later copy counts again, because this one comes between.
    """

    change: Change | None = None
    staged: bool = False
    retires: tuple[Change, ...] = ()


_WAITS = _Fate()


def choose(
    table: Table,
    pending: Sequence[Landing],
    versions_of: Callable[[str], list[Landing]],
    execution: str,
    limits: Limits,
    held: frozenset[str] = frozenset(),
    now: datetime | None = None,
) -> Work:
    """Return the next work of an execution, oldest arrivals first.

    What the execution has tried in vain it does not try again; a landing before its last attempt goes alone;
    landings that an operator's request waits for and others do not mix. What a rebuild that never came to its
    end has left pending is what it was before. Of snapshots in parts the first that is whole goes, as one.

    However many are pending, it asks for the versions of few objects, and of each once: what it leaves is next.
    """
    versions_of = cache(versions_of)
    if table.source.parts:
        return _choose_whole(table, pending, versions_of, execution, held, now or datetime.now(UTC))
    claims: list[Landing] = []
    settled: list[Change] = []
    retired: list[Change] = []
    size = 0
    for one in sorted(pending, key=lambda landing: landing.order):
        if len(settled) >= limits.landings:
            break
        if one.mode == REBUILD:
            settled.append(Change(one, one.was, one.reason))
            continue
        if one.tried_by == execution or is_held(one, held):
            continue
        if claims and not _joins(one, claims[0], limits):
            continue
        fate = _fate(table, one, versions_of(one.object_id))
        if fate.change:
            settled.append(fate.change)
        if not fate.staged:
            continue
        if claims and (len(claims) >= limits.landings or size + one.size > limits.bytes):
            break
        claims.append(one)
        retired += fate.retires
        size += one.size
    return Work(tuple(claims), tuple(settled), tuple(retired))


def _choose_whole(
    table: Table,
    pending: Sequence[Landing],
    versions_of: Callable[[str], list[Landing]],
    execution: str,
    held: frozenset[str],
    now: datetime,
) -> Work:
    """Return the first whole snapshot that the execution has not tried, however many its parts.

    Objects that only repeat what is staged are settled at once, but those without which others that are sent again
    would never be whole, a marker and whatever is counted, wait a day: S3 may tell of the others later.
    """
    parts = table.source.parts
    assert parts
    left = tuple(Change(one, one.was, one.reason) for one in pending if one.mode == REBUILD)
    for whole in wholes(table, [one for one in pending if one.mode != REBUILD], now):
        is_tried = any(one.tried_by == execution for one in whole.landings)
        if is_tried or _waits(whole.landings, held):
            continue
        fates = [(one, _fate(table, one, versions_of(one.object_id))) for one in whole.landings]
        if revived := tuple(fate.change for _, fate in fates if fate.change and fate.change.state == PENDING):
            return Work(settled=left + revived)
        claims = tuple(one for one, fate in fates if fate.staged)
        settled = tuple(fate.change for _, fate in fates if fate.change)
        needed = (one for one in whole.landings if parts.count or parts.is_marker(one.key))
        if whole.lack and (claims or any(now - parse_time(one.event_time) <= _DAY for one in needed)):
            continue
        if claims or settled:
            return Work(claims, left + settled)
    return Work(settled=left)


def _joins(one: Landing, first: Landing, limits: Limits) -> bool:
    last_chance = limits.attempts - 1
    alike = (one.mode, one.allow) == (first.mode, first.allow)
    return alike and one.attempts < last_chance and first.attempts < last_chance


def is_held(one: Landing, held: frozenset[str]) -> bool:
    """Tell whether a landing waits for an earlier one that failed; newer versions of that object do not."""
    if not held or one.mode or one.allow:
        return False
    return one.object_id not in map(object_in, held) and one.entry > min(held)


def _waits(parts: Sequence[Landing], held: frozenset[str]) -> bool:
    """Tell whether a snapshot waits for an earlier one that failed.

    New parts wait beside those that are replayed, too; not where the failed one is what is replayed or sent again.
    """
    if any(one.object_id in map(object_in, held) for one in parts):
        return False
    new = [one for one in parts if not one.mode and not one.allow]
    return bool(new) and all(is_held(one, held) for one in new)


def held_words(count: int, key: str) -> str:
    """Say what landings wait for, and how they go on."""
    wait = "1 landing waits" if count == 1 else f"{count:,} landings wait"
    return (
        f"{wait} for {key}, which failed (on_failed_file: hold): land that key again as it should be "
        "(and replay the others of a snapshot in parts), or replay it; under another key it waits too"
    )


def _fate(table: Table, one: Landing, chain: Sequence[Landing]) -> _Fate:
    """Decide by the versions of its object."""
    present = present_in(chain)
    place = [version.id for version in present].index(one.id)
    earlier, later = present[:place], present[place + 1 :]
    if earlier and earlier[-1].etag == one.etag:
        if earlier[-1].state in _UNSETTLED:
            return _WAITS
        # It was gone from the bucket, or its key did not fit the contract of then.
        if earlier[-1].state == QUARANTINED and time_of(table, one) != one.id:
            return _Fate(Change(earlier[-1], PENDING, f"its content came again with version {one.version_id}"))
        return _Fate(_duplicate(one, earlier[-1]))
    if table.load == "append" and table.on_overwrite == "fail":
        return _first_counts(table, one, earlier, later)
    other = next((version for version in later if version.etag != one.etag), None)
    if other and other.state == DUPLICATE:
        reason = f"its content counts again: version {one.version_id} came between it and its like"
        return _Fate(Change(other, PENDING, reason))
    if table.load == "append" and table.on_overwrite == "replace":
        return _last_counts(table, one, earlier, later)
    return _Fate(staged=True, retires=_copies(table, one, later))


def present_in(chain: Iterable[Landing]) -> list[Landing]:
    """Return the versions of an object but those that failed and copies of them: these are as if they had not come."""
    present: list[Landing] = []
    failed = ""
    for version in chain:
        if version.state == FAILED or (version.state == DUPLICATE and version.etag == failed):
            failed = version.etag
        else:
            present.append(version)
            failed = ""
    return present


def _first_counts(table: Table, one: Landing, earlier: Sequence[Landing], later: Sequence[Landing]) -> _Fate:
    """Decide on an append table that refuses overwrites: other content than the first is as if it had not come."""
    if not earlier:
        known = [version for version in later if has_effect(table, version)]
        copies = tuple(_duplicate(version, one) for version in known if version.etag == one.etag)
        others = [version for version in known if version.etag != one.etag]
        return _Fate(staged=True, retires=(*copies, *_refused(others, one)))
    first = earlier[0]
    if first.state in _UNSETTLED:
        return _WAITS
    return _Fate(_duplicate(one, first) if first.etag == one.etag else _refused([one], first)[0])


def _last_counts(table: Table, one: Landing, earlier: Sequence[Landing], later: Sequence[Landing]) -> _Fate:
    """Decide on an append table whose objects replace what they held before; copies stand for the one before them."""
    other = [version for version in later if version.etag != one.etag and version.state != DUPLICATE]
    if settled := [version for version in other if version.state not in _UNSETTLED]:
        return _Fate(Change(one, SUPERSEDED, f"version {settled[-1].version_id} of the same key came after it"))
    if other:
        return _WAITS
    old = [version for version in earlier if has_effect(table, version)]
    replaced = [Change(v, SUPERSEDED, f"version {one.version_id} of the same key came after it") for v in old]
    return _Fate(staged=True, retires=(*replaced, *_copies(table, one, later)))


def is_repeated(table: Table, one: Landing, chain: Sequence[Landing]) -> bool:
    """Tell whether a pending landing brings nothing new: it may wait for others, and nobody for it."""
    change = _fate(table, one, chain).change
    return change is not None and change.state == DUPLICATE


def _duplicate(one: Landing, first: Landing) -> Change:
    return Change(one, DUPLICATE, f"the same content as version {first.version_id} before it")


def retired_by(table: Table, one: Landing, versions: Sequence[Landing]) -> tuple[Change, ...]:
    """Return whose staged rows leave when a landing that counts is published."""
    return _fate(table, one, versions).retires


def has_effect(table: Table, one: Landing) -> bool:
    """Tell whether the table knows a landing: also while it waits for its replay, or as a snapshot that is covered.

    So it does what is staged anew, whatever was said of it under another contract.
    """
    known = (STAGED, SUPERSEDED) if table.load == "snapshot" else (STAGED,)
    return one.mode == REBUILD or one.state in known or one.was in known


def is_replaced(table: Table, failed: Landing, landings: Iterable[Landing]) -> bool:
    """Tell whether a landing that failed would say nothing any more: a later version of its object stands for it."""
    if table.load == "append":
        replaces = table.on_overwrite == "replace"
    else:  # two versions of one snapshot: their key says of which time
        at = table.effective_at
        replaces = table.load == "snapshot" and bool(at.from_key) and at.unmatched == "quarantine"
    return replaces and any(
        one.object_id == failed.object_id and one.sequence > failed.sequence and has_effect(table, one)
        for one in landings
    )


def _copies(table: Table, one: Landing, later: Sequence[Landing]) -> tuple[Change, ...]:
    """Return the versions that follow with the same content and were staged before this one arrived."""
    copies = []
    for version in later:
        if version.etag != one.etag:
            break
        if has_effect(table, version):
            copies.append(_duplicate(version, one))
    return tuple(copies)


def _refused(versions: Sequence[Landing], first: Landing) -> tuple[Change, ...]:
    reason = f"the key landed before with other content (version {first.version_id}), and on_overwrite is fail"
    return tuple(Change(version, FAILED, reason) for version in versions)


def firsts_again(table: Table, failed: Landing, chain: Sequence[Landing]) -> list[Landing]:
    """Return the version to stage again because the one that came between it and its copy has failed.

    Both are staged, and one of them counts no more: staging the first again takes the rows of the copy away. Of parts
    of a snapshot the newest counts, whichever of two alike that is.
    """
    if table.source.parts:
        return []
    present = present_in(chain)
    earlier = [one for one in present if one.sequence < failed.sequence]
    later = [one for one in present if one.sequence > failed.sequence]
    if not earlier or not later or earlier[-1].etag != later[0].etag or not has_effect(table, later[0]):
        return []
    alike = list(takewhile(lambda one: one.etag == later[0].etag, reversed(earlier)))
    first = alike[-1]
    return [first] if has_effect(table, first) and first.state not in _UNSETTLED else []
