"""The maintenance Glue job of a pipeline: its Iceberg tables keep few files and few snapshots."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Any

import boto3
from pyspark import SparkContext
from pyspark.sql import SparkSession

from contracts.model import Plan
from spark_jobs.layers.lake import Lake
from spark_jobs.layers.maintenance.maintain import maintain, refuse_failures
from spark_jobs.layers.maintenance.policy import Policy
from spark_jobs.layers.s3_json import read_text, write_json

OPTIONS = ["plan", "database_prefix", "names", "keep_days", "orphan_days", "result"]
EVERYTHING = "all"


def main(argv: list[str]) -> None:
    """Maintain the tables; what was done is written to `--result`, failures are raised as well."""
    from awsglue.context import GlueContext
    from awsglue.utils import getResolvedOptions

    GlueContext(SparkContext.getOrCreate())  # with it begin Glue's own metrics of a run
    run(getResolvedOptions(argv, OPTIONS), boto3.client("s3"))


def run(options: dict[str, str], s3: Any) -> None:
    """Maintain what `names` lists (`all`, or names between commas) and tell it."""
    plan = Plan.from_json(read_text(options["plan"], s3))
    session = SparkSession.builder.getOrCreate()
    session.conf.set("spark.sql.session.timeZone", "UTC")
    names = [] if options["names"] == EVERYTHING else options["names"].split(",")
    policy = Policy(datetime.now(UTC), int(options["keep_days"]), int(options["orphan_days"]))
    done = maintain(Lake(session, options["database_prefix"]), plan, policy, names)
    write_json(options["result"], {"tables": [one.as_dict() for one in done]}, s3)
    refuse_failures(done)


if __name__ == "__main__":
    main(sys.argv)
