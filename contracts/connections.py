"""Databases as a source: connections/*.yaml, what a table's contract says of its extraction, and their mistakes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from contracts.databases import EXTRACTED_FORMAT, OVERLAP_OF_NUMBERS, Connection, Extract
from contracts.documents import Document, Mistake
from contracts.model import Table
from contracts.schedules import schedule_mistake
from contracts.types import NUMBERS
from contracts.wording import Path_, one_of, shown

KNOWN_DATABASES = ("derby", "h2", "mysql", "oracle", "postgresql", "sqlserver")
_ORACLE = re.compile(r"jdbc:oracle:thin://@[A-Za-z0-9.-]+:\d{1,5}/[A-Za-z0-9_.$#-]+")
_CREDENTIAL = re.compile(r"user(?:name)?|[^=]*(?:passw|pwd|secret|token)[^=]*", re.IGNORECASE)
_CREDENTIALS = re.compile(rf"//[^/@?;]+@|thin:[^@]*[^@/]@|[?;&(,](?:{_CREDENTIAL.pattern})=", re.IGNORECASE)
_NETWORK = ("subnet_id", "security_groups", "availability_zone")
_WORDS = ("table", "query", "watermark", "overlap", "split_by", "splits", "fetch_size", "schedule")
_NOT_ITS = ("compression", "options")
_SAMPLE = "2013-01-02T020000.000000Z.parquet"


def build_connection(document: Document) -> Connection:
    """Return the model of a connection that its schema accepts."""
    data = dict(document.data)
    groups = tuple(data.pop("security_groups", ()))
    return Connection(name=data.pop("connection"), security_groups=groups, **data)


def check_connection(document: Document, connection: Connection) -> Iterator[Mistake]:
    """Yield the mistakes of a connection, as it is in each environment."""
    yield from _check_place(document, connection, ())
    for env in connection.environments:
        yield from _check_place(document, connection.in_environment(env), ("environments", env))


def _check_place(document: Document, connection: Connection, path: Path_) -> Iterator[Mistake]:
    own = document.data if not path else document.data["environments"][path[1]]
    url, place = connection.url, (*path, "url")
    if "url" in own or not path:
        database = url.split(":")[1]
        if _CREDENTIALS.search(url):
            yield document.mistake("holds a user or password, which belong in the secret", *place)
        elif database == "oracle" and not _ORACLE.fullmatch(url):
            yield document.mistake(f"{shown(url)} must be jdbc:oracle:thin://@host:port/service_name", *place)
        if database not in KNOWN_DATABASES and not connection.driver:
            yield document.mistake(
                f"{database} needs `driver`, the class of its JDBC driver; known are {', '.join(KNOWN_DATABASES)}",
                *place,
            )
    for name in own.get("properties", {}):
        if _CREDENTIAL.fullmatch(name):
            yield document.mistake("holds a user or password, which belong in the secret", *path, "properties", name)
    lacks = [name for name in _NETWORK if not getattr(connection, name)]
    if 0 < len(lacks) < len(_NETWORK):
        has = " and ".join(name for name in _NETWORK if name not in lacks)
        yield document.mistake(f"lacks {', '.join(lacks)}: {has} say no more without it", *path)


def build_extract(source: Mapping[str, Any]) -> Extract | None:
    """Return what a contract's `source` extracts, None where it waits for files."""
    if "connection" not in source:
        return None
    words = {name: source[name] for name in _WORDS if name in source}
    return Extract(connection=source["connection"], **words)


def check_extract(document: Document, table: Table, connections: Collection[str]) -> Iterator[Mistake]:
    """Yield the mistakes in what a table's contract says of databases."""
    extract, source = table.source.extract, document.data.get("source", {})
    if extract is None:
        for word in _WORDS:
            if word in source:
                yield document.mistake("goes with connection: it says how a database is read", "source", word)
        return
    if extract.connection not in connections:
        found = one_of(extract.connection, connections)
        yield document.mistake(
            f"no such connection: {found}; write connections/{extract.connection}.yaml", "source", "connection"
        )
    for word in _NOT_ITS:
        if word in source:
            yield document.mistake("does not go with connection: extractions land as Parquet", "source", word)
    if table.source.format != EXTRACTED_FORMAT:
        yield document.mistake(f"extractions land as {EXTRACTED_FORMAT}: leave it out", "source", "format")
    yield from _check_reading(document, table, extract)
    yield from _check_watermark(document, table, extract)
    if extract.schedule and (wrong := schedule_mistake(extract.schedule)):
        yield document.mistake(wrong, "source", "schedule")
    pattern = table.effective_at.from_key
    if pattern and not _finds(pattern, f"{table.source.prefix}{_SAMPLE}"):
        yield document.mistake(
            f"does not match the keys of extractions, such as {table.source.prefix}{_SAMPLE}; leave it out: the time "
            "of the extraction is the default",
            "effective_at",
            "from_key",
        )


def _check_reading(document: Document, table: Table, extract: Extract) -> Iterator[Mistake]:
    source = document.data["source"]
    if ("table" in source) == ("query" in source):
        yield document.mistake("must hold exactly one of table, query", "source")
    if extract.query and not re.match(r"\s*(?:select|with)\b", extract.query, re.IGNORECASE):
        yield document.mistake("must be one SELECT, in the database's own SQL", "source", "query")
    elif extract.query.rstrip().endswith(";"):
        yield document.mistake("must not end with ;", "source", "query")
    elif re.search(r"--[^\n']*\Z", extract.query.rstrip()):
        yield document.mistake("must not end in a comment: what is asked of it comes behind", "source", "query")
    if extract.table and not re.fullmatch(r"[^\s;()']+", extract.table):
        yield document.mistake(f"{shown(extract.table)} must be the name of a table or view", "source", "table")
    if "splits" in source and not extract.split_by:
        yield document.mistake("needs split_by: the column whose ranges are read in parallel", "source", "splits")
    if table.load == "append" and not extract.watermark:
        yield document.mistake(
            "lacks watermark: load append would land the whole table at each extraction; name the column that only "
            "grows, or use load snapshot or upsert",
            "source",
        )


def _check_watermark(document: Document, table: Table, extract: Extract) -> Iterator[Mistake]:
    place = ("source", "overlap")
    if extract.watermark and table.load == "snapshot":
        yield document.mistake(
            "does not go with load snapshot: what did not change would be missing, and so deleted; use load upsert",
            "source",
            "watermark",
        )
    if extract.overlap is None:
        if extract.watermark and table.load in ("upsert", "changes") and _is_number(table, extract.watermark):
            yield document.mistake(OVERLAP_OF_NUMBERS, *place)
    elif not extract.watermark:
        yield document.mistake("needs watermark: it says how far behind it reading begins", *place)
    elif table.load == "append":
        yield document.mistake(
            "does not go with load append, which would land the rows in it twice; give the table a key and load upsert",
            *place,
        )


def _is_number(table: Table, name: str) -> bool:
    """Tell whether the contract declares a column of the database as a number."""
    return any(
        column.type.partition("(")[0] in NUMBERS
        for column in table.columns
        if column.source_name.lower() == name.lower() and not column.expr
    )


def _finds(pattern: str, key: str) -> bool:
    try:
        return re.search(pattern, key) is not None
    except re.error:
        return True  # the pattern's own mistake is told elsewhere
