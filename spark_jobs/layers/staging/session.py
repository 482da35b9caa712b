"""Session settings that staging relies on."""

from __future__ import annotations

from pyspark.sql import SparkSession

SPLIT_BYTES = 64 * 1024 * 1024
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.csv.parser.columnPruning.enabled": "false",
    "spark.sql.files.maxPartitionBytes": str(SPLIT_BYTES),
    "spark.sql.files.openCostInBytes": str(SPLIT_BYTES),
    "spark.sql.legacy.timeParserPolicy": "CORRECTED",
}


def configure(spark: SparkSession) -> SparkSession:
    """Set what the readers need and return the session.

    Column pruning must be off for the CSV parser to notice records with too many or too few fields; the open cost
    gives each file split a partition of its own, which is what record numbers are counted in.
    """
    for name, value in _SETTINGS.items():
        spark.conf.set(name, value)
    return spark


def split_bytes(spark: SparkSession) -> int:
    """Return the size at which Spark splits a file."""
    return int(str(spark.conf.get("spark.sql.files.maxPartitionBytes")).removesuffix("b"))
