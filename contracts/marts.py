"""Mart contracts: from a document to the model, and every mistake that the schema cannot see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contracts.column_rules import column_types, known
from contracts.documents import Document, Mistake
from contracts.grouping import hands_on, recomputes_by
from contracts.model import MEMBERED, Capacity, DimensionLookup, Mart, Table
from contracts.patterns import check_partitions
from contracts.sql import Query, SqlMistakeError, columns_of, query_of
from contracts.types import NUMBERS
from contracts.wording import one_of

KEYED = ("latest", "scd2", "history", "dimension")
_ONLY_FOR = {
    "track": ("scd2",),
    "untracked_change": ("scd2",),
    "valid_from": ("scd2",),
    "keep_for": ("history",),
    "sql": ("fact", "sql"),
    "key": ("fact", "sql"),
    "incremental_by": ("fact", "sql"),
    "dimensions": ("fact",),
}
_EXTRA = {
    "latest": (),
    "scd2": ("valid_from", "valid_to", "is_current", "is_inferred"),
    "history": ("_op", "_effective_from"),
    "dimension": ("is_deleted", "is_inferred"),
}


@dataclass(frozen=True)
class Draft:
    """A mart contract on its way to the model: its document, SQL text, and what the SQL says."""

    document: Document
    text: str | None = None
    query: Query | None = None

    @property
    def name(self) -> str:
        return str(self.document.data["mart"])

    @property
    def kind(self) -> str:
        return str(self.document.data["kind"])

    @property
    def source(self) -> str:
        return str(self.document.data.get("source") or (self.query.driver if self.query else ""))

    @property
    def reads(self) -> tuple[str, ...]:
        looked_up = (raw["dimension"] for raw in self.document.data.get("dimensions", ()))
        read = self.query.reads if self.query else ()
        return tuple(dict.fromkeys([self.source, *read, *looked_up]))


def draft_mart(document: Document) -> tuple[Draft, list[Mistake]]:
    """Read the SQL of a mart, if its kind has one."""
    data = document.data
    if data["kind"] in KEYED:
        return Draft(document), []
    if "sql" not in data:
        return Draft(document), [document.mistake(f"lacks sql: a {data['kind']} mart is a SELECT in a file beside it")]
    path = document.folder / data["sql"]
    if not path.is_file():
        there = sorted(p.name for p in document.folder.glob("*.sql"))
        return Draft(document), [document.mistake(f"no such file: {one_of(data['sql'], there)}", "sql")]
    try:
        text = path.read_text(encoding="utf-8-sig").strip().rstrip(";")
    except UnicodeDecodeError as error:
        message = f"{data['sql']}: is not written in UTF-8 (byte {error.start})"
        return Draft(document), [document.mistake(message, "sql")]
    try:
        return Draft(document, text, query_of(text)), []
    except SqlMistakeError as error:
        return Draft(document, text), [document.mistake(f"{data['sql']}: {error}", "sql")]


def columns_of_mart(name: str, tables: Mapping[str, Table], drafts: Mapping[str, Draft]) -> tuple[str, ...] | None:
    """Return the columns of a table or mart, or None where they are not known."""
    if name in tables:
        return None if tables[name].crawled else tables[name].column_names
    draft = drafts.get(name)
    if draft is None:
        return None
    if draft.kind in KEYED:
        base = columns_of_mart(draft.source, tables, {}) if draft.source in tables else None
        surrogate = (f"{name}_key",) if draft.kind in MEMBERED else ()
        return None if base is None else (*base, *_EXTRA[draft.kind], *surrogate)
    if draft.query is None or draft.query.columns is None:
        return None
    lookups = (lookup.column for lookup in _lookups(draft))
    return (*draft.query.columns, *lookups)


def build_mart(draft: Draft, tables: Mapping[str, Table], drafts: Mapping[str, Draft]) -> Mart:
    """Return the model of a mart that is free of mistakes, with what is derived filled in."""
    data = draft.document.data
    table = tables.get(draft.source)
    key = tuple(data.get("key", ())) or (table.key if table and draft.kind in KEYED else ())
    return Mart(
        name=draft.name,
        kind=draft.kind,
        source=draft.source,
        reads=draft.reads,
        description=data.get("description", ""),
        key=key,
        track=tuple(data.get("track", ())) or (default_track(table) if table and draft.kind == "scd2" else ()),
        untracked_change=data.get("untracked_change", "overwrite"),
        valid_from=data.get("valid_from", "effective"),
        keep_for=data.get("keep_for"),
        sql=draft.text,
        incremental_by=_incremental_by(draft, key, tables, drafts),
        dimensions=_lookups(draft),
        partition_by=tuple(data.get("partition_by", ())),
        capacity=Capacity(**data.get("capacity", {})),
    )


def default_track(table: Table) -> tuple[str, ...]:
    """Return SEMANTICS 17's default: all columns but key, sequence, and those that delete_when names."""
    deleting = {name.lower() for name in columns_of(table.delete_when)} if table.delete_when else set()
    left_out = {*table.key, *table.sequence_columns}
    read = {column.name: {name.lower() for name in column.reads} for column in table.columns}
    return tuple(name for name in table.column_names if name not in left_out and not deleting & read[name])


