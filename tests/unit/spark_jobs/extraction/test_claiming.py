"""An extraction of several parts is staged as one landing, its rows numbered through all parts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from contracts.databases import EXTRACTED_AT
from contracts.model import Column, EffectiveAt, Source
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.extraction.claiming import copy_parts
from spark_jobs.layers.extraction.manifest import Manifest, Part, read_manifest
from tests.unit.spark_jobs.staging.conftest import Bench, FolderS3, bench, snapshot_table

__all__ = ["bench"]
TABLE = snapshot_table(
    source=Source("planes/", "parquet"),
    columns=(Column("k", "bigint", reads=("k",)), Column("v", "string", reads=("v",))),
    effective_at=EffectiveAt(from_key=EXTRACTED_AT),
)
AT, AT_KEY = "2020-01-02 02:00:00", "2020-01-02T020000.000000Z"
KEY = f"planes/{AT_KEY}.manifest.json"
OWN = f"planes/.parts/{AT_KEY}/"


def landed(bench: Bench, *parts: list[tuple[int, str | None]]) -> dict[str, Any]:
    """Land an extraction whose parts hold these rows."""
    listed = []
    for number, rows in enumerate(parts):
        key = f"{OWN}{number:05d}.parquet"
        folder = bench.s3.root / "written" / bench.lake.prefix / str(number)
        bench.lake.spark.createDataFrame(rows, "K int, V string").coalesce(1).write.parquet(folder.as_uri())
        [file] = folder.glob("*.parquet")
        bench.s3.put("test-raw", key, f"p{number}-{bench.lake.prefix}", file.read_bytes())
        listed.append(Part(key, f"p{number}-{bench.lake.prefix}", "etag", file.stat().st_size, len(rows)))
    return bench.land(Manifest("planes", "run", AT_KEY, listed).to_bytes(), KEY)


def test_all_parts_are_staged_at_the_time_of_the_extraction(bench: Bench) -> None:
    staged = bench.stage(TABLE, landed(bench, [(1, "a"), (2, None)], [(3, "c")]))
    assert bench.log(TABLE) == [(1, "a", "I", AT), (2, None, "I", AT), (3, "c", "I", AT)]
    assert (staged.books.read, staged.books.inserted) == (3, 3)
    files = bench.lake.read(bench.lake.table("staging", "planes")).select("_source_file").distinct().collect()
    assert [row._source_file for row in files] == [f"s3://test-raw/{KEY}"]


@pytest.mark.long(little=True)
def test_of_a_key_in_two_parts_the_later_part_has_the_last_word(bench: Bench) -> None:
    bench.stage(TABLE, landed(bench, [(1, "old"), (2, "b")], [(1, "new")]))
    assert bench.log(TABLE) == [(1, "new", "I", AT), (2, "b", "I", AT)]


def test_a_manifest_that_is_none_fails_its_landing_by_name(bench: Bench) -> None:
    with pytest.raises(ContractViolationError, match=f"file {KEY}: is no manifest of an extraction"):
        bench.stage(TABLE, bench.land('{"kind": "other"}', KEY))


class StrictS3(FolderS3):
    """S3 as it answers to a version that it would never give: a HEAD by the number alone, a GET by the reason."""

    reason = "InvalidArgument"

    def copy(self, source: dict[str, str], bucket: str, key: str) -> None:
        if source["VersionId"] == "no version":
            raise ClientError({"Error": {"Code": "400", "Message": "Bad Request"}}, "HeadObject")
        super().copy(source, bucket, key)

    def get_object(self, Bucket: str, Key: str, VersionId: str = "") -> dict[str, Any]:  # noqa: N803 (boto3's names)
        if VersionId == "no version":
            raise ClientError({"Error": {"Code": self.reason, "Message": "Invalid version id"}}, "GetObject")
        return super().get_object(Bucket, Key, VersionId)


@pytest.mark.parametrize(
    ("version", "why"), [("gone", "that is gone"), ("no version", "whose version S3 takes for none")]
)
def test_a_part_that_is_not_there_fails_its_landing_with_the_way_out(bench: Bench, version: str, why: str) -> None:
    bench.s3 = StrictS3(bench.s3.root)
    landing = bench.land(
        Manifest("planes", "run", AT_KEY, [Part(f"{OWN}0.parquet", version, "e", 1, 1)]).to_bytes(), KEY
    )
    with pytest.raises(ContractViolationError) as raised:
        bench.stage(TABLE, landing)
    reason = f"names a part {why}: {OWN}0.parquet, version {version}; extract the table again"
    assert raised.value.landings == {landing["id"]: (reason, None)}


def test_a_400_that_is_not_of_the_version_blames_no_landing(bench: Bench) -> None:
    bench.s3 = StrictS3(bench.s3.root)
    bench.s3.reason = "ExpiredToken"
    parts = [Part(f"{OWN}0.parquet", "no version", "e", 1, 1)]
    with pytest.raises(ClientError, match="HeadObject"):
        bench.stage(TABLE, bench.land(Manifest("planes", "run", AT_KEY, parts).to_bytes(), KEY))


def part(key: object, **other: Any) -> dict[str, Any]:
    return {"key": key, "version_id": "v1", "etag": "e", "size": 1, "rows": 1, **other}


NONE = "is no manifest of an extraction (kind 'landfall extraction', version 1)"
WRONG: list[tuple[list[Any], str]] = [
    (["a"], NONE),
    ([{"key": f"{OWN}1.parquet"}], NONE),
    ([part(f"{OWN}1.parquet") | {"more": 1}], NONE),
    ([part(7)], NONE),
    (
        [part(f"{OWN}1.parquet"), part("hr/salaries.parquet")],
        f"names hr/salaries.parquet, which is no part of it: they lie under {OWN}",
    ),
    ([part(f"{OWN}1.parquet", version_id=None)], f"names {OWN}1.parquet without its version or its rows"),
    ([part(f"{OWN}1.parquet", rows="1")], f"names {OWN}1.parquet without its version or its rows"),
    ([part(f"{OWN}1.parquet", rows=-1)], f"names {OWN}1.parquet without its version or its rows"),
]


@pytest.mark.parametrize(("parts", "reason"), WRONG)
def test_a_manifest_names_parts_of_its_own_and_nothing_else(parts: list[Any], reason: str) -> None:
    written = json.loads(Manifest("planes", "run", AT_KEY, []).to_bytes()) | {"parts": parts}
    with pytest.raises(ValueError) as raised:  # noqa: PT011 (its words are looked at)
        read_manifest(json.dumps(written).encode(), KEY)
    assert str(raised.value) == reason


@pytest.mark.parametrize("content", [b'{"kind": "landfall extraction", "version": 1}', b"[]", b"[" * 100_000])
def test_what_is_no_manifest_is_refused_whatever_it_is(content: bytes) -> None:
    with pytest.raises(
        ValueError, match=r"^is no manifest of an extraction \(kind 'landfall extraction', version 1\)$"
    ):
        read_manifest(content, KEY)


def test_folders_of_copies_are_named_so_that_rows_are_numbered(bench: Bench) -> None:
    landing = landed(bench, [(1, "a"), (2, "b")], [(3, "c")])
    origin = {"Bucket": "test-raw", "Key": KEY, "VersionId": landing["version_id"]}
    folder = f"claims/{bench.lake.prefix}/000007.parquet"
    copy_parts(FolderS3(bench.s3.root), origin, "test-staging", folder)
    copies = Path(bench.s3.root, "test-staging", folder).iterdir()
    assert sorted(copy.name for copy in copies) == ["000007.000000000000.parquet", "000007.000000000002.parquet"]
