"""The first cause of a failure in plain words, out of what Step Functions and Glue wrap around it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields

from contracts.model import Limits

_LONGEST = 1000
_NAMED = re.compile(r"\b([A-Z]\w*(?:Error|Exception))\b:?\s*")
_LIMIT = re.compile("|".join(rf"\b{limit.name}\b" for limit in fields(Limits)))
_ALLOWED = re.compile(r'"allow": (\[[^]]*])')
_START = re.compile(r": start (\{[^{}]*\})$")
_PLAIN = {
    "TIMEOUT": ("JobTimeoutError", "the job ran out of time (capacity.timeout_minutes) and was stopped"),
    "STOPPED": ("JobStoppedError", "the job was stopped by hand or by the service"),
}
CUT_OFF = frozenset(name for name, _ in _PLAIN.values())


def first_cause(error: Mapping[str, str]) -> tuple[str, str]:
    """Return an error's name and its cause; `error` is what Step Functions caught (Error, Cause)."""
    name, cause = error.get("Error") or "UnknownError", error.get("Cause") or ""
    run = _object(cause)
    if (state := run.get("JobRunState", "")) in _PLAIN:
        return _PLAIN[state]
    if not name.startswith("States."):
        return name, (cause or "no cause was given")[:_LONGEST]
    return named(run.get("ErrorMessage") or cause or "no cause was given", name)


def named(message: str, default: str) -> tuple[str, str]:
    """Return the class that a message names and the words after it, without Glue's category before them."""
    line = message.strip().splitlines()[0] if message.strip() else "no cause was given"
    line = re.sub(r"^Error Category: \w+; (Failed Line Number: \d+; )?", "", line)
    match = _NAMED.search(line)
    name = match.group(1) if match else default.removeprefix("States.")
    words = line[match.end() :] if match and match.start() == 0 and line[match.end() :].strip() else line
    return name, words[:_LONGEST]


def limit_in(cause: str) -> str:
    """Return the first limit of a contract that a cause names, or nothing."""
    found = _LIMIT.search(cause)
    return found.group() if found else ""


def limits_to_allow(cause: str) -> list[str]:
    """Return the limits that a batch must be let through, as the job's sentence says: also those it was let through."""
    told = _ALLOWED.search(cause)
    return list(json.loads(told.group(1))) if told else [limit_in(cause) or "max_deleted"]


def first_of_files(causes: Sequence[str]) -> str:
    """Return the first of the causes of several files, and how many files more there are."""
    return causes[0] + (f" (and {len(causes) - 1} more files)" if len(causes) > 1 else "")


def input_to_start(cause: str) -> dict[str, str]:
    """Return the input that an extraction's sentence says to start, or nothing."""
    told = _START.search(cause)
    return _object(told.group(1)) if told else {}


def _object(text: str) -> dict[str, str]:
    """Return the object that a text holds as JSON, an empty one where it holds none."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
