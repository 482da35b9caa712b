"""Spark's column types: read as a contract writes them, named as Spark names them, and how one may widen."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate

ALIASES = {
    "byte": "tinyint",
    "short": "smallint",
    "integer": "int",
    "long": "bigint",
    "real": "float",
    "dec": "decimal",
    "numeric": "decimal",
    "timestamp_ltz": "timestamp",
}
ATOMIC = (
    "boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "string", "binary", "date", "timestamp",
    "timestamp_ntz",
)  # fmt: skip
INTEGERS = ("tinyint", "smallint", "int", "bigint")
NUMBERS = (*INTEGERS, "float", "double", "decimal")
TIMES = ("timestamp", "timestamp_ntz")
ALLOWED = (
    "boolean, tinyint, smallint, int, bigint, float, double, decimal(p,s), string, binary, date, timestamp, "
    "timestamp_ntz, array<…>, map<…,…>, struct<name:…>"
)
MAX_PRECISION = 38
_DEEPEST = 200
_TOKEN = re.compile(r"\s*(`[^`]+`|\w+|[<>(),:])")


class TypeMistakeError(ValueError):
    """Text that names no Spark type."""


@dataclass(frozen=True)
class SparkType:
    """One type: `name` as Spark writes it; `inner` the types in it, `fields` a struct's names, `size` a decimal's."""

    name: str
    size: tuple[int, int] | None = None
    inner: tuple[SparkType, ...] = ()
    fields: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.size:
            return f"decimal({self.size[0]},{self.size[1]})"
        if self.name == "struct":
            return f"struct<{','.join(f'{n}:{t}' for n, t in zip(self.fields, self.inner, strict=True))}>"
        return f"{self.name}<{','.join(map(str, self.inner))}>" if self.inner else self.name

    @property
    def has_map(self) -> bool:
        """Tell whether a map stands in it: Spark can neither compare nor group maps."""
        return self.name == "map" or any(kind.has_map for kind in self.inner)


Columns = Mapping[str, SparkType | None]
"""Columns with their types; None: nobody can tell it."""


def may_become(have: SparkType, want: SparkType) -> bool:
    """Tell whether jobs turn values of one type into the other; what a nested type holds is not looked at.

    Text may become anything; what a job makes of it shows with each value.
    """
    both = {have.name, want.name}
    is_alike = len(both) == 1 or any(both <= {*family} for family in (NUMBERS, (*TIMES, "date")))
    return is_alike or have.name == "string" or bool(have.inner) or (have.name, want.name) == ("binary", "string")


def parse_type(text: str) -> SparkType:
    """Return the type that a text such as `decimal(12, 2)` or `array<struct<a: int>>` names; else TypeMistakeError."""
    tokens = list(_tokens(text))
    if max(accumulate((token == "<") - (token == ">") for token in tokens), default=0) > _DEEPEST:
        raise TypeMistakeError(f"it is nested more than {_DEEPEST} deep")
    kind, rest = _parse(tokens)
    if rest:
        raise TypeMistakeError(f"{rest[0]!r} stands where the type should end")
    return kind


def _tokens(text: str) -> Iterator[str]:
    place = 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None:
            raise TypeMistakeError(f"{text[place:].strip()[0]!r} belongs to no type")
        place = match.end()
        yield match[1]


def _parse(tokens: list[str]) -> tuple[SparkType, list[str]]:
    if not tokens:
        raise TypeMistakeError("a type is missing")
    name, rest = ALIASES.get(tokens[0].lower(), tokens[0].lower()), tokens[1:]
    if name == "decimal":
        return _decimal(rest)
    if name in ("array", "map"):
        return _container(name, 1 if name == "array" else 2, rest)
    if name == "struct":
        return _struct(rest)
    if name not in ATOMIC:
        raise TypeMistakeError(f"{tokens[0]!r} is no Spark type")
    return SparkType(name), rest


def _decimal(tokens: list[str]) -> tuple[SparkType, list[str]]:
    if tokens[:1] != ["("]:
        return SparkType("decimal", (10, 0)), tokens
    end = tokens.index(")") if ")" in tokens else 0
    numbers = tokens[1:end:2]
    if end not in (2, 4) or tokens[2:end:2] != [","] * (len(numbers) - 1) or not all(n.isdecimal() for n in numbers):
        raise TypeMistakeError("decimal takes precision and scale, such as decimal(12,2)")
    precision, scale = int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0
    if not 1 <= precision <= MAX_PRECISION or scale > precision:
        raise TypeMistakeError(f"decimal holds 1 to {MAX_PRECISION} digits, of which the scale is a part")
    return SparkType("decimal", (precision, scale)), tokens[end + 1 :]


def _container(name: str, count: int, tokens: list[str]) -> tuple[SparkType, list[str]]:
    inner: list[SparkType] = []
    rest = _expect("<", tokens, name)
    for number in range(count):
        kind, rest = _parse(rest if number == 0 else _expect(",", rest, name))
        inner.append(kind)
    return SparkType(name, inner=tuple(inner)), _expect(">", rest, name)


def _struct(tokens: list[str]) -> tuple[SparkType, list[str]]:
    names: list[str] = []
    inner: list[SparkType] = []
    rest = _expect("<", tokens, "struct")
    while True:
        if not rest or not re.fullmatch(r"`[^`]+`|\w+", rest[0]):
            raise TypeMistakeError("struct holds names and types, such as struct<name:string>")
        names.append(rest[0].strip("`"))
        kind, rest = _parse(rest[2:] if rest[1:2] == [":"] else rest[1:])
        inner.append(kind)
        if rest[:1] != [","]:
            break
        rest = rest[1:]
    if len({name.lower() for name in names}) < len(names):
        raise TypeMistakeError("a name stands twice in the struct")
    return SparkType("struct", inner=tuple(inner), fields=tuple(names)), _expect(">", rest, "struct")


def _expect(token: str, tokens: list[str], name: str) -> list[str]:
    if tokens[:1] != [token]:
        raise TypeMistakeError(f"{name} lacks its {token!r}")
    return tokens[1:]
