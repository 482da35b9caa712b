"""From rows to one landing: files are written where no event is sent, then put into the raw bucket."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from spark_jobs.layers.extraction.failures import ExtractionError
from spark_jobs.layers.extraction.manifest import SUFFIX, Manifest, Part, parts_folder

SCRATCH_PREFIX = "extracts/"
_ROWS_PER_FILE = 5_000_000
_COPIES_AT_ONCE = 8


@dataclass(frozen=True)
class File:
    """One Parquet file in the scratch folder; `size` in bytes."""

    key: str
    size: int
    rows: int


@dataclass(frozen=True)
class Place:
    """Where an extraction goes: the buckets, the connection it comes by, the table's name and prefix, this attempt."""

    raw: str
    staging: str
    connection: str
    table: str
    prefix: str
    extraction: str
    effective_at: datetime

    @property
    def time(self) -> str:
        """Return the extraction's time as keys hold it: without colons, to the microsecond."""
        return self.effective_at.astimezone(UTC).strftime("%Y-%m-%dT%H%M%S.%fZ")

    @property
    def scratch(self) -> str:
        return f"{SCRATCH_PREFIX}{self.connection}/{self.table}/{self.extraction}/{self.time}/"

    @property
    def parts(self) -> str:
        return parts_folder(self.prefix, self.time)

    def key(self, files: int) -> str:
        """Return the key of the one object that lands."""
        return f"{self.prefix}{self.time}{'.parquet' if files == 1 else SUFFIX}"


def write(frame: DataFrame, place: Place, s3: Any) -> list[File]:
    """Write the rows as Parquet files to the scratch folder and return the files, whole or not at all.

    ExtractionError when the files do not hold exactly the rows that were read.
    """
    seen = Observation("rows")
    uri = f"s3://{place.staging}/{place.scratch}"
    observed = frame.observe(seen, F.count(F.lit(1)).alias("rows"))
    observed.write.option("maxRecordsPerFile", _ROWS_PER_FILE).option("compression", "zstd").parquet(uri)
    files = _files(frame, place, s3)
    written, read = sum(file.rows for file in files), seen.get["rows"]
    if written != read:
        raise ExtractionError(f"{place.table}: {read} rows were read and {written} are in the files written")
    return files


def _files(frame: DataFrame, place: Place, s3: Any) -> list[File]:
    spark = frame.sparkSession
    uri = f"s3://{place.staging}/{place.scratch}"
    named = spark.read.schema(frame.schema).parquet(uri).groupBy(F.input_file_name().alias("file")).count()
    rows = {row["file"].rpartition("/")[2]: row["count"] for row in named.collect()}
    sizes = dict(_sizes(s3, place))
    if lost := sorted(set(rows) - {key.rpartition("/")[2] for key in sizes}):
        raise ExtractionError(f"{place.table}: {lost[0]} was written and is not in the bucket")
    return [File(key, size, rows.get(key.rpartition("/")[2], 0)) for key, size in sorted(sizes.items())]


def _sizes(s3: Any, place: Place) -> Iterator[tuple[str, int]]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.staging, Prefix=place.scratch)
    for page in pages:
        for entry in page.get("Contents", ()):
            if entry["Key"].endswith(".parquet"):
                yield entry["Key"], entry["Size"]


def land(files: Sequence[File], place: Place, s3: Any) -> None:
    """Put the extraction into the raw bucket: one file as it is; of several the parts, then the manifest that lands."""
    key = place.key(len(files))
    if len(files) == 1:
        s3.copy({"Bucket": place.staging, "Key": files[0].key}, place.raw, key)
        return

    def copied(numbered: tuple[int, File]) -> Part:
        number, file = numbered
        target = f"{place.parts}{number:05d}.parquet"
        s3.copy({"Bucket": place.staging, "Key": file.key}, place.raw, target)
        head = s3.head_object(Bucket=place.raw, Key=target)
        return Part(target, head.get("VersionId", "null"), head["ETag"].strip('"'), head["ContentLength"], file.rows)

    with ThreadPoolExecutor(max_workers=_COPIES_AT_ONCE) as pool:
        parts = list(pool.map(copied, enumerate(files)))
    manifest = Manifest(place.table, place.extraction, place.time, parts)
    s3.put_object(Bucket=place.raw, Key=key, Body=manifest.to_bytes(), ContentType="application/json")


def has_landed(key: str, raw: str, s3: Any) -> bool:
    """Tell whether the one object of an extraction is in the raw bucket."""
    found = s3.list_objects_v2(Bucket=raw, Prefix=key, MaxKeys=1)
    return any(entry["Key"] == key for entry in found.get("Contents", ()))
