"""Recognise the records that the snapshot before held to the letter: they need not be read again.

The state keeps for each living key the fingerprint of the record that said so. A record with the same one is the same
row, so that of a snapshot only the other records are taken apart and compared, with the keys that none of the
recognised ones tells of.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.lake import PROPERTY
from spark_jobs.layers.staging import capture, quality
from spark_jobs.layers.staging.claims import Claim
from spark_jobs.layers.staging.computed import computed, small
from spark_jobs.layers.staging.known_keys import KNOWN
from spark_jobs.layers.staging.readers.formats import FORMATS
from spark_jobs.layers.staging.readers.seam import FINGERPRINT, meaning_of
from spark_jobs.layers.staging.state import AS_TEXT, key_columns
from spark_jobs.layers.staging.work import Work

NAME = "texts"
WORTH_BYTES = 8 * 1024 * 1024  # of fewer bytes all are read sooner than compared
_READ = "_read"
_IS_UNTOLD, _IS_NAMED = "_is_untold", "_is_named"


@dataclass(frozen=True)
class Recognised:
    """How many records were recognised, the others as `capture.ranked` rows, and what is known of all other keys."""

    count: int
    rows: DataFrame
    known: DataFrame


@dataclass(frozen=True)
class Texts:
    """What the fingerprints in the state are worth to a batch.

    `usable`: they mean today what they meant when they were written. `worth_writing`: the next snapshot may meet them.
    """

    meaning: str
    usable: bool
    worth_writing: bool

    def told(self, in_vain: bool) -> dict[str, str]:
        """Return the property for the published snapshot."""
        return {NAME: json.dumps({"meaning": self.meaning, "in_vain": in_vain})}


def told_of(work: Work) -> str | None:
    """Return what the last batch said of its fingerprints."""
    return work.base.summary.get(PROPERTY + NAME) if work.base else None


def texts_of(table: Table, told: str | None) -> Texts | None:
    """Return what the state's fingerprints are worth, by what was told of them; None for tables that have none."""
    if not FORMATS[table.source.format].has_fingerprints or not quality.judges_alone(table):
        return None
    meaning = meaning_of(table)
    before = json.loads(told) if told else {}
    same = before.get("meaning") == meaning
    return Texts(meaning, same, not (same and before["in_vain"]))


def is_worth_it(claims: Sequence[Claim]) -> bool:
    """Tell whether there is enough to read that recognising most of it saves time."""
    return sum(claim.content.size for claim in claims) >= WORTH_BYTES


def recognise(work: Work, claims: Sequence[Claim], known: DataFrame, texts: DataFrame) -> Recognised | None:
    """Compare the fingerprints of a snapshot's records with those of the keys; None where most are new.

    `known` and `texts` are what `known_keys.known_now` and `texts_now` return.
    """
    counted = _counted(work.reader.fingerprints(work.table, claims), texts)
    is_recognised = (F.col(_READ) == 1) & (F.col(KNOWN) == 1)
    rest, found = computed(counted, _counts(is_recognised), keep=~is_recognised)
    if found["others"] + found["untold"] > found["recognised"]:
        return None
    others = rest.filter(F.col(_READ) > 0).select(*FINGERPRINT)
    untold = rest.filter(F.col(KNOWN) > 0).select(*FINGERPRINT)
    rows = _rows(work, claims, small(others, found["others"]))
    theirs, twice = _known_of(known, rows, untold, found, work.table)
    if twice:
        again = theirs.filter(f"NOT {_IS_UNTOLD}").selectExpr(*AS_TEXT)
        rows = _rows(work, claims, small(others.union(again), found["others"] + twice))
    return Recognised(found["recognised"] - twice, rows, theirs.drop(_IS_UNTOLD))


def _rows(work: Work, claims: Sequence[Claim], only: DataFrame) -> DataFrame:
    rows, _ = work.rows(claims, only)  # what `judges_alone` warns of no file
    return capture.ranked(rows, work.table).localCheckpoint()


def _known_of(
    known: DataFrame, rows: DataFrame, untold: DataFrame, found: Mapping[str, int], table: Table
) -> tuple[DataFrame, int]:
    """Return in one pass what is known by the fingerprints that no record has, and of the keys of rows.

    `_is_untold` is false, and counted, where a recognised record tells of a key that a row tells of too.
    """
    marked = small(untold.withColumn(_IS_UNTOLD, F.lit(True)), found["untold"])
    named = rows.filter(f"{capture.RANK} = 1").select(*key_columns(table), F.lit(True).alias(_IS_NAMED))
    theirs = known.join(marked, on=F.expr(capture.same_text()), how="left").drop(*FINGERPRINT)
    theirs = theirs.join(small(named, found["others"]), on=list(table.key), how="left")
    theirs = theirs.filter(f"{_IS_UNTOLD} OR {_IS_NAMED}").withColumn(_IS_UNTOLD, F.expr(f"{_IS_UNTOLD} IS NOT NULL"))
    theirs, more = computed(theirs.drop(_IS_NAMED), [F.count_if(~F.col(_IS_UNTOLD)).alias("twice")])
    return theirs, more["twice"]


def _counted(read: DataFrame, texts: DataFrame) -> DataFrame:
    """Count each fingerprint among the records and among what is known.

    They are shuffled before they are counted: among the records of one split hardly any comes twice.
    """
    told = read.selectExpr(*FINGERPRINT, f"1 AS {_READ}", f"0 AS {KNOWN}")
    both = told.union(texts.selectExpr(*FINGERPRINT, f"0 AS {_READ}", KNOWN))
    return both.repartition(*FINGERPRINT).groupBy(*FINGERPRINT).agg(*(F.sum(n).alias(n) for n in (_READ, KNOWN)))


def _counts(is_recognised: Column) -> list[Column]:
    return [
        F.count_if(is_recognised).alias("recognised"),
        F.sum(F.when(~is_recognised, F.col(_READ))).alias("others"),
        F.sum(F.when(~is_recognised, F.col(KNOWN))).alias("untold"),
    ]
