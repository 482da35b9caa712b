"""A bench for extraction: a Derby database, a ledger in moto, and buckets that are folders which Spark sees as s3://."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from contracts.databases import EXTRACTED_AT, Connection, Extract
from contracts.model import Column, EffectiveAt, Source, Table
from spark_jobs.extract import configured
from spark_jobs.layers.extraction.database import Credentials, Database
from spark_jobs.layers.extraction.extract import Extraction, run
from spark_jobs.layers.extraction.ledger import ExtractionLedger, Record
from spark_jobs.layers.extraction.manifest import read_manifest
from spark_jobs.layers.extraction.marks import Mark
from tests.clients import client

LEDGER = "ledger"
NOW = datetime(2013, 1, 2, 2, tzinfo=UTC)


class FolderS3:
    """The S3 calls that an extraction makes, on folders; every put is noted in `puts`, in order."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.puts: list[str] = []

    def path(self, bucket: str, key: str) -> Path:
        return self.root / bucket / key

    def copy(self, source: Mapping[str, str], bucket: str, key: str) -> None:
        self._put(bucket, key, self.path(source["Bucket"], source["Key"]).read_bytes())

    def put_object(self, Bucket: str, Key: str, Body: bytes, ContentType: str) -> None:  # noqa: N803 (boto3's names)
        self._put(Bucket, Key, Body)

    def head_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        body = self.path(Bucket, Key).read_bytes()
        return {"VersionId": f"v-{Key}", "ETag": f'"{hashlib.md5(body).hexdigest()}"', "ContentLength": len(body)}

    def get_paginator(self, name: str) -> FolderS3:
        assert name == "list_objects_v2"
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        return [self.list_objects_v2(**request)]

    def list_objects_v2(self, Bucket: str, Prefix: str, MaxKeys: int = 1000) -> dict[str, Any]:  # noqa: N803
        root = self.root / Bucket
        files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
        found = sorted(key for key in files if key.startswith(Prefix) and not key.rpartition("/")[2].startswith("."))
        return {"Contents": [{"Key": key, "Size": files[key].stat().st_size} for key in found[:MaxKeys]]}

    def _put(self, bucket: str, key: str, body: bytes) -> None:
        target = self.path(bucket, key)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
        self.puts.append(key)


@dataclass
class Bench:
    """One database and its extractions; `now` is what the next extraction's clock says."""

    spark: Any
    connection: Connection
    credentials: Credentials
    s3: FolderS3
    now: datetime = NOW
    prefix: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:8]}/")

    def execute(self, *statements: str) -> None:
        """Execute SQL in the database, statement by statement."""
        database = Database(self.spark, self.connection, self.credentials, "bench")
        with database._connected() as connection:
            statement = connection.createStatement()
            for text in statements:
                statement.execute(text)
            statement.close()

    def database(self, connection: Connection | None = None, credentials: Credentials | None = None) -> Database:
        return Database(self.spark, connection or self.connection, credentials or self.credentials, "planes")

    def table(self, columns: Mapping[str, str], **words: Any) -> Table:
        defaults: dict[str, Any] = {
            "name": "planes",
            "load": "upsert",
            "source": Source(prefix=self.prefix, format="parquet"),
            "columns": tuple(Column(name, kind, reads=(name,)) for name, kind in columns.items()),
            "key": ("id",),
            "effective_at": EffectiveAt(from_key=EXTRACTED_AT),
        }
        return Table(**{**defaults, **words})

    def extraction(self, table: Table, extract: Extract, mode: str = "incremental", **words: Any) -> Extraction:
        parts: dict[str, Any] = {
            "id": uuid.uuid4().hex,
            "database": self.database(),
            "ledger": self.ledger(extract),
            "s3": self.s3,
        }
        return Extraction(
            table=table,
            extract=extract,
            mode=mode,
            raw="test-raw",
            staging="test-staging",
            clock=lambda: self.now,
            **{**parts, **words},
        )

    def extract(self, table: Table, extract: Extract, mode: str = "incremental", **words: Any) -> Record:
        return run(self.extraction(table, extract, mode, **words))

    def ledger(self, extract: Extract) -> ExtractionLedger:
        return ExtractionLedger(client("dynamodb"), LEDGER, "planes", extract.watermark)

    def watermark(self, extract: Extract) -> Mark | None:
        stored = self.ledger(extract).watermark()
        return stored.mark if stored else None

    def landed(self, record: Record) -> Any:
        """Return the rows of what landed, as Spark reads them."""
        keys = [record.key]
        if record.parts > 1:
            keys = [
                part.key for part in read_manifest(self.s3.path("test-raw", record.key).read_bytes(), record.key).parts
            ]
        folder = self.s3.root / "landed" / uuid.uuid4().hex
        for number, key in enumerate(keys):  # Spark passes over files and folders whose names begin with _
            target = folder / f"{number}.parquet"
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.s3.path("test-raw", key), target)
        return self.spark.read.parquet(folder.as_uri())

    def rows(self, record: Record, *columns: str) -> list[tuple[Any, ...]]:
        """Return what landed as rows in order of the first column; NULLs first."""
        frame = self.landed(record)
        names = columns or tuple(frame.columns)
        return [tuple(row) for row in frame.select(*names).orderBy(names[0]).collect()]

    def raw_keys(self) -> list[str]:
        return [entry["Key"] for entry in self.s3.list_objects_v2("test-raw", self.prefix)["Contents"]]


@pytest.fixture
def aws() -> Iterator[None]:
    """A ledger table in moto."""
    with mock_aws():
        client("dynamodb").create_table(
            TableName=LEDGER,
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        )
        yield


@pytest.fixture
def derby(spark: Any, aws: None) -> Bench:
    """A bench on an empty Derby database of its own, which lives in memory."""
    url = f"jdbc:derby:memory:t{uuid.uuid4().hex};create=true"
    session = configured(spark.newSession())
    root = Path(spark.conf.get("landfall.test.root"))
    return Bench(session, Connection("ops", url), Credentials(), FolderS3(root))


def whole(table: str = "PLANES", **words: Any) -> Extract:
    return Extract("ops", table, **words)
