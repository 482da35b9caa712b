"""SQL in contracts: the columns that an expression reads, and what an expression must not do."""

from __future__ import annotations

import pytest

from contracts.sql import FICKLE, OUTSIDE, ROW, SqlMistakeError, columns_of, functions, query_of, type_of
from contracts.types import parse_type

READS = {
    "trim(FULL_NAME)": ("FULL_NAME",),
    "a BETWEEN 1 AND b": ("a", "b"),
    "address.city = 'x'": ("address",),
    "`address.city` = 'x'": ("address.city",),
    "tags[0].name": ("tags",),
    "filter(xs, x -> x.k > y)": ("xs", "y"),
    "exists(xs, x -> x > 1)": ("xs",),
    "x + aggregate(xs, 0, (x, y) -> x + y.z)": ("x", "xs"),
    "transform(xs, x -> filter(ys, y -> y > x + z))": ("xs", "ys", "z"),
    "user = 'x' AND version > 1": ("user", "version"),
    "window > `trim`(a)": ("window", "a"),
    "date '2020-01-01'": (),
    "a <=> b": ("a", "b"),
    "CASE WHEN (a) THEN 1 END": ("a",),
    "a LIKE ANY ('x', b) OR a NOT ILIKE SOME ('y') OR a LIKE ALL ('z')": ("a", "b"),
    "timestampdiff(HOUR, a, b)": ("b", "a"),
    "timestampadd(HOUR, 1, a)": ("a",),
    "try_cast(a AS decimal(4,1)) % 2": ("a",),
}
REFUSED = {
    "op = 'D' AND": "does not parse: line 1, character 12, near 'AND'",
    "(a": "does not parse: line 1, character 2, near 'a'",
    "'abc": "does not parse: a quote is not closed",
    "map(a)": "does not parse: a function lacks arguments",
    "date_trunc() > a": "does not parse: a function lacks arguments",
    "": "must be one expression",
    "a, b": "must be one expression",
    "a; DROP TABLE x": "must be one expression",
    "a FROM t": "must be one expression, not a SELECT",
    "a AS b": "must be one expression, without a name of its own",
    "a -- why": "must hold no comment",
    "sum(a)": "SUM(a) needs more than one row: write an expression over one row",
    "count(*) > 1": "COUNT(*) needs more than one row: write an expression over one row",
    "any(a > 1)": "ANY(a > 1) needs more than one row: write an expression over one row",
    "some(a)": "SOME(a) needs more than one row: write an expression over one row",
    "rank() OVER (ORDER BY a)": "RANK() OVER (ORDER BY a) needs more than one row: write an expression over one row",
    "EXISTS (SELECT 1 FROM t)": "EXISTS(SELECT 1 FROM t) needs more than one row: write an expression over one row",
    "exists(xs, x -> x IN (SELECT 1))": "(SELECT 1) needs more than one row: write an expression over one row",
    "struct(*)": "* needs more than one row: write an expression over one row",
    "posexplode(a)": "POSEXPLODE(a) needs more than one row: write an expression over one row",
    "explode(a)": "EXPLODE(a) needs more than one row: write an expression over one row",
    "a IN (SELECT b FROM t)": "(SELECT b FROM t) needs more than one row: write an expression over one row",
    "trimm(a)": "no such function: trimm (did you mean trim?)",
    "reflect('java.lang.System', 'exit')": "no such function: reflect (did you mean repeat?)",
    "`reflect`('java.lang.System', 'exit')": "no such function: reflect (did you mean repeat?)",
    "`stack`(2, a, b)": "no such function: stack (did you mean space?)",
    "window(a, '2 hours', '1 hour')": "no such function: window",
    "TRANSFORM(a) USING 'cat'": "TRANSFORM(a) USING 'cat' needs more than one row: write an expression over one row",
    "a < current_date": "current_date gives another value each time: a rerun would change the table",
    "now() > a": "now gives another value each time: a rerun would change the table",
    "unix_timestamp() - a": "current_timestamp gives another value each time: a rerun would change the table",
    "uuid()": "uuid gives another value each time: a rerun would change the table",
}


@pytest.mark.parametrize("text", READS)
def test_the_columns_that_an_expression_reads(text):
    assert columns_of(text) == READS[text]


@pytest.mark.parametrize("text", REFUSED)
def test_an_expression_needs_its_row_and_nothing_else(text):
    with pytest.raises(SqlMistakeError) as raised:
        columns_of(text)
    assert str(raised.value) == REFUSED[text]


@pytest.mark.parametrize("opening", ["(", "trim(", "array(xs["])
def test_sql_that_is_nested_by_the_hundred_is_a_mistake_like_others(opening):
    """At any depth alike, however deep Python goes."""

    def nested(times: int) -> str:
        closing = "".join({"(": ")", "[": "]"}.get(c, "") for c in reversed(opening))
        return f"{opening * times}a{closing * times}"

    most = 30 // (opening.count("(") + opening.count("["))
    for read, before, after in ((columns_of, "", ""), (query_of, "SELECT ", " AS id FROM orders")):
        read(f"{before}{nested(most)}{after}")
        for times in (most + 1, 5000):
            with pytest.raises(SqlMistakeError, match="^is nested too deeply: 30 brackets inside each other are read$"):
                read(f"{before}{nested(times)}{after}")
    assert str(type_of(f"{'trim(' * 30}a{')' * 30}", {"a": parse_type("string")})) == "string"


