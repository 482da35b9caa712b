"""Records of JSON text: one object each, fields by path, numbers to the last digit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, MapType, StringType

from contracts.model import Table
from contracts.paths import split_path
from spark_jobs.layers.shaping import literal
from spark_jobs.layers.staging.checks import because
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.json_text import parsed, unmarked, with_marked_numbers
from spark_jobs.layers.staging.readers.field_names import FIELD, gathered
from spark_jobs.layers.staging.readers.seam import (
    BROKEN,
    COLUMNS,
    HELD,
    IS_EXTRA,
    IS_MISSING,
    IS_RESERVED,
    LANDING,
    NO_TEXT,
    RAW,
    RECORD,
    RESERVED,
)

_FIELDS = MapType(StringType(), StringType())
_OBJECTS = ArrayType(_FIELDS)
_TOP = "_object"
# Matches text in which no half of a pair of escapes such as \\ud83d\\ude00 stands alone.
_WHOLE_CHARACTERS = r"\A(?:[^\\]+|\\[^u]|\\u(?![dD][89a-fA-F])|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F])*+\z"
_ROWS = {"debezium": (("after",), ("payload", "after"))}


def json_records(texts: DataFrame, table: Table, invalid: Column | None = None) -> DataFrame:
    """Return records: the source columns out of `_raw`, `_broken`, and whatever else `texts` carries.

    A `_broken` that `texts` has stays; `invalid` tells texts whose bytes are no text. Where updates are partial,
    `_held` names the source columns that a record holds.
    """
    paths = {name: split_path(name) for name in table.source_names}
    parents = sorted({path[:i] for path in paths.values() for i in range(1, len(path))}, key=len)
    rows = _with_objects(texts)
    for parent in parents:
        rows = rows.withColumn(_object(parent), F.expr(parsed(_field(parent), _FIELDS)))
    given = F.col(BROKEN) if BROKEN in texts.columns else F.lit(None)
    carried = [name for name in texts.columns if name != BROKEN]
    if table.updates == "partial":
        held = (F.when(~_lacks(path, 1), F.lit(name)) for name, path in paths.items())
        rows, carried = rows.withColumn(HELD, F.array_compact(F.array(*held))), [*carried, HELD]
    values = rows.select(
        *carried,
        *(F.expr(_field(path)).alias(f"_text{i}") for i, path in enumerate(paths.values())),
        F.coalesce(given, _unreadable(invalid), *_misfits(parents), *_drift(table, paths)).alias(BROKEN),
    )
    sources = [F.expr(unmarked(f"_text{i}")).alias(name) for i, name in enumerate(paths)]
    return values.select(*sources, *carried, BROKEN)


def field_names(texts: DataFrame, table: Table, claims: Sequence[Claim]) -> list[str]:
    """Return the fields of all sound records of claims, as paths."""
    fields = _with_objects(texts.select(LANDING, RAW)).select(LANDING, F.explode(F.map_keys(_TOP)).alias(FIELD))
    return gathered(fields, table, claims)


def _with_objects(texts: DataFrame) -> DataFrame:
    """Add the fields of each text's object, NULL where it is none."""
    marked = texts.withColumn("_marked", F.expr(with_marked_numbers(RAW)))
    # One element, or the text holds more than one value.
    objects = marked.withColumn("_objects", F.expr(parsed("concat('[', _marked, ']')", _OBJECTS)))
    return objects.withColumn(_TOP, F.expr("CASE WHEN size(_objects) = 1 THEN _objects[0] END"))


def _object(path: tuple[str, ...]) -> str:
    """Return the column that holds the fields of the object at a path; its name needs no quotes."""
    return "_object" + "".join(f"_{name.encode().hex()}" for name in path)


def _field(path: tuple[str, ...]) -> str:
    return f"try_element_at({_object(path[:-1])}, {literal(path[-1])})"


def _unreadable(invalid: Column | None) -> Column:
    escapes = F.col(RAW).contains("\\ud") | F.col(RAW).contains("\\uD")
    escaped = F.col(RAW).contains("\\u") & F.lower(RAW).contains(f"\\u{ord(RESERVED):x}")
    reserved = F.col(RAW).contains(RESERVED) | escaped
    unreadable = (
        F.when(F.col(_TOP).isNull(), because("", RECORD, "is no JSON object, or more than one"))
        .when(reserved, because("", RECORD, IS_RESERVED))
        .when(escapes & ~F.col(RAW).rlike(_WHOLE_CHARACTERS), because("", RECORD, "holds half a character (\\ud800)"))
    )
    return unreadable if invalid is None else F.coalesce(F.when(invalid, because("", RECORD, NO_TEXT)), unreadable)


def _misfits(parents: Iterable[tuple[str, ...]]) -> list[Column]:
    """Refuse records that hold something else where a path needs an object."""
    wrong = []
    for parent in parents:
        name = ".".join(parent)
        is_other = F.expr(f"{_field(parent)} IS NOT NULL AND {_object(parent)} IS NULL")
        wrong.append(F.when(is_other, because(name, RECORD, f"{name} is no object")))
    return wrong


def _drift(table: Table, paths: Mapping[str, tuple[str, ...]]) -> list[Column]:
    """Refuse records with a field twice, and by the contract's word files with fields too many or too few.

    In an envelope the fields that count are those of the row.
    """
    twice = F.size(F.array_distinct(F.map_keys(_TOP))) < F.size(F.map_keys(_TOP))
    problems = [F.when(twice, because("", RECORD, "has a field twice"))]
    rows = _ROWS.get(table.source.preset, ((),))
    for row in rows:
        depth = len(row)
        inside = {name: path for name, path in paths.items() if path[:depth] == row}
        if not inside:
            continue
        if table.extra_columns != "ignore":  # under add: one that differs by case alone from another
            declared = F.array(*(F.lit(name) for name in {path[depth]: None for path in inside.values()}))
            extra = F.get(F.array_except(F.map_keys(_object(row)), declared), F.lit(0))
            problems.append(F.when(extra.isNotNull(), _of_column(extra, IS_EXTRA)))
        if table.missing_columns == "fail":
            for name, path in inside.items():
                if name not in table.source.optional:
                    problems.append(F.when(_lacks(path, depth + 1), _of_column(F.lit(name), IS_MISSING)))
    return problems


def _lacks(path: tuple[str, ...], depth: int) -> Column:
    """Tell whether a field is not there; one inside an object that is null is NULL, not missing."""
    around = F.col(_object(path[: depth - 1]))
    here = ~F.map_contains_key(around, path[depth - 1])
    missing = here | _lacks(path, depth + 1) if depth < len(path) else here
    return around.isNotNull() & missing


def _of_column(column: Column, reason: str) -> Column:
    return F.struct(column.alias("column"), F.lit(COLUMNS).alias("rule"), F.lit(reason).alias("reason"))
