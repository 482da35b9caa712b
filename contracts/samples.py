"""Records of a sample file, for a first contract: its format, the options to read it with, its columns' values."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
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
Record = Mapping[str, Any]


class SampleError(ValueError):
    """A file from which no contract can be drawn."""


@dataclass(frozen=True)
class Sample:
    """What a file holds: records by path in the file, and its columns in their order.

    `quotes_nothing`: an empty value may be quoted, which makes it a text.
    """

    format: str
    columns: tuple[str, ...]
    records: tuple[Record, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    types: Mapping[str, str] = field(default_factory=dict)
    quotes_nothing: bool = False

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
    if body.startswith(b"\x1f\x8b"):
        return gzip.decompress(body)
    return bz2.decompress(body) if body.startswith(b"BZh") else body


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
    if _is_header(head):
        names = tuple(name.strip() for name in head)
    else:
        options["header"] = False
        names, body = tuple(f"c{number}" for number in range(1, len(head) + 1)), [head, *body]
    records = [dict(zip(names, (value or None for value in row), strict=False)) for row in body]
    quoted = re.search(rf'(^|{re.escape(delimiter)})""({re.escape(delimiter)}|\r?$)', text, re.MULTILINE)
    return Sample("csv", names, tuple(records), options, quotes_nothing=quoted is not None)


def _is_header(row: list[str]) -> bool:
    """Tell whether a first row names columns: names are there, differ, and are no numbers."""
    names = [name.strip() for name in row]
    return all(names) and len(set(names)) == len(names) and not any(_is_number(name) for name in names)


def _is_number(text: str) -> bool:
    return text.lstrip("+-").replace(".", "", 1).isdigit()


def _jsonl(text: str) -> Sample:
    lines = (line for line in text.split("\n") if line.strip())
    return _objects("jsonl", (_loads(line) for line in islice(lines, MOST_RECORDS)), {})


def _json(text: str) -> Sample:
    document = _loads(text)
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
    rows = islice(root.iter(tag), MOST_RECORDS)
    records = [dict(_element(row, ())) for row in rows]
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


def _element(element: ElementTree.Element, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield attributes (@name), children and a row's own text (#text) by path; of children that repeat a list."""
    yield from _attributes(element, path)
    times = Counter(child.tag for child in element)
    for child in element:
        way = (*path, _local(child.tag))
        if times[child.tag] > 1:
            yield ".".join(way), [one.text or "" for one in element if one.tag == child.tag]
        elif len(child):
            yield from _element(child, way)
        else:
            yield ".".join(way), child.text or ""
            yield from _attributes(child, way)
    if not path and element.text and element.text.strip() and not len(element):
        yield "#text", element.text


def _attributes(element: ElementTree.Element, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    for name, value in element.attrib.items():
        yield ".".join((*path, f"@{_local(name)}")), value


def _local(name: str) -> str:
    return name.rpartition("}")[2]
