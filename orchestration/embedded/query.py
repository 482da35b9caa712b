"""Answers queries on the lake's tables, in Spark alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.errors.exceptions.base import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructField, StructType, TimestampNTZType, TimestampType

from orchestration.embedded.catalogs import for_queries
from orchestration.embedded.deployment import Deployment
from orchestration.embedded.profile import session_options
from orchestration.embedded.report import QueryError
from orchestration.embedded.session import LAYERS, join_session
from orchestration.embedded.warm import new_session

_TELLING = re.compile(r"\s*(describe|desc|explain|show)\b", re.IGNORECASE)
_SHOW_TABLES = re.compile(r"\s*show\s+tables(\s+(in|from)\s+(?P<layer>\w+))?\s*;?\s*", re.IGNORECASE)
_CHANGING = (
    "org.apache.spark.sql.catalyst.plans.logical.Command",
    "org.apache.spark.sql.catalyst.plans.logical.ParsedStatement",
)


def answer(sql: str, lake: Path, deployment: Deployment, cores: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Return the columns and rows of a SELECT, DESCRIBE or SHOW TABLES; times are aware, in UTC.

    QueryError says why there is no answer.
    """
    root = join_session(lake, deployment.buckets, cores)
    options = for_queries(deployment.spark_options, deployment.database_prefix)
    session = new_session(root, options | session_options(lake, deployment.buckets))
    if asked := _SHOW_TABLES.fullmatch(sql):
        return ["layer", "table"], [one for one in _tables(session, lake) if asked["layer"] in (None, one[0])]
    try:
        _refuse_changes(session, sql)
        result = session.sql(sql)
        fields = result.schema.fields
        rows = [
            tuple(_plain(value, field.dataType) for value, field in zip(row, fields, strict=True))
            for row in _in_utc(result).collect()
        ]
    except PySparkException as error:
        lacks_a_table = error.getErrorClass() == "TABLE_OR_VIEW_NOT_FOUND"
        raise QueryError(_first_sentence(str(error)) + (_there(session, lake) if lacks_a_table else "")) from error
    except Py4JJavaError as error:
        raise QueryError(_first_sentence(str(error.java_exception))) from error
    except ValueError as error:
        raise QueryError(f"{error}: cast such times and dates to string to see them.") from error
    return [field.name for field in fields], rows


def _refuse_changes(session: SparkSession, sql: str) -> None:
    jvm: Any = session._jvm
    plan = session._jsparkSession.sessionState().sqlParser().parsePlan(sql)
    changing = [jvm.java.lang.Class.forName(name) for name in _CHANGING]

    def changes(part: Any) -> bool:
        inside = part.children()  # what follows WITH, and each INSERT of several
        inner = (inside.apply(place) for place in range(inside.size()))
        return any(one.isInstance(part) for one in changing) or any(map(changes, inner))

    if changes(plan) and not _TELLING.match(sql):
        raise QueryError("Only questions are answered here (SELECT, SHOW, DESCRIBE): tables change by what lands.")


def _first_sentence(error: str) -> str:
    """Return what is wrong without Spark's plans and hints for programmers."""
    return error.strip().splitlines()[0].rstrip(";")


def _there(session: SparkSession, lake: Path) -> str:
    """Return one more sentence: the tables that there are, if the catalog has them in folders."""
    names = [f"{layer}.{name}" for layer, name in _tables(session, lake) if layer != "state"]
    return f" The lake has {', '.join(names)}." if names else ""


def _tables(session: SparkSession, lake: Path) -> list[tuple[str, str]]:
    """Return layer and name of each table: the names that queries use have no database that Spark could list."""
    warehouses = {layer: str(session.conf.get(f"spark.sql.catalog.{layer}.warehouse", "")) for layer in LAYERS}
    folders = {layer: lake / uri.removeprefix("s3://") for layer, uri in warehouses.items() if uri}
    return sorted((layer, one.parent.name) for layer, folder in folders.items() for one in folder.glob("*/metadata"))


def _in_utc(result: DataFrame) -> DataFrame:
    """Return a result whose times are clocks in UTC: Python's own zone cannot show all that its calendar holds."""
    numbered = result.toDF(*map(str, range(len(result.columns))))
    return numbered.select([F.col(field.name).cast(_zoneless(field.dataType)) for field in numbered.schema.fields])


def _zoneless(kind: DataType) -> DataType:
    if isinstance(kind, TimestampType):
        return TimestampNTZType()
    if isinstance(kind, StructType):
        return StructType([StructField(field.name, _zoneless(field.dataType)) for field in kind.fields])
    if isinstance(kind, ArrayType):
        return ArrayType(_zoneless(kind.elementType))
    if isinstance(kind, MapType):
        return MapType(_zoneless(kind.keyType), _zoneless(kind.valueType))
    return kind


def _plain(value: Any, kind: DataType) -> Any:
    """Return a value with aware times, and structs as dictionaries."""
    if value is None:
        return None
    if isinstance(kind, TimestampType) and isinstance(value, datetime):
        return value.replace(tzinfo=UTC)
    if isinstance(kind, StructType) and isinstance(value, Row):
        return {field.name: _plain(value[field.name], field.dataType) for field in kind.fields}
    if isinstance(kind, ArrayType):
        return [_plain(item, kind.elementType) for item in value]
    if isinstance(kind, MapType):
        return {_plain(name, kind.keyType): _plain(item, kind.valueType) for name, item in value.items()}
    return value
