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

    The records come in one frame for each set of types. `names` returns what the files call their columns.
    `can_break` tells of files whose reading may break off though they were claimed; texts are seen to their end before.
    `has_fingerprints` tells of records that are lines of text; `read` takes those to read, as `only`.
    """

    check: Callable[[SparkSession, Table, Sequence[Claim]], Iterator[ContractViolationError]]
    read: Callable[..., list[DataFrame]]
    names: Callable[[SparkSession, Table, Sequence[Claim]], list[str]]
    can_break: bool = False
    has_fingerprints: bool = False


FORMATS: Mapping[str, Format] = {
    "csv": Format(csv_reader.check, csv_reader.read, csv_reader.names, has_fingerprints=True),
    "fixed_width": Format(
        fixed_width_reader.check, fixed_width_reader.read, fixed_width_reader.names, has_fingerprints=True
    ),
    "json": Format(json_reader.check, json_reader.read, json_reader.names),
    "jsonl": Format(jsonl_reader.check, jsonl_reader.read, jsonl_reader.names, has_fingerprints=True),
    "parquet": Format(parquet_reader.check, parquet_reader.read, parquet_reader.names, can_break=True),
    "xml": Format(xml_reader.check, xml_reader.read, xml_reader.names),
}
