"""The staging Glue job of one table: one batch of landings becomes rows of its change log."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

import boto3
from pyspark import SparkContext
from pyspark.sql import SparkSession

from contracts.model import Plan
from spark_jobs.layers.errors import ContractViolationError, DataError, LimitExceededError, in_short, message_of
from spark_jobs.layers.lake import Lake
from spark_jobs.layers.s3_json import read_json, read_text, write_json
from spark_jobs.layers.staging.crawled import Crawls
from spark_jobs.layers.staging.landings import Manifest, read_manifest
from spark_jobs.layers.staging.reading import Reader
from spark_jobs.layers.staging.session import configure
from spark_jobs.layers.staging.stage import stage
from spark_jobs.layers.steps import reached

OPTIONS = ["table", "plan", "database_prefix", "staging_bucket", "batch_id", "manifest", "result"]
OPTIONAL = ["crawlers"]  # what crawlers' names begin with, where a crawler keeps the table's columns


def main(argv: list[str]) -> None:
    """Stage one batch; the outcome is written to `--result`, failures are raised as well."""
    from awsglue.context import GlueContext
    from awsglue.utils import getResolvedOptions

    GlueContext(SparkContext.getOrCreate())  # with it begin Glue's own metrics of a run
    options = getResolvedOptions(argv, OPTIONS + [name for name in OPTIONAL if f"--{name}" in argv])
    s3 = boto3.client("s3")
    table = Plan.from_json(read_text(options["plan"], s3)).tables[options["table"]]
    manifest = read_manifest(read_json(options["manifest"], s3), table)
    reached("start", table=table.name, batch_id=manifest.batch_id, token=manifest.token)
    try:
        outcome = run(options, table, manifest, s3)
    except Exception as error:
        write_json(options["result"], failure(manifest, error), s3)
        raise
    reached("report")
    write_json(options["result"], outcome, s3)
    reached("end")


def run(options: dict[str, str], table: Any, manifest: Manifest, s3: Any) -> dict[str, Any]:
    """Stage the batch and return the result's JSON object."""
    spark = configure(SparkSession.builder.getOrCreate())
    reader = Reader(spark, s3, options["staging_bucket"], manifest.batch_id)
    prefix = options["database_prefix"]
    crawls = Crawls(boto3.client("glue"), f"{prefix}_raw", options["crawlers"]) if table.crawled else None
    staged = stage(Lake(spark, prefix), table, manifest, reader, crawls)
    return {
        "batch_id": manifest.batch_id,
        "status": "published",
        "snapshot_id": staged.snapshot_id,
        "books": staged.books.as_dict(),
        "warnings": dict(staged.warnings),
        "rejected": [asdict(one) for one in staged.rejected],
        "superseded_landings": list(staged.superseded),
        "quarantined_landings": [
            {"id": id_, "reason": reason} for id_, reason in (*manifest.unmatched, *staged.left_out.items())
        ],
        "failed_landings": [],
        "error": None,
    }


def failure(manifest: Manifest, error: Exception) -> dict[str, Any]:
    """Return the result's JSON object of a batch that failed: the error, whether it stays, the landings it blames."""
    blamed = error.landings if isinstance(error, ContractViolationError | LimitExceededError) else {}
    keys = {landing.id: landing.key for landing in manifest.landings}
    return {
        "batch_id": manifest.batch_id,
        "status": "failed",
        "snapshot_id": None,
        "books": None,
        "warnings": {},
        "rejected": [asdict(one) for one in error.rejected] if isinstance(error, LimitExceededError) else [],
        "superseded_landings": [],
        "quarantined_landings": [{"id": id_, "reason": reason} for id_, reason in manifest.unmatched],
        "failed_landings": [
            {"id": id_, "key": keys.get(id_, ""), "reason": in_short(reason), "column": column and in_short(column)}
            for id_, (reason, column) in blamed.items()
        ],
        "error": {"type": type(error).__name__, "message": message_of(error)},
        "stays": isinstance(error, DataError),
    }


if __name__ == "__main__":
    main(sys.argv)
