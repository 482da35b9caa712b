"""DynamoDB in moto without work that grows with the table: a lake may know thousands of landings."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import Table

_plain_transact: Any = DynamoDBBackend.transact_write_items
_plain_query: Any = Table.query
_BEGINS = "BEGINS_WITH"


@contextmanager
def attached() -> Iterator[None]:
    """Let a transaction keep what it touches, where moto copies the table for each write; let a query see no more."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(DynamoDBBackend, "transact_write_items", _transact))
        stack.enter_context(mock.patch.object(Table, "__deepcopy__", lambda table, _memo: table, create=True))
        stack.enter_context(mock.patch.object(Table, "query", _query))
        yield


def _transact(self: Any, transact_items: Sequence[Mapping[str, Any]]) -> None:
    """Write all or nothing; of a refused transaction each item is put back as it was."""
    places = [place for item in transact_items for write in item.values() for place in _places(self.tables, write)]
    before = [copy.deepcopy(table.items[partition].get(sort)) for table, partition, sort in places]
    try:
        _plain_transact(self, transact_items)
    except Exception:
        for (table, partition, sort), item in zip(places, before, strict=True):
            if item is None:
                table.items[partition].pop(sort, None)
            else:
                table.items[partition][sort] = item
        raise


def _places(tables: Mapping[str, Any], write: Mapping[str, Any]) -> list[tuple[Any, DynamoType, DynamoType]]:
    """Return table, partition and sort key of a write; nothing where they are not told and moto refuses it."""
    table, key = tables.get(write.get("TableName", "")), write.get("Key") or write.get("Item", {})
    if table is None or not {table.hash_key_attr, table.range_key_attr} <= key.keys():
        return []
    return [(table, DynamoType(key[table.hash_key_attr]), DynamoType(key[table.range_key_attr]))]


def _query(self: Any, hash_key: Any, range_comparison: Any, range_objs: Any, *more: Any, **options: Any) -> Any:
    """Answer a query of a prefix from the items that have it: moto sorts and measures the whole partition."""
    if range_comparison != _BEGINS or options.get("index_name"):
        return _plain_query(self, hash_key, range_comparison, range_objs, *more, **options)
    [prefix] = range_objs
    partition = self.items.get(hash_key, {})
    seen = copy.copy(self)
    seen.items = {hash_key: {sort: item for sort, item in partition.items() if sort.value.startswith(prefix.value)}}
    return _plain_query(seen, hash_key, range_comparison, range_objs, *more, **options)
