"""Change feeds with a preset: from the envelopes that a system writes to records of one event each."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from contracts.model import Table
from spark_jobs.layers.staging.checks import REASON, because
from spark_jobs.layers.staging.readers.seam import BROKEN, RAW

DMS, DEBEZIUM = "dms", "debezium"
OPERATIONS = ("op", "payload.op")
_SAYS_NOTHING = ("m",)
_KNOWN = {DMS: ("I", "U", "D"), DEBEZIUM: ("c", "u", "d", "r", "t")}
_TOMBSTONE = r'^\s*(null|\{.*"payload"\s*:\s*null\s*\})\s*$'
_LEAVES = "_leaves"


def events(records: DataFrame, table: Table) -> DataFrame:
    """Return one record for each event that the records of a table's change feed stand for.

    Those whose operation the feed's system does not know are broken: nobody can say what they would change.
    """
    if table.source.preset == DEBEZIUM:
        operation = _operation()
        is_missing = F.when(operation.isNull(), because("op", "operation", "is missing: no envelope of Debezium"))
        return _refused(_debezium(records, table), F.coalesce(is_missing, _unknown(operation, "op", DEBEZIUM)))
    if table.source.preset == DMS:
        return _refused(records, _unknown(_field("Op"), "Op", DMS))
    return records


def _unknown(operation: Column, name: str, preset: str) -> Column:
    """Return why an operation is refused: NULL for a known one, and for none, as in full loads of DMS."""
    words = _KNOWN[preset]
    reason = F.concat(F.lit("'"), operation.substr(1, 100), F.lit(f"' is none of {', '.join(words)}"))
    return F.when((operation != "") & ~operation.isin(*words), because(name, "operation", reason))


def _refused(records: DataFrame, reason: Column) -> DataFrame:
    """Break records for a reason, unless they are broken already."""
    return records.withColumn(BROKEN, F.coalesce(F.col(BROKEN).cast(REASON), reason))


def _debezium(records: DataFrame, table: Table) -> DataFrame:
    """Drop tombstones and messages; an update that changes its key becomes the old key's delete and the new's row.

    The delete has the row before in place of the row after, as Debezium's own deletes have.
    """
    operation = _operation()
    nothing = F.col(RAW).rlike(_TOMBSTONE) | operation.isin(*_SAYS_NOTHING)
    speaking = records.filter(~F.coalesce(nothing, F.lit(False)))
    moves = F.coalesce((operation == "u") & _key_differs(table) & F.col(BROKEN).isNull(), F.lit(False))
    both = F.when(moves, F.array(F.lit(True), F.lit(False))).otherwise(F.array(F.lit(False)))
    told = speaking.withColumn(_LEAVES, F.explode(both))
    left = {name: F.when(~F.col(_LEAVES), _field(name)) for name in table.source_names if _is_after(name)}
    deleting = {
        name: F.when(F.col(_LEAVES) & _field(name).isNotNull(), "d").otherwise(_field(name)) for name in OPERATIONS
    }
    return told.withColumns({**left, **deleting}).drop(_LEAVES)


def _operation() -> Column:
    """Return what an envelope of Debezium says is done, bare or wrapped."""
    return F.coalesce(*map(_field, OPERATIONS))


def _key_differs(table: Table) -> Column:
    """Tell whether the row before has a whole key, and another than the row after."""
    differs, whole = F.lit(False), F.lit(True)
    for name in table.key:
        reads = table.column(name).reads
        after = F.coalesce(*(_field(path) for path in reads if _is_after(path)))
        before = F.coalesce(*(_field(path) for path in reads if not _is_after(path)))
        differs = differs | ~after.eqNullSafe(before)
        whole = whole & before.isNotNull() & after.isNotNull()
    return differs & whole


def _is_after(path: str) -> bool:
    return path.removeprefix("payload.").startswith("after.")


def _field(name: str) -> Column:
    return F.col(f"`{name}`")
