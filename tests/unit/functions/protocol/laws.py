"""What must hold in every state of the protocol, and what must be reached once failures stop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from functions.shared.attributes import from_item
from tests.unit.functions.protocol.cloud import Cloud
from tests.unit.functions.protocol.explorer import Explorer
from tests.unit.functions.protocol.programs import TABLE

_PK = f"TABLE#{TABLE}"
_SWEEPS = 4


def lease(cloud: Cloud) -> Mapping[str, Any]:
    return from_item(cloud.items.get((_PK, "LEASE"), {}))


def landings(cloud: Cloud) -> dict[str, Mapping[str, Any]]:
    """Return the landings by id."""
    found = [from_item(item) for (_, sk), item in cloud.items.items() if sk.startswith("LANDING#")]
    return {one["id"]: one for one in found}


def staged_by_the_lake(cloud: Cloud) -> set[str]:
    return {id_ for _, _, ids in cloud.published for id_ in ids}


def check_step(before: Cloud, after: Cloud) -> None:
    """Check what every single write must keep."""
    assert lease(after).get("token", 0) - lease(before).get("token", 0) in (0, 1), "the token grows by one"
    then, now = landings(before), landings(after)
    assert then.keys() <= now.keys(), "no landing is lost"
    assert {id_ for id_ in then if then[id_]["state"] == "staged"} <= {
        id_ for id_ in now if now[id_]["state"] == "staged"
    }, "what is staged stays staged"
    check_cloud(after)


def check_cloud(cloud: Cloud) -> None:
    """Check what must hold in every state."""
    tokens = [token for _, token, _ in cloud.published]
    assert tokens == sorted(set(tokens)), "no two publishers have the same token, and tokens only grow"
    batches = [batch for batch, _, _ in cloud.published]
    assert len(batches) == len(set(batches)), "a batch is published once"
    markers = {sk.rpartition("#")[2] for _, sk in cloud.items if sk.startswith("PENDING#")}
    known = landings(cloud)
    assert markers == {id_ for id_, one in known.items() if one["state"] == "pending"}, "a marker means pending"
    assert lease(cloud).get("arrivals", 0) == len(known), "every arrival is counted once"
    for id_, one in known.items():
        assert one["state"] in ("pending", "claimed", "staged"), one
        if one["state"] == "staged":
            assert id_ in staged_by_the_lake(cloud), "a landing is staged after it was published"
        if one["state"] == "claimed":
            batch = cloud.items.get((_PK, f"BATCH#{one['batch_id']}"))
            assert batch is not None, "a claimed landing has a batch that knows it"


@dataclass
class EventualLaws:
    """What must hold once nobody is left who must go on."""

    arrived: frozenset[str]
    failures: int
    explorer: Explorer | None = None
    ends: set[tuple[Any, ...]] = field(default_factory=set)

    def check(self, cloud: Cloud) -> None:
        """Without failures all is done; after failures one sweep or a few bring it about."""
        if self.failures:
            cloud = self._swept(cloud)
        known = landings(cloud)
        assert known.keys() == self.arrived, "no arrival is forgotten"
        assert {one["state"] for one in known.values()} == {"staged"}, "every landing is staged in the end"
        assert staged_by_the_lake(cloud) == self.arrived
        assert "holder" not in lease(cloud), "nobody keeps the lease"
        assert "RUNNING" not in cloud.executions.values(), "no execution is left waiting"
        if not self.failures:
            staged = [id_ for _, _, ids in cloud.published for id_ in ids]
            assert sorted(staged) == sorted(self.arrived), "nothing is staged twice"
        self.ends.add(cloud.identity())

    def _swept(self, cloud: Cloud) -> Cloud:
        """Let the sweep come, and redelivery of messages that were never handled."""
        assert self.explorer is not None
        for _ in range(_SWEEPS):
            cloud = self.explorer.run(cloud, ("sweep",))
        return cloud
