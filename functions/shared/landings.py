"""Landings as the ledger holds them: what one is, its id, its keys, its order among the versions of its object."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

PENDING, CLAIMED, STAGED, DUPLICATE, SUPERSEDED, QUARANTINED, FAILED = (
    "pending",
    "claimed",
    "staged",
    "duplicate",
    "superseded",
    "quarantined",
    "failed",
)
_SEQUENCER_DIGITS = 32
_OBJECT_DIGITS, _VERSION_DIGITS = 24, 16
_STORED = ("id", "bucket", "key", "version_id", "sequencer", "event_time", "etag", "size", "state", "attempts")
_SOMETIMES = ("batch_id", "reason", "column", "tried_by", "mode", "was", "allow", "updated_at")
REPLAY, REBUILD = "replay", "rebuild"
_REPLAY_FAILED = "the replay failed: "


@dataclass(frozen=True)
class Landing:
    """One object version that arrived; `event_time` is ISO 8601 in UTC with microseconds, `size` in bytes.

    `tried_by` is the execution that last tried it in vain. While an operator's request waits, `mode` is `replay`
    or `rebuild` and `was` the state before it; `allow` names the limits that it may break, parted by commas.
    """

    id: str
    bucket: str
    key: str
    version_id: str
    sequencer: str
    event_time: str
    etag: str
    size: int
    state: str = PENDING
    attempts: int = 0
    batch_id: str = ""
    reason: str = ""
    column: str = ""
    tried_by: str = ""
    mode: str = ""
    was: str = ""
    allow: str = ""
    updated_at: str = ""

    @property
    def order(self) -> tuple[str, str]:
        """Return what sorts landings by arrival."""
        return (self.event_time, self.id)

    @property
    def entry(self) -> str:
        """Return what a lease remembers of it while later landings wait for it; sorts like `order`."""
        return "#".join(self.order)

    @property
    def marker(self) -> str:
        """Return the sort key of the marker that it has while it is pending."""
        return f"PENDING#{self.event_time}#{self.id}"

    @property
    def object_id(self) -> str:
        """Return the part of the id that all versions of its object share."""
        return _object_of(self.id)

    @property
    def has_failed(self) -> bool:
        """Tell whether it failed, or its replay did: then its rows are staged all the same."""
        return self.state == FAILED or self.reason.startswith(_REPLAY_FAILED)

    @property
    def sequence(self) -> str:
        """Return what orders the versions of one object: hexadecimal, padded on the right."""
        return self.sequencer.upper().ljust(_SEQUENCER_DIGITS, "0")

    def to_plain(self) -> dict[str, Any]:
        """Return its attributes, without those that are empty by nature."""
        always = {name: getattr(self, name) for name in _STORED}
        return always | {name: value for name in _SOMETIMES if (value := getattr(self, name))}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Landing:
        """Read a landing or its marker from the ledger's attributes."""
        return cls(**{name: plain[name] for name in (*_STORED, *_SOMETIMES) if name in plain})

    def with_state(self, state: str, **changes: Any) -> Landing:
        return replace(self, state=state, **changes)

    def failed(self, now: str, reason: str, column: str = "") -> Landing:
        """Return it as it is after it failed; one whose rows are staged already keeps them when its replay fails."""
        if self.was in (STAGED, SUPERSEDED):
            return self.settled(self.was, now, reason=_REPLAY_FAILED + reason, column=column)
        return self.settled(FAILED, now, attempts=self.attempts + 1, reason=reason, column=column)

    def settled(self, state: str, now: str, **changes: Any) -> Landing:
        """Return it in a state that it keeps: whatever was asked of it is done with."""
        done = {"mode": "", "was": "", "allow": "", "tried_by": "", "column": ""}
        return replace(self, state=state, updated_at=now, **{**done, **changes})


def id_in(entry: str) -> str:
    """Return the id of the landing of an `entry`."""
    return entry.partition("#")[2]


def object_in(entry: str) -> str:
    """Return the `object_id` of the landing of an `entry`."""
    return _object_of(id_in(entry))


def landing_id(key: str, version_id: str) -> str:
    """Return the id of an object version: the same event gives the same id, versions share its first part."""
    return f"{_digest(key, _OBJECT_DIGITS)}-{_digest(version_id, _VERSION_DIGITS)}"


def normal_time(text: str) -> str:
    """Return a time as the ledger sorts it: UTC, ISO 8601, microseconds."""
    time = datetime.fromisoformat(text)
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _object_of(landing: str) -> str:
    return landing.partition("-")[0]


def _digest(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]
