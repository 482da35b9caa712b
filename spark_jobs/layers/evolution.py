"""Tables follow their contracts: columns are added and widened in place; what would lose values is refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyspark.sql.types import (
    ArrayType,
    ByteType,
    DataType,
    DecimalType,
    DoubleType,
    FloatType,
    IntegerType,
    LongType,
    MapType,
    ShortType,
    StructType,
)

from spark_jobs.layers import renewal
from spark_jobs.layers.branches import Branch
from spark_jobs.layers.errors import SchemaChangeError
from spark_jobs.layers.java import as_dict, elements
from spark_jobs.layers.lake import Lake
from spark_jobs.layers.shaping import quoted, sql_type


@dataclass
class Changes:
    """What brings a table's columns to those wanted: Iceberg's ALTERs, and the columns it cannot change."""

    alters: list[str] = field(default_factory=list)
    refused: list[tuple[tuple[str, ...], DataType, DataType]] = field(default_factory=list)

    @property
    def renewed(self) -> dict[str, str]:
        """Return the columns that hold what is refused: their names, by those in small letters."""
        return {path[0].lower(): path[0] for path, _, _ in self.refused}


def ensure(
    lake: Lake,
    name: str,
    schema: StructType,
    partition_by: Sequence[str] = (),
    *,
    way_out: str = "",
    anew: bool = False,
) -> None:
    """Create a table, or bring its columns to `schema`; columns that `schema` lacks stay and are NULL in new rows.

    Partitions follow the contract too, for the rows to come: those that are there stay where they are.

    SchemaChangeError where a type would narrow or change, with nothing changed and `way_out` in its message. `anew`:
    every row is about to be replaced; columns of such types stay until then (`renew`), and so do partitions.
    """
    if not lake.exists(name):
        lake.create(name, schema, partition_by)
        return
    have = lake.read(name).schema
    if not anew:
        check(name, have, schema, way_out)
    found = changes(have, schema)
    if found.refused:
        _refuse_partitions(lake, name, found)
        found = changes(have, StructType([f for f in schema.fields if f.name.lower() not in found.renewed]))
    for alter in found.alters:
        lake.spark.sql(f"ALTER TABLE {name} {alter}")
    if not anew:
        lake.repartition(name, partition_by)


def check(name: str, have: StructType, want: StructType, way_out: str) -> None:
    """Raise SchemaChangeError, with `way_out` in its message, where a type of `have` cannot become that of `want`."""
    if refused := changes(have, want).refused:
        raise SchemaChangeError(_message(name, refused, way_out))


def renew(branch: Branch, schema: StructType, partition_by: Sequence[str] = ()) -> None:
    """Begin anew, on a branch without rows, the columns whose types cannot become those of `schema`.

    Until the branch is published they stand beside the old ones, which keep their rows.
    """
    lake, table = branch.lake, branch.table
    wanted = {f.name.lower(): f.dataType for f in schema.fields}
    words = list(partition_by)
    for name in changes(lake.read(table).schema, schema).renewed.values():
        own = renewal.beside(branch.name, name)
        lake.spark.sql(
            f"ALTER TABLE {table} ADD COLUMN {quoted(own)} {sql_type(wanted[name.lower()])} AFTER {quoted(name)}"
        )
        branch.renewed[name.lower()] = own
        words = [_partitioned_by(word, name, own) for word in words]
    lake.repartition(table, words)


def _partitioned_by(word: str, name: str, other: str) -> str:
    """Return a partition's word with a column of another name in place of one."""
    return re.sub(rf"(?i)(?<!\w){re.escape(name)}(?!\w|\s*\()", other, word)


def _refuse_partitions(lake: Lake, name: str, found: Changes) -> None:
    """Raise SchemaChangeError where a column that must begin anew has ever been a partition as it is.

    Iceberg keeps its name for the partition of the rows that were written so.
    """
    handle = lake.handle(name)
    specs = as_dict(handle.specs()).values()
    kept = {field.name().lower() for spec in specs for field in elements(spec.fields())}
    if names := sorted(kept & found.renewed.keys()):
        raise SchemaChangeError(
            _message(
                name,
                [one for one in found.refused if one[0][0].lower() in names],
                f"The table is, or was, partitioned by {', '.join(names)} itself, which keeps that type as long as the "
                f"table is there. Keep the type, or declare a column of another name. Or else: drop {name} from the "
                "catalog, and start the same again; there is no such table until that is published",
            )
        )


def changes(have: StructType, want: StructType) -> Changes:
    """Return what brings the columns `have` to `want`."""
    found = Changes()
    _compare_structs(have, want, (), found)
    return found


def _compare_structs(have: StructType, want: StructType, path: tuple[str, ...], found: Changes) -> None:
    present = {f.name.lower(): f for f in have.fields}
    for one in want.fields:
        there = present.get(one.name.lower())
        if there is None:
            found.alters.append(f"ADD COLUMN {_quoted((*path, one.name))} {sql_type(one.dataType)}")
        else:
            _compare(there.dataType, one.dataType, (*path, there.name), found)


def _compare(have: DataType, want: DataType, path: tuple[str, ...], found: Changes) -> None:
    if isinstance(have, StructType) and isinstance(want, StructType):
        _compare_structs(have, want, path, found)
    elif isinstance(have, ArrayType) and isinstance(want, ArrayType):
        _compare(have.elementType, want.elementType, (*path, "element"), found)
    elif isinstance(have, MapType) and isinstance(want, MapType):
        _compare(have.keyType, want.keyType, (*path, "key"), found)
        _compare(have.valueType, want.valueType, (*path, "value"), found)
    elif have != _kept_as(want):
        if _widens(have, want):
            found.alters.append(f"ALTER COLUMN {_quoted(path)} TYPE {sql_type(want)}")
        else:
            found.refused.append((path, have, want))


def _kept_as(kind: DataType) -> DataType:
    """Return the type in which Iceberg keeps one; it has no integers of 8 and 16 bits."""
    return IntegerType() if isinstance(kind, ByteType | ShortType) else kind


def _widens(have: DataType, want: DataType) -> bool:
    if isinstance(have, DecimalType) and isinstance(want, DecimalType):
        return have.scale == want.scale and have.precision < want.precision
    pairs = ((IntegerType(), LongType()), (FloatType(), DoubleType()))
    return (have, want) in pairs


def _message(name: str, refused: Sequence[tuple[tuple[str, ...], DataType, DataType]], way_out: str) -> str:
    told = "; ".join(
        f"column {'.'.join(path)} is {have.simpleString()} in the table and {want.simpleString()} in the contract"
        for path, have, want in refused
    )
    widening = "a type may only widen: int to bigint, float to double, decimal(p,s) to more digits before the point"
    return f"{name.rsplit('.', 1)[-1]}: {told}; {widening}. {way_out}".rstrip()


def _quoted(path: Sequence[str]) -> str:
    return ".".join(map(quoted, path))
