"""`on_failed_file: hold`: which failed landings later ones wait for, and until when."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.model import Table
from functions.shared.landings import CLAIMED, FAILED, PENDING, Landing, id_in, object_in
from functions.shared.ledger import Ledger


def failed_entries(table: Table, landings: Iterable[Landing], batch_id: str) -> frozenset[str]:
    """Return the entries of a batch's landings that failed and that later ones wait for."""
    if table.on_failed_file != "hold":
        return frozenset()
    return frozenset(one.entry for one in landings if one.state == FAILED and one.batch_id == batch_id)


def still_held(ledger: Ledger, table: Table, entries: Iterable[str]) -> frozenset[str]:
    """Return those of the entries of failed landings that later ones wait for now.

    A landing is waited for until it is replayed, or a later version of its object has been settled, be it as a
    duplicate of one before; and no longer than the contract says `hold`.
    """
    if table.on_failed_file != "hold":
        return frozenset()
    return frozenset(entry for entry in entries if not _is_mended(ledger, table.name, entry))


def _is_mended(ledger: Ledger, table: str, entry: str) -> bool:
    settled = (one for one in ledger.versions(table, object_in(entry)) if one.state not in (FAILED, PENDING, CLAIMED))
    return any(one.id == id_in(entry) or one.entry > entry for one in settled)
