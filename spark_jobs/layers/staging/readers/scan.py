"""What is found out about a text while it passes: cheap looks at bytes, for text of any size."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass

from spark_jobs.layers.staging.readers.dialect import Dialect
from spark_jobs.layers.staging.readers.plain import UTF8, UnreadableError

HEAD_BYTES = 65_536
# A record is held whole by a task, several times over.
LONGEST_LINE = 32 * 1024 * 1024
_FIRST_BREAK = re.compile(r"\r*\n|\r")


@dataclass(frozen=True)
class Content:
    """What a text holds.

    `head` is its beginning without a byte order mark; `is_text` tells that every byte is valid UTF-8; `line_end` ends
    its lines; `spans` tells that records may go on over several lines; `lines_before` counts the line ends before
    each multiple of `split_bytes`, the places where Spark splits a file.
    """

    head: str = ""
    size: int = 0
    is_text: bool = True
    line_end: str = "\n"
    spans: bool = False
    split_bytes: int = 0
    lines_before: tuple[int, ...] = ()


class Scan:
    """Looks at the pieces of one text; a `dialect` is given for CSV whose records may hold line breaks."""

    def __init__(self, dialect: Dialect | None, split_bytes: int) -> None:
        self._dialect = dialect
        self._split_bytes = split_bytes
        self._decoder = codecs.getincrementaldecoder(UTF8)("strict")
        self._parity: _Parity | None = None
        self._head = b""
        self._text = ""
        self._end = ""
        self._size = self._line_length = self._breaks = 0
        self._is_text = True
        self._before: list[int] = []

    def through(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the pieces unchanged."""
        held: list[bytes] = []
        for chunk in chunks:
            yield chunk
            if self._end:
                self._look(chunk)
                continue
            held.append(chunk)
            self._head += chunk
            if len(self._head) >= HEAD_BYTES:
                self._begin(held)
        if not self._end:
            self._begin(held)

    def content(self) -> Content:
        """Return what was found, once all has passed."""
        if self._decoder.getstate()[0]:
            self._is_text = False
        spans = self._parity is not None and self._parity.spans()
        before = tuple(self._before) if self._size > self._split_bytes else ()
        return Content(self._text, self._size, self._is_text, self._end, spans, self._split_bytes, before)

    def _begin(self, held: list[bytes]) -> None:
        self._text = self._head[:HEAD_BYTES].decode(UTF8, "replace").removeprefix("\ufeff")
        self._end = first_line_end(self._text, self._dialect)
        if self._dialect:
            self._parity = _Parity(self._dialect, self._end)
        for chunk in held:
            self._look(chunk)
        self._head = b""

    def _look(self, chunk: bytes) -> None:
        if self._is_text and not (chunk.isascii() and not self._decoder.getstate()[0]):
            try:
                self._decoder.decode(chunk)
            except UnicodeDecodeError:
                self._is_text = False
                self._decoder.reset()
        if self._parity:
            self._parity.look(chunk)
        self._measure(chunk, self._end.encode())

    def _measure(self, chunk: bytes, end: bytes) -> None:
        first, last = chunk.find(end), chunk.rfind(end)
        self._line_length = self._line_length + len(chunk) if first < 0 else len(chunk) - last - 1
        if self._line_length > LONGEST_LINE:
            raise UnreadableError(f"holds a line of more than {LONGEST_LINE // 1024 // 1024} MiB")
        begin = 0
        while (boundary := self._split_bytes * (len(self._before) + 1) - self._size) < len(chunk):
            self._breaks += chunk.count(end, begin, boundary)
            self._before.append(self._breaks)
            begin = boundary
        self._breaks += chunk.count(end, begin)
        self._size += len(chunk)


class _Parity:
    """Tells whether a line holds an odd number of quotes, or escapes its break: then records may span lines."""

    def __init__(self, dialect: Dialect, end: str) -> None:
        self._quote, self._escape, self._end = (text.encode() for text in (dialect.quote, dialect.escape, end))
        self._others = bytes(byte for byte in range(256) if byte not in (*self._quote, *self._end))
        self._found = len(self._quote) > 1  # of several bytes: not looked for, taken for granted
        self._is_odd = False
        self._left = b""

    def spans(self) -> bool:
        """Tell it of all that was looked at; a quote that is open at the end counts."""
        self._count(self._left)
        return self._found or self._is_odd

    def look(self, chunk: bytes) -> None:
        if self._found:
            return
        if self._escape:
            chunk = self._left + chunk
            whole = chunk.rfind(self._end) + 1
            chunk, self._left = chunk[:whole], chunk[whole:]
        self._count(chunk)

    def _count(self, chunk: bytes) -> None:
        if self._escape:
            chunk = chunk.replace(self._escape * 2, b"")
            self._found = self._found or self._escape + self._end in chunk
            chunk = chunk.replace(self._escape + self._quote, b"") if self._quote else chunk
        if self._quote and (self._is_odd or self._quote in chunk):
            marks = self._quote * self._is_odd + chunk.translate(None, self._others)
            marks = marks.replace(self._quote * 2, b"")
            self._found = self._found or self._quote + self._end in marks
            self._is_odd = marks.endswith(self._quote)


def first_line_end(head: str, dialect: Dialect | None) -> str:
    """Return what ends the lines, by the first break outside quotes: a line feed, or a carriage return alone.

    Before a line feed stand any number of returns: Windows makes two of one when CRLF is written as text.
    """
    try:
        behind = dialect.fields(head)[1] if dialect else head
    except ValueError:
        behind = head
    record = head.removesuffix(behind) if behind != head else ""
    if record:
        return "\r" if record.endswith("\r") else "\n"
    match = _FIRST_BREAK.search(head)
    return "\r" if match and match[0] == "\r" else "\n"
