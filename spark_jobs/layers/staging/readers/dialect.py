"""A CSV dialect as regular expressions, for Java (the records) and for Python (the header).

Inside quotes a doubled quote is a quote. With an `escape` of its own, that character takes the meaning from the next
one, inside quotes and outside. A quote in the middle of an unquoted field is an ordinary character.
Loops around groups are possessive: Java then neither backtracks into them nor recurses, however long a field is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

NO_QUOTE = "none"


@dataclass(frozen=True)
class Dialect:
    """Delimiter, quote ('' for none) and escape ('' where the quote is doubled)."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""

    @property
    def token(self) -> str:
        """One field behind its delimiter, as Java's find() goes on from field to field; group 1 is the field."""
        return rf"\G{_java(self.delimiter)}({self._field(_java)})(?={_java(self.delimiter)}|\z)"

    @property
    def record(self) -> str:
        """Matches a record that is divided to its end."""
        field = f"(?:{self._field(_java)})"
        return rf"\A{field}(?:{_java(self.delimiter)}{field})*+\z"

    @property
    def opens(self) -> str:
        """Matches a line that begins outside quotes and ends inside."""
        return rf"\A{self._fields(_java)}{self._open(_java)}\z"

    @property
    def stays(self) -> str:
        """Matches a line that begins inside quotes and ends inside."""
        q, d = _java(self.quote), _java(self.delimiter)
        return rf"\A{self._inner(_java)}(?:\z|{q}{self._rest(_java)}{d}{self._fields(_java)}{self._open(_java)}\z)"

    @property
    def escapes_the_break(self) -> str:
        """Matches a line whose break is escaped."""
        e = _java(self.escape)
        return rf"(?:\A|[^{e}])(?:{e}{e})*+{e}\z"

    @property
    def escapes_the_return(self) -> str:
        """Matches a line whose text ends in an escaped carriage return."""
        e = _java(self.escape)
        return rf"(?:\A|[^{e}])(?:{e}{e})*+{e}\r+\z"

    def escaped(self, quoted: bool) -> str:
        """Matches what stands for another character, inside quotes or outside: group 1 or 2 is that character."""
        q = _java(self.quote) if self.quote and quoted else r"(?!)"
        return rf"{_java(self.escape)}([\s\S])|{q}({q})"

    @property
    def split(self) -> str:
        """The delimiter, in the form that Java splits by without a regular expression, if it has one."""
        if len(self.delimiter) == 1:
            return (
                rf"\{self.delimiter}" if not self.delimiter.isalnum() and self.delimiter.isascii() else self.delimiter
            )
        return "".join(map(_java, self.delimiter))

    def fields(self, text: str) -> tuple[list[str], str]:
        """Return the fields of the record that a text begins with, and the text behind the record."""
        q = re.escape(self.quote)
        quoted = rf"{q}{self._inner(_python)}{q}" if self.quote else r"(?!)"
        place = 0
        fields: list[str] = []
        field = re.compile(rf"({quoted})|({self._plain(_python, breaks=False)})")
        behind = re.compile(rf"({re.escape(self.delimiter)})|\r*\n|\r|\Z")
        while True:
            match = field.match(text, place)
            end = behind.match(text, match.end()) if match else None
            if match is None or end is None:
                raise ValueError(
                    f"text behind a closing quote, or a quote that is not closed, in field {len(fields) + 1}"
                )
            fields.append(self._meant(match[1][1:-1] if match[1] is not None else match[2], match[1] is not None))
            place = end.end()
            if not end[1]:
                return fields, text[place:]

    def _meant(self, text: str, quoted: bool) -> str:
        if self.escape:
            doubled = re.escape(self.quote) if quoted else r"(?!)"
            return re.sub(rf"(?:{re.escape(self.escape)}|{doubled}(?={doubled}))([\s\S])", r"\1", text)
        return text.replace(self.quote * 2, self.quote) if quoted else text

    def _field(self, one: _Quote) -> str:
        if not self.quote:
            return self._plain(one)
        return f"{one(self.quote)}{self._inner(one)}{one(self.quote)}|{self._plain(one)}"

    def _inner(self, one: _Quote) -> str:
        """What stands between quotes."""
        q, e = one(self.quote), one(self.escape) if self.escape else ""
        mark = rf"(?:{q}{q}|{e}[\s\S])" if e else f"{q}{q}"
        return f"[^{q}{e}]*(?:{mark}[^{q}{e}]*)*+"

    def _plain(self, one: _Quote, breaks: bool = True) -> str:
        """An unquoted field."""
        return (f"(?!{one(self.quote)})" if self.quote else "") + self._rest(one, breaks)

    def _rest(self, one: _Quote, breaks: bool = True) -> str:
        """Whatever comes before the next delimiter."""
        d, e, stop = one(self.delimiter), one(self.escape) if self.escape else "", "" if breaks else r"\r\n"
        if len(self.delimiter) > 1:
            other = f"[^{e}{stop}]" if e or stop else r"[\s\S]"
            return rf"(?:(?!{d}){other}|{e}[\s\S]?)*+" if e else f"(?:(?!{d}){other})*+"
        return rf"[^{d}{e}{stop}]*(?:{e}[\s\S]?[^{d}{e}{stop}]*)*+" if e else f"[^{d}{stop}]*"

    def _fields(self, one: _Quote) -> str:
        q, d = one(self.quote), one(self.delimiter)
        closed = f"{q}{self._inner(one)}{q}{self._rest(one)}"
        return f"(?:(?:{closed}|{self._plain(one)}){d})*+"

    def _open(self, one: _Quote) -> str:
        return f"{one(self.quote)}{self._inner(one)}"


_Quote = Callable[[str], str]


def _java(text: str) -> str:
    return "".join(rf"\x{{{ord(one):x}}}" for one in text)


def _python(text: str) -> str:
    return re.escape(text)


def dialect_of(options: Mapping[str, Any]) -> Dialect:
    """Return the dialect that a contract's options describe."""
    quote = options.get("quote", '"')
    quote = "" if quote == NO_QUOTE else quote
    escape = options.get("escape", quote)
    return Dialect(options.get("delimiter", ","), quote, "" if escape == quote else escape)
