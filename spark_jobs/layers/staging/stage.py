"""Stage one batch: fence, claim, read, capture, check, publish, book."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from contracts.model import MISSING_FILES, Table
from spark_jobs.layers import evolution, shape
from spark_jobs.layers.branches import drop_of_stem
from spark_jobs.layers.errors import (
    ConcurrentPublishError,
    ContractViolationError,
    LimitExceededError,
    StaleLeaseError,
    all_violations,
)
from spark_jobs.layers.lake import PROPERTY, Branch, Lake, Snapshot, branch_name
from spark_jobs.layers.staging import audit, crawled, extras
from spark_jobs.layers.staging.books import Books, from_dict
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.crawled import Crawls
from spark_jobs.layers.staging.groups import stage_append, stage_events
from spark_jobs.layers.staging.landings import Manifest, blame_whole_snapshots, dump, overtaken, with_records
from spark_jobs.layers.staging.outcome import Outcome
from spark_jobs.layers.staging.quarantine import QUARANTINE_SCHEMA, Quarantine
from spark_jobs.layers.staging.readers.formats import FORMATS
from spark_jobs.layers.staging.reading import Reader
from spark_jobs.layers.staging.rejections import Rejected, first_rejected
from spark_jobs.layers.staging.snapshots import stage_snapshots
from spark_jobs.layers.staging.state import PART, log_schema, state_schema
from spark_jobs.layers.staging.work import Work
from spark_jobs.layers.steps import reached

PUBLISH_ATTEMPTS = 5


@dataclass(frozen=True)
class Staged:
    """What staging a batch came to; `left_out` are landings that it went on without, id to reason."""

    snapshot_id: int
    books: Books
    superseded: tuple[str, ...] = ()
    warnings: Mapping[str, int] = field(default_factory=dict)
    rejected: tuple[Rejected, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Names:
    """The Iceberg tables that staging one table writes."""

    log: str
    state: str
    quarantine: str


def stage(lake: Lake, table: Table, manifest: Manifest, reader: Reader, crawls: Crawls | None = None) -> Staged:
    """Stage the manifest's landings into `staging.<table>` and publish them in one step; `crawls` for crawled tables.

    Raises ContractViolationError or LimitExceededError with nothing published, StaleLeaseError when a later
    run has taken the table over. A batch that is published already answers with its books and does nothing.
    """
    names = Names(*(lake.table(layer, table.name) for layer in ("staging", "state", "quarantine")))
    claims: list[Claim] | None = None
    for _ in range(PUBLISH_ATTEMPTS):
        if done := lake.published_by(names.log, manifest.batch_id, manifest.token):
            return _settled(lake, names, table, manifest, done, again=True)
        _settle_state(lake, names, _fence(lake, names.log, manifest))
        if claims is None and not table.crawled:
            _prepare(lake, names, table, manifest)
        try:
            if claims is None:
                reached("claim")
                landings = with_records(manifest.landings, table)
                claims = reader.claim(_open_to_all(table), landings, _goes_without(table, manifest))
                if table.crawled:
                    assert crawls is not None, "a crawled table is staged with its crawler"
                    found = extras.found_columns(lake.spark, _open_to_all(table), claims)
                    table = crawled.followed(crawls, table, found)
                    crawled.check_sql(lake.spark, table)
                    _check(reader, table, claims)
                    _prepare(lake, names, table, manifest)
                elif table.extra_columns == "add":
                    table = extras.followed(lake, names.log, table, extras.found_columns(lake.spark, table, claims))
                    _prepare(lake, names, table, manifest)
            done = _attempt(lake, table, manifest, reader, names, claims)
            return _settled(lake, names, table, manifest, done, again=False)
        except ContractViolationError as error:
            if table.source.parts:
                raise blame_whole_snapshots(error, manifest.landings) from error
            raise
        except ConcurrentPublishError as error:
            lost = error
    raise lost


def _goes_without(table: Table, manifest: Manifest) -> bool:
    """Tell whether files that are gone are left out; of a snapshot in parts none may lack."""
    return MISSING_FILES in manifest.allow and not table.source.parts


def _open_to_all(table: Table) -> Table:
    """Return the table as its landings are claimed: what a crawled one must hold is known only afterwards."""
    if not table.crawled:
        return table
    return replace(table, extra_columns="ignore", delete_when=None, truncate_when=None)


def _check(reader: Reader, table: Table, claims: Sequence[Claim]) -> None:
    """Refuse claims that do not fit the columns of their table, known by now."""
    if errors := list(FORMATS[table.source.format].check(reader.spark, table, claims)):
        raise all_violations(errors)


def _prepare(lake: Lake, names: Names, table: Table, manifest: Manifest) -> None:
    """Create the tables, or bring them to what the contract asks for now; under no rows they take any type."""
    last = lake.sealed(names.log)
    anew = manifest.mode == "rebuild" or last is None
    if not anew:
        shape.check_shape(last, table)
    evolution.ensure(lake, names.quarantine, QUARANTINE_SCHEMA)
    way_out = shape.way_out_of_types(table)
    evolution.ensure(lake, names.log, log_schema(table), table.partition_by, way_out=way_out, anew=anew)
    if table.load != "append":
        evolution.ensure(lake, names.state, state_schema(table), (PART,), way_out=way_out, anew=anew)


def _fence(lake: Lake, log: str, manifest: Manifest) -> Snapshot | None:
    """Return the last batch's snapshot; StaleLeaseError where its token is higher than this run's."""
    last = lake.sealed(log)
    newest = last.summary.get(PROPERTY + "token") if last else None
    if newest is not None and int(newest) > manifest.token:
        raise StaleLeaseError(
            f"{manifest.table}: run {manifest.batch_id} has token {manifest.token}, but token {newest} has "
            "published since: another run took the table over, and this one must not publish"
        )
    return last


def _attempt(
    lake: Lake, table: Table, manifest: Manifest, reader: Reader, names: Names, claims: Sequence[Claim]
) -> Snapshot:
    work = _opened(lake, table, manifest, reader, names)
    stage_load = {"snapshot": stage_snapshots, "append": stage_append}.get(table.load, stage_events)
    try:
        outcome = stage_load(work, claims)
    except (ContractViolationError, ConcurrentPublishError):
        raise
    except LimitExceededError as error:
        error.rejected = first_rejected(work.quarantine.read(), manifest.batch_id)
        raise
    except Exception as error:
        _fence(lake, names.log, manifest)
        if blamed := reader.blame(table):
            raise blamed from error
        raise
    return _published(lake, names, manifest, work, outcome)


def _opened(lake: Lake, table: Table, manifest: Manifest, reader: Reader, names: Names) -> Work:
    """Open the batch's branches; the state's begins at the snapshot that the published log names.

    A rebuild begins with empty ones: readers see the old rows until the new ones are published.
    """
    reached("open branches")
    stem, now = branch_name(manifest.batch_id), datetime.now(UTC)
    log = lake.branch(names.log, stem, alone=True)
    base = _fence(lake, names.log, manifest)  # who published before is seen now, and nobody else can any more
    anew = manifest.mode == "rebuild"
    state: Branch | None = None
    if table.load != "append":
        pointer = base.summary.get(PROPERTY + "state-snapshot") if base else None
        state = lake.branch(names.state, stem, int(pointer) if pointer else None, alone=True)
    quarantine = Quarantine(lake, names.quarantine, manifest.batch_id, now)
    if anew:
        for branch in filter(None, (state, log)):
            branch.clear()
        quarantine.clear()
    else:
        quarantine.forget(manifest.orders, manifest.gone)
    if anew or base is None:
        evolution.renew(log, log_schema(table), table.partition_by)
        if state:
            evolution.renew(state, state_schema(table), (PART,))
    return Work(table, manifest, reader, log, quarantine, state, now, None if anew else base)


def _published(lake: Lake, names: Names, manifest: Manifest, work: Work, outcome: Outcome) -> Snapshot:
    """Publish quarantine, then the log with the pointer to its state: the one step that readers see."""
    work.quarantine.publish()
    properties = {
        "batch-id": manifest.batch_id,
        "token": str(manifest.token),
        "books": dump(outcome.books.as_dict()),
        "superseded": dump(outcome.superseded),
        "warnings": dump(outcome.warnings),
        "left-out": dump(work.reader.left_out),
        shape.NAME: dump(shape.shape(work.table)),
        **outcome.properties,
    }
    if work.state:
        properties["state-snapshot"] = str(work.state.head_id())
    work.log.seal(properties)
    if work.table.crawled:
        crawled.remember(lake, names.log, work.table)
    reached("fence")
    _fence(lake, names.log, manifest)
    work.log.publish()
    done = lake.published_by(names.log, manifest.batch_id, manifest.token)
    assert done is not None
    return done


def _settle_state(lake: Lake, names: Names, done: Snapshot | None) -> None:
    """Make main of the state what the published log points to, where the run that published it came to no end."""
    pointer = done.summary.get(PROPERTY + "state-snapshot") if done else None
    if pointer is not None:
        lake.settle(names.state, int(pointer))


def _settled(lake: Lake, names: Names, table: Table, manifest: Manifest, done: Snapshot, again: bool) -> Staged:
    """Finish what comes after publishing, whoever published: the state's main and the books."""
    reached("settle")
    _settle_state(lake, names, done)
    if again:
        for name in (names.log, names.quarantine):
            drop_of_stem(lake, name, branch_name(manifest.batch_id))
    books = from_dict(json.loads(done.summary["landfall.books"]))
    superseded = [*json.loads(done.summary["landfall.superseded"]), *sorted(overtaken(manifest.landings, table))]
    reached("book")
    audit.write_batch(lake, table, manifest, done, books)
    return Staged(
        done.id,
        books,
        tuple(superseded),
        json.loads(done.summary.get("landfall.warnings", "{}")),
        first_rejected(lake.read(names.quarantine), manifest.batch_id) if books.rejected else (),
        json.loads(done.summary.get("landfall.left-out", "{}")),
    )