def check_mart(draft: Draft, tables: Mapping[str, Table], drafts: Mapping[str, Draft]) -> Iterator[Mistake]:
    """Yield the mistakes of one mart contract against the others."""
    document, data = draft.document, draft.document.data
    for name, kinds in _ONLY_FOR.items():
        if name in data and draft.kind not in kinds:
            yield document.mistake(f"is for {' and '.join(kinds)} marts only, this one is {draft.kind}", name)
    if draft.kind in KEYED:
        yield from _check_keyed(draft, tables)
    else:
        yield from _check_select(draft, tables, drafts)
    columns = columns_of_mart(draft.name, tables, drafts)
    if columns is not None:
        source = tables.get(draft.source) if draft.kind in KEYED else None
        types = {**dict.fromkeys(columns), **(column_types(source) if source else {})}
        yield from check_partitions(document, data.get("partition_by", ()), types)


def _check_keyed(draft: Draft, tables: Mapping[str, Table]) -> Iterator[Mistake]:
    document, data = draft.document, draft.document.data
    if "source" not in data:
        yield document.mistake(f"lacks source: a {draft.kind} mart is built from one table")
        return
    table = tables.get(draft.source)
    if table is None:
        yield document.mistake(f"no such table: {one_of(draft.source, tables)}", "source")
        return
    if draft.kind != "history" and not table.key:
        yield document.mistake(f"{table.name} has no key: it feeds only history, fact and sql", "source")
    for name, type_ in column_types(table).items():
        if type_ is not None and type_.has_map:
            way_out = "declare a struct, or make a sql mart that returns what is needed of it"
            message = f"{table.name}.{name} is {type_}, and maps cannot be compared: {way_out}"
            yield document.mistake(message, "source")
    column = table.effective_at.column
    kind = column_types(table).get(column) if column else None
    if "keep_for" in data and kind and kind.name in NUMBERS:
        yield document.mistake(f"{table.name} is dated by the number {column}, which tells no age", "keep_for")
    if draft.kind == "scd2":
        tracked = data.get("track", ())
        yield from known(document, tracked, tracked if table.crawled else table.column_names, "track")
        if data.get("valid_from") == "landed" and kind and kind.name in NUMBERS:
            message = f"landed is a time, but {table.name} is dated by the number {column}; allowed: effective, epoch"
            yield document.mistake(message, "valid_from")
    added = {*_EXTRA[draft.kind], f"{draft.name}_key"}
    clash = [name for name in table.column_names if name.lower() in added]
    if draft.kind in MEMBERED and clash:
        yield document.mistake(f"{table.name} has a column {', '.join(sorted(clash))}, which the mart adds", "source")


