"""What a contract's name stands for in a mart's SQL, and the columns that it has before there are rows."""

from __future__ import annotations

from pyspark.errors import AnalysisException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from contracts.model import Mart, Plan
from spark_jobs.layers.errors import DataError, words_about_sql
from spark_jobs.layers.marts import dimension, history, latest, scd2
from spark_jobs.layers.marts.events import log_schema
from spark_jobs.layers.marts.lookups import key_column
from spark_jobs.layers.shaping import conformed


class MartSqlError(DataError):
    """The SQL of a mart asks for what there is not, such as a column that no table has; `words` are Spark's."""

    def __init__(self, mart: str, words: str) -> None:
        super().__init__(f"{mart}: {words}. Correct the SQL and deploy it")
        self.words = words


KEYED = {
    "latest": latest.rows,
    "scd2": scd2.rows,
    "history": history.rows,
    "dimension": dimension.rows,
}


def empty(spark: SparkSession, schema: StructType) -> DataFrame:
    """Return no rows of a schema."""
    return conformed(spark.range(0).select(), schema)


def without_rows(spark: SparkSession, plan: Plan, name: str) -> DataFrame:
    """Return a table's current rows or a mart's rows as they are while nothing has landed."""
    if name in plan.tables:
        table = plan.tables[name]
        return latest.current_rows(empty(spark, log_schema(table)), table)
    mart = plan.marts[name]
    if mart.kind in KEYED:
        table = plan.tables[mart.source]
        return KEYED[mart.kind](empty(spark, log_schema(table)), mart, table)
    return empty(spark, _selected(spark.newSession(), plan, mart).schema)


def select(spark: SparkSession, mart: Mart) -> DataFrame:
    """Run a mart's SELECT over the session's views; MartSqlError where Spark cannot make sense of it."""
    try:
        return spark.sql((mart.sql or "").strip().rstrip(";"))
    except AnalysisException as error:
        raise MartSqlError(mart.name, words_about_sql(error)) from error


def _selected(spark: SparkSession, plan: Plan, mart: Mart) -> DataFrame:
    for read in mart.reads:
        without_rows(spark, plan, read).createOrReplaceTempView(read)
    keys = [F.lit(None).cast("bigint").alias(key_column(lookup)) for lookup in mart.dimensions]
    return select(spark, mart).select("*", *keys)
