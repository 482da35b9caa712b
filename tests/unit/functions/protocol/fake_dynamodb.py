"""A DynamoDB table in memory: the few calls and expressions that the ledger uses, over immutable items.

`test_fake_dynamodb.py` checks it against moto, call by call.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from botocore.exceptions import ClientError

Typed = dict[str, Any]
Key = tuple[str, str]
Table = dict[Key, Typed]
Test = Callable[[Mapping[str, Any], Mapping[str, str], Mapping[str, Any]], bool]
_MOST = 100  # items that one call may write or ask for
_TOKENS = re.compile(r"\s*(AND|OR|[(),=]|attribute_exists|attribute_not_exists|begins_with|[#:]?\w+)")


def apply(table: Table, method: str, request: Mapping[str, Any]) -> tuple[Table, Any]:
    """Return the table after a call, and its answer; ClientError where DynamoDB says so."""
    return _METHODS[method](table, request)


def get_item(table: Table, request: Mapping[str, Any]) -> tuple[Table, Any]:
    item = table.get(_key(request["Key"]))
    return table, {"Item": item} if item else {}


def batch_get_item(table: Table, request: Mapping[str, Any]) -> tuple[Table, Any]:
    [(name, asked)] = request["RequestItems"].items()
    if len(asked["Keys"]) > _MOST:
        raise _error("ValidationException", "BatchGetItem")
    found = [item for key in asked["Keys"] if (item := table.get(_key(key)))]
    return table, {"Responses": {name: found}, "UnprocessedKeys": {}}


def query(table: Table, request: Mapping[str, Any]) -> tuple[Table, Any]:
    assert request["KeyConditionExpression"] == "pk = :pk AND begins_with(sk, :prefix)"
    pk, prefix = (request["ExpressionAttributeValues"][name]["S"] for name in (":pk", ":prefix"))
    keys = sorted(key for key in table if key[0] == pk and key[1].startswith(prefix))
    return table, {"Items": [table[key] for key in keys[: request.get("Limit")]]}


def put_item(table: Table, request: Mapping[str, Any]) -> tuple[Table, Any]:
    return _written(table, "Put", request), {}


def update_item(table: Table, request: Mapping[str, Any]) -> tuple[Table, Any]:
    return _written(table, "Update", request), {}


def transact_write_items(table: Table, request: Mapping[str, Any]) -> tuple[Table, Any]:
    writes = [(kind, part) for item in request["TransactItems"] for kind, part in item.items()]
    if len(writes) > _MOST:
        raise _error("ValidationException", "TransactWriteItems")
    reasons = [{"Code": "None" if _holds(table, part) else "ConditionalCheckFailed"} for _, part in writes]
    keys = [_key(part.get("Key") or part["Item"]) for _, part in writes]
    if len(set(keys)) != len(keys):
        raise _error("ValidationException", "TransactWriteItems")
    if any(reason["Code"] != "None" for reason in reasons):
        raise _error("TransactionCanceledException", "TransactWriteItems", CancellationReasons=reasons)
    for kind, part in writes:
        table = _written(table, kind, part)
    return table, {}


_METHODS = {
    "get_item": get_item,
    "batch_get_item": batch_get_item,
    "query": query,
    "put_item": put_item,
    "update_item": update_item,
    "transact_write_items": transact_write_items,
}


def _key(item: Mapping[str, Any]) -> Key:
    return item["pk"]["S"], item["sk"]["S"]


def _error(code: str, operation: str, **more: Any) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}, **more}, operation)


def _written(table: Table, kind: str, request: Mapping[str, Any]) -> Table:
    if not _holds(table, request):
        raise _error("ConditionalCheckFailedException", kind)
    if kind == "ConditionCheck":
        return table
    key = _key(request.get("Key") or request["Item"])
    if kind == "Delete":
        return {other: item for other, item in table.items() if other != key}
    item = request["Item"] if kind == "Put" else _updated(table.get(key, request["Key"]), request)
    return {**table, key: item}


def _holds(table: Table, request: Mapping[str, Any]) -> bool:
    if "ConditionExpression" not in request:
        return True
    item = table.get(_key(request.get("Key") or request["Item"]), {})
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    return _condition(request["ConditionExpression"])(item, names, values)


@cache
def _condition(text: str) -> Test:
    tokens = _TOKENS.findall(text)
    assert "".join(tokens) == re.sub(r"\s", "", text), text
    test, rest = _either(tokens)
    assert not rest, text
    return test


def _either(tokens: list[str]) -> tuple[Test, list[str]]:
    left, tokens = _both(tokens)
    while tokens[:1] == ["OR"]:
        right, tokens = _both(tokens[1:])
        left = _or(left, right)
    return left, tokens


def _both(tokens: list[str]) -> tuple[Test, list[str]]:
    left, tokens = _one(tokens)
    while tokens[:1] == ["AND"]:
        right, tokens = _one(tokens[1:])
        left = _and(left, right)
    return left, tokens


def _one(tokens: list[str]) -> tuple[Test, list[str]]:
    if tokens[0] == "(":
        inner, tokens = _either(tokens[1:])
        assert tokens[0] == ")"
        return inner, tokens[1:]
    if tokens[0] in ("attribute_exists", "attribute_not_exists"):
        wanted, name = tokens[0] == "attribute_exists", tokens[2]
        return (lambda item, names, _: (names.get(name, name) in item) is wanted), tokens[4:]
    name, equals, value = tokens[:3]
    assert equals == "="
    return (lambda item, names, values: item.get(names.get(name, name)) == values[value]), tokens[3:]


def _and(left: Test, right: Test) -> Test:
    return lambda *parts: left(*parts) and right(*parts)


def _or(left: Test, right: Test) -> Test:
    return lambda *parts: left(*parts) or right(*parts)


def _updated(item: Typed, request: Mapping[str, Any]) -> Typed:
    names, values = request.get("ExpressionAttributeNames", {}), request.get("ExpressionAttributeValues", {})
    after = dict(item)
    for verb, parts in _update(request["UpdateExpression"]):
        for part in parts:
            _change(after, verb, part, names, values)
    return after


@cache
def _update(text: str) -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
    pieces = re.split(r"\b(SET|REMOVE|ADD|DELETE)\b", text)[1:]
    return tuple(
        (verb, tuple(tuple(re.split(r"\s*=\s*|\s+", part.strip())) for part in body.split(",")))
        for verb, body in zip(pieces[::2], pieces[1::2], strict=True)
    )


def _change(item: Typed, verb: str, part: tuple[str, ...], names: Mapping[str, str], values: Mapping[str, Any]) -> None:
    name = names.get(part[0], part[0])
    if verb == "SET":
        item[name] = values[part[1]]
    elif verb == "REMOVE":
        item.pop(name, None)
    elif verb == "ADD" and "N" in values[part[1]]:
        item[name] = {"N": str(int(item.get(name, {"N": "0"})["N"]) + int(values[part[1]]["N"]))}
    else:
        there, these = set(item.get(name, {"SS": []})["SS"]), set(values[part[1]]["SS"])
        left = there | these if verb == "ADD" else there - these
        item.pop(name, None)
        if left:
            item[name] = {"SS": sorted(left)}
