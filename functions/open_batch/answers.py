"""What the state machine is told: the job to run, the marts to build wave by wave, and their arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from functions.shared.attributes import Item
from functions.shared.ledger import batch_key
from functions.shared.world import World


def answer(world: World, batch: Item, failures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the answer that a batch's item means."""
    table, batch_id = batch["table"], batch["batch_id"]
    told: dict[str, Any] = {
        "action": "stage" if batch["landings"] else "marts",
        "table": table,
        "batch_id": batch_id,
        "token": batch["token"],
        "mode": batch["mode"],
        "waves": waves(world, batch),
        "batch_key": batch_key(table, batch_id),
        "failures": list(failures),
    }
    return told | ({"stage": _stage_job(world, batch)} if batch["landings"] else {})


def waves(world: World, batch: Item) -> list[list[dict[str, Any]]]:
    """Return the jobs of the batch's marts, wave by wave; a mart waits for those of the batch that it reads."""
    marts = batch.get("marts", frozenset())
    planned = [[name for name in wave if name in marts] for wave in world.plan.waves(batch["table"])]
    return [[_mart_job(world, batch, name, marts) for name in wave] for wave in planned if wave]


def _stage_job(world: World, batch: Item) -> dict[str, Any]:
    table, batch_id = batch["table"], batch["batch_id"]
    return {
        "job_name": f"{world.environment.stage_job_prefix}{table}",
        "arguments": {
            "--batch_id": batch_id,
            "--manifest": batch["manifest"],
            "--result": world.files.uri(table, batch_id, "stage"),
        },
    }


def _mart_job(world: World, batch: Item, mart: str, built: Iterable[str]) -> dict[str, Any]:
    upstream = set(world.plan.upstream_marts(mart)).intersection(built)
    return {
        "mart": mart,
        "job_name": f"{world.environment.mart_job_prefix}{mart}",
        "arguments": {
            "--batch_id": batch["batch_id"],
            "--build_mode": "rebuild" if batch["mode"] == "rebuild" else "incremental",
            "--result": world.files.uri(batch["table"], batch["batch_id"], f"mart-{mart}"),
        },
        "depends_on": sorted(upstream),
    }
