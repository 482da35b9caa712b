"""A bench for staging: objects in a folder that Spark sees as s3://, and batches staged from them."""

from __future__ import annotations

import glob
import hashlib
import io
import itertools
import shutil
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contracts.model import Column, Table
from spark_jobs.layers.lake import Lake
from spark_jobs.layers.staging.landings import Manifest, read_manifest
from spark_jobs.layers.staging.reading import Reader
from spark_jobs.layers.staging.session import configure
from spark_jobs.layers.staging.stage import Staged, stage


def etag_of(body: bytes) -> str:
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


class FolderS3:
    """The four S3 calls that staging makes, on folders; versions of a key lie beside each other."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, bucket: str, key: str, version: str) -> Path:
        return self.root / bucket / "versions" / version / key

    def put(self, bucket: str, key: str, version: str, body: bytes) -> None:
        path = self.path(bucket, key, version)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def get_object(self, Bucket: str, Key: str, VersionId: str = "") -> dict[str, Any]:  # noqa: N803 (boto3's names)
        path = self._kept(Bucket, Key, VersionId) if VersionId else self.root / Bucket / Key
        return {"Body": io.BytesIO(path.read_bytes())}

    def head_object(self, Bucket: str, Key: str) -> dict[str, str]:  # noqa: N803 (boto3's names)
        kept = (self.root / Bucket / "versions").glob(f"*/{glob.escape(Key)}")
        newest = max(kept, key=lambda path: path.stat().st_mtime_ns, default=None)
        if newest is None:
            raise ClientError({"Error": {"Code": "404"}}, "HeadObject")
        version = newest.relative_to(self.root / Bucket / "versions").parts[0]
        return {"VersionId": version, "ETag": f'"{etag_of(newest.read_bytes())}"'}

    def copy(self, source: dict[str, str], bucket: str, key: str) -> None:
        target = self.root / bucket / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._kept(source["Bucket"], source["Key"], source["VersionId"]), target)

    def _kept(self, bucket: str, key: str, version: str) -> Path:
        path = self.path(bucket, key, version)
        if not path.exists():
            raise ClientError({"Error": {"Code": "NoSuchVersion"}}, "GetObject")
        return path

    def upload_fileobj(self, source: Any, bucket: str, key: str) -> None:
        target = self.root / bucket / key
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as out:
            shutil.copyfileobj(source, out)


@dataclass
class Bench:
    """Lands text and stages it; `batch` numbers are tokens too."""

    lake: Lake
    s3: FolderS3
    numbers: Any = field(default_factory=lambda: itertools.count(1))
    batches: Any = field(default_factory=lambda: itertools.count(1))

    def land(self, text: str | bytes, key: str, at: str = "2020-01-01T00:00:00Z") -> dict[str, Any]:
        number = next(self.numbers)
        body = text.encode() if isinstance(text, str) else text
        version = f"v{number}-{self.lake.prefix}"
        self.s3.put("test-raw", key, version, body)
        return {
            "id": f"L{number}",
            "bucket": "test-raw",
            "key": key,
            "version_id": version,
            "sequencer": f"{number:016X}",
            "event_time": at,
            "etag": etag_of(body),
            "size": len(body),
        }

    def manifest(self, table: Table, *landings: dict[str, Any], **words: Any) -> Manifest:
        number = next(self.batches)
        raw = {"table": table.name, "batch_id": f"{table.name}-{number}-{self.lake.prefix}", "token": number}
        return read_manifest({**raw, "landings": list(landings), **words}, table)

    def stage(self, table: Table, *landings: dict[str, Any], **words: Any) -> Staged:
        return self.run(table, self.manifest(table, *landings, **words))

    def run(self, table: Table, manifest: Manifest) -> Staged:
        reader = Reader(self.lake.spark, self.s3, "test-staging", manifest.batch_id)
        return stage(self.lake, table, manifest, reader)

    def log(self, table: Table, *columns: str) -> list[tuple[Any, ...]]:
        """Return the change log ordered by key and time: chosen columns, then `_op`, `_effective_from`."""
        names = columns or table.column_names
        rows = self.lake.read(self.lake.table("staging", table.name))
        rows = rows.select(*names, "_op", rows["_effective_from"].cast("string"))
        order = [*(table.key or names), "_effective_from"]
        return [tuple(row) for row in rows.orderBy(*order).collect()]


@pytest.fixture
def bench(lake) -> Bench:
    configure(lake.spark)
    return Bench(lake, FolderS3(Path(lake.spark.conf.get("landfall.test.root"))))


def snapshot_table(**words: Any) -> Table:
    from contracts.model import EffectiveAt, Source

    defaults: dict[str, Any] = {
        "name": "planes",
        "load": "snapshot",
        "source": Source(prefix="planes/"),
        "columns": (Column("k", "bigint"), Column("v", "string")),
        "key": ("k",),
        "effective_at": EffectiveAt(from_key=r"(?P<date>\d{4}-\d{2}-\d{2})"),
    }
    return Table(**{**defaults, **words})


def day(number: int) -> str:
    return datetime(2020, 1, number).date().isoformat()
