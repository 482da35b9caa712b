"""A row that a table takes once, whoever else writes it at the same time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from py4j.protocol import Py4JJavaError
from pyspark.sql import functions as F

from spark_jobs.layers.errors import ConcurrentPublishError
from spark_jobs.layers.lake import Lake, is_empty

Value = str | int | bool | datetime | None
_ATTEMPTS = 10
_LOST = ("ValidationException", "CommitFailedException")  # another commit came first


def append_once(lake: Lake, table: str, row: Mapping[str, Value], column: str) -> bool:
    """Append a row, by column name, unless one with its string in `column` is there; tell whether this call did.

    The commit is refused where such a row may have come since the table was looked at; then it is looked at again.
    Integers go to columns of type bigint, datetimes to those of type timestamp. Iceberg writes the row by itself: a
    Spark job would take twice as long. Raises ConcurrentPublishError where other commits come first each time.
    """
    value = str(row[column])
    file: Any = None
    for _ in range(_ATTEMPTS):
        handle = lake.handle(table)
        if lake.may_hold(table, column, [value]) and not is_empty(lake.read(table).filter(F.col(column) == value)):
            if file is not None:
                handle.io().deleteFile(file.location())
            return False
        if file is None:
            file = _written(lake.spark._jvm, handle, row)
        try:
            _commit(lake.spark._jvm, handle, file, column, value)
        except Py4JJavaError as error:
            if not any(name in str(error) for name in _LOST):
                raise
        else:
            return True
    raise ConcurrentPublishError(f"{table}: other commits came first {_ATTEMPTS} times while {value} was written")


def _written(jvm: Any, handle: Any, row: Mapping[str, Value]) -> Any:
    """Write a data file of one row, and return what Iceberg knows of it."""
    record = jvm.org.apache.iceberg.data.GenericRecord.create(handle.schema()).copy(_java_map(jvm, row))
    for name, value in row.items():
        if isinstance(value, datetime):
            record.setField(name, jvm.java.time.OffsetDateTime.parse(value.astimezone(UTC).isoformat()))
    parquet = jvm.org.apache.iceberg.FileFormat.PARQUET
    target = jvm.org.apache.iceberg.io.OutputFileFactory.builderFor(handle, 0, 0).format(parquet).build()
    appenders = jvm.org.apache.iceberg.data.GenericAppenderFactory(handle.schema(), handle.spec())
    writer = appenders.newDataWriter(target.newOutputFile(), parquet, None)
    try:
        writer.write(record)
    finally:
        writer.close()
    return writer.toDataFile()


def _java_map(jvm: Any, row: Mapping[str, Value]) -> Any:
    """Return the values that JSON has as a Java map, whole numbers as Longs: Py4J makes Integers of small ones."""
    jackson = jvm.com.fasterxml.jackson.databind
    mapper = jackson.ObjectMapper().enable(jackson.DeserializationFeature.USE_LONG_FOR_INTS)
    plain = {name: value for name, value in row.items() if not isinstance(value, datetime)}
    return mapper.readValue(json.dumps(plain), jvm.java.lang.Class.forName("java.util.HashMap"))


def _commit(jvm: Any, handle: Any, file: Any, column: str, value: str) -> None:
    is_one = jvm.org.apache.iceberg.expressions.Expressions.equal(column, value)
    commit = handle.newRowDelta().addRows(file).conflictDetectionFilter(is_one).validateNoConflictingDataFiles()
    if (base := handle.currentSnapshot()) is not None:
        commit = commit.validateFromSnapshot(base.snapshotId())
    commit.commit()
