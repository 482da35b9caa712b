"""An execution's input, checked before anything is done: what is wrong, and what is allowed."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.model import MISSING_FILES, Limits, Plan
from functions.shared.errors import InvalidRequestError
from functions.shared.landings import normal_time

MODES = ("incremental", "reconcile", "replay", "rebuild", "dry_run")
LAYERS = ("marts", "staging")
ALLOWED = (*(field.name for field in dataclasses.fields(Limits)), MISSING_FILES)
WORDS = ("table", "mode", "marts", "allow", "from", "to", "prefix", "batch_id", "layer")
_FOR = {"from": "replay", "to": "replay", "prefix": "replay", "batch_id": "replay", "layer": "rebuild"}


@dataclass(frozen=True)
class Request:
    """What an execution is asked to do; `since` and `until` are event times, both inclusive."""

    table: str
    mode: str = "incremental"
    marts: frozenset[str] = frozenset()
    allow: frozenset[str] = frozenset()
    since: str = ""
    until: str = ""
    prefix: str = ""
    batch_id: str = ""
    layer: str = ""

    @property
    def is_plain(self) -> bool:
        """Tell whether any other execution of the table does the same work."""
        return self == Request(self.table)

    @property
    def rebuilds_marts(self) -> bool:
        return self.mode == "rebuild" and self.layer != "staging"

    @property
    def rebuilds_staging(self) -> bool:
        return self.mode == "rebuild" and self.layer == "staging"

    @property
    def reopens(self) -> bool:
        """Tell whether landings that are settled are to be taken up again."""
        return self.mode == "replay" or self.rebuilds_staging or bool(self.allow)


def read_request(raw: Any, plan: Plan) -> Request:
    """Check an input and return what it asks for; InvalidRequestError says what is allowed."""
    if not isinstance(raw, Mapping) or not raw:
        raise InvalidRequestError(f'the input must be an object such as {{"table": "{min(plan.tables, default="t")}"}}')
    for word in raw:
        _one_of(word, WORDS, "the input has no word")
    if "table" not in raw:
        raise InvalidRequestError(f"table is missing: it is one of {', '.join(sorted(plan.tables))}")
    table = _one_of(raw["table"], sorted(plan.tables), "table")
    mode = _one_of(raw.get("mode", "incremental"), MODES, "mode")
    request = Request(
        table=table,
        mode=mode,
        marts=_all_of(raw, "marts", sorted(plan.downstream(table)), f"marts that read {table}"),
        allow=_all_of(raw, "allow", ALLOWED, "limits"),
        since=_time(raw, "from"),
        until=_time(raw, "to"),
        prefix=_text(raw, "prefix"),
        batch_id=_text(raw, "batch_id"),
        layer=_one_of(raw["layer"], LAYERS, "layer") if "layer" in raw else "",
    )
    _check_together(raw, request)
    return request


def read_later(raw: Mapping[str, Any], plan: Plan) -> Request:
    """Return what later batches of an execution are asked to do; marts may have gone with a deployment meanwhile."""
    return Request(raw["table"], marts=plan.downstream(raw["table"]).intersection(raw.get("marts", ())))


def _check_together(raw: Mapping[str, Any], request: Request) -> None:
    for word, mode in _FOR.items():
        if word in raw and request.mode not in (mode, "dry_run"):
            raise InvalidRequestError(f'{word} goes with "mode": "{mode}", not with {request.mode}')
    if "layer" in raw and (others := [word for word in _FOR if word in raw and word != "layer"]):
        raise InvalidRequestError(f"layer plans a rebuild and {others[0]} a replay: leave one of them out")
    if MISSING_FILES in request.allow and request.layer != "staging":
        raise InvalidRequestError(f'{MISSING_FILES} goes with "mode": "rebuild", "layer": "staging"')
    if request.allow and (request.rebuilds_marts or request.layer == "marts"):
        raise InvalidRequestError("allow lets files through: leave it out of a rebuild of marts, which stages none")
    if request.mode == "replay" and not {"from", "to", "prefix", "batch_id"}.intersection(raw):
        raise InvalidRequestError("replay needs at least one of from, to, prefix, batch_id to say which landings")
    if request.since and request.until and request.since > request.until:
        raise InvalidRequestError(f"from {raw['from']} is later than to {raw['to']}")


def _one_of(value: Any, allowed: Iterable[str], what: str) -> str:
    words = list(allowed)
    if isinstance(value, str) and value in words:
        return value
    near = difflib.get_close_matches(str(value), words, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InvalidRequestError(f"{what} {value!r}: it must be one of {', '.join(words)}{hint}")


def _all_of(raw: Mapping[str, Any], word: str, allowed: Iterable[str], what: str) -> frozenset[str]:
    values = raw.get(word, [])
    if not isinstance(values, list) or (word in raw and not values):
        raise InvalidRequestError(f"{word} must be a list of {what}: {', '.join(allowed) or 'there are none'}")
    words = list(allowed)
    return frozenset(_one_of(value, words, word) for value in values)


def _text(raw: Mapping[str, Any], word: str) -> str:
    value = raw.get(word, "")
    if not isinstance(value, str) or (word in raw and not value):
        raise InvalidRequestError(f"{word} must be a text that is not empty, not {value!r}")
    return value


def _time(raw: Mapping[str, Any], word: str) -> str:
    text = _text(raw, word)
    try:
        if word == "to" and 0 < len(text) <= len("2013-01-02"):  # no text as short has a time: it means the whole day
            return normal_time(f"{text}T23:59:59.999999")
        return normal_time(text) if text else ""
    except (ValueError, OverflowError) as error:
        raise InvalidRequestError(
            f"{word} {text!r}: it must be a time such as 2013-01-02T05:00:00Z or a date such as 2013-01-02"
        ) from error
