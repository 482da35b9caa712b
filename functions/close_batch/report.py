"""What a batch came to, in words and figures: marts, failures to tell, the summary that the execution shows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.model import Capacity, Plan
from functions.shared.attributes import Item
from functions.shared.causes import first_cause, first_of_files, named
from functions.shared.landings import FAILED, QUARANTINED, Landing
from functions.shared.settling import LIMIT_ERROR, StageOutcome
from functions.shared.world import World

_SHOWN = 20
_NAMED = 3
_MANY, _MOST_WORDS = 60, 60_000  # marts that fail, letters of their causes: Step Functions passes on 256 KiB
_BILLED = 60  # the fewest seconds that Glue bills for a run


@dataclass(frozen=True)
class MartOutcome:
    """What became of a batch's marts; `unbuilt` are those that nobody came to. `rows` by mart, for those built.

    `revisions` are those by which they were built, or were to be.
    """

    built: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()
    skipped: frozenset[str] = frozenset()
    unbuilt: frozenset[str] = frozenset()
    errors: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    rows: Mapping[str, Any] = field(default_factory=dict)
    revisions: frozenset[str] = frozenset()


def mart_outcome(world: World, batch: Item, published: bool, marts_error: Mapping[str, str] | None) -> MartOutcome:
    """Read what became of the marts: from the ledger those that failed or were skipped, from S3 the others."""
    marts = frozenset(batch.get("marts", ())) & world.plan.marts.keys()  # others went with a deployment meanwhile
    if not published:
        return MartOutcome()
    failed = frozenset(batch.get("failed_marts", ())) & marts
    skipped = frozenset(batch.get("skipped_marts", ())) & marts
    results = {
        mart: world.files.read(batch["table"], batch["batch_id"], f"mart-{mart}") for mart in sorted(marts - skipped)
    }
    rest = marts - failed - skipped
    built = {mart for mart in rest if (results[mart] or {}).get("status", "failed") != "failed"}
    unbuilt = rest - built if marts_error else frozenset[str]()
    errors = {mart: _error(batch, mart, results[mart]) for mart in sorted(failed)}
    if marts_error:
        errors |= dict.fromkeys(sorted(unbuilt), first_cause(marts_error))
    most = _MOST_WORDS // max(_MANY, len(errors))
    errors = {mart: (error, cause[:most]) for mart, (error, cause) in errors.items()}
    rows = {mart: results[mart].get("rows") for mart in sorted(built)}
    revisions = frozenset((results.get(mart) or {}).get("revision", world.plan.marts[mart].revision) for mart in marts)
    return MartOutcome(rest - unbuilt, failed, skipped, frozenset(unbuilt), errors, rows, revisions)


def _error(batch: Item, mart: str, result: Mapping[str, Any] | None) -> tuple[str, str]:
    """Return a failed mart's error: the job's own words, else those that the state machine noted."""
    told = (result or {}).get("error")
    if told:
        return str(told["type"]), str(told["message"] or told["type"])
    return named(batch.get("mart_errors", {}).get(mart, ""), "MartFailedError")


def failures(
    world: World, batch: Item, outcome: StageOutcome, marts: MartOutcome, found: Mapping[str, Landing]
) -> list[dict[str, Any]]:
    """Return the failures to tell, the table's first, then each mart's with those that were skipped because of it.

    Of the table's: whether files are tried no more, whether later ones wait for them, and whether none may lack.
    """
    told = []
    mine, table = _of_batch(batch, found), world.plan.tables[batch["table"]]
    facts = {
        "batch_id": batch["batch_id"],
        "gave_up": any(one.has_failed for one in mine),
        "holds": table.on_failed_file == "hold" and any(one.state == FAILED for one in mine),
        "in_parts": table.source.parts is not None,
    }
    if not outcome.published:
        skipped = sorted(batch.get("marts", ()))
        cause = outcome.cause + _to_blame(outcome, found) + _first_refused(outcome)
        told.append(_failure("stage", batch["table"], outcome.error, cause, skipped) | facts)
    elif outcome.blamed:
        told.append(_failure("stage", batch["table"], "ContractViolationError", _blame(outcome, found), []) | facts)
    for mart, (error, cause) in marts.errors.items():
        told.append(_failure("mart", mart, error, cause, sorted(world.plan.downstream(mart, marts.skipped))))
    return [one | {"mode": batch["mode"]} for one in told]


def _of_batch(batch: Item, found: Mapping[str, Landing]) -> list[Landing]:
    return [one for one in found.values() if one.batch_id == batch["batch_id"]]


def _failure(kind: str, name: str, error: str, cause: str, skipped: list[str]) -> dict[str, Any]:
    return {"kind": kind, "name": name, "error": error, "cause": cause, "skipped": skipped}


def _to_blame(outcome: StageOutcome, found: Mapping[str, Landing]) -> str:
    """Return the files that a limit stopped, as one more sentence; other errors name theirs."""
    if outcome.error != LIMIT_ERROR or not outcome.blamed:
        return ""
    keys = sorted(found[id_].key for id_ in outcome.blamed if id_ in found)
    more = f" and {len(keys) - _NAMED} more" if len(keys) > _NAMED else ""
    return f" To blame: {', '.join(keys[:_NAMED])}{more}."


def _first_refused(outcome: StageOutcome) -> str:
    """Return the first records that a stopped batch would have refused, as one more sentence."""
    words = [
        f"file {one['file']}, record {one['row']}: {_at(one['column'])}{one['reason']}" for one in outcome.rejected
    ]
    return f" The first: {'; '.join(words)}." if words else ""


def _at(column: str | None) -> str:
    return f"column {column}: " if column else ""


def _blame(outcome: StageOutcome, found: Mapping[str, Landing]) -> str:
    words = [
        f"file {found[id_].key if id_ in found else id_}: {_at(column)}{reason}"
        for id_, (reason, column) in outcome.blamed.items()
    ]
    return first_of_files(words)


def summary(
    plan: Plan, batch: Item, outcome: StageOutcome, marts: MartOutcome, found: Mapping[str, Landing]
) -> dict[str, Any]:
    """Return what the execution's output shows of the batch."""
    mine = _of_batch(batch, found)
    told: dict[str, Any] = {
        "batch_id": batch["batch_id"],
        "mode": batch["mode"],
        "landings": batch["landings"],
        "states": dict(sorted(Counter(one.state for one in mine).items())),
        "rows": dict(outcome.books or {}),
        "marts": dict(marts.rows),
    }
    if outcome.rejected and outcome.published:  # nothing is in quarantine of a batch that a limit stopped
        told["refused_records"] = [dict(one) for one in outcome.rejected]
    if outcome.warnings:
        told["warnings"] = dict(outcome.warnings)
    if failed := [one for one in mine if one.has_failed][:_SHOWN]:
        told["failed_files"] = [{"key": one.key, "reason": one.reason, "column": one.column} for one in failed]
    if quarantined := [one for one in mine if one.state == QUARANTINED][:_SHOWN]:
        told["quarantined_files"] = [{"key": one.key, "reason": one.reason} for one in quarantined]
    if marts.errors:
        told["failed_marts"] = {mart: f"{error}: {cause}" for mart, (error, cause) in marts.errors.items()}
    if not outcome.published:
        told["skipped_marts"] = dict.fromkeys(sorted(batch.get("marts", ())), "nothing was published")
    elif marts.skipped:
        told["skipped_marts"] = {mart: _why_skipped(plan, mart, marts) for mart in sorted(marts.skipped)}
    return told


