"""Casts that lose nothing: for each value the value of the declared type, and whether something was lost.

Spark's own casts read '2020-01-01 nonsense' as a date, '12:30' as a moment of today and 1e400 as infinity, and round
decimals. Here whatever the source says must be in the value, or the row is refused. `try_cast` behaves alike with and
without Spark's ANSI mode. All functions take and return SQL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import UnionType

from pyspark.sql.types import (
    ArrayType,
    BinaryType,
    DataType,
    DateType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegralType,
    MapType,
    NullType,
    NumericType,
    StringType,
    StructType,
    TimestampNTZType,
    TimestampType,
)

from contracts.model import Column
from spark_jobs.layers.shaping import literal, quoted
from spark_jobs.layers.staging.json_text import parsed, text_shape, unmarked, with_marked_numbers
from spark_jobs.layers.staging.number_text import float_conditions, has_small_exponent, is_exact

_DAY = r"^\s*[+-]?\d{4,7}-\d{1,2}-\d{1,2}"
_MIDNIGHT = r"[T ]0{1,2}:00(?::00(?:\.0+)?)?(?:Z|[+-]00:?00)?"
_CLOCK = r"[T ]\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d{0,6}0*)?)?"
_DATE_TEXT = rf"{_DAY}(?:{_MIDNIGHT})?\s*$"
_LOCAL_TEXT = rf"{_DAY}(?:{_CLOCK})?\s*$"
_TIME_TEXT = rf"{_DAY}(?:{_CLOCK}\s*(?:[A-Za-z+\-].*)?)?\s*$"
_REGION = r"[A-Za-z]+/\S+"
_ZONE_LETTER = re.compile("[VzOXxZ]")
# Powers of ten by which the words for Unix time divide a second.
EPOCHS = {"epoch_seconds": 0, "epoch_millis": 3, "epoch_micros": 6, "epoch_nanos": 9}
BINARY_FORMATS = ("base64", "hex")
VALUE = "`@value`"
_Times = DateType | TimestampType | TimestampNTZType
_Floats = FloatType | DoubleType


@dataclass(frozen=True)
class Cast:
    """SQL of a value of the declared type; `loss` tells where VALUE is not what the source said, and is never NULL."""

    value: str
    loss: str = "false"

    def lost(self, value: str = "") -> str:
        """Return `loss` of the value, or of the column that holds it."""
        return self.loss.replace(VALUE, value or self.value)


def cast(source: str, have: DataType, want: DataType, column: Column) -> Cast | None:
    """Return how a column's source becomes its type, None when the two have nothing to do with each other."""
    if column.format in EPOCHS and isinstance(have, StringType | NumericType) and isinstance(want, _Times):
        return _from_epoch(source, have, EPOCHS[column.format], want)
    if isinstance(have, StringType):
        return _from_text(source, want, column)
    if have == want:
        return Cast(source)
    if isinstance(have, NullType):
        return Cast(f"CAST({source} AS {want.simpleString()})")
    for kinds, function in _TYPED:
        if isinstance(want, kinds):
            return function(source, have, want, column)
    return None


def _failed(source: str, *conditions: str) -> str:
    """Return SQL that tells: the source says something, but VALUE does not, or not all of it."""
    problems = " OR ".join([f"{VALUE} IS NULL", *(f"NOT ({condition})" for condition in conditions)])
    return f"({source} IS NOT NULL AND coalesce({problems}, true))"


def _try_cast(source: str, want: DataType) -> str:
    return f"try_cast({source} AS {want.simpleString()})"


def _from_text(source: str, want: DataType, column: Column) -> Cast:
    match want:
        case StringType():
            return Cast(source)
        case BinaryType():
            return _text_to_binary(source, column.format)
        case ArrayType() | MapType() | StructType():
            return _text_to_nested(source, want, column)
        case DateType() | TimestampType() | TimestampNTZType():
            return _text_to_time(source, want, column)
    value = _try_cast(source, want)
    match want:
        case DecimalType():
            return Cast(_text_to_decimal(source, want), _failed(source, is_exact(source, want.scale)))
        case FloatType() | DoubleType():
            return Cast(value, _failed(source, *float_conditions(source, VALUE)))
        case IntegralType():
            is_whole = f"{source} RLIKE '[.eE]' AND ({is_exact(source, 0)})"  # 5.0 and 1E3 are whole numbers too
            whole = f"CASE WHEN {is_whole} THEN {_text_to_decimal(source, DecimalType(38, 0))} END"
            value = f"coalesce({value}, {_try_cast(whole, want)})"
    return Cast(value, _failed(source))


def _text_to_decimal(source: str, want: DecimalType) -> str:
    """Return the decimal that a text writes; NULL with an exponent over which Java computes for minutes, or breaks."""
    return _try_cast(f"CASE WHEN {has_small_exponent(source)} THEN {source} END", want)


