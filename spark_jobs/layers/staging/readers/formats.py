"""The formats that can be staged, by the contract's word."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from contracts.model import Table
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers import csv_reader


@dataclass(frozen=True)
class Format:
    """One format: `check` refuses a claim that does not fit the contract, `read` returns the records of claims.

    `can_break` tells of files whose reading may break off though they were claimed; texts are seen to their end before.
    """

    check: Callable[[SparkSession, Table, Claim], None]
    read: Callable[[SparkSession, Table, Sequence[Claim]], DataFrame]
    can_break: bool = False


FORMATS: Mapping[str, Format] = {
    "csv": Format(csv_reader.check, csv_reader.read),
}
