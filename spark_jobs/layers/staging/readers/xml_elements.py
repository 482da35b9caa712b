"""What an element of XML holds: parts that a path leads to, texts, and the JSON of what is more than text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from contracts.types import SparkType

OWN_TEXT = "#text"


class MisfitError(Exception):
    """An element that does not fit what the contract declares."""


@dataclass
class Element:
    """An element, an attribute (its name begins with @) or its text (#text)."""

    name: str
    namespace: str = ""
    key: str = ""  # the name in small letters, by which columns find it
    texts: list[str] = field(default_factory=list)
    parts: list[Element] = field(default_factory=list)
    is_nil: bool = False

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def has_children(self) -> bool:
        return any(not part.name.startswith("@") for part in self.parts)

    def named(self, step: Step) -> list[Element]:
        """Return the children, the attribute, or the text that a step of a path names."""
        if step.name == OWN_TEXT:
            return [Element(OWN_TEXT, texts=self.texts)] if self.text.strip() else []
        key = step.key
        return [part for part in self.parts if part.key == key and step.namespace in (None, part.namespace)]

    @property
    def by_name(self) -> dict[str, list[Element]]:
        """Return what it holds, by names as they are."""
        found: dict[str, list[Element]] = {}
        for part in self.parts:
            found.setdefault(part.name, []).append(part)
        return found


@dataclass(frozen=True)
class Step:
    """One name of a path, in any case; `namespace` None stands for any."""

    name: str
    namespace: str | None = None

    @cached_property
    def key(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Wanted:
    """A source column: its name, the way to it, and the type that shapes what is found there (None: text).

    `is_extra`: no contract knows it, a row may lack it, and what is more than text becomes JSON as it is.
    """

    name: str
    steps: tuple[Step, ...]
    kind: SparkType | None
    is_extra: bool = False


def step_of(text: str, namespaces: Mapping[str, str]) -> Step:
    """Return a path's name as a step: `name`, `@name`, `prefix:name` or `@prefix:name`; KeyError on a prefix."""
    at = "@" if text.startswith("@") else ""
    prefix, colon, name = text.removeprefix("@").partition(":")
    return Step(at + name, namespaces[prefix]) if colon else Step(text)


def follow(element: Element, steps: Sequence[Step]) -> list[Element] | None:
    """Return what a path leads to, None when it breaks off; inside a nil element nothing is missing."""
    here = [element]
    for number, step in enumerate(steps):
        parts = [part for one in here for part in one.named(step)]
        if not parts:
            return [] if number and all(one.is_nil for one in here) else None
        here = parts
    return here


def text_of(found: Sequence[Element], one: Wanted) -> str | None:
    """Return what was found as text: as it stands, or as JSON for an array, a map or a struct."""
    shaped = _as_it_is(found) if one.is_extra else _shaped(found, one.kind, one.name)
    return shaped if shaped is None or isinstance(shaped, str) else json.dumps(shaped, ensure_ascii=False)


def _shaped(found: Sequence[Element], kind: SparkType | None, name: str) -> Any:
    if kind is not None and kind.name == "array":
        return [_shaped([one], kind.inner[0], name) for one in found] if found else None
    if not found or found[0].is_nil:
        return None
    if len(found) > 1:
        raise MisfitError(f"{name} stands {len(found)} times; declare an array, or a path to one of them")
    if kind is not None and kind.name == "struct":
        fields = zip(kind.fields, kind.inner, strict=True)
        return {field: _shaped(_field(found[0], field), inner, f"{name}.{field}") for field, inner in fields}
    if kind is not None and kind.name == "map":
        return {one: _shaped(parts, kind.inner[1], f"{name}.{one}") for one, parts in found[0].by_name.items()}
    if found[0].has_children:
        raise MisfitError(f"{name} holds elements; declare a struct, or a path into it")
    return found[0].text


def _as_it_is(found: Sequence[Element]) -> Any:
    """Return elements as JSON: text, an object of what an element holds, an array of several."""
    if len(found) != 1:
        return [_as_it_is([one]) for one in found] or None
    element = found[0]
    if element.is_nil or not element.parts:
        return None if element.is_nil else element.text
    own = {OWN_TEXT: element.text} if element.text.strip() else {}
    return {name: _as_it_is(parts) for name, parts in element.by_name.items()} | own


def _field(element: Element, name: str) -> list[Element]:
    """Return what a struct's field takes: children of its name, else the attribute."""
    return element.named(Step(name)) or element.named(Step(f"@{name}"))
