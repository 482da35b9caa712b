"""DynamoDB's typed attribute values as plain Python values, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Item = dict[str, Any]


def to_attribute(value: Any) -> dict[str, Any]:
    """Return a value's typed form: strings, integers, booleans, None, sets of strings, mappings and lists."""
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case set() | frozenset():
            return {"SS": sorted(value)}
        case Mapping():
            return {"M": to_item(value)}
        case list() | tuple():
            return {"L": [to_attribute(part) for part in value]}
    raise TypeError(f"the ledger holds no {type(value).__name__}")


def from_attribute(typed: Mapping[str, Any]) -> Any:
    """Return the plain value of a typed one."""
    [(kind, value)] = typed.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return int(value)
        case "NULL":
            return None
        case "SS":
            return frozenset(value)
        case "M":
            return from_item(value)
        case "L":
            return [from_attribute(part) for part in value]
    raise TypeError(f"the ledger holds no {kind}")


def to_item(plain: Mapping[str, Any]) -> Item:
    """Return an item of typed values."""
    return {name: to_attribute(value) for name, value in plain.items()}


def from_item(item: Mapping[str, Any]) -> Item:
    """Return an item of plain values."""
    return {name: from_attribute(value) for name, value in item.items()}