def _text_to_binary(source: str, form: str | None) -> Cast:
    if form not in BINARY_FORMATS:
        return Cast(f"CAST({source} AS binary)")
    value = f"try_to_binary({source}, '{form}')"
    return Cast(value, _failed(source))


def _text_to_time(source: str, want: DataType, column: Column) -> Cast:
    if column.format:
        moment = f"try_to_timestamp({source}, {literal(column.format)})"
        value = f"CAST({moment} AS {want.simpleString()})"
        conditions = [f"CAST({VALUE} AS timestamp) = {moment}"]
        if "SSSSSSS" in column.format:  # more than Spark keeps
            conditions.append(f"date_format({moment}, {literal(column.format)}) = {source}")
        return _in_zone(Cast(value, _failed(source, *conditions)), want, column, _is_local(source, column.format))
    value = _try_cast(source, want)
    day = f"substr({source}, 5, 1) = '-' AND substr({source}, 8, 1) = '-'"
    match want:
        case DateType():
            return Cast(value, _failed(source, _looks(source, 10, day, _DATE_TEXT)))
        case TimestampNTZType():
            return Cast(value, _failed(source, f"{source} RLIKE {literal(_LOCAL_TEXT)}"))
    done = Cast(value, _failed(source, _looks(source, 19, day, _TIME_TEXT), _was_shown(source)))
    return _in_zone(done, want, column, f"{source} RLIKE {literal(_LOCAL_TEXT)}")


def _is_local(source: str, pattern: str) -> str:
    """Tell whether a text of a format has no zone: never where the format asks for one, always where it has none."""
    local = re.sub(r"\[[^\[\]]*\]", lambda section: "" if _has_zone(section[0]) else section[0], pattern)
    if _has_zone(local):
        return "false"
    return "true" if local == pattern else f"try_to_timestamp({source}, {literal(local)}) IS NOT NULL"


def _has_zone(pattern: str) -> bool:
    return bool(_ZONE_LETTER.search(re.sub("'[^']*'", "", pattern)))


def _looks(source: str, length: int, day: str, pattern: str) -> str:
    """Tell whether a text is written right: the usual form at a glance, any other by its pattern."""
    return f"(octet_length({source}) = {length} AND {day}) OR {source} RLIKE {literal(pattern)}"


def _was_shown(source: str) -> str:
    """Tell whether clocks showed a time in the region that it names, if it names one."""
    region = f"regexp_extract({source}, {literal(_REGION)}, 0)"
    local = f"try_cast(replace({source}, {region}, '') AS timestamp)"
    return f"NOT contains({source}, '/') OR from_utc_timestamp({VALUE}, {region}) = {local}"


def _in_zone(moment: Cast, want: DataType, column: Column, is_local: str = "true") -> Cast:
    """Take a time without zone for the column's local time; one that clocks there never showed is refused."""
    if not column.time_zone or not isinstance(want, TimestampType):
        return moment
    zone = literal(column.time_zone)
    shifted = f"to_utc_timestamp({moment.value}, {zone})"
    value = f"CASE WHEN {is_local} THEN {shifted} ELSE {moment.value} END"
    skipped = f"{is_local} AND from_utc_timestamp({VALUE}, {zone}) <> {moment.value}"
    return Cast(value, f"({moment.lost()} OR coalesce({skipped}, false))")


def _from_epoch(source: str, have: DataType, power: int, want: DataType) -> Cast:
    """Return the moment that a number of seconds (milliseconds, …) since 1970 names."""
    wide, is_text = DecimalType(38, 9), isinstance(have, StringType)
    number = _text_to_decimal(source, wide) if is_text else _try_cast(source, wide)
    micros = f"{number} * {10 ** max(6 - power, 0)} / {10 ** max(power - 6, 0)}"
    moment = f"timestamp_micros(try_cast({micros} AS bigint))"
    value = f"CAST({moment} AS {want.simpleString()})"
    exact = [f"try_cast({micros} AS bigint) = {micros}", *([is_exact(source, wide.scale)] if is_text else [])]
    return Cast(value, _failed(source, *exact, f"CAST({VALUE} AS timestamp) = {moment}"))


def _text_to_nested(source: str, want: DataType, column: Column) -> Cast:
    """Read JSON text into an array, a map or a struct; every part of it obeys the rules of text."""
    shape = text_shape(want)
    read = _binding("r", parsed(with_marked_numbers(source), shape))
    part = _part("r", shape, want, replace(column, format=None), unmarked, 0)
    assert part is not None
    lost = read(f"r IS NULL OR {part.lost()}")
    return Cast(read(part.value), f"({source} IS NOT NULL AND coalesce({lost}, true))")


