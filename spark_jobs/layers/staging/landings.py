"""The landings of a batch: the manifest, the time a file speaks of, and the order of landings."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import Column
from pyspark.sql import functions as F

from contracts import file_times
from contracts.file_times import FileTimeError, parse_time
from contracts.model import Parts, Table
from contracts.snapshot_parts import ANOTHER_FAILED, Part, members
from spark_jobs.layers.errors import ContractViolationError

_SEQUENCER_DIGITS = 32
_SEPARATOR = "\t"
_TIME_BYTES = len("2013-01-01T00:00:00.000000Z")
_KEY_AT = 2 * (_TIME_BYTES + 1) + 1  # where the key begins in an order, of which the first byte is 1


@dataclass(frozen=True)
class Landing:
    """One object version that the batch has claimed; times are aware datetimes in UTC."""

    id: str
    bucket: str
    key: str
    version_id: str
    sequencer: str
    event_time: datetime
    file_time: datetime
    size: int = 0
    etag: str = ""

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"

    @property
    def order(self) -> str:
        """Return the landing order as text that sorts by code point (SEMANTICS 3) and names the object."""
        return _SEPARATOR.join((_iso(self.file_time), _iso(self.event_time), self.name, self.bucket))

    @property
    def name(self) -> str:
        """Return what tells an object version apart under any contract: its key and its sequencer."""
        return name_of(self.key, self.sequencer)


@dataclass(frozen=True)
class Manifest:
    """What OpenBatch claimed for one run.

    `gone` are the names of landings whose former effect must leave: of those that count no more, and in a replay
    of all that are staged again. `unmatched` are (id, reason) of landings that no time is found for.
    """

    table: str
    batch_id: str
    token: int
    mode: str
    allow: frozenset[str]
    landings: tuple[Landing, ...]
    gone: frozenset[str]
    unmatched: tuple[tuple[str, str], ...]

    @property
    def orders(self) -> list[str]:
        return [landing.order for landing in self.landings]


def read_manifest(raw: Mapping[str, Any], table: Table) -> Manifest:
    """Build the manifest; landings whose key does not match `from_key` stand in `unmatched` with the reason."""
    landings, unmatched = [], []
    for item in raw["landings"]:
        event_time = parse_time(item["event_time"])
        try:
            file_time = find_file_time(table, item["key"]) or event_time
        except ContractViolationError as error:
            unmatched.append((str(item["id"]), str(error)))
            continue
        landings.append(
            Landing(
                id=item["id"],
                bucket=item["bucket"],
                key=item["key"],
                version_id=item["version_id"],
                sequencer=item["sequencer"],
                event_time=event_time,
                file_time=file_time,
                size=int(item.get("size", 0)),
                etag=str(item.get("etag", "")),
            )
        )
    mode = raw.get("mode", "incremental")
    gone = [*raw.get("retired", ()), *(raw["landings"] if mode == "replay" else ())]
    return Manifest(
        table=raw["table"],
        batch_id=raw["batch_id"],
        token=int(raw["token"]),
        mode=mode,
        allow=frozenset(raw.get("allow", ())),
        landings=tuple(sorted(landings, key=lambda landing: landing.order)),
        gone=frozenset(name_of(item["key"], item["sequencer"]) for item in gone),
        unmatched=tuple(unmatched),
    )


def find_file_time(table: Table, key: str) -> datetime | None:
    """Return the time that `from_key` finds in an object key, None where the event's time counts.

    ContractViolationError when the key does not match or holds no real date (SEMANTICS 2).
    """
    try:
        return file_times.find_file_time(table.effective_at, key)
    except FileTimeError as error:
        raise ContractViolationError(f"{table.name}: {error}") from error


def with_records(landings: Sequence[Landing], table: Table) -> list[Landing]:
    """Return the landings whose records are wanted: markers hold none, and nobody reads versions that are overtaken."""
    parts = table.source.parts
    if parts is None:
        return list(landings)
    old = overtaken(landings, table)
    return [landing for landing in landings if landing.id not in old and not parts.is_marker(landing.key)]


def overtaken(landings: Sequence[Landing], table: Table) -> set[str]:
    """Return the ids of parts of snapshots that a newer version of their object replaces."""
    if table.source.parts is None:
        return set()
    records = [one for one in landings if not table.source.parts.is_marker(one.key)]
    newest = {(one.file_time, one.key): one.id for one in sorted(records, key=lambda one: one.order)}
    return {one.id for one in records} - set(newest.values())


def whole_snapshot(parts: Parts, landings: Sequence[Landing]) -> list[Landing]:
    """Return the landings, given in their order, that make one snapshot: the newest version of each of its objects."""
    newest = {landing.key: landing for landing in landings}
    found = members(parts, [Part(landing.key, landing.event_time) for landing in newest.values()])
    return sorted((newest[part.key] for part in found), key=lambda landing: landing.order)


def blame_whole_snapshots(error: ContractViolationError, landings: Sequence[Landing]) -> ContractViolationError:
    """Return the error that blames, with one part of a snapshot, all others: without it the snapshot is not whole."""
    times = {landing.file_time for landing in landings if landing.id in error.landings}
    others = {
        one.id: (ANOTHER_FAILED, None) for one in landings if one.file_time in times and one.id not in error.landings
    }
    return ContractViolationError(str(error), {**error.landings, **others})


def name_of(key: str, sequencer: str) -> str:
    """Return the name of an object version; sequencers are hexadecimal, padded on the right (SEMANTICS 3)."""
    return _SEPARATOR.join((key, sequencer.upper().ljust(_SEQUENCER_DIGITS, "0")))


def name_in(order: str) -> str:
    """Return the name of the object version that a landing order tells of."""
    fields = order_fields(order)
    return _SEPARATOR.join((fields["key"], fields["sequencer"]))


def is_named(order: Column, orders: Collection[str], names: Collection[str]) -> Column:
    """Tell whether a landing order is one of `orders`, or tells of one of the object versions `names`."""
    found = order.isin(sorted(orders)) if orders else F.lit(False)
    return (found | _from_key_on(order, without=1).isin(sorted(names))) if names else found


def file_of(order: Column) -> Column:
    """Return the s3 URI that a landing order names."""
    bucket = F.substring_index(order, _SEPARATOR, -1)
    return F.concat(F.lit("s3://"), bucket, F.lit("/"), _from_key_on(order, without=2))


def landed_at_of(order: Column) -> Column:
    return _bytes_of(order, F.lit(_TIME_BYTES + 2), F.lit(_TIME_BYTES)).cast("timestamp")


def _from_key_on(order: Column, without: int) -> Column:
    """Return what follows the times, `without` so many fields at the end; a key may hold tabs itself."""
    rest = F.substring_index(order, _SEPARATOR, -without)
    return _bytes_of(order, F.lit(_KEY_AT), F.octet_length(order) - F.octet_length(rest) - F.lit(_KEY_AT))


def _bytes_of(order: Column, first: Column, count: Column) -> Column:
    """Return a part of an order by its bytes: to count characters, or split at tabs, costs several times as much."""
    return order.cast("binary").substr(first, count).cast("string")


def order_fields(order: str) -> dict[str, str]:
    """Split a landing order into file_time, event_time, key, sequencer and bucket; a key may hold tabs itself."""
    file_time, event_time, rest = order.split(_SEPARATOR, 2)
    key, sequencer, bucket = rest.rsplit(_SEPARATOR, 2)
    return {"file_time": file_time, "event_time": event_time, "key": key, "sequencer": sequencer, "bucket": bucket}


def landing_of(order: str, version_id: str) -> Landing:
    """Rebuild a landing from its order and version id (for parts of a snapshot staged before)."""
    fields = order_fields(order)
    return Landing(
        id="",
        bucket=fields["bucket"],
        key=fields["key"],
        version_id=version_id,
        sequencer=fields["sequencer"],
        event_time=parse_time(fields["event_time"]),
        file_time=parse_time(fields["file_time"]),
    )


def by_file_time(landings: Sequence[Landing]) -> list[tuple[datetime, list[Landing]]]:
    """Group landings by file time, oldest first; each group in landing order."""
    groups: dict[datetime, list[Landing]] = {}
    for landing in sorted(landings, key=lambda one: one.order):
        groups.setdefault(landing.file_time, []).append(landing)
    return sorted(groups.items())


def _iso(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def dump(value: Any) -> str:
    """Return canonical JSON, for snapshot summaries."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
