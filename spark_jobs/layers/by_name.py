"""Convert values to another type by the names of their fields: Spark's cast goes by their positions."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, MapType, StructType


def by_name(value: Column, old: DataType, new: DataType) -> Column:
    """Return `value` of type `old` as `new`; fields are found without regard to case, at any depth.

    A field that `old` lacks is NULL, one that `new` lacks is left out, and what is NULL stays NULL.
    """
    if old.simpleString() == new.simpleString():
        return value
    if isinstance(old, StructType) and isinstance(new, StructType):
        return _struct(value, old, new)
    if isinstance(old, ArrayType) and isinstance(new, ArrayType):
        inner = old.elementType, new.elementType
        return F.transform(value, lambda element: by_name(element, *inner))
    if isinstance(old, MapType) and isinstance(new, MapType):
        return _map(value, old, new)
    return value.cast(new)


def _struct(value: Column, old: StructType, new: StructType) -> Column:
    have = {f.name.lower(): f for f in old.fields}
    fields = []
    for f in new.fields:
        there = have.get(f.name.lower())
        missing = F.lit(None).cast(f.dataType)
        found = by_name(value.getField(there.name), there.dataType, f.dataType) if there else missing
        fields.append(found.alias(f.name))
    return F.when(value.isNotNull(), F.struct(*fields))


def _map(value: Column, old: MapType, new: MapType) -> Column:
    keys, values = (old.keyType, new.keyType), (old.valueType, new.valueType)
    if keys[0].simpleString() != keys[1].simpleString():
        value = F.transform_keys(value, lambda key, _: by_name(key, *keys))
    return F.transform_values(value, lambda _, found: by_name(found, *values))
