"""Read landings: claim them, check their headers, and return typed, dated rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import Any

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.errors import ContractViolationError, FileGoneError, all_violations, first_words
from spark_jobs.layers.shaping import literal_rows, parse_schema, quoted
from spark_jobs.layers.staging.capture import dated
from spark_jobs.layers.staging.checks import fatal_rules
from spark_jobs.layers.staging.claims import Claim, claim_all
from spark_jobs.layers.staging.feeds import events
from spark_jobs.layers.staging.landings import Landing
from spark_jobs.layers.staging.presence import with_presence
from spark_jobs.layers.staging.readers.formats import FORMATS
from spark_jobs.layers.staging.readers.seam import (
    DOCUMENT,
    FATAL_RULES,
    FINGERPRINT,
    no_records,
    refuse,
    united,
)
from spark_jobs.layers.staging.records import REJECT, mismatches, to_rows
from spark_jobs.layers.staging.session import split_bytes

# Causes of a failed read that are no file's fault.
_OF_THE_MACHINE = re.compile(
    r"amazon|aws|s3a?exception|http|socket|timeout|timed out|connect|OutOfMemory|space left", re.I
)
_LANDING_SCHEMA = "_landing int, _order string, _source_file string, _landed_at timestamp, _file_time timestamp"


class Reader:
    """Claims and reads the landings of one batch; copies lie under `claims/<batch>/` of the staging bucket.

    `left_out` are landings that it went on without, id to reason.
    """

    def __init__(self, spark: SparkSession, s3: Any, bucket: str, batch_id: str) -> None:
        self.spark = spark
        self.bucket = bucket
        self.batch_id = batch_id
        self.left_out: dict[str, str] = {}
        self._s3 = s3
        self._numbers = count()
        self._claims: dict[int, Claim] = {}

    def claim(self, table: Table, landings: Sequence[Landing], without_gone: bool = False) -> list[Claim]:
        """Copy the landings and check their headers; one ContractViolationError names every bad landing.

        `without_gone` leaves out those that are in the raw bucket no more.
        """
        numbered = [(next(self._numbers), landing) for landing in landings]
        splits = split_bytes(self.spark)
        claims, errors = claim_all(self._s3, numbered, self.bucket, self.batch_id, table.source, splits)
        if without_gone:
            gone = [error for error in errors if isinstance(error, FileGoneError)]
            self.left_out = {id_: f"{table.name}: {error}" for error in gone for id_ in error.landings}
            errors = [error for error in errors if error not in gone]
        errors += FORMATS[table.source.format].check(self.spark, table, claims)
        if errors:
            raise all_violations(errors)
        self._claims.update((claim.number, claim) for claim in claims)
        return claims

    def rows(self, table: Table, claims: Sequence[Claim], only: DataFrame | None = None) -> DataFrame:
        """Return the typed, dated rows of claims: business columns, `_order`, `_reject` and the like.

        `only` holds fingerprints: records of others are left out.
        """
        schema = parse_schema(_LANDING_SCHEMA)
        told = [(c.number, c.landing.order, c.landing.uri, c.landing.event_time, c.landing.file_time) for c in claims]
        landings = literal_rows(self.spark, [dict(zip(schema.names, one, strict=True)) for one in told], schema)
        frames = self._records(table, claims, only)
        return dated(united([to_rows(frame, table) for frame in frames]), landings, table)

    def fingerprints(self, table: Table, claims: Sequence[Claim]) -> DataFrame:
        """Return the fingerprint of each record of claims; for formats that have them."""
        return united([frame.select(*FINGERPRINT) for frame in self._records(table, claims)])

    def _records(self, table: Table, claims: Sequence[Claim], only: DataFrame | None = None) -> list[DataFrame]:
        """Return the records of claims, one frame for each set of types; each type can become the contract's."""
        chosen = {} if only is None else {"only": only}
        found = FORMATS[table.source.format].read(self.spark, table, claims, **chosen) if claims else []
        records = found or [no_records(self.spark, table.source_names)]
        frames = [with_presence(events(frame, table), table, claims) for frame in records]
        if any(column.expr for column in table.columns):
            for frame in frames:
                for column, reason in mismatches(frame, table)[:1]:
                    raise all_violations([refuse(table, claim, reason, column) for claim in claims])
        return frames

    def work(self, name: str) -> str:
        """Return the URI of a scratch folder of the batch."""
        return f"s3://{self.bucket}/claims/{self.batch_id}/work/{name}"

    def refuse_fatal(self, table: Table, refused: DataFrame) -> None:
        """Raise ContractViolationError when refused rows break a rule that fails the whole landing."""
        rules = [*FATAL_RULES, *fatal_rules(table)]
        found = (
            refused.filter(refused[REJECT]["rule"].isin(rules))
            .groupBy("_landing")
            .agg({REJECT: "min", "_row_number": "min"})
            .toDF("landing", "reject", "row")
            .take(100)
        )
        if found:
            raise all_violations([self._fatal(table, row.landing, row.row, row.reject) for row in found])

    def blame(self, table: Table) -> ContractViolationError | None:
        """Return the violation behind a read that broke off: it names the files that cannot be read by themselves."""
        violations = []
        for claim in self._claims.values() if FORMATS[table.source.format].can_break else ():
            try:
                self.rows(table, [claim]).write.format("noop").mode("overwrite").save()
            except Exception as error:
                cause = first_words(error)
                if not _OF_THE_MACHINE.search(cause):
                    violations.append(refuse(table, claim, f"cannot be read to its end ({cause}); send it again"))
        return all_violations(violations) if violations else None

    def duplicate_keys(self, table: Table, claims: Sequence[Claim]) -> ContractViolationError | None:
        """Return the violation of the first snapshot that holds a key more than once; None where none does.

        Parts are one snapshot; of landings that are united each is one, and may hold what another holds.
        """
        apart = [] if table.source.parts else ["_landing"]
        places = F.sort_array(F.collect_list(F.struct("_landing", "_row_number"))).alias("_places")
        good = self.rows(table, claims).where(F.col(REJECT).isNull())
        repeated = good.groupBy(*apart, *[quoted(name) for name in table.key]).agg(places).where("size(_places) > 1")
        for found in repeated.orderBy("_places").take(1):
            key = ", ".join(f"{name}={found[name]}" for name in table.key)
            first, again = (self._place(place, claims) for place in found["_places"][:2])
            reason = f"{again} repeats the key {key} of {first}, and on_duplicate_key is fail"
            blamed = claims if table.source.parts else [self._claims[found["_landing"]]]
            return all_violations([refuse(table, claim, reason, table.key[0]) for claim in blamed])
        return None

    def _place(self, place: Any, claims: Sequence[Claim]) -> str:
        """Say which record it is, and of which of several files."""
        file = f" of {self._claims[place['_landing']].landing.key}" if len(claims) > 1 else ""
        return f"record {place['_row_number']}{file}"

    def _fatal(self, table: Table, number: int, row: int, reject: Any) -> ContractViolationError:
        landing = self._claims[number].landing
        column = f"column {reject.column}: " if reject.column else ""
        place = "" if reject.rule == DOCUMENT else f"record {row}: "
        reason = f"{place}{column}{reject.reason}"
        return ContractViolationError(
            f"{table.name}: file {landing.key}: {reason}", {landing.id: (reason, reject.column or None)}
        )
