"""The staging job's result: what it tells of a batch that was published, and of one that was stopped."""

from __future__ import annotations

import pytest

from contracts.model import Check, Limits
from spark_jobs.layers.errors import ContractViolationError, LimitExceededError
from spark_jobs.layers.shaping import literal_rows
from spark_jobs.layers.staging.quarantine import QUARANTINE_SCHEMA
from spark_jobs.layers.staging.rejections import Rejected, first_rejected
from spark_jobs.staging import failure, run
from tests.unit.spark_jobs.staging.conftest import Bench, bench, snapshot_table  # noqa: F401 (a fixture)


def job(bench: Bench, table, manifest):  # noqa: F811
    options = {"database_prefix": bench.lake.prefix, "staging_bucket": "test-staging"}
    return run(options, table, manifest, bench.s3)


def test_the_result_tells_books_warnings_and_the_first_refused_records(bench):  # noqa: F811
    table = snapshot_table(checks=(Check("short", "length(v) < 3", "warn"),))
    landing = bench.land("k,v\n1,long\nx,b\n3,c\n", "planes/2020-01-01/a b.csv")
    manifest = bench.manifest(table, landing)
    result = job(bench, table, manifest)
    assert result.pop("snapshot_id") == bench.lake.head(bench.lake.table("staging", "planes")).id
    assert result == {
        "batch_id": manifest.batch_id,
        "status": "published",
        "books": {
            "read": 3,
            "inserted": 2,
            "updated": 0,
            "unchanged": 0,
            "duplicate": 0,
            "rejected": 1,
            "deleting": 0,
            "deleted": 0,
            "warned": 1,
        },
        "warnings": {"short": 1},
        "rejected": [{"file": "planes/2020-01-01/a b.csv", "row": 2, "column": "k", "reason": "'x' is no bigint"}],
        "superseded_landings": [],
        "quarantined_landings": [],
        "failed_landings": [],
        "error": None,
    }


def test_the_result_of_a_batch_that_a_breaker_stopped_shows_what_would_have_been_refused(bench):  # noqa: F811
    table = snapshot_table(limits=Limits(max_rejected=0))
    manifest = bench.manifest(table, bench.land("k,v\nx,b\n", "planes/2020-01-01/a.csv"))
    with pytest.raises(LimitExceededError) as raised:
        job(bench, table, manifest)
    result = failure(manifest, raised.value)
    assert result["rejected"] == [
        {"file": "planes/2020-01-01/a.csv", "row": 1, "column": "k", "reason": "'x' is no bigint"}
    ]
    assert result["failed_landings"] == [
        {
            "id": "L1",
            "key": "planes/2020-01-01/a.csv",
            "reason": "max_rejected: 1 of 1 records read would be rejected, the limit is 0",
            "column": None,
        }
    ]
    assert result["stays"] is True
    assert result["error"] == {
        "type": "LimitExceededError",
        "message": "planes: max_rejected: 1 of 1 records read would be rejected, the limit is 0; nothing was "
        'published. To let it through once, start {"table": "planes", "allow": ["max_rejected"]}',
    }


def test_a_result_is_short_however_long_the_names_in_a_file_are(bench):  # noqa: F811
    """The ledger takes 400 KB for a landing, the state machine 256 KB for all that it tells."""
    name = "x" * 500_000
    manifest = bench.manifest(snapshot_table(), bench.land("", "planes/2020-01-01/a.jsonl"))
    reason = f"record 1: column {name}: is not in the contract"
    told = f"planes: file planes/2020-01-01/a.jsonl: {reason}"
    result = failure(manifest, ContractViolationError(told, {"L1": (reason, name)}))
    assert result["failed_landings"] == [
        {
            "id": "L1",
            "key": "planes/2020-01-01/a.jsonl",
            "reason": f"record 1: column {'x' * 233}…{'x' * 226}: is not in the contract",
            "column": f"{'x' * 250}…{'x' * 250}",
        }
    ]
    start = "planes: file planes/2020-01-01/a.jsonl: record 1: column "
    assert result["error"]["message"] == f"{start}{'x' * (500 - len(start))}…{'x' * 476}: is not in the contract"


def test_the_first_refused_records_are_told_in_short(spark):
    name = "x" * 500_000
    row = {"_source_file": "s3://raw/planes/2020-01-01/a.xml", "_row_number": 3, "_column": "tags"}
    told = {"_batch_id": "b1", "_reason": f"tags.{name} holds elements"}
    quarantine = literal_rows(spark, [row | told], QUARANTINE_SCHEMA)
    assert first_rejected(quarantine, "b1") == (
        Rejected("planes/2020-01-01/a.xml", 3, "tags", f"tags.{'x' * 245}…{'x' * 235} holds elements"),
    )
