"""What a batch copies of the raw bucket, whatever happened there since its landings came."""

from __future__ import annotations

from pathlib import Path

from contracts.model import Source
from spark_jobs.layers.staging.claims import claim_all
from spark_jobs.layers.staging.landings import read_manifest
from tests.unit.spark_jobs.staging.conftest import FolderS3, etag_of, snapshot_table


def test_a_version_that_is_gone_is_read_from_the_object_that_was_sent_again_as_it_was(tmp_path: Path) -> None:
    s3, landings = FolderS3(tmp_path), []
    for day in ("2020-01-01", "2020-01-02", "2020-01-03"):
        body, key = f"k,v\n1,{day}\n".encode(), f"planes/{day}/x.csv"
        s3.put("raw", key, f"old-{day}", body)
        item = {"id": day, "bucket": "raw", "key": key, "version_id": f"old-{day}", "sequencer": "1"}
        landings.append(item | {"event_time": f"{day}T00:00:00Z", "etag": etag_of(body), "size": len(body)})
        s3.path("raw", key, f"old-{day}").unlink()
    s3.put("raw", "planes/2020-01-01/x.csv", "new", b"k,v\n1,2020-01-01\n")
    s3.put("raw", "planes/2020-01-02/x.csv", "new", b"k,v\n1,other\n")
    table = snapshot_table()
    manifest = read_manifest({"table": "planes", "batch_id": "b", "token": 1, "landings": landings}, table)
    numbered = list(enumerate(manifest.landings))
    claims, errors = claim_all(s3, numbered, "staging", "b", Source(prefix="planes/"), split_bytes=1000)
    assert [(claim.landing, claim.uri) for claim in claims] == [
        (manifest.landings[0], "s3://staging/claims/b/000000.csv")
    ]
    assert (tmp_path / "staging/claims/b/000000.csv").read_bytes() == b"k,v\n1,2020-01-01\n"
    assert [str(error) for error in errors] == [
        f"file planes/{day}/x.csv: is gone: somebody deleted its version old-{day} from the raw bucket; "
        "send it again as it was, under the same key"
        for day in ("2020-01-02", "2020-01-03")
    ]
