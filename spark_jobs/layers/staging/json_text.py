"""JSON text inside Spark SQL: parsed whole, numbers to the last digit.

Spark reads a JSON number as a double where text is wanted, and stops reading at the end of the first value. So numbers
are put between quotes first, behind a mark, and the text is parsed as a part of a document whose end must be seen.
All functions take and return SQL.
"""

from __future__ import annotations

from pyspark.sql.types import ArrayType, DataType, MapType, StringType, StructField, StructType

from spark_jobs.layers.shaping import literal, quoted

MARK = "\ufdd0\ufdd1"  # characters that Unicode keeps out of texts
_MARKED = f'$1"{MARK}$2"'
_ANY_MARKED = f'"{MARK}([^"]*+)"'
_BEHIND, _PROBLEM = "behind", "problem"
# Java takes what lies between two numbers, strings whole, in one go; group 1 comes back as it was. What is no number
# stays as it is, for the parser to refuse; NaN and Infinity, which are no JSON but often written, are numbers here.
_NUMBER = (
    r"\G((?:[^\"\-0-9IN]++|\"(?:[^\"\\]++|\\[\s\S])*+\")*+)"
    r"(-?(?:(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+\-]?[0-9]++)?(?![0-9.eE+\-])|Infinity|NaN))"
)
_OPTIONS = {
    "columnNameOfCorruptRecord": _PROBLEM,
    "mode": "PERMISSIVE",
    "allowSingleQuotes": "false",
    "allowNonNumericNumbers": "false",
}


def _ddl(kind: DataType) -> str:
    match kind:
        case ArrayType():
            return f"ARRAY<{_ddl(kind.elementType)}>"
        case MapType():
            return f"MAP<{_ddl(kind.keyType)}, {_ddl(kind.valueType)}>"
        case StructType():
            return f"STRUCT<{', '.join(f'{quoted(field.name)}: {_ddl(field.dataType)}' for field in kind.fields)}>"
    return kind.simpleString()


def with_marked_numbers(text: str) -> str:
    """Return JSON text whose numbers are strings that begin with the mark."""
    return f"regexp_replace({text}, {literal(_NUMBER)}, {literal(_MARKED)})"


def unmarked(text: str) -> str:
    """Return a parsed text as it was written: a number without its mark, or JSON with its numbers."""
    mark = literal(MARK)
    number = f"substr({text}, {len(MARK) + 1})"
    inner = f"regexp_replace({text}, {literal(_ANY_MARKED)}, {literal('$1')})"
    return (
        f"CASE WHEN startswith({text}, {mark}) THEN {number} WHEN contains({text}, {mark}) THEN {inner} ELSE {text} END"
    )


def text_shape(kind: DataType) -> DataType:
    """Return the type with text in place of everything atomic."""
    match kind:
        case ArrayType():
            return ArrayType(text_shape(kind.elementType))
        case MapType():
            return MapType(StringType(), text_shape(kind.valueType))
        case StructType():
            return StructType([StructField(f.name, text_shape(f.dataType)) for f in kind.fields])
    return StringType()


def parsed(text: str, shape: DataType) -> str:
    """Return JSON text, its numbers marked, as a value of `shape`; NULL when it is not that, and nothing else."""
    ends = "1"
    document = f"concat('{{\"value\":', {text}, ',\"{_BEHIND}\":{ends}}}')"
    schema = f"STRUCT<value: {_ddl(shape)}, {_BEHIND}: STRING, {_PROBLEM}: STRING>"
    options = ", ".join(f"{literal(name)}, {literal(value)}" for name, value in _OPTIONS.items())
    read = f"from_json({document}, {literal(schema)}, map({options}))"
    return (
        f"transform(array({read}), r -> CASE WHEN r.{_PROBLEM} IS NULL AND r.{_BEHIND} = '{ends}' THEN r.value END)[0]"
    )
