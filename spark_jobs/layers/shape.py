"""The shape of a staged table: the words of its contract on which every row that is staged depends."""

from __future__ import annotations

import json
from typing import Any

from contracts.model import Table
from spark_jobs.layers.errors import SchemaChangeError
from spark_jobs.layers.lake import PROPERTY, Snapshot

NAME = "shape"
_AT_ONE_INSTANT = "order at one instant"
# Words that tables lack which were staged before these were words of a shape.
_NOT_TOLD_ONCE = ("from_key", "unmatched", _AT_ONE_INSTANT)


def shape(table: Table) -> dict[str, Any]:
    """Return the words that cannot change under staged rows, with their values."""
    words: dict[str, Any] = {
        "load": table.load,
        "key": list(table.key),
        "effective_at": table.effective_at.column or "the file's time",
        "from_key": table.effective_at.from_key,
        "unmatched": table.effective_at.unmatched if table.effective_at.from_key else None,
        "tie_break": list(table.tie_break),
    }
    if table.load == "snapshot":
        words["on_missing"] = table.on_missing
    elif table.load == "changes":
        words[_AT_ONE_INSTANT] = "as in the file" if table.in_source_order else "deletes last"
    if table.updates != "whole":
        words["updates"] = table.updates
    return words


def check_shape(last: Snapshot | None, table: Table) -> None:
    """Raise SchemaChangeError where the `last` batch staged rows under another shape than the contract has now."""
    told = last.summary.get(PROPERTY + NAME) if last else None
    if told is None:
        return
    before, now = json.loads(told), shape(table)
    untold = [word for word in _NOT_TOLD_ONCE if word not in before]
    changed = [word for word in {**before, **now} if before.get(word) != now.get(word) and word not in untold]
    if changed:
        words = "; ".join(f"{word} was {_words(before.get(word))} and is {_words(now.get(word))}" for word in changed)
        raise SchemaChangeError(
            f"{table.name}: {words}: rows staged before would mean something else now. {way_out(table)}"
        )


def way_out(table: Table) -> str:
    """Return what makes staged rows of the contract as it is now."""
    request = f'{{"table": "{table.name}", "mode": "rebuild", "layer": "staging"}}'
    return f"Stage the table anew from its raw files: start {request}"


def way_out_of_types(table: Table) -> str:
    """Return what can be done where columns of staged rows cannot become of the contract's types."""
    return f"Keep the type, or declare a column of another name. Or else: {way_out(table)}"


def _words(value: Any) -> str:
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value or "not said")
