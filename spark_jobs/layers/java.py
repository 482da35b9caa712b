"""Java's objects by few calls: each is a message to another process, and a name that is looked up searches all jars."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pyspark.sql import SparkSession

# What PySpark names for every column, and what the layers name for every table.
_NAMES = (
    "functions",
    "PythonUtils",
    "SparkSession",
    "SparkSession$",
    "org.apache.iceberg.SnapshotParser",
    "org.apache.iceberg.expressions.Expressions",
    "org.apache.iceberg.spark.Spark3Util",
    "org.apache.spark.sql",
    "org.apache.spark.util",
    "py4j.reflection.TypeUtil",
)


def keep_names(spark: SparkSession) -> None:
    """Look up once what is named time and again: that is a tenth of a small batch."""
    for name in _NAMES:
        place: Any = spark._jvm
        for part in name.split("."):
            found = getattr(place, part)
            setattr(place, part, found)
            place = found


def elements(collection: Any) -> Iterator[Any]:
    """Yield the elements of a Java collection.

    PySpark would ask for one more than there are, and read Java's error about that with some forty calls.
    """
    iterator = collection.iterator()
    while iterator.hasNext():
        yield iterator.next()


def as_dict(java_map: Any) -> dict[Any, Any]:
    """Return a Java map as a dictionary."""
    return {entry.getKey(): entry.getValue() for entry in elements(java_map.entrySet())}
