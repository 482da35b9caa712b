"""Cut a JSON document into its records while it passes. Standard library only: it runs in Spark's Python workers.

Only brackets and strings are looked at; whether a record is sound JSON is for its reader to say.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator

LONGEST_RECORD = 32 * 1024 * 1024
DEEPEST = 100  # arrays inside each other on the way to the records: Python's stack has an end
_PAIRS = {"{": "}", "[": "]"}
# Up to the next bracket, strings whole; a string that is not there to its end stops it at its opening quote.
_RUN = re.compile(r'[^"{}\[\]]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"{}\[\]]*+)*+', re.DOTALL)
_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_SCALAR = re.compile(r'[^\s,:"{}\[\]]++')
_SPACE = re.compile(r"[ \t\r\n]*+")
_NO_TEXT = "\udcff"


class BrokenDocumentError(Exception):
    """A document whose structure ends or goes wrong: what lies behind cannot be told apart."""


def records_of(chunks: Iterator[bytes], path: tuple[str, ...]) -> Iterator[str]:
    """Yield the text of each record: the elements of the array at `path`, or of the values at the top.

    Bytes that are no UTF-8 are U+DCFF in the text.
    """
    document = _Document(chunks)
    if not document.peek():
        raise BrokenDocumentError("holds no value")
    found = 0
    while document.peek():
        for record in document.values(path):
            found += 1
            if record is not None:
                yield record
    if path and not found:
        raise BrokenDocumentError(f"has no array at {'.'.join(path)}")


class _Document:
    """A text that is read forward; what is behind the place is forgotten."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._decoder = codecs.getincrementaldecoder("utf-8")("landfall-document")
        self._text = ""
        self._place = self._gone = 0
        self._fill()
        self._text = self._text.removeprefix("\ufeff")

    def values(self, path: tuple[str, ...], depth: int = 0) -> Iterator[str | None]:
        """Yield the records in the value that begins here; one None tells that the path led to an array.

        `depth` counts the arrays around it that the path does not name.
        """
        opening = self.peek()
        if not path:
            if opening != "[":
                yield self._take(keep=True)
                return
            yield None
            for _ in self._elements():
                yield self._take(keep=True)
        elif opening == "[":
            if depth == DEEPEST:
                raise self._broken(f"holds more than {DEEPEST} arrays inside each other around its records")
            for _ in self._elements():
                yield from self.values(path, depth + 1)
        elif opening == "{":
            for name in self._members():
                if name == path[0]:
                    yield from self._at(path[1:])
                else:
                    self._take(keep=False)
        else:
            self._take(keep=False)

    def _at(self, path: tuple[str, ...]) -> Iterator[str | None]:
        if path or self.peek() in "[{":
            yield from self.values(path)
            return
        if self._take(keep=True) != "null":
            raise self._broken("holds something else than an array at its path")
        yield None

    def peek(self) -> str:
        """Skip white space; return the next character, '' at the end."""
        while True:
            self._place = _SPACE.match(self._text, self._place).end()  # type: ignore[union-attr]
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._fill():
                return ""

    def _elements(self) -> Iterator[None]:
        yield from self._parts("[")

    def _members(self) -> Iterator[str]:
        for _ in self._parts("{"):
            name = self._take(keep=True)
            if not name.startswith('"') or self.peek() != ":":
                raise self._broken("lacks a name or a colon")
            self._place += 1
            self.peek()
            try:
                yield json.loads(name)
            except ValueError as error:
                raise self._broken("holds a name that is no string") from error

    def _parts(self, opening: str) -> Iterator[None]:
        """Yield at the beginning of each element or member, and pass the closing bracket."""
        self._place += 1
        if self.peek() == _PAIRS[opening]:
            self._place += 1
            return
        while True:
            yield None
            mark = self.peek()
            if mark not in (",", _PAIRS[opening]):
                closing = _PAIRS[opening]
                raise self._broken(f"lacks a comma or {closing}" if mark else f"ends before its {closing}")
            self._place += 1
            if mark != ",":
                return
            self.peek()

    def _take(self, keep: bool) -> str:
        """Pass the value that begins here and return its text, or '' where it is not kept."""
        opening = self.peek()
        start = self._gone + self._place
        if opening in ("{", "["):
            self._pass_brackets(start if keep else None)
        elif opening:
            self._pass_scalar(_STRING if opening == '"' else _SCALAR)
        else:
            raise self._broken("ends where a value should begin")
        return self._text[start - self._gone : self._place] if keep else ""

    def _pass_scalar(self, pattern: re.Pattern[str]) -> None:
        while True:
            match = pattern.match(self._text, self._place)
            if match and (match.end() < len(self._text) or not self._fill()):
                self._place = match.end()
                return
            if match is None and (pattern is _SCALAR or not self._fill()):
                raise self._broken("holds something that is no value, or a string without an end")

    def _pass_brackets(self, kept_from: int | None) -> None:
        closing: list[str] = []
        while True:
            place = _RUN.match(self._text, self._place).end()  # type: ignore[union-attr]
            self._place = place
            if place == len(self._text) or self._text[place] == '"':
                if not self._fill(kept_from):
                    raise self._broken("ends inside a record")
                continue
            mark = self._text[place]
            self._place += 1
            if mark in _PAIRS:
                closing.append(_PAIRS[mark])
            elif mark != closing.pop():
                raise self._broken(f"has {mark} where another bracket should close")
            if not closing:
                return

    def _fill(self, kept_from: int | None = None) -> bool:
        """Read on, twice as much as is held; forget what lies before the place, or before `kept_from`."""
        keep = self._place if kept_from is None else kept_from - self._gone
        self._text, self._place, self._gone = self._text[keep:], self._place - keep, self._gone + keep
        if len(self._text) > LONGEST_RECORD:
            raise self._broken(f"holds a record of more than {LONGEST_RECORD // 1024 // 1024} MiB")
        pieces, wanted = [self._text], max(len(self._text), 1)
        while wanted > 0 and (chunk := next(self._chunks, None)) is not None:
            pieces.append(self._decoder.decode(chunk))
            wanted -= len(pieces[-1])
        if wanted > 0:
            pieces.append(self._decoder.decode(b"", True))
        grown = "".join(pieces)
        has_grown = len(grown) > len(self._text)
        self._text = grown
        return has_grown

    def _broken(self, reason: str) -> BrokenDocumentError:
        return BrokenDocumentError(f"{reason} (character {self._gone + self._place + 1})")


def _no_text(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return _NO_TEXT, error.end


codecs.register_error("landfall-document", _no_text)
