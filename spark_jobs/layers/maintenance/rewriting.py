"""Iceberg's procedures: fewer and larger files, snapshots that expire, files that no snapshot knows."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from spark_jobs.layers.java import elements
from spark_jobs.layers.lake import Lake

MIN_FILES = 5
MANY_MANIFESTS = 10


def compact(lake: Lake, table: str) -> tuple[int, int]:
    """Merge small files; return how many went and how many came. A concurrent commit to the same files fails it."""
    row = _call(lake, table, "rewrite_data_files", f"options => map('min-input-files', '{MIN_FILES}')")[0]
    return int(row["rewritten_data_files_count"]), int(row["added_data_files_count"])


def compact_manifests(lake: Lake, table: str) -> int:
    """Merge manifests where there are many; return how many went."""
    handle = lake.handle(table)
    current = handle.currentSnapshot()
    if current is None or current.dataManifests(handle.io()).size() < MANY_MANIFESTS:
        return 0
    return int(_call(lake, table, "rewrite_manifests", "use_caching => false")[0]["rewritten_manifests_count"])


def expire(lake: Lake, table: str, before: datetime, keep: int) -> tuple[int, int]:
    """Expire snapshots older than `before`, never the newest `keep` of main; return snapshots and files that went."""
    count = _snapshots(lake, table)
    row = _call(
        lake,
        table,
        "expire_snapshots",
        f"older_than => {_literal(before)}, retain_last => {keep}, stream_results => true",
    )[0]
    files = sum(value for name, value in row.asDict().items() if name.startswith("deleted_") and value)
    return count - _snapshots(lake, table), files


def remove_orphans(lake: Lake, table: str, before: datetime) -> int:
    """Delete the files under the table's location that no snapshot knows and that are older than `before`."""
    return len(_call(lake, table, "remove_orphan_files", f"older_than => {_literal(before)}, prefix_listing => true"))


def _snapshots(lake: Lake, table: str) -> int:
    return len(list(elements(lake.handle(table).snapshots())))


def _call(lake: Lake, table: str, procedure: str, arguments: str) -> list[Any]:
    catalog, name = table.split(".", 1)
    return lake.spark.sql(f"CALL {catalog}.system.{procedure}(table => '{name}', {arguments})").collect()


def _literal(when: datetime) -> str:
    return f"TIMESTAMP '{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC'"
