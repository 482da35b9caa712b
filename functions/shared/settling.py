"""Landings go from one state to another under a lease, and what a batch's outcome means for each of its landings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from contracts.model import Table
from functions.shared import actions
from functions.shared.causes import CUT_OFF, first_cause, first_of_files
from functions.shared.choosing import Change, firsts_again
from functions.shared.errors import ConditionFailedError, LedgerBusyError, StaleLeaseError
from functions.shared.landings import (
    CLAIMED,
    FAILED,
    PENDING,
    QUARANTINED,
    REBUILD,
    REPLAY,
    STAGED,
    SUPERSEDED,
    Landing,
)
from functions.shared.ledger import MAX_ACTIONS, Lease, Ledger

LIMIT_ERROR = "LimitExceededError"
_AT_ONCE = (MAX_ACTIONS - 1) // 2
_TRIES = 5
Pair = tuple[Landing, Landing]


@dataclass(frozen=True)
class StageOutcome:
    """How the staging job of a batch ended: what it wrote, and the error where it failed.

    `stays` tells that the data or the contract is at fault, so that trying again is in vain. `rejected` are the first
    records that were refused, or would have been; `warnings` counts by check.
    """

    published: bool
    books: Mapping[str, int] | None = None
    blamed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    quarantined: Mapping[str, str] = field(default_factory=dict)
    superseded: frozenset[str] = frozenset()
    error: str = ""
    cause: str = ""
    stays: bool = False
    rejected: tuple[Mapping[str, Any], ...] = ()
    warnings: Mapping[str, int] = field(default_factory=dict)


def settle(ledger: Ledger, lease: Lease, pairs: Iterable[Pair]) -> None:
    """Bring landings to their new states, as long as the lease is held; who is no longer as before is left alone."""
    left = list(pairs)
    for start in range(0, len(left), _AT_ONCE):
        _settle_some(ledger, lease, left[start : start + _AT_ONCE])


def _settle_some(ledger: Ledger, lease: Lease, pairs: Sequence[Pair]) -> None:
    for _ in range(_TRIES):
        writes = [action for before, after in pairs for action in actions.change(lease.table, before, after)]
        try:
            ledger.transact([actions.holds(lease), *writes])
            return
        except ConditionFailedError as error:
            if 0 in error.failed:
                raise StaleLeaseError(lost(lease)) from error
        found = ledger.landings(lease.table, [before.id for before, _ in pairs])
        pairs = [(before, after) for before, after in pairs if found.get(before.id) == before]
        if not pairs:
            return
    raise LedgerBusyError(f"{lease.table}: landings change while they are settled; tried {_TRIES} times")


def lost(lease: Lease) -> str:
    """Say that the lease is gone."""
    return (
        f"{lease.table}: the lease with token {lease.token} is no longer held by this execution: "
        "another one has taken the table over"
    )


def changed(changes: Iterable[Change], now: str) -> list[Pair]:
    """Return the pairs of changes that need no staging."""
    return [(one.landing, one.landing.settled(one.state, now, reason=one.reason)) for one in changes]


def verdicts(
    landings: Iterable[Landing],
    outcome: StageOutcome,
    *,
    batch_id: str,
    execution: str,
    max_attempts: int,
    now: str,
) -> list[Pair]:
    """Return what becomes of the landings that a batch has claimed; those that it has not are left alone.

    `execution` is who tried in vain and will not try again; a new execution may. Blame that meets none of them is no
    reason to try the others at once.
    """
    found = [*landings]
    if outcome.blamed.keys().isdisjoint(one.id for one in found):
        outcome = replace(outcome, blamed={})
    mine = [one for one in found if one.state == CLAIMED and one.batch_id == batch_id]
    return [(one, _verdict(one, outcome, execution, max_attempts, now)) for one in mine]


def _verdict(one: Landing, outcome: StageOutcome, execution: str, max_attempts: int, now: str) -> Landing:
    blamed, quarantined = outcome.blamed, outcome.quarantined
    if not outcome.published and one.mode == REBUILD:
        return _not_rebuilt(one, outcome, execution, now)
    if one.id in blamed:
        return one.failed(now, *blamed[one.id])
    if one.id in quarantined and one.was in (STAGED, SUPERSEDED) and not outcome.published:
        return one.failed(now, quarantined[one.id])  # its rows have not left
    if one.id in quarantined:
        return one.settled(QUARANTINED, now, reason=quarantined[one.id])
    if outcome.published:
        return one.settled(SUPERSEDED if one.id in outcome.superseded else STAGED, now, reason="")
    if blamed:
        return one.with_state(PENDING, updated_at=now)
    if outcome.stays or outcome.error == LIMIT_ERROR:
        return one.failed(now, outcome.cause)
    if one.attempts + 1 >= max_attempts:
        return one.failed(now, f"failed {one.attempts + 1} times, last: {outcome.cause}")
    attempts = one.attempts + 1
    return one.with_state(PENDING, attempts=attempts, reason=outcome.cause, tried_by=execution, updated_at=now)


def _not_rebuilt(one: Landing, outcome: StageOutcome, execution: str, now: str) -> Landing:
    """Return a landing as it was before a rebuild that failed; one to blame that is not staged has failed."""
    why = outcome.quarantined.get(one.id) or f"the rebuild failed: {outcome.cause}"
    if one.id in outcome.blamed and one.was != STAGED:
        return replace(one, was=PENDING).failed(now, *outcome.blamed[one.id])
    if one.was != PENDING:
        return one.settled(one.was, now, reason=why)
    return replace(again(one, now), reason=why, tried_by=execution)


def read_outcome(result: Mapping[str, Any] | None, error: Mapping[str, str] | None) -> StageOutcome:
    """Read the staging job's result and Step Functions' error; a batch that the job calls published is published.

    The job's own words come first: they hold the first cause, where the error holds what wraps it.
    """
    if result and result["status"] == "published":
        return StageOutcome(
            published=True,
            books=result["books"],
            blamed=_blamed(result),
            quarantined=_reasons(result, "quarantined_landings"),
            superseded=frozenset(result["superseded_landings"]),
            rejected=tuple(result.get("rejected", ())),
            warnings=result.get("warnings", {}),
        )
    told = (result or {}).get("error") or {}
    name, cause = _told(told, error)
    return StageOutcome(
        published=False,
        blamed=_blamed(result or {}),
        quarantined=_reasons(result or {}, "quarantined_landings"),
        error=name,
        cause=cause,
        stays=bool((result or {}).get("stays")) and name == told.get("type"),
        rejected=tuple((result or {}).get("rejected", ())),
    )


def _told(told: Mapping[str, str], error: Mapping[str, str] | None) -> tuple[str, str]:
    caught = first_cause(error) if error else ("", "")
    if error and (not told or caught[0] in CUT_OFF):
        return caught
    if told:
        return str(told["type"]), str(told["message"] or told["type"])
    return "ResultMissingError", "the staging job ended well but wrote no result"


def _blamed(result: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    return {one["id"]: (str(one["reason"]), str(one.get("column") or "")) for one in result.get("failed_landings", [])}


def _reasons(result: Mapping[str, Any], name: str) -> dict[str, str]:
    return {one["id"]: str(one["reason"]) for one in result.get(name, [])}


def retired(manifest: Mapping[str, Any], found: Mapping[str, Landing], now: str) -> list[Pair]:
    """Return what becomes of staged landings whose rows left when the batch was published."""
    return [
        (one, one.settled(entry["state"], now, reason=entry["reason"]))
        for entry in manifest["retired"]
        if (one := found.get(entry["id"])) and {one.state, one.was}.intersection((STAGED, SUPERSEDED, QUARANTINED))
    ]


def refusals(table: str, landings: Iterable[Landing]) -> list[dict[str, Any]]:
    """Return the failure to tell of those that `on_overwrite: fail` refuses: one, however many they are."""
    causes = [f"file {one.key}: {one.reason}" for one in landings if one.state == FAILED]
    if not causes:
        return []
    cause = first_of_files(causes)
    return [{"kind": "stage", "name": table, "error": "OverwriteRefusedError", "cause": cause, "skipped": []}]


def settle_neighbours(ledger: Ledger, lease: Lease, table: Table, landings: Iterable[Landing]) -> None:
    """See to it that of versions that are neighbours since those between have failed the first alone counts."""
    now = ledger.now()
    firsts = {
        first.id: first
        for one in landings
        if one.state == FAILED
        for first in firsts_again(table, one, ledger.versions(table.name, one.object_id))
    }
    settle(ledger, lease, [(one, again(one, now, mode=REPLAY, was=STAGED)) for one in firsts.values()])


def again(one: Landing, now: str, *, mode: str = "", was: str = "", allow: str = "") -> Landing:
    """Return a settled landing as it waits to be staged again."""
    fresh = replace(one, state=PENDING, attempts=0, reason="", column="", tried_by="", updated_at=now)
    return replace(fresh, mode=mode, was=was, allow=allow)