def _binding(name: str, value: str) -> Callable[[str], str]:
    """Return a function that puts SQL over `name` where the value is computed once."""
    return lambda body: f"transform(array({value}), {name} -> {body})[0]"


def _from_nested(source: str, have: DataType, want: DataType, column: Column) -> Cast | None:
    return _part(source, have, want, replace(column, format=None), str, 0)


def _part(
    source: str, have: DataType, want: DataType, column: Column, text: Callable[[str], str], depth: int
) -> Cast | None:
    """Return the cast of something inside a nested value; `text` says how its texts are to be taken."""
    if isinstance(have, StringType):
        bound = _binding(f"t{depth}", text(source))
        leaf = _from_text(f"t{depth}", want, column)
        return Cast(bound(leaf.value), bound(leaf.lost()))
    match have, want:
        case ArrayType(), ArrayType():
            return _each(source, have.elementType, want.elementType, column, text, depth)
        case MapType(), MapType():
            return _map(source, have, want, column, text, depth)
        case StructType(), StructType():
            return _struct(source, have, want, column, text, depth)
    return None if isinstance(want, ArrayType | MapType | StructType) else cast(source, have, want, column)


def _each(
    source: str, have: DataType, want: DataType, column: Column, text: Callable[[str], str], depth: int
) -> Cast | None:
    name = f"e{depth}"
    element = _part(name, have, want, column, text, depth + 1)
    if element is None:
        return None
    lost = f"coalesce(exists({source}, {name} -> {element.lost()}), false)"
    return Cast(f"transform({source}, {name} -> {element.value})", lost)


def _map(
    source: str, have: MapType, want: MapType, column: Column, text: Callable[[str], str], depth: int
) -> Cast | None:
    """Cast keys and values; keys that are lost or become equal cannot make a map."""
    keys = _each(f"map_keys({source})", have.keyType, want.keyType, column, text, depth)
    values = _each(f"map_values({source})", have.valueType, want.valueType, column, text, depth)
    if keys is None or values is None:
        return None
    sound = f"NOT {keys.lost()} AND size(array_distinct({keys.value})) = size({keys.value})"
    value = f"CASE WHEN {source} IS NOT NULL AND {sound} THEN map_from_arrays({keys.value}, {values.value}) END"
    return Cast(value, f"({source} IS NOT NULL AND (NOT ({sound}) OR {values.lost()}))")


def _struct(
    source: str, have: StructType, want: StructType, column: Column, text: Callable[[str], str], depth: int
) -> Cast | None:
    names = {field.name.lower(): field for field in have.fields}
    parts, lost = [], []
    for field in want.fields:
        found = names.get(field.name.lower())
        part = found and _part(f"{source}.{quoted(found.name)}", found.dataType, field.dataType, column, text, depth)
        if not part:
            return None
        parts.append(f"{literal(field.name)}, {part.value}")
        lost.append(part.lost())
    value = f"CASE WHEN {source} IS NOT NULL THEN named_struct({', '.join(parts)}) END"
    return Cast(value, f"({source} IS NOT NULL AND ({' OR '.join(lost)}))")


def _to_number(source: str, have: DataType, want: DataType, _: Column) -> Cast | None:
    if not isinstance(have, NumericType):
        return None
    value = _try_cast(source, want)
    if isinstance(want, _Floats):  # the nearest float is the value, but infinity is not
        return Cast(value, _failed(source, f"abs({VALUE}) <> double('Infinity') OR {VALUE} = {source}"))
    # A float is compared as one: as a double it is 19.989999771118164.
    back = f"CAST({VALUE} AS float)" if isinstance(have, FloatType) else VALUE
    return Cast(value, _failed(source, f"{back} = {source}"))


def _to_time(source: str, have: DataType, want: DataType, column: Column) -> Cast | None:
    if not isinstance(have, _Times):
        return None
    value = f"CAST({source} AS {want.simpleString()})"
    moment = Cast(value, _failed(source, f"CAST({VALUE} AS {have.simpleString()}) = {source}"))
    return _in_zone(moment, want, column) if isinstance(have, TimestampNTZType) else moment


def _to_text(source: str, have: DataType, _want: DataType, _column: Column) -> Cast | None:
    """Take bytes for text where a file does not say that they are."""
    if not isinstance(have, BinaryType):
        return None
    value = f"decode({source}, 'UTF-8')"
    return Cast(value, _failed(source, f"encode({VALUE}, 'UTF-8') = {source}"))


_TYPED: tuple[tuple[type | UnionType, Callable[[str, DataType, DataType, Column], Cast | None]], ...] = (
    (NumericType, _to_number),
    (_Times, _to_time),
    (StringType, _to_text),
    (ArrayType | MapType | StructType, _from_nested),
)
