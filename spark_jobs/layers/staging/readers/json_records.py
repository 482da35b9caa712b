"""Records of JSON text: one object each, fields by path, numbers to the last digit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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
    by_rank,
)

Path = tuple[str, ...]
_FIELDS = MapType(StringType(), StringType())
_OBJECTS = ArrayType(_FIELDS)
_TOP = "_object"
_LONGEST_TEXT, _DEEPEST = 20_000_000, 1_000  # of Jackson, which reads JSON for Spark
_NO_OBJECT = "is no JSON object, or more than one"
# Matches text in which no half of a pair of escapes such as \\ud83d\\ude00 stands alone.
_WHOLE_CHARACTERS = r"\A(?:[^\\]+|\\[^u]|\\u(?![dD][89a-fA-F])|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F])*+\z"
_BEYOND = (
    f"{_NO_OBJECT}; or holds a text of more than {_LONGEST_TEXT:,} characters, "
    f"or {_DEEPEST:,} brackets inside each other"
)
_ROWS = {"debezium": (("after",), ("payload", "after"))}


def json_records(texts: DataFrame, table: Table, invalid: Column | None = None) -> DataFrame:
    """Return records: the source columns out of `_raw`, `_broken`, and whatever else `texts` carries.

    A `_broken` that `texts` has stays; `invalid` tells texts whose bytes are no text. Where updates are partial,
    `_held` names the source columns that a record holds.
    """
    paths = {name: _lower(split_path(name)) for name in table.source_names}
    parents = _parents(table)
    rows = _with_names(_with_objects(texts), (), paths)
    for parent in parents:
        rows = rows.withColumn(_object(parent), F.expr(parsed(_field(parent), _FIELDS)))
        rows = _with_names(rows, parent, paths)
    given = F.col(BROKEN) if BROKEN in texts.columns else F.lit(None)
    carried = [name for name in texts.columns if name != BROKEN]
    if table.updates == "partial":
        held = (F.when(~_lacks(path, 1), F.lit(name)) for name, path in paths.items())
        rows, carried = rows.withColumn(HELD, F.array_compact(F.array(*held))), [*carried, HELD]
    problems = [*_misfits(parents), *_twice(parents), *_drift(table, paths)]
    values = rows.select(
        *carried,
        *(F.expr(_field(path)).alias(f"_text{i}") for i, path in enumerate(paths.values())),
        F.coalesce(given, _unreadable(invalid), *problems).alias(BROKEN),
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


def _lower(path: Path) -> Path:
    return tuple(name.lower() for name in path)


def _parents(table: Table) -> dict[Path, str]:
    """Return the objects in which columns lie, the outer ones first, and how the contract spells them."""
    spelled = [split_path(name) for name in table.source_names]
    found = {_lower(path[:i]): ".".join(path[:i]) for path in reversed(spelled) for i in range(1, len(path))}
    return dict(sorted(found.items(), key=lambda one: len(one[0])))


def _with_names(rows: DataFrame, path: Path, paths: Mapping[str, Path]) -> DataFrame:
    """Add the names of the fields of the object at a path: what columns read in small letters, the others as they are.

    A way to a column is in small letters too, so that its field is found however it is spelled.
    """
    wanted = {way[len(path)]: None for way in paths.values() if way[: len(path)] == path and len(way) > len(path)}
    known = ", ".join(map(literal, wanted)) or "NULL"
    spelled = f"transform(map_keys({_object(path)}), k -> CASE WHEN lower(k) IN ({known}) THEN lower(k) ELSE k END)"
    return rows.withColumn(_names(path), F.expr(spelled))


def _object(path: Path) -> str:
    """Return the column that holds the fields of the object at a path; its name needs no quotes."""
    return "_object" + _hex(path)


def _names(path: Path) -> str:
    return "_names" + _hex(path)


def _hex(path: Path) -> str:
    return "".join(f"_{name.encode().hex()}" for name in path)


def _field(path: Path) -> str:
    place = f"array_position({_names(path[:-1])}, {literal(path[-1])})"
    return f"get(map_values({_object(path[:-1])}), CAST({place} AS int) - 1)"


def _unreadable(invalid: Column | None) -> Column:
    escapes = F.col(RAW).contains("\\ud") | F.col(RAW).contains("\\uD")
    escaped = F.col(RAW).contains("\\u") & F.lower(RAW).contains(f"\\u{ord(RESERVED):x}")
    reserved = F.col(RAW).contains(RESERVED) | escaped
    unreadable = (
        F.when(F.col(_TOP).isNull() & _is_beyond_jackson(), because("", RECORD, _BEYOND))
        .when(F.col(_TOP).isNull(), because("", RECORD, _NO_OBJECT))
        .when(reserved, because("", RECORD, IS_RESERVED))
        .when(escapes & ~F.col(RAW).rlike(_WHOLE_CHARACTERS), because("", RECORD, "holds half a character (\\ud800)"))
    )
    return unreadable if invalid is None else F.coalesce(F.when(invalid, because("", RECORD, NO_TEXT)), unreadable)


def _is_beyond_jackson() -> Column:
    """Tell of texts that may be sound JSON, but are long or deep as Jackson takes none."""
    brackets = F.length(RAW) - F.length(F.translate(RAW, "[{", ""))
    return (F.length(RAW) > _LONGEST_TEXT) | (brackets >= _DEEPEST)


def _misfits(parents: Mapping[Path, str]) -> list[Column]:
    """Refuse records that hold something else where a path needs an object."""
    wrong = []
    for parent, name in parents.items():
        is_other = F.expr(f"{_field(parent)} IS NOT NULL AND {_object(parent)} IS NULL")
        wrong.append(F.when(is_other, because(name, RECORD, f"{name} is no object")))
    return wrong


def _twice(parents: Mapping[Path, str]) -> list[Column]:
    """Refuse records with a field twice, or two that a column could take."""
    problems = []
    for path, name in [((), ""), *parents.items()]:
        names = F.col(_names(path))
        reason = f"{name} has a field twice".lstrip()
        problems.append(F.when(F.size(F.array_distinct(names)) < F.size(names), because(name, RECORD, reason)))
    return problems


def _drift(table: Table, paths: Mapping[str, Path]) -> list[Column]:
    """Refuse by the contract's word files with fields too many or too few.

    In an envelope the fields that count are those of the row.
    """
    problems = []
    rows = _ROWS.get(table.source.preset, ((),))
    for row in rows:
        depth = len(row)
        inside = {name: path for name, path in paths.items() if path[:depth] == row}
        if not inside:
            continue
        if table.extra_columns != "ignore":  # under add: one whose name no path can hold
            declared = F.array(*(F.lit(name) for name in {path[depth]: None for path in inside.values()}))
            extra = F.get(F.array_except(F.col(_names(row)), declared), F.lit(0))
            problems.append(F.when(extra.isNotNull(), _of_column(extra, IS_EXTRA)))
        if table.missing_columns == "fail":
            needed = [name for name in by_rank(table) if name in inside and name not in table.source.optional]
            lacking = (F.when(_lacks(inside[name], depth + 1), F.lit(name)) for name in needed)
            problems += [F.when(name.isNotNull(), _of_column(name, IS_MISSING)) for name in lacking]
    return problems


def _lacks(path: Path, depth: int) -> Column:
    """Tell whether a field is not there; one inside an object that is null is NULL, not missing."""
    around = F.col(_object(path[: depth - 1]))
    here = ~F.array_contains(F.col(_names(path[: depth - 1])), path[depth - 1])
    missing = here | _lacks(path, depth + 1) if depth < len(path) else here
    return around.isNotNull() & missing


def _of_column(column: Column, reason: str) -> Column:
    return F.struct(column.alias("column"), F.lit(COLUMNS).alias("rule"), F.lit(reason).alias("reason"))
