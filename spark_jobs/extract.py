"""The extract Glue job of one table: what its database holds becomes one landing in the raw layer."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Any

import boto3
from botocore.exceptions import ClientError
from pyspark import SparkContext
from pyspark.sql import SparkSession

from contracts.databases import Connection
from contracts.model import Plan, Table
from spark_jobs.layers.extraction.database import Credentials, Database
from spark_jobs.layers.extraction.extract import Extraction, run
from spark_jobs.layers.extraction.failures import SourceRefusedError
from spark_jobs.layers.extraction.ledger import ExtractionLedger, Record
from spark_jobs.layers.s3_json import read_text

OPTIONS = ["table", "plan", "extraction_id", "extraction_mode", "raw_bucket", "staging_bucket", "ledger"]
OPTIONAL = ["extraction_watermark"]  # the value after which to go on in place of the stored one
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
}


def main(argv: list[str]) -> None:
    """Extract one table; what came of it is in the ledger, failures are raised."""
    from awsglue.context import GlueContext
    from awsglue.utils import getResolvedOptions

    GlueContext(SparkContext.getOrCreate())  # with it begin Glue's own metrics of a run
    options = getResolvedOptions(argv, OPTIONS + [name for name in OPTIONAL if f"--{name}" in argv])
    plan = Plan.from_json(read_text(options["plan"], boto3.client("s3")))
    extract_table(plan, options)


def extract_table(plan: Plan, options: dict[str, str]) -> Record:
    """Extract the table that the options name and return what it came to."""
    table = plan.tables[options["table"]]
    extract = table.source.extract
    if extract is None:
        raise SourceRefusedError(f"{table.name} is not extracted from a database: its contract names no connection")
    connection = plan.connections[extract.connection]
    credentials = fetch_credentials(connection, table, boto3.client("secretsmanager"))
    database = Database(configured(SparkSession.builder.getOrCreate()), connection, credentials, table.name)
    ledger = ExtractionLedger(boto3.client("dynamodb"), options["ledger"], table.name, extract.watermark)
    extraction = Extraction(
        id=options["extraction_id"],
        table=table,
        extract=extract,
        mode=options["extraction_mode"],
        database=database,
        ledger=ledger,
        s3=boto3.client("s3"),
        raw=options["raw_bucket"],
        staging=options["staging_bucket"],
        clock=lambda: datetime.now(UTC),
        watermark=options.get("extraction_watermark", ""),
    )
    return run(extraction)


def configured(spark: SparkSession) -> SparkSession:
    """Set what extractions rely on: times are written as they are, in types that every reader knows."""
    for name, value in _SETTINGS.items():
        spark.conf.set(name, value)
    return spark


def fetch_credentials(connection: Connection, table: Table, secrets: Any) -> Credentials:
    """Return user and password from the connection's secret; none where it names no secret."""
    if not connection.secret:
        return Credentials()
    place = f"{table.name}: secret {connection.secret} of connection {connection.name}"
    try:
        answer = secrets.get_secret_value(SecretId=connection.secret)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in ("ResourceNotFoundException", "AccessDeniedException", "InvalidRequestException"):
            raise SourceRefusedError(f"{place} cannot be read ({code}): store it in Secrets Manager") from error
        raise
    try:
        secret = json.loads(answer["SecretString"])
        user, password = secret["username"], secret["password"]
    except (ValueError, KeyError, TypeError):
        raise SourceRefusedError(f"{place} must be JSON with username and password") from None
    if not (isinstance(user, str) and isinstance(password, str)):
        raise SourceRefusedError(f"{place} must hold username and password as texts, in quotes")
    return Credentials(user, password)


if __name__ == "__main__":
    main(sys.argv)
