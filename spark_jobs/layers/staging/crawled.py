"""`schema: crawler`: a Glue crawler keeps the columns of a table's files, and staging follows it.

The crawler is started when files land that hold other columns than its table has. What it found stands in a property
of the change log too, where marts read it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from botocore.exceptions import ClientError
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from contracts.model import Column, Mart, Plan, Table
from contracts.paths import BY_PATH, split_path
from spark_jobs.layers.errors import DataError, words_about_sql
from spark_jobs.layers.lake import Lake
from spark_jobs.layers.staging.extras import column_name
from spark_jobs.layers.staging.readers.seam import no_records

PROPERTY = "landfall.crawled-columns"
PREFIX = "{table}__"  # before the names of the crawler's tables, one of them for each crawler
_KINDS = {"char": "string", "varchar": "string", "integer": "int", "long": "bigint"}
_POLL_SECONDS = 5
_LONGEST_SECONDS = 30 * 60


class CrawlerError(DataError):
    """A crawler's table that staging cannot follow."""


@dataclass(frozen=True)
class Crawls:
    """The crawlers of a pipeline: Glue's client, the database of their tables, and what their names begin with."""

    glue: Any
    database: str
    stem: str
    sleep: Callable[[float], None] = time.sleep

    def columns(self, table: Table) -> dict[str, str] | None:
        """Return the columns of the crawler's table with their types; None where there is no table yet."""
        pages = self.glue.get_paginator("get_tables").paginate(DatabaseName=self.database)
        prefix = PREFIX.format(table=table.name)
        found = [one for page in pages for one in page["TableList"] if one["Name"].startswith(prefix)]
        if len(found) > 1:
            names = ", ".join(sorted(one["Name"] for one in found))
            raise CrawlerError(
                f"{table.name}: the crawler made {len(found)} tables ({names}): files under {table.source.prefix} have "
                "not one schema; give each kind a prefix of its own, or declare the columns"
            )
        described = found[0]["StorageDescriptor"]["Columns"] if found else None
        return described if described is None else {one["Name"]: one["Type"] for one in described}

    def crawl(self, table: Table) -> None:
        """Run the table's crawler to its end; one that runs already began too early, so it is run once more."""
        name = f"{self.stem}{table.name}"
        self._wait(name, table)
        try:
            self.glue.start_crawler(Name=name)
        except ClientError as error:
            if error.response["Error"]["Code"] != "CrawlerRunningException":
                raise
        self._wait(name, table)
        last = self.glue.get_crawler(Name=name)["Crawler"].get("LastCrawl", {})
        if last.get("Status") in ("FAILED", "CANCELLED"):
            ended = f"ended {last['Status']}: {last.get('ErrorMessage', 'its log says why')}"
            raise CrawlerError(f"{table.name}: the crawler {name} {ended}")

    def _wait(self, name: str, table: Table) -> None:
        for _ in range(_LONGEST_SECONDS // _POLL_SECONDS):
            if self.glue.get_crawler(Name=name)["Crawler"]["State"] == "READY":
                return
            self.sleep(_POLL_SECONDS)
        raise TimeoutError(f"{table.name}: the crawler {name} has not ended in {_LONGEST_SECONDS // 60} minutes")


def followed(crawls: Crawls, table: Table, found: Sequence[str]) -> Table:
    """Return the table with the columns that its crawler knows, crawled anew where files hold others.

    CrawlerError where the contract's key or dates are none of them.
    """
    columns = crawls.columns(table)
    if columns is None or not {_alike(_field(table, name)) for name in found} <= {_alike(name) for name in columns}:
        crawls.crawl(table)
        columns = crawls.columns(table)
    if columns is None:
        raise CrawlerError(f"{table.name}: the crawler found no table under {table.source.prefix}")
    return with_columns(table, _declared(table, columns, found))


def with_columns(table: Table, columns: Iterable[Column]) -> Table:
    """Return the table with columns, each of which a file may lack; CrawlerError where one that it needs is none."""
    known = tuple(columns)
    names = [column.name for column in known]
    needed = dict.fromkeys([*table.key, *table.sequence_columns, *(n for check in table.checks for n in check.columns)])
    if lacking := [name for name in needed if name not in names]:
        message = f"the crawler knows no column {', '.join(lacking)}; it knows {', '.join(names)}"
        raise CrawlerError(f"{table.name}: {message}")
    return replace(table, columns=known)


def check_sql(spark: SparkSession, table: Table) -> None:
    """Refuse SQL of the contract that names a column which is none; CrawlerError names those that there are.

    `delete_when` and `truncate_when` read the columns as files have them, rules as the table does.
    """
    files, staged = no_records(spark, table.source_names), no_records(spark, table.column_names)
    asked = [("delete_when", table.delete_when, files), ("truncate_when", table.truncate_when, files)]
    asked += [(f"the check {check.name}", check.rule, staged) for check in table.checks]
    for word, sql, rows in asked:
        try:
            rows.select(*([F.expr(sql)] if sql else []))
        except AnalysisException as error:
            if str(error).startswith("[UNRESOLVED_COLUMN"):  # types are not known here, and are told of elsewhere
                known = ", ".join(table.source_names if rows is files else table.column_names)
                message = f"{word} asks for what the crawler does not know: {words_about_sql(error)}; it knows {known}"
                raise CrawlerError(f"{table.name}: {message}") from error


def _declared(table: Table, columns: Mapping[str, str], found: Sequence[str]) -> list[Column]:
    """Return the columns as a contract would declare them, spelled as files do: Glue writes small letters."""
    own_names = {_field(table, name): name for name in found}
    spelled = {_alike(field): name for field, name in own_names.items() if field not in columns} | own_names
    declared: list[Column] = []
    for name, kind in columns.items():
        plain = f"`{name}`" if table.source.format in BY_PATH and "." in name else name
        source = spelled.get(name.lower()) or spelled.get(_alike(name), plain)
        own = column_name(name)
        while any(column.name == own for column in declared):
            own += "_too"
        declared.append(Column(own, spark_type(kind), "" if source == own else source, reads=(source,)))
    return declared


def spark_type(kind: str) -> str:
    """Return a type of Glue's catalog as Spark writes it."""
    return re.sub(r"\b(char|varchar|integer|long)\b(?!:)(\(\d+\))?", lambda match: _KINDS[match[1]], kind)


def _field(table: Table, name: str) -> str:
    return (split_path(name)[0] if table.source.format in BY_PATH else name).lower()


def _alike(name: str) -> str:
    """Return what a name is compared by: a crawler may write another character in place of a blank."""
    return column_name(name)


def remember(lake: Lake, log: str, table: Table) -> None:
    """Write the columns into the change log's properties, where they are new."""
    told = json.dumps([asdict(column) for column in table.columns], sort_keys=True)
    if dict(lake.handle(log).properties()).get(PROPERTY) != told:
        lake.handle(log).updateProperties().set(PROPERTY, told).commit()


def known(lake: Lake, plan: Plan) -> Plan:
    """Return the plan with the columns of crawled tables as they were last staged, and what marts derive of them."""
    if not plan.crawls:
        return plan
    tables = {name: _known(lake, table) for name, table in plan.tables.items()}
    return replace(plan, tables=tables, marts={name: _tracking(mart, tables) for name, mart in plan.marts.items()})


def _known(lake: Lake, table: Table) -> Table:
    log = lake.table("staging", table.name)
    if not table.crawled or not lake.exists(log):
        return table
    raw = json.loads(dict(lake.handle(log).properties()).get(PROPERTY, "[]"))
    return replace(table, columns=tuple(Column(**{**one, "reads": tuple(one["reads"])}) for one in raw))


def _tracking(mart: Mart, tables: Mapping[str, Table]) -> Mart:
    """Track what a contract with columns tracks: all but key, sequence, and what delete_when names."""
    table = tables.get(mart.source)
    if mart.kind != "scd2" or mart.track or table is None or not table.crawled:
        return mart
    deleting = {word.lower() for word in re.findall(r"\w+", table.delete_when or "")}
    left_out = {*table.key, *table.sequence_columns}
    return replace(mart, track=tuple(n for n in table.column_names if n not in left_out and n not in deleting))
