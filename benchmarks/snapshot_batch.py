"""Measure a snapshot batch: the staging job against plain Spark and against a full compare with yesterday's copy.

Every day a file of about 1,000,000 x 12 columns lands: 1 % of the rows changed, 0.5 % new, 0.2 % gone. Each round
takes the next day's file three times, in turn, in one warm Spark session:

- `plain`: read the CSV with its schema and write it as Parquet; nobody can do less.
- `full compare`: compare all columns with yesterday's copy, write what changed, write today's copy.
- `staging job`: the job of this project, from claiming the object version to the books in `audit.batches`.

Eight rounds come first: Java's compilers, which share the cores, took 7.6 of the 17.5 CPU seconds of the first batch
and 1.7 of 8.7 of the tenth. The medians of the others and their ratios are printed. Machines are noisy, ratios of one
run are not.

    python benchmarks/snapshot_batch.py [--rows 1000000] [--rounds 5]
"""

from __future__ import annotations

import argparse
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import reduce
from pathlib import Path
from typing import Any

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from benchmarks.folder_s3 import FolderS3
from contracts.model import Column as ContractColumn
from contracts.model import EffectiveAt, Limits, Source, Table
from orchestration.embedded.session import LAYERS, laptop_session
from spark_jobs.layers.staging.landings import read_manifest
from spark_jobs.layers.staging.session import configure
from spark_jobs.staging import run

FIRST_DAY = date(2026, 1, 1)
WARM_UP = 8
RAW, LAKE = "bench-raw", "bench-lake"
COLUMNS = {
    "customer_id": "bigint",
    "name": "string",
    "email": "string",
    "street": "string",
    "city": "string",
    "country": "string",
    "balance": "decimal(12,2)",
    "orders": "int",
    "score": "double",
    "is_active": "boolean",
    "signup": "date",
    "updated_at": "timestamp",
}
TABLE = Table(
    name="customers",
    load="snapshot",
    source=Source(prefix="customers/", options={"multiline": False}),
    columns=tuple(ContractColumn(name, kind) for name, kind in COLUMNS.items()),
    key=("customer_id",),
    effective_at=EffectiveAt(from_key=r"(?P<date>\d{4}-\d{2}-\d{2})"),
    limits=Limits(max_deleted=0.2),
)
SCHEMA = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())