def dpu_seconds(plan: Plan, batch: Item, runs: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    """Return what the runs of the batch's jobs cost, by table and mart, as Glue bills them."""
    table = batch["table"]
    costs = {table: _cost(runs.get("stage", ()), plan.tables[table].capacity)}
    marts = {mart: some for mart, some in runs.get("marts", {}).items() if mart in plan.marts}
    costs |= {mart: _cost(marts[mart], plan.marts[mart].capacity) for mart in sorted(marts)}
    told = {name: round(cost) for name, cost in costs.items() if cost}
    return {"dpu_seconds": told} if told else {}


def _cost(runs: Sequence[Mapping[str, float]], capacity: Capacity) -> float:
    """Return DPU-seconds: those that Glue tells of a run whose workers came and went, else all its workers' time."""
    whole = [max(_BILLED, run.get("seconds", 0)) * capacity.dpus for run in runs]
    return sum(run.get("dpu_seconds", rest) for run, rest in zip(runs, whole, strict=True))


def _why_skipped(plan: Plan, mart: str, marts: MartOutcome) -> str:
    """Say which of the marts that a skipped one reads failed, or were skipped themselves."""
    failed, skipped = (sorted(some.intersection(plan.marts[mart].reads)) for some in (marts.failed, marts.skipped))
    words = [f"{name} failed" for name in failed] + [f"{name} was skipped" for name in skipped]
    return ", ".join(words)
