"""Crawls: what a Glue crawler would find in the raw objects, written into moto's catalog."""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from moto.glue import models
from pyspark.sql import SparkSession

from contracts.inference import infer
from contracts.paths import BY_PATH, split_path
from contracts.samples import Sample, SampleError, read_sample
from contracts.types import SparkType, parse_type
from orchestration.embedded.serial import lock

_NEWEST = 50
_NARROW = re.compile(r"\b(?:int|date|timestamp)\b(?!:)|decimal\(\d+,\d+\)")
_BROADER = {"int": "bigint", "date": "string", "timestamp": "string"}  # as Glue's classifiers tell texts
_WIDER = {("bigint", "double"), ("double", "bigint")}
_plain_start = models.FakeCrawler.start_crawler
Client = Callable[[str], Any]


@contextmanager
def attached(client: Client) -> Iterator[None]:
    """Let moto's crawlers look at the objects of their targets."""

    def start(crawler: Any) -> None:
        _plain_start(crawler)
        threading.Thread(target=_work, args=(crawler, client), name=f"crawl {crawler.name}", daemon=True).start()

    with mock.patch.object(models.FakeCrawler, "start_crawler", start):
        yield


def _work(crawler: Any, client: Client) -> None:
    crawl = crawler.crawls[-1]
    try:
        for target in crawler.targets.get("S3Targets", ()):
            bucket, _, prefix = target["Path"].removeprefix("s3://").partition("/")
            with lock:
                samples = list(_samples(client("s3"), bucket, prefix))
            if samples:
                name = crawler.table_prefix + re.sub(r"\W+", "_", prefix.rstrip("/").rpartition("/")[2].lower())
                with lock:
                    _write(client("glue"), crawler.database_name, name, target["Path"], columns_of(samples))
        crawl.status = "COMPLETED"
    except Exception as error:
        crawl.status, crawl.message_prefix = "FAILED", str(error)


def _samples(s3: Any, bucket: str, prefix: str) -> Iterator[Sample]:
    """Yield the newest objects that can be read; Glue's crawler passes over what it cannot classify."""
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    listed = [one for page in pages for one in page.get("Contents", ()) if one["Size"]]
    newest = sorted(listed, key=lambda one: (one["LastModified"], one["Key"]))[-_NEWEST:]
    with tempfile.TemporaryDirectory() as folder:
        for number, entry in enumerate(newest):
            file = Path(folder, f"{number}-{entry['Key'].rpartition('/')[2]}")
            s3.download_file(bucket, entry["Key"], str(file))
            try:
                yield read_sample(file, _read_parquet)
            except SampleError:
                continue


def _read_parquet(file: Path, _most: int) -> Sample:
    """Read the types of a Parquet file, which says them itself; the job that waits for the crawl runs this Spark."""
    spark = SparkSession._instantiatedSession
    assert spark is not None, "a crawl is started by a job"
    fields = spark.newSession().read.parquet(file.as_uri()).schema.fields
    return Sample(
        "parquet", tuple(f.name for f in fields), (), types={f.name: f.dataType.simpleString() for f in fields}
    )


def columns_of(samples: Sequence[Sample]) -> dict[str, str]:
    """Return the columns of all samples in small letters, each with the type that holds all its values."""
    told: dict[str, str] = {}
    values: dict[str, list[Any]] = {}
    for sample in samples:
        rows = [_nested(sample, record) for record in sample.records]
        for name in dict.fromkeys(_steps(sample, path)[0] for path in sample.columns):
            column = name.lower()
            if kind := sample.types.get(name):
                told[column] = _common(told.get(column, kind), kind)
            else:
                values.setdefault(column, []).extend(row.get(name) for row in rows)
    return told | {column: _kind(found) for column, found in values.items()}


def _steps(sample: Sample, path: str) -> tuple[str, ...]:
    return split_path(path) if sample.format in BY_PATH else (path,)


def _nested(sample: Sample, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record whose fields samples tell by path as the object that it was."""
    row: dict[str, Any] = {}
    for path, value in record.items():
        *around, last = _steps(sample, path)
        inner = row
        for name in around:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return row


def _kind(values: Sequence[Any]) -> str:
    inferred = infer(values)
    if inferred.format or inferred.null_words:
        return "string"
    return _NARROW.sub(lambda match: _BROADER.get(match[0], "double"), inferred.type)


def _common(one: str, other: str) -> str:
    """Return the type that holds the values of two, text where none does; objects have the fields of both."""
    return one if one == other else str(_wider(parse_type(one), parse_type(other)))


def _wider(one: SparkType, other: SparkType) -> SparkType:
    if one == other:
        return one
    if one.name == other.name == "struct":
        fields = dict(zip(one.fields, one.inner, strict=True))
        for name, kind in zip(other.fields, other.inner, strict=True):
            fields[name] = _wider(fields.get(name, kind), kind)
        return SparkType("struct", fields=tuple(fields), inner=tuple(fields.values()))
    if one.name == other.name and one.inner:
        return SparkType(one.name, inner=tuple(map(_wider, one.inner, other.inner)))
    return SparkType("double" if (one.name, other.name) in _WIDER else "string")


def _write(glue: Any, database: str, name: str, location: str, columns: Mapping[str, str]) -> None:
    """Make the table, or add to it what it has not: MergeNewColumns."""
    try:
        known = glue.get_table(DatabaseName=database, Name=name)["Table"]["StorageDescriptor"]["Columns"]
    except glue.exceptions.EntityNotFoundException:
        known = []
    merged = {one["Name"]: one["Type"] for one in known}
    for column, kind in columns.items():
        merged[column] = _common(merged.get(column, kind), kind)
    described = [{"Name": column, "Type": kind} for column, kind in merged.items()]
    table = {"Name": name, "StorageDescriptor": {"Columns": described, "Location": location}}
    if known:
        glue.update_table(DatabaseName=database, TableInput=table)
    else:
        glue.create_table(DatabaseName=database, TableInput=table)
