"""`on_failed_file: hold`: which failed landings later ones wait for, and until when."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from contracts.model import Table
from contracts.snapshot_parts import ANOTHER_FAILED
from functions.shared.landings import CLAIMED, FAILED, PENDING, Landing, id_in, object_in


def failed_entries(table: Table, landings: Iterable[Landing], batch_id: str) -> frozenset[str]:
    """Return the entries of a batch's landings that failed and that later ones wait for."""
    if table.on_failed_file != "hold":
        return frozenset()
    return frozenset(one.entry for one in landings if one.state == FAILED and one.batch_id == batch_id)


def still_held(table: Table, entries: Iterable[str], versions_of: Callable[[str], Iterable[Landing]]) -> frozenset[str]:
    """Return those of the entries of failed landings that later ones wait for now; `versions_of` tells of an object.

    A landing is waited for until it is replayed, or a later version of its object has been settled, be it as a
    duplicate of one before; and no longer than the contract says `hold`.
    """
    if table.on_failed_file != "hold":
        return frozenset()
    return frozenset(entry for entry in entries if not _is_mended(entry, versions_of(object_in(entry))))


def _is_mended(entry: str, versions: Iterable[Landing]) -> bool:
    settled = (one for one in versions if one.state not in (FAILED, PENDING, CLAIMED))
    return any(one.id == id_in(entry) or one.entry > entry for one in settled)


def to_mend(failed: Iterable[Landing]) -> str:
    """Return the key that is to be landed again, of those that others wait for; '' where there is none.

    It is the first, but not a part of a snapshot that failed with another one.
    """
    first = min(failed, key=lambda one: (one.reason == ANOTHER_FAILED, one.entry), default=None)
    return first.key if first else ""
