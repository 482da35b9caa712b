"""Cut an XML document into its rows while it passes. Standard library only: it runs in Spark's Python workers.

Entities of a document's own and whatever lies outside it are refused: they can grow without bound, or read files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.parsers import expat

from spark_jobs.layers.staging.readers.xml_elements import (
    OWN_TEXT,
    Element,
    MisfitError,
    Step,
    Wanted,
    follow,
    text_of,
)

LONGEST_ROW = 32 * 1024 * 1024
LONGEST_TAG = 8 * 1024 * 1024  # or comment: expat looks at one from its beginning again whenever more of it comes
DEEPEST = 200  # elements inside each other, in a row or around it: Python's stack has an end, and so has memory
RAW_BYTES = 16_000
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_STEP_BYTES = 64 * 1024
_TAG = re.compile(rb"""<[^"'>]*+(?:(?:"[^"]*+"|'[^']*+')[^"'>]*+)*+>""")
_UNKNOWN_ENTITY = re.compile(rb"&(?!#|(?:amp|lt|gt|quot|apos);)")


class BrokenDocumentError(Exception):
    """A document that is not well-formed, or not allowed: what lies behind cannot be told apart."""


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
        self._elements = self._depth = self._found = 0
        self._has_text = False  # outside rows
        self._has_doctype = False
        self._raw = bytearray()
        self._before, self._piece, self._piece_at, self._row_at = b"", b"", 0, 0
        self._encoding = encoding or "utf-8"
        self._parser = expat.ParserCreate(encoding, " ")
        self._parser.buffer_text = True
        self._parser.XmlDeclHandler = self._declared
        self._parser.StartDoctypeDeclHandler = self._typed
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
        if self._piece_at + len(piece) - self._parser.CurrentByteIndex > LONGEST_TAG:
            raise BrokenDocumentError(f"holds a tag or a comment of more than {LONGEST_TAG // 1024 // 1024} MiB")
        if self._open:
            self._keep_raw(len(piece))
            if self._piece_at + len(piece) - self._row_at > LONGEST_ROW:
                raise BrokenDocumentError(f"holds a row of more than {LONGEST_ROW // 1024 // 1024} MiB")
        self._piece_at += len(piece)
        self._before = (self._before + piece)[-RAW_BYTES:]

    def close(self) -> None:
        self.feed(b"", is_last=True)
        if not self._found and (self._elements > 1 or self._has_text):
            raise BrokenDocumentError(f"holds no element {self._row.name}, which row_tag names")

    def taken(self) -> list[Row]:
        """Return the rows that are complete, once."""
        done, self._done = self._done, []
        return done

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        self._encoding = encoding or self._encoding

    def _typed(self, *_: Any) -> None:
        self._has_doctype = True

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        if self._has_doctype and attributes:
            self._refuse_skipped()
        element = _element(name)
        self._elements += 1  # one is the root alone
        self._depth += 1
        if not self._open:
            if self._depth > DEEPEST:
                raise BrokenDocumentError(f"holds more than {DEEPEST} elements inside each other around its rows")
            if element.name != self._row.name or self._row.namespace not in (None, element.namespace):
                return
            self._found += 1
            self._row_at = self._parser.CurrentByteIndex
            ahead = self._piece_at - self._row_at  # its tag may begin in the pieces before
            self._raw = bytearray(self._before[-ahead:] if ahead > 0 else b"")
        elif len(self._open) == DEEPEST:
            raise BrokenDocumentError(f"holds a row of more than {DEEPEST} elements inside each other")
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
        self._depth -= 1
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
            found = follow(element, one.steps)
            try:
                texts.append(text_of(found or [], one))
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

    def _refuse_skipped(self) -> None:
        """Refuse attributes with entities that nobody knows: under a DTD elsewhere expat leaves them out, untold."""
        written = self._parser.GetInputContext() or b""
        tag = _TAG.match(written.replace(b"\0", b""))  # in UTF-16, zeros stand between letters
        if tag is None or _UNKNOWN_ENTITY.search(tag[0]):
            self._refuse_outside()

    def _refuse_outside(self, *_: Any) -> int:
        raise BrokenDocumentError("refers to something outside the document, which is refused")


def _element(name: str) -> Element:
    return Element(*_parts_of(name))


@lru_cache(maxsize=10_000)
def _parts_of(name: str) -> tuple[str, str, str]:
    namespace, _, local = name.rpartition(" ")
    return local, namespace, local.lower()
