"""What only a deployment would refuse: workers that do not go together, names that become one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta

from contracts.documents import Document, Mistake
from contracts.model import Table
from contracts.parts import Capacity
from contracts.snapshot_parts import duration

PIPELINE_NAME = "at most 40 small letters, digits and _, a letter first"
_FLEXIBLE = ("G.1X", "G.2X")
_SHORTEST, _LONGEST = timedelta(minutes=5), timedelta(days=7)
_IN_POLICIES = re.compile(r"(?:(?!\$\{)[\x20-\xff])*")


def is_pipeline_name(name: str) -> bool:
    """Tell whether a pipeline's folder may be called so: databases, jobs and machines bear its name."""
    return re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) is not None


def resource_words(name: str) -> str:
    """Return a contract's name as resources of the stack bear it: `dim_planes` as `DimPlanes`."""
    return name.title().replace("_", "")


def check_deployment(documents: Iterable[Document], field: str) -> Iterator[Mistake]:
    """Yield the mistakes of contracts of one kind, whose names stand in `field`."""
    owners: dict[str, Document] = {}
    for document in documents:
        yield from _check_capacity(document)
        yield from _check_freshness(document)
        name = document.data[field]
        other = owners.setdefault(resource_words(name), document)
        if name != (like := other.data[field]):
            yield document.mistake(f"{name} is too like {like}: their resources would have one name", field)


def check_policies(tables: Iterable[tuple[Document, Table]]) -> Iterator[Mistake]:
    """Yield prefixes that roles are to name and cannot: of tables that are extracted, or crawled."""
    for document, table in tables:
        prefix = table.source.prefix
        if (table.source.extract or table.crawled) and not _IN_POLICIES.fullmatch(prefix):
            why = "the policy of a role holds no letters behind ÿ (U+00FF), and reads ${ as a variable"
            yield document.mistake(f"{prefix!r} must be written otherwise: {why}", "source", "prefix")


def check_crawled(tables: Iterable[tuple[Document, Table]]) -> Iterator[Mistake]:
    """Yield crawled tables whose crawlers would read what is another's, or whose crawler's table would be another's."""
    every = [*tables]
    for document, table in every:
        if table.crawled:
            others = [other for _, other in every if other.name != table.name]
            yield from _check_folder(document, table, others)
            yield from _check_crawlers_table(document, table, others)


def _check_folder(document: Document, table: Table, others: Iterable[Table]) -> Iterator[Mistake]:
    prefix = table.source.prefix
    if not prefix.endswith("/"):
        message = f"{prefix!r} must end in /: a Glue crawler reads whole folders, here all that it begins in"
        yield document.mistake(message, "source", "prefix")
    for other in others:
        if other.source.prefix.startswith(prefix) and other.source.prefix != prefix:
            why = f"the crawler would find the columns of {other.name} too, under {other.source.prefix!r}"
            yield document.mistake(f"{prefix!r} must hold files of {table.name} only: {why}", "source", "prefix")


def _check_crawlers_table(document: Document, table: Table, others: Iterable[Table]) -> Iterator[Mistake]:
    for other in others:
        if other.crawled and table.name.startswith(f"{other.name}__"):
            why = f"{other.name} is crawled too, and what begins with {other.name}__ is what its crawler finds"
            yield document.mistake(f"{table.name} must have another name: {why}", "table")


def _check_capacity(document: Document) -> Iterator[Mistake]:
    capacity = Capacity(**document.data.get("capacity", {}))
    if capacity.flex and capacity.worker_type not in _FLEXIBLE:
        kinds = " or ".join(_FLEXIBLE)
        yield document.mistake(f"is for workers of {kinds}, not {capacity.worker_type}", "capacity", "flex")


def _check_freshness(document: Document) -> Iterator[Mistake]:
    freshness = document.data.get("freshness")
    if freshness and not _SHORTEST <= duration(freshness) <= _LONGEST:
        message = f"{freshness!r} must lie between 5m and 7d, which is what CloudWatch looks back to"
        yield document.mistake(message, "freshness")
