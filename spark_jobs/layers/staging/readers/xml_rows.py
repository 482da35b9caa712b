"""Cut an XML document into its rows while it passes. Standard library only: it runs in Spark's Python workers.

Entities of a document's own and whatever lies outside it are refused: they can grow without bound, or read files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any
from xml.parsers import expat

from contracts.types import SparkType

LONGEST_ROW = 32 * 1024 * 1024
RAW_BYTES = 16_000
OWN_TEXT = "#text"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_STEP_BYTES = 64 * 1024


class BrokenDocumentError(Exception):
    """A document that is not well-formed, or not allowed: what lies behind cannot be told apart."""


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


@dataclass(frozen=True)
class Row:
    """One row: its raw text (bounded), the names of its parts, the columns' texts, and what is wrong, if anything.

    `held` are the columns that the row has; `extra` is a part of it that no column reads, `missing` a column that it
    lacks.
    """

    raw: str
    names: tuple[str, ...] = ()
    texts: tuple[str | None, ...] = ()
    problem: str | None = None
    extra: str | None = None
    missing: str | None = None
    held: tuple[str, ...] = ()


def step_of(text: str, namespaces: Mapping[str, str]) -> Step:
    """Return a path's name as a step: `name`, `@name`, `prefix:name` or `@prefix:name`; KeyError on a prefix."""
    at = "@" if text.startswith("@") else ""
    prefix, colon, name = text.removeprefix("@").partition(":")
    return Step(at + name, namespaces[prefix]) if colon else Step(text)


def rows_of(chunks: Iterator[bytes], row: Step, wanted: Sequence[Wanted], encoding: str | None) -> Iterator[Row]:
    """Yield the rows of a document; BrokenDocumentError where it breaks off or is refused."""
    reader = _Reader(row, wanted, encoding)
    for chunk in chunks:
        for place in range(0, len(chunk), _STEP_BYTES):
            reader.feed(chunk[place : place + _STEP_BYTES])
            yield from reader.taken()
    reader.close()
    yield from reader.taken()


class _Reader:
    """Builds the elements of one row at a time from expat's events."""

    def __init__(self, row: Step, wanted: Sequence[Wanted], encoding: str | None) -> None:
        self._row, self._wanted = row, wanted
        self._read = {one.steps[0].key for one in wanted}
        self._open: list[Element] = []
        self._done: list[Row] = []
        self._depth = self._found = 0
        self._has_text = False  # outside rows
        self._raw = bytearray()
        self._before, self._piece, self._piece_at, self._row_at = b"", b"", 0, 0
        self._encoding = encoding or "utf-8"
        self._parser = expat.ParserCreate(encoding, " ")
        self._parser.buffer_text = True
        self._parser.XmlDeclHandler = self._declared
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.EntityDeclHandler = self._refuse_entity
        self._parser.ExternalEntityRefHandler = self._refuse_outside
        self._parser.SkippedEntityHandler = self._refuse_outside

    def feed(self, piece: bytes, is_last: bool = False) -> None:
        self._piece = piece
        try:
            self._parser.Parse(piece, is_last)
        except (expat.ExpatError, LookupError, ValueError) as error:
            raise BrokenDocumentError(f"is no well-formed XML: {error}") from error
        if self._open:
            self._keep_raw(len(piece))
            if self._piece_at + len(piece) - self._row_at > LONGEST_ROW:
                raise BrokenDocumentError(f"holds a row of more than {LONGEST_ROW // 1024 // 1024} MiB")
        self._piece_at += len(piece)
        self._before = (self._before + piece)[-RAW_BYTES:]

    def close(self) -> None:
        self.feed(b"", is_last=True)
        if not self._found and (self._depth > 1 or self._has_text):
            raise BrokenDocumentError(f"holds no element {self._row.name}, which row_tag names")

    def taken(self) -> list[Row]:
        """Return the rows that are complete, once."""
        done, self._done = self._done, []
        return done

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self._encoding = encoding or self._encoding

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        element = _element(name)
        self._depth += 1  # of elements so far: one is the root alone
        if not self._open:
            if element.name != self._row.name or self._row.namespace not in (None, element.namespace):
                return
            self._found += 1
            self._row_at = self._parser.CurrentByteIndex
            ahead = self._piece_at - self._row_at  # its tag may begin in the pieces before
            self._raw = bytearray(self._before[-ahead:] if ahead > 0 else b"")
        else:
            self._open[-1].parts.append(element)
        self._open.append(element)
        for attribute, value in attributes.items():
            part = _element(attribute)
            if part.namespace == _XSI:
                element.is_nil = element.is_nil or (part.name == "nil" and value in ("true", "1"))
            else:
                element.parts.append(Element(f"@{part.name}", part.namespace, f"@{part.key}", [value]))

    def _text(self, text: str) -> None:
        if self._open:
            self._open[-1].texts.append(text)
        elif not self._found:
            self._has_text = self._has_text or not text.isspace()

    def _end(self, _: str) -> None:
        if not self._open:
            return
        element = self._open.pop()
        if not self._open:
            here = max(self._parser.CurrentByteIndex - self._piece_at, 0)
            is_one_tag = not element.texts and not element.has_children and self._piece[:here].endswith(b"/>")
            closing = here - 1 if is_one_tag else self._piece.find(b">", here)
            self._keep_raw(len(self._piece) if closing < 0 else closing + 1)
            self._done.append(self._row_of(element))

    def _keep_raw(self, end: int) -> None:
        begin = max(self._row_at - self._piece_at, 0)
        self._raw += self._piece[begin : min(end, begin + RAW_BYTES - len(self._raw))]

    def _row_of(self, element: Element) -> Row:
        raw = self._raw.decode(self._encoding, "replace")
        names = list(dict.fromkeys(part.name for part in element.parts))
        if element.text.strip():
            names.append(OWN_TEXT)
        extra = next((name for name in names if name.lower() not in self._read), None)
        texts: list[str | None] = []
        held: list[str] = []
        missing = problem = None
        for one in self._wanted:
            found = _follow(element, one.steps)
            try:
                texts.append(_text_of(found or [], one))
            except MisfitError as error:  # the other columns stand: a key among them is known
                texts.append(None)
                problem = problem or str(error)
            if found is not None:
                held.append(one.name)
            elif not one.is_extra:
                missing = missing or one.name
        return Row(raw, tuple(names), tuple(texts), problem, extra, missing, tuple(held))

    def _refuse_entity(self, name: str, *_: Any) -> None:
        raise BrokenDocumentError(f"declares the entity {name}: entities of a document's own are refused")

    def _refuse_outside(self, *_: Any) -> int:
        raise BrokenDocumentError("refers to something outside the document, which is refused")


def _element(name: str) -> Element:
    return Element(*_parts_of(name))


@lru_cache(maxsize=10_000)
def _parts_of(name: str) -> tuple[str, str, str]:
    namespace, _, local = name.rpartition(" ")
    return local, namespace, local.lower()


def _follow(element: Element, steps: Sequence[Step]) -> list[Element] | None:
    """Return what a path leads to, None when it breaks off; inside a nil element nothing is missing."""
    here = [element]
    for number, step in enumerate(steps):
        parts = [part for one in here for part in one.named(step)]
        if not parts:
            return [] if number and all(one.is_nil for one in here) else None
        here = parts
    return here


def _text_of(found: Sequence[Element], one: Wanted) -> str | None:
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
