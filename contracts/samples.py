"""Records of a sample file, for a first contract: its format, the options to read it with, its columns' values."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

MOST_RECORDS = 100_000
DELIMITERS = ",;\t|"
SUFFIXES = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".xml": "xml",
    ".parquet": "parquet",
}
_PACKED = {".gz": "gzip", ".bz2": "bzip2"}
_YEAR = re.compile(r"(19|20)\d\d")
Record = Mapping[str, Any]
Way = tuple[str, ...]


class SampleError(ValueError):
    """A file from which no contract can be drawn."""


@dataclass(frozen=True)
class Sample:
    """What a file holds: records by path in the file, and its columns in their order.

    `quotes_nothing`: an empty value may be quoted, which makes it a text. `is_unnamed`: a column has no name, and is
    none of `columns`; nor are those `left_out`, which no job can read.
    """

    format: str
    columns: tuple[str, ...]
    records: tuple[Record, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    quotes_nothing: bool = False
    is_unnamed: bool = False
    left_out: tuple[str, ...] = ()

    @property
    def has_gaps(self) -> bool:
        """Tell whether some records lack a column, as objects and elements may."""
        may_lack = self.format in ("json", "jsonl", "xml")
        return may_lack and any(name not in record for record in self.records for name in self.columns)


def read_sample(path: Path, read_parquet: Callable[[Path, int], Sample]) -> Sample:
    """Read at most MOST_RECORDS records; `read_parquet` reads the one format that needs more than Python."""
    suffixes = [suffix for suffix in path.suffixes if suffix not in _PACKED]
    kind = SUFFIXES.get(suffixes[-1].lower() if suffixes else "")
    body = _unpacked(path)
    if not body:
        raise SampleError(f"{path}: is empty")
    if body[:4] == b"PAR1" or kind == "parquet":
        return read_parquet(path, MOST_RECORDS)
    text, encoding = _decoded(body)
    kind = kind or _guessed(text)
    if not text.strip():
        raise SampleError(f"{path}: is empty")
    readers = {"csv": _csv, "jsonl": _jsonl, "json": _json, "xml": _xml}
    try:
        sample = readers[kind](text)
    except (ValueError, ElementTree.ParseError, csv.Error) as error:
        raise SampleError(f"{path}: cannot be read as {kind}: {error}") from error
    if not sample.records:
        raise SampleError(f"{path}: holds no record")
    options = {**sample.options, **({"encoding": encoding} if encoding != "utf-8" and kind == "csv" else {})}
    return replace(sample, options=options)


def _unpacked(path: Path) -> bytes:
    body = path.read_bytes()
    try:
        if body.startswith(b"\x1f\x8b"):
            return gzip.decompress(body)
        return bz2.decompress(body) if body.startswith(b"BZh") else body
    except (EOFError, OSError, ValueError, zlib.error) as error:
        raise SampleError(f"{path}: cannot be unpacked to its end: {error}") from error


def _decoded(body: bytes) -> tuple[str, str]:
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return body.decode("utf-16"), "utf-16"
    try:
        return body.decode("utf-8-sig"), "utf-8"
    except UnicodeDecodeError:
        return body.decode("cp1252", errors="replace"), "cp1252"


def _guessed(text: str) -> str:
    start = text.lstrip()[:1]
    if start == "<":
        return "xml"
    if start == "[":
        return "json"
    return "jsonl" if start == "{" else "csv"


def _csv(text: str) -> Sample:
    first = next(iter(text.splitlines()))
    delimiter = max(DELIMITERS, key=first.count)
    rows = (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True) if row)
    head = next(rows)
    options: dict[str, Any] = {} if delimiter == "," else {"delimiter": delimiter}
    body = list(islice(rows, MOST_RECORDS))
    if _is_header(head, body):
        names = tuple(name.strip() for name in head)
    else:
        options["header"] = False
        names, body = tuple(f"c{number}" for number in range(1, len(head) + 1)), [head, *body]
    records = [dict(zip(names, (value or None for value in row), strict=False)) for row in body]
    quoted = re.search(rf'(^|{re.escape(delimiter)})""({re.escape(delimiter)}|\r?$)', text, re.MULTILINE)
    named = tuple(name for name in names if name)
    is_unnamed = len(named) < len(names)
    return Sample("csv", named, tuple(records), options, quotes_nothing=quoted is not None, is_unnamed=is_unnamed)


def _is_header(row: list[str], body: list[list[str]]) -> bool:
    """Tell whether a first row names columns: names differ, and are no numbers but years above what is none.

    The first may be empty, as pandas leaves an index's, and the last, as a delimiter at the end does.
    """
    names = [name.strip() for name in row]
    filled = [name for name in names if name]
    if not filled or not all(names[1:-1]) or len(set(filled)) < len(filled) or all(map(_is_number, filled)):
        return False
    below = [[cells[place] for cells in body if place < len(cells)] for place in range(len(names))]
    return not any(
        _is_number(name) and not (_YEAR.fullmatch(name) and values and not any(map(_YEAR.fullmatch, values)))
        for name, values in zip(names, below, strict=True)
    )


def _is_number(text: str) -> bool:
    return text.lstrip("+-").replace(".", "", 1).isdigit()


def _jsonl(text: str) -> Sample:
    lines = (line for line in text.split("\n") if line.strip())
    return _objects("jsonl", (_loads(line) for line in islice(lines, MOST_RECORDS)), {})


def _json(text: str) -> Sample:
    try:
        document = _loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data":  # one document after another: lines, whatever the file's name says
            return _jsonl(text)
        raise
    path, items = _longest_array(document, ())
    return _objects("json", islice(items, MOST_RECORDS), {"row_path": ".".join(path)} if path else {})


def _loads(text: str) -> Any:
    return json.loads(text, parse_float=Decimal)


def _longest_array(value: Any, path: tuple[str, ...]) -> tuple[tuple[str, ...], list[Any]]:
    """Return the longest array of objects in a document, and the way to it."""
    if isinstance(value, list):
        return path, value
    inner = value.items() if isinstance(value, dict) else ()
    found = [_longest_array(one, (*path, name)) for name, one in inner if isinstance(one, dict | list)]
    objects = [(way, items) for way, items in found if any(isinstance(item, dict) for item in items)]
    return max(objects, key=lambda pair: len(pair[1]), default=(path, [value] if isinstance(value, dict) else []))


def _objects(kind: str, values: Iterable[Any], options: Mapping[str, Any]) -> Sample:
    records = []
    for number, value in enumerate(values, 1):
        if not isinstance(value, dict):
            raise ValueError(f"record {number} is no object")
        records.append(dict(_flat(value, ())))
    return Sample(kind, _columns_in(records), tuple(records), options)


def _flat(value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield the fields of an object by path; arrays and empty objects stay whole."""
    for name, inner in value.items():
        way = (*path, f"`{name}`" if "." in name or "`" in name else name)
        if isinstance(inner, dict) and inner:
            yield from _flat(inner, way)
        else:
            yield ".".join(way), inner


