"""The writes that the ledger's protocol is made of; all but an arrival's are bound to the lease's token."""

from __future__ import annotations

from functions.shared.landings import CLAIMED, PENDING, Landing
from functions.shared.ledger import Action, Lease, batch_key, landing_key, lease_key, marker_key

_ABSENT = "attribute_not_exists(pk)"
_STATE = {"#state": "state"}


def arrivals(table: str, *landings: Landing) -> list[Action]:
    """Landings enter the ledger once, pending, and the lease counts them."""
    return [
        *(Action("Put", landing_key(table, one.id), one.to_plain(), condition=_ABSENT) for one in landings),
        *(Action("Put", marker_key(table, one), one.to_plain()) for one in landings),
        Action("Update", lease_key(table), update="ADD arrivals :count", values={":count": len(landings)}),
    ]


def holds(lease: Lease) -> Action:
    """The lease is still this execution's, under this token."""
    return Action(
        "ConditionCheck",
        lease_key(lease.table),
        condition="#token = :token AND holder = :holder",
        names={"#token": "token"},
        values={":token": lease.token, ":holder": lease.holder},
    )


def keep(lease: Lease, **facts: frozenset[str]) -> Action:
    """The lease keeps these sets from now on; empty ones go."""
    held = holds(lease)
    sets = [f"{name} = :{name}" for name, value in facts.items() if value]
    removes = [name for name, value in facts.items() if not value]
    parts = [("SET", sets), ("REMOVE", removes)]
    update = " ".join(f"{verb} {', '.join(some)}" for verb, some in parts if some)
    values = {f":{name}": value for name, value in facts.items() if value}
    return Action("Update", held.key, {}, update, held.condition, held.names, {**held.values, **values})


def is_claiming(table: str, batch_id: str) -> Action:
    """The batch has not finished claiming: nobody who is late may claim for it any more."""
    return Action(
        "ConditionCheck",
        batch_key(table, batch_id),
        condition="#state = :claiming",
        names=_STATE,
        values={":claiming": "claiming"},
    )


def claim(table: str, landing: Landing, batch_id: str, now: str) -> list[Action]:
    """A pending landing becomes the batch's; done twice it is the same."""
    key = landing_key(table, landing.id)
    return [
        Action(
            "Update",
            key,
            update="SET #state = :claimed, batch_id = :batch, updated_at = :now REMOVE reason, #column",
            condition="#state = :pending OR (#state = :claimed AND batch_id = :batch)",
            names={**_STATE, "#column": "column"},
            values={":claimed": CLAIMED, ":pending": PENDING, ":batch": batch_id, ":now": now},
        ),
        Action("Delete", marker_key(table, landing)),
    ]


def change(table: str, before: Landing, after: Landing) -> list[Action]:
    """A landing goes from one state to another; its marker comes and goes with `pending`."""
    put = Action(
        "Put",
        landing_key(table, after.id),
        after.to_plain(),
        condition="#state = :state AND attempts = :attempts"
        + (" AND batch_id = :batch" if before.batch_id else " AND attribute_not_exists(batch_id)"),
        names=_STATE,
        values={":state": before.state, ":attempts": before.attempts}
        | ({":batch": before.batch_id} if before.batch_id else {}),
    )
    if after.state == PENDING:
        return [put, Action("Put", marker_key(table, after), after.to_plain())]
    if before.state == PENDING:
        return [put, Action("Delete", marker_key(table, before))]
    return [put]
