"""Spark's types, as contracts write them and as Spark writes them."""

from __future__ import annotations

import pytest

from contracts.types import TypeMistakeError, may_become, parse_type

ATOMIC = [
    "boolean",
    "tinyint",
    "smallint",
    "int",
    "bigint",
    "float",
    "double",
    "string",
    "binary",
    "date",
    "timestamp",
    "timestamp_ntz",
]
GOOD = {
    **{name: name for name in ATOMIC},
    "INT": "int",
    "integer": "int",
    "Long": "bigint",
    "byte": "tinyint",
    "short": "smallint",
    "real": "float",
    "timestamp_ltz": "timestamp",
    "timestamp_ntz": "timestamp_ntz",
    "decimal": "decimal(10,0)",
    "DEC ( 12 , 2 )": "decimal(12,2)",
    "numeric(5)": "decimal(5,0)",
    "decimal(4,4)": "decimal(4,4)",
    "array<integer>": "array<int>",
    "map<string, array<decimal(4,1)>>": "map<string,array<decimal(4,1)>>",
    "struct<a: int, `b c` string, inner: struct<x: date>>": "struct<a:int,b c:string,inner:struct<x:date>>",
}
BAD = {
    "": "a type is missing",
    "varchar(10)": "'varchar' is no Spark type",
    "text": "'text' is no Spark type",
    "int int": "'int' stands where the type should end",
    "int;": "';' belongs to no type",
    "decimal(0)": "decimal holds 1 to 38 digits, of which the scale is a part",
    "decimal(4,5)": "decimal holds 1 to 38 digits, of which the scale is a part",
    "decimal(4,5,6)": "decimal takes precision and scale, such as decimal(12,2)",
    "decimal(²)": "decimal takes precision and scale, such as decimal(12,2)",
    "decimal(4:5)": "decimal takes precision and scale, such as decimal(12,2)",
    "decimal(4,x)": "decimal takes precision and scale, such as decimal(12,2)",
    "decimal(4": "decimal takes precision and scale, such as decimal(12,2)",
    "array": "array lacks its '<'",
    "array<int": "array lacks its '>'",
    "map<string>": "map lacks its ','",
    "struct<": "struct holds names and types, such as struct<name:string>",
    "struct<>": "struct holds names and types, such as struct<name:string>",
    "struct<a:int,A:int>": "a name stands twice in the struct",
}


@pytest.mark.parametrize("text", GOOD)
def test_a_type_is_named_as_spark_names_it(text):
    assert str(parse_type(text)) == GOOD[text]


@pytest.mark.parametrize("text", BAD)
def test_text_that_names_no_type(text):
    with pytest.raises(TypeMistakeError) as raised:
        parse_type(text)
    assert str(raised.value) == BAD[text]


def test_a_type_nested_by_the_hundred():
    def nested(depth):
        return "array<" * depth + "int" + ">" * depth

    assert str(parse_type(nested(200))) == nested(200)
    for depth in (201, 20_000):
        with pytest.raises(TypeMistakeError, match="it is nested more than 200 deep"):
            parse_type(nested(depth))


@pytest.mark.parametrize(
    ("have", "want", "may"),
    [
        ("boolean", "boolean", True),
        *[("tinyint", other, True) for other in ("smallint", "int", "bigint", "float", "double", "decimal(4,1)")],
        *[(other, "tinyint", True) for other in ("smallint", "int", "bigint", "float", "double", "decimal(4,1)")],
        *[(have, want, True) for have in ("date", "timestamp") for want in ("timestamp_ntz", "timestamp", "date")],
        *[("string", want, True) for want in ATOMIC],
        ("array<int>", "string", True),
        ("binary", "string", True),
        ("binary", "int", False),
        ("int", "string", False),
        ("int", "boolean", False),
        ("bigint", "timestamp", False),
        ("date", "int", False),
    ],
)
def test_which_values_are_turned_into_which(have, want, may):
    assert may_become(parse_type(have), parse_type(want)) is may


def test_spark_reads_every_type_as_it_is_named(spark):
    from pyspark.sql.types import _parse_datatype_string

    names = {str(parse_type(text)) for text in GOOD if "`" not in text}
    assert {_parse_datatype_string(name).simpleString() for name in names} == names