GIVES = {
    "ID + 1": "int",
    "length(name) > id": "boolean",
    "exists(days, d -> d > '2020-01-01')": "boolean",
    "nullif(trim(name), '')": "string",
    "NULL": None,
    "coalesce(other, 0)": None,
    "coalesce(luhn_check(name), 0)": None,
    "place.city": None,
    "place.id": None,
    "floor()": None,
}


@pytest.mark.parametrize("text", GIVES)
def test_the_type_that_an_expression_gives(text):
    kinds = {"id": "int", "name": "string", "days": "array<date>", "place": "struct<city:string>"}
    kind = type_of(text, {"other": None, **{name: parse_type(kind) for name, kind in kinds.items()}})
    assert (kind and str(kind)) == GIVES[text]


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "; SELECT id FROM orders",
        "SELECT id FROM orders; SELECT 1",
        "DELETE FROM orders",
        "ELSE SELECT id FROM orders",
    ],
)
def test_a_mart_is_one_select(text):
    with pytest.raises(SqlMistakeError, match="^must be one SELECT$"):
        query_of(text)


def test_each_side_of_a_union_is_a_select():
    with pytest.raises(SqlMistakeError, match="^must be one SELECT: a side of its UNION is none$"):
        query_of("id UNION FROM orders")


NO_SQL = {
    "SELECT id FROM (SELECT TRANSFORM(id) USING 'sh' AS (id) FROM orders)": "TRANSFORM … USING runs a program on the "
    "job's machines: write it in SQL",
    "SELECT reflect('java.lang.System', 'getenv') AS id FROM orders": "reflect calls Java on the job's machines: write "
    "it in SQL",
    "WITH a AS (SELECT `java_method`('a', 'b') AS id FROM orders) SELECT id FROM a": "java_method calls Java on the "
    "job's machines: write it in SQL",
    "SELECT id FROM orders JOIN IDENTIFIER('csv.`s3://raw/hr/`') USING (id)": "IDENTIFIER('csv.`s3://raw/hr/`') is no "
    "table: tables and marts go by their names",
    "SELECT id FROM csv.`s3://raw/hr/`": "csv.s3://raw/hr/: tables and marts go by their names alone: s3://raw/hr/",
    "SELECT id FROM orders WHERE id IN (SELECT id FROM other_prod_mart.orders)": "other_prod_mart.orders: tables and "
    "marts go by their names alone: orders",
}


@pytest.mark.parametrize("text", NO_SQL)
def test_a_select_reads_the_pipelines_tables_and_runs_nothing_else(text):
    with pytest.raises(SqlMistakeError) as raised:
        query_of(text)
    assert str(raised.value) == NO_SQL[text]


DRIVEN = {
    "SELECT o.*, c.* FROM customers AS c JOIN orders AS o USING (id)": ("customers", None),
    "SELECT id + 1, id + 2, id FROM orders": ("orders", ("id",)),
    "SELECT (SELECT max(id) FROM customers) AS most FROM orders": ("orders", ("most",)),
    "WITH c AS (SELECT id FROM customers) SELECT id FROM orders WHERE id IN (SELECT id FROM c)": ("orders", ("id",)),
    "SELECT id FROM orders UNION ALL SELECT nr FROM customers": ("orders", ("id",)),
}


@pytest.mark.parametrize("text", DRIVEN)
def test_what_drives_a_select_and_what_it_returns(text):
    found = query_of(text)
    assert (found.driver, found.columns) == DRIVEN[text]


@pytest.mark.parametrize("text", ["SELECT id FROM orders;", "SELECT id FROM orders;;"])
def test_a_select_may_end_with_semicolons(text):
    assert query_of(text).columns == ("id",)


NAMED = {
    "WITH Recent AS (SELECT id FROM orders) SELECT id FROM recent": {"orders"},
    "WITH orders AS (SELECT id FROM orders) SELECT id FROM orders": {"orders"},
    "WITH orders AS (SELECT id FROM customers) SELECT id FROM orders": {"customers"},
    "WITH a AS (SELECT id FROM b), b AS (SELECT id FROM a) SELECT id FROM b": {"b"},
    "WITH a AS (SELECT id FROM orders) SELECT id FROM a WHERE id IN (SELECT id FROM a UNION SELECT id FROM b)": {
        "orders",
        "b",
    },
    "SELECT id FROM (WITH a AS (SELECT id FROM orders) SELECT id FROM a) JOIN a USING (id)": {"orders", "a"},
}


@pytest.mark.parametrize("text", NAMED)
def test_a_name_of_a_with_is_a_table_where_the_with_does_not_reach(text):
    assert set(query_of(text).reads) == NAMED[text]


@pytest.mark.long(little=True)
def test_spark_needs_no_other_tables(spark):
    for text, names in NAMED.items():
        for name in names:
            spark.range(1).createOrReplaceTempView(name)
        assert spark.sql(text).columns == ["id"]
        for name in names:
            spark.catalog.dropTempView(name)


def test_every_function_that_may_be_called_is_one_of_sparks(spark):
    spark_has = {row[0] for row in spark.sql("SHOW FUNCTIONS").collect()}
    assert functions()[ROW] - spark_has == {"try_cast", "timestampadd", "timestampdiff"}  # these its grammar knows
    hours = "timestampdiff(HOUR, timestamp'2020-01-01', timestampadd(DAY, 1, timestamp'2020-01-01'))"
    assert spark.sql(f"SELECT {hours}").first() == (24,)
    assert functions()[FICKLE] - spark_has == set()
    assert functions()[OUTSIDE] - spark_has == {"try_reflect"}  # Spark 4 has it
