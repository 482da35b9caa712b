"""The mart Glue job of one mart: what changed in its sources becomes one published difference."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import boto3
from pyspark import SparkContext
from pyspark.sql import SparkSession

from contracts.model import Mart, Plan
from spark_jobs.layers.errors import message_of
from spark_jobs.layers.lake import Lake
from spark_jobs.layers.marts.attempt import Run
from spark_jobs.layers.marts.build import Result, build
from spark_jobs.layers.s3_json import read_text, write_json
from spark_jobs.layers.staging import crawled
from spark_jobs.layers.steps import reached

OPTIONS = ["mart", "plan", "database_prefix", "batch_id", "build_mode", "result"]
MODES = ("incremental", "rebuild")


def main(argv: list[str]) -> None:
    """Build one mart; the outcome is written to `--result`, failures are raised as well."""
    from awsglue.context import GlueContext
    from awsglue.utils import getResolvedOptions

    GlueContext(SparkContext.getOrCreate())  # with it begin Glue's own metrics of a run
    options = getResolvedOptions(argv, OPTIONS)
    s3 = boto3.client("s3")
    plan = Plan.from_json(read_text(options["plan"], s3))
    mart = plan.marts[options["mart"]]
    reached("start", mart=mart.name, batch_id=options["batch_id"])
    try:
        outcome = success(mart, build(_run(options, plan)))
    except Exception as error:
        write_json(options["result"], failure(mart, error), s3)
        raise
    reached("report")
    write_json(options["result"], outcome, s3)
    reached("end")


def _run(options: dict[str, str], plan: Plan) -> Run:
    if options["build_mode"] not in MODES:
        raise ValueError(f"--build_mode {options['build_mode']} is not one of {', '.join(MODES)}")
    lake = Lake(SparkSession.builder.getOrCreate(), options["database_prefix"])
    plan = crawled.known(lake, plan)
    return Run(
        lake=lake,
        plan=plan,
        mart=plan.marts[options["mart"]],
        batch_id=options["batch_id"],
        now=datetime.now(UTC),
        rebuild=options["build_mode"] == "rebuild",
    )


def success(mart: Mart, result: Result) -> dict[str, Any]:
    """Return the result's JSON object of a mart that is up to date."""
    counts = result.counts
    return {
        "mart": mart.name,
        "revision": mart.revision,
        "status": result.status,
        "snapshot_id": result.snapshot_id,
        "rows": {
            "inserted": counts.inserted,
            "updated": counts.updated,
            "deleted": counts.deleted,
            "total": result.total,
        },
        "error": None,
    }


def failure(mart: Mart, error: Exception) -> dict[str, Any]:
    """Return the result's JSON object of a mart that failed: the error's class and first line."""
    return {
        "mart": mart.name,
        "revision": mart.revision,
        "status": "failed",
        "snapshot_id": None,
        "rows": None,
        "error": {"type": type(error).__name__, "message": message_of(error)},
    }


if __name__ == "__main__":
    main(sys.argv)
