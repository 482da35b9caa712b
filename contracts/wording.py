"""How mistakes are worded: the place of a field, and what a JSON Schema has against it."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from jsonschema.exceptions import ValidationError

Path_ = tuple[str | int, ...]
MUST_BE = "x-must-be"  # what a value must be, in words, beside a rule that words alone can explain
_KINDS = {
    "object": "a group of fields",
    "array": "a list, such as [a, b]",
    "string": "text (put it between quotes)",
    "integer": "a whole number",
    "boolean": "true or false",
}


def dotted(path: Iterable[str | int]) -> str:
    """Return a path as people write it, e.g. `schema.columns[2].type`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "(file)"


def nearest(word: str, allowed: Iterable[str]) -> str:
    """Return ` (did you mean x?)` when an allowed word is near, else ''."""
    close = meant(word, allowed)
    return f" (did you mean {close}?)" if close else ""


def meant(word: object, allowed: Iterable[str]) -> str:
    """Return the allowed word that is near to a word, else ''."""
    return next(iter(difflib.get_close_matches(str(word), list(allowed), n=1)), "")


def one_of(word: object, allowed: Iterable[str]) -> str:
    """Return the message of a word that is not among the allowed ones."""
    words = sorted(allowed)
    return f"{shown(word)} is not one of {', '.join(words) or '(none)'}{nearest(str(word), words)}"


def shown(value: Any) -> str:
    """Return a value as a contract would write it."""
    return repr(value) if isinstance(value, str) else json.dumps(value, default=str)


def schema_messages(error: ValidationError) -> Iterator[tuple[Path_, str]]:
    """Yield the place and the wording of each mistake that one error of the schema stands for."""
    path: Path_ = tuple(error.absolute_path)
    schema: Any = error.schema
    instance: Any = error.instance
    rule, wanted = error.validator, error.validator_value
    if MUST_BE in schema:
        yield path, f"{shown(instance)} must be {schema[MUST_BE]}"
    elif rule == "additionalProperties":
        known = schema.get("properties", {})
        for name in sorted(str(name) for name in instance if name not in known):
            yield (*path, name), f"is no field here; allowed: {', '.join(sorted(known))}{nearest(name, known)}"
    elif rule == "required":
        yield path, f"lacks {', '.join(name for name in schema['required'] if name not in instance)}"
    elif rule in ("minProperties", "maxProperties"):
        yield path, f"must hold exactly one of {', '.join(schema['properties'])}"
    else:
        yield path, _message(rule, wanted, instance, error.message)


def _message(rule: object, wanted: Any, instance: Any, otherwise: str) -> str:
    match rule:
        case "enum":
            return one_of(instance, (str(word) for word in wanted if word is not None))
        case "const":
            return f"{shown(instance)} must be {shown(wanted)}"
        case "type":
            return f"{shown(instance)} must be {_KINDS[wanted]}"
        case "pattern":
            return f"{shown(instance)} does not match {wanted}"
        case "minItems":
            return "must hold at least one"
        case "uniqueItems":
            return "holds a value twice"
        case "minLength":
            return "must not be empty"
        case "maxLength":
            return f"must have at most {wanted} characters"
        case "minimum":
            return f"{shown(instance)} must be at least {wanted}"
        case "maximum":
            return f"{shown(instance)} must be at most {wanted}"
        case _:
            return otherwise