def _columns_in(records: Sequence[Record]) -> tuple[str, ...]:
    """Return the columns in the order in which they are met, without objects of which some are NULL."""
    names = dict.fromkeys(name for record in records for name in record)
    empty = {name for name in names if all(record.get(name) is None for record in records)}
    return tuple(n for n in names if not (n in empty and any(other.startswith(f"{n}.") for other in names)))


def _xml(text: str) -> Sample:
    root = ElementTree.fromstring(text)
    tag = _row_tag(root)
    rows = list(islice(root.iter(tag), MOST_RECORDS))
    repeated = {way for row in rows for way in _repeated(row, ())}
    records = [dict(_element(row, (), repeated)) for row in rows]
    return Sample("xml", _columns_in(records), tuple(records), {"row_tag": _local(tag)})


def _row_tag(root: ElementTree.Element) -> str:
    """Return the tag of the outermost elements that repeat."""
    level = [root]
    while level:
        tag, times = Counter(element.tag for element in level).most_common(1)[0]
        if times > 1:
            return tag
        level = [child for element in level for child in element]
    return root[0].tag if len(root) else root.tag


def _repeated(element: ElementTree.Element, path: Way) -> Iterator[Way]:
    """Yield the ways to children that stand more than once."""
    for name, children in _children(element).items():
        if len(children) > 1:
            yield (*path, name)
        for child in children:
            yield from _repeated(child, (*path, name))


def _children(element: ElementTree.Element) -> dict[str, list[ElementTree.Element]]:
    found: dict[str, list[ElementTree.Element]] = {}
    for child in element:
        found.setdefault(_local(child.tag), []).append(child)
    return found


def _element(element: ElementTree.Element, path: Way, repeated: Container[Way]) -> Iterator[tuple[str, Any]]:
    """Yield attributes (@name), children and a row's own text (#text) by path; of children that repeat a list."""
    yield from _attributes(element, path)
    for name, children in _children(element).items():
        way = (*path, name)
        if way in repeated:
            yield ".".join(way), [_whole(child, way, repeated) for child in children]
        elif len(children[0]):
            yield from _element(children[0], way, repeated)
        else:
            yield ".".join(way), children[0].text or ""
            yield from _attributes(children[0], way)
    if not path and element.text and element.text.strip() and not len(element):
        yield "#text", element.text


def _whole(element: ElementTree.Element, path: Way, repeated: Container[Way]) -> Any:
    """Return an element as a struct takes it: its text, or an object of its attributes and children."""
    if not len(element):
        return element.text or ""
    found: dict[str, Any] = {_local(name): value for name, value in element.attrib.items()}
    for name, children in _children(element).items():
        inner = [_whole(child, (*path, name), repeated) for child in children]
        found[name] = inner if (*path, name) in repeated else inner[0]
    return found


def _attributes(element: ElementTree.Element, path: Way) -> Iterator[tuple[str, Any]]:
    for name, value in element.attrib.items():
        yield ".".join((*path, f"@{_local(name)}")), value


def _local(name: str) -> str:
    return name.rpartition("}")[2]