def customers(spark: SparkSession, rows: int, day: int) -> DataFrame:
    """Return the table as of a day: 0.2 % of the keys went and 1 % changed each day, 0.5 % more keys came."""
    ids = spark.range(rows + day * rows // 200).withColumnRenamed("id", "customer_id")
    gone = F.pmod(F.xxhash64("customer_id", F.lit("gone")), F.lit(1000)) < 2 * day
    edits = [F.pmod(F.xxhash64("customer_id", F.lit(n)), F.lit(100)) == 0 for n in range(1, day + 1)]
    version = reduce(lambda one, other: one + other, (edit.cast("int") for edit in edits), F.lit(0))
    living = ids.where(~gone).withColumn("version", version)
    seed = F.pmod(F.xxhash64("customer_id"), F.lit(1_000_000_007))
    values = {
        "name": F.concat(F.lit("Customer "), F.hex(seed)),
        "email": F.concat(F.lit("c"), F.col("customer_id"), F.lit("@example.com")),
        "street": F.concat(F.hex(seed), F.lit(" Long Street "), F.col("version"), F.lit(", Building "), seed % 97),
        "city": F.concat(F.lit("City of "), F.hex(seed % 5003)),
        "country": F.element_at(F.array(*map(F.lit, ["DE", "FR", "IN", "JP", "US"])), (seed % 5 + 1).cast("int")),
        "balance": ((seed % 1_000_000) / 100 + F.col("version")).cast("decimal(12,2)"),
        "orders": (seed % 500 + F.col("version")).cast("int"),
        "score": (seed % 10_000) / F.lit(7.0),
        "is_active": seed % 3 != 0,
        "signup": F.date_add(F.lit(date(2015, 1, 1)), (seed % 4000).cast("int")),
        "updated_at": F.timestamp_seconds(F.lit(1_700_000_000) + seed % 60_000_000 + F.col("version") * 86_400),
    }
    return living.select("customer_id", *(column.alias(name) for name, column in values.items()))


def write_file(frame: DataFrame, path: Path) -> None:
    """Write a DataFrame as one CSV file with a header."""
    folder = path.with_suffix(".parts")
    frame.coalesce(1).write.csv(folder.as_uri(), header=True, timestampFormat="yyyy-MM-dd'T'HH:mm:ss'Z'")
    path.parent.mkdir(parents=True, exist_ok=True)
    next(folder.glob("part-*.csv")).replace(path)
    shutil.rmtree(folder)


class Bench:
    """One session, one lake, and the three ways to take a day's file."""

    def __init__(self, spark: SparkSession, root: Path, rows: int) -> None:
        self.spark, self.root, self.rows = spark, root, rows
        self.s3 = FolderS3(root)

    def file(self, day: int) -> Path:
        return self.s3.path(RAW, self.key(day), f"v{day}")

    def key(self, day: int) -> str:
        return f"customers/{FIRST_DAY + timedelta(days=day)}/customers.csv"

    def prepare(self, days: int) -> None:
        for day in range(days + 1):
            write_file(customers(self.spark, self.rows, day), self.file(day))
        self.read(0).write.mode("overwrite").parquet(self.copy(0))
        self.staging_job(0)

    def read(self, day: int) -> DataFrame:
        return self.spark.read.csv(self.file(day).as_uri(), schema=SCHEMA, header=True, mode="FAILFAST")

    def copy(self, day: int) -> str:
        return (self.root / "copies" / str(day)).as_uri()

    def plain(self, day: int) -> None:
        self.read(day).write.mode("overwrite").parquet((self.root / "plain").as_uri())

    def full_compare(self, day: int) -> None:
        today, yesterday = self.read(day), self.spark.read.parquet(self.copy(day - 1))
        self.changes(today, yesterday).write.mode("overwrite").parquet((self.root / "changes" / str(day)).as_uri())
        today.write.mode("overwrite").parquet(self.copy(day))

    def changes(self, today: DataFrame, yesterday: DataFrame) -> DataFrame:
        joined = today.alias("t").join(yesterday.alias("y"), on="customer_id", how="full_outer")
        others = [name for name in COLUMNS if name != "customer_id"]

        def differs(name: str) -> Column:
            return ~F.col(f"t.{name}").eqNullSafe(F.col(f"y.{name}"))

        different = reduce(lambda one, other: one | other, map(differs, others))
        op = F.when(F.col("y.email").isNull(), "I").when(F.col("t.email").isNull(), "D").otherwise("U")
        return joined.where(different).select("customer_id", *(f"t.{name}" for name in others), op.alias("_op"))

    def staging_job(self, day: int) -> dict[str, Any]:
        at = datetime.combine(FIRST_DAY + timedelta(days=day), datetime.min.time(), UTC).isoformat()
        landing = {
            "id": str(day),
            "bucket": RAW,
            "key": self.key(day),
            "version_id": f"v{day}",
            "sequencer": f"{day:016X}",
            "event_time": at,
            "size": self.file(day).stat().st_size,
        }
        raw = {"table": TABLE.name, "batch_id": f"bench-{day}", "token": day + 1, "landings": [landing]}
        options = {"staging_bucket": LAKE, "database_prefix": "bench"}
        return run(options, TABLE, read_manifest(raw, TABLE), self.s3)


def timed(work: Callable[[int], Any], day: int) -> float:
    start = time.perf_counter()
    work(day)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="landfall-bench-") as folder:
        root = Path(folder)
        spark = configure(laptop_session(root, dict.fromkeys(LAYERS, f"s3://{LAKE}/"), [RAW]))
        bench = Bench(spark, root, arguments.rows)
        print(f"{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Spark {spark.version} {spark.sparkContext.master}")
        bench.prepare(WARM_UP + arguments.rounds)
        megabytes = bench.file(1).stat().st_size / 1e6
        print(f"{arguments.rows:,} rows x {len(COLUMNS)} columns, {megabytes:.0f} MB of CSV a day\n")
        report(bench, arguments.rounds)
        spark.stop()


def report(bench: Bench, rounds: int) -> None:
    """Run the rounds and print each, then ratios of the medians of those after the first ones."""
    ways = {"plain": bench.plain, "full compare": bench.full_compare, "staging job": bench.staging_job}
    taken: dict[str, list[float]] = {name: [] for name in ways}
    print("round  " + "".join(f"{name:>15}" for name in ways))
    for day in range(1, WARM_UP + rounds + 1):
        for name, way in ways.items():
            taken[name].append(timed(way, day))
        number = f"{day - WARM_UP:>5}" if day > WARM_UP else " warm"
        print(f"{number}  " + "".join(f"{taken[name][-1]:>13.1f} s" for name in ways), flush=True)
    median = {name: statistics.median(seconds[WARM_UP:]) for name, seconds in taken.items()}
    print("median " + "".join(f"{median[name]:>13.1f} s" for name in ways))
    print(
        f"\nThe staging job takes {median['staging job'] / median['plain']:.2f} x the plain read and write, "
        f"and is {median['full compare'] / median['staging job']:.2f} x faster than the full compare."
    )
    log = bench.spark.read.table("staging.bench_staging.customers")
    ops = {row["_op"]: row["count"] for row in log.groupBy("_op").count().collect()}
    print(f"The change log holds {sum(ops.values()):,} rows: {ops}.")


if __name__ == "__main__":
    main()
