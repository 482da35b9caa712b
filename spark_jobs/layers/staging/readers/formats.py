"""The formats that can be staged, by the contract's word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, SparkSession

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.readers import (
    csv_reader,
    fixed_width_reader,
    json_reader,
    jsonl_reader,
    parquet_reader,
    xml_reader,
)


@dataclass(frozen=True)
class Format:
    """One format: `check` yields the errors of claims that do not fit the contract, `read` returns their records.

    The records come in one frame for each set of types. `can_break` tells of files whose reading may break off though
    they were claimed; texts are seen to their end before.
    """

    check: Callable[[SparkSession, Table, Sequence[Claim]], Iterator[ContractViolationError]]
    read: Callable[[SparkSession, Table, Sequence[Claim]], list[DataFrame]]
    can_break: bool = False


FORMATS: Mapping[str, Format] = {
    "csv": Format(csv_reader.check, csv_reader.read),
    "fixed_width": Format(fixed_width_reader.check, fixed_width_reader.read),
    "json": Format(json_reader.check, json_reader.read),
    "jsonl": Format(jsonl_reader.check, jsonl_reader.read),
    "parquet": Format(parquet_reader.check, parquet_reader.read, can_break=True),
    "xml": Format(xml_reader.check, xml_reader.read),
}
