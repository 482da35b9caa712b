"""Session settings that staging relies on."""

from __future__ import annotations

from pyspark.sql import SparkSession

SPLIT_BYTES = 64 * 1024 * 1024
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.files.maxPartitionBytes": str(SPLIT_BYTES),
    "spark.sql.files.openCostInBytes": str(SPLIT_BYTES),
    "spark.sql.codegen.hugeMethodLimit": "8000",
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
    "spark.sql.legacy.parquet.nanosAsLong": "true",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
}


def configure(spark: SparkSession) -> SparkSession:
    """Set what the readers need and return the session.

    The open cost gives each file split a partition of its own, which is what line numbers are counted in. Dates before
    1582 are read and written as they are called, and nanoseconds as the numbers they are. Java compiles no method of
    more than 8000 bytes, so that Spark must not generate one.
    """
    for name, value in _SETTINGS.items():
        spark.conf.set(name, value)
    return spark


def split_bytes(spark: SparkSession) -> int:
    """Return the size at which Spark splits a file."""
    return int(str(spark.conf.get("spark.sql.files.maxPartitionBytes")).removesuffix("b"))