def _check_select(draft: Draft, tables: Mapping[str, Table], drafts: Mapping[str, Draft]) -> Iterator[Mistake]:
    document, data = draft.document, draft.document.data
    names = {*tables, *drafts} - {draft.name}
    for name in draft.query.reads if draft.query else ():
        if name not in names:
            yield document.mistake(f"{data['sql']}: no such table or mart: {one_of(name, names)}", "sql")
    if "source" in data and draft.query and draft.source not in draft.query.reads:
        yield document.mistake(f"the SQL does not read {draft.source}, only {', '.join(draft.query.reads)}", "source")
    if "key" not in data:
        yield document.mistake(f"lacks key: the columns that tell the rows of a {draft.kind} mart apart")
    columns = draft.query.columns if draft.query else None
    if columns is not None:
        yield from known(document, data.get("key", ()), columns, "key")
        yield from known(document, data.get("incremental_by", ()), columns, "incremental_by")
    yield from _check_incremental_by(draft, columns, columns_of_mart(draft.source, tables, drafts))
    yield from _check_lookups(draft, tables, drafts, columns)


def _check_incremental_by(
    draft: Draft, columns: tuple[str, ...] | None, source: tuple[str, ...] | None
) -> Iterator[Mistake]:
    if draft.query is None or draft.text is None:
        return
    for index, name in enumerate(draft.document.data.get("incremental_by", ())):
        is_there = source is None or name in source
        if (columns is None or name in columns) and not (is_there and hands_on(draft.text, draft.source, name)):
            message = (
                f"{name} is not {draft.source}'s own column {name}, by whose changes the mart would be recomputed: "
                "return that as it is, or leave incremental_by out (the mart is then recomputed whole)"
            )
            yield draft.document.mistake(message, "incremental_by", index)


def _check_lookups(
    draft: Draft, tables: Mapping[str, Table], drafts: Mapping[str, Draft], columns: tuple[str, ...] | None
) -> Iterator[Mistake]:
    document = draft.document
    dimensions = {name for name, other in drafts.items() if other.kind in MEMBERED}
    seen: set[str] = set()
    for index, lookup in enumerate(_lookups(draft)):
        place = ("dimensions", index)
        if lookup.column in {name.lower() for name in columns or ()}:
            yield document.mistake(f"the SQL returns a column {lookup.column} itself: give the lookup a name", *place)
        if lookup.column in seen:
            yield document.mistake(f"{lookup.column} stands twice: give one lookup a name", *place)
        seen.add(lookup.column)
        if lookup.dimension not in dimensions:
            message = f"no such scd2 or dimension mart: {one_of(lookup.dimension, dimensions)}"
            yield document.mistake(message, *place, "dimension")
            continue
        dimension = drafts[lookup.dimension]
        source = tables.get(dimension.source)
        if source is not None and set(lookup.on.values()) != set(source.key):
            wanted = ", ".join(source.key)
            yield document.mistake(f"must name the dimension's key on its right side: {wanted}", *place, "on")
        if (lookup.as_of is None) == (dimension.kind == "scd2"):
            word = "needs as_of: a column of the fact" if dimension.kind == "scd2" else "has one version: no as_of"
            yield document.mistake(f"{lookup.dimension} is {dimension.kind} and {word}", *place, "as_of")
        if columns is not None:
            used = [*lookup.on, *([lookup.as_of] if lookup.as_of else [])]
            for name in used:
                if name not in columns:
                    yield document.mistake(f"the SQL returns no such column: {one_of(name, columns)}", *place)


def _lookups(draft: Draft) -> tuple[DimensionLookup, ...]:
    return tuple(
        DimensionLookup(
            dimension=raw["dimension"],
            on=dict(raw["on"]),
            as_of=raw.get("as_of"),
            missing=raw.get("missing", "infer"),
            name=raw.get("name", ""),
        )
        for raw in draft.document.data.get("dimensions", ())
    )


def _incremental_by(
    draft: Draft, key: tuple[str, ...], tables: Mapping[str, Table], drafts: Mapping[str, Draft]
) -> tuple[str, ...]:
    if draft.kind in KEYED:
        return ()
    if "incremental_by" in draft.document.data:
        return tuple(draft.document.data["incremental_by"])
    source = columns_of_mart(draft.source, tables, drafts)
    if source is None or draft.text is None or not set(key) <= set(source):
        return ()
    return key if recomputes_by(draft.text, draft.source, key) else ()
