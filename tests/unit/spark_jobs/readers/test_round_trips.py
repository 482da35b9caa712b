"""What Python's csv, json and xml writers write, in any legal dialect, is staged to the same values."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from contracts.model import Column
from tests.unit.spark_jobs.readers.conftest import Read, table

QUICK = settings(  # without shrinking, which takes a Spark job for each try
    max_examples=2, deadline=None, database=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate]
)
THOROUGH = settings(QUICK, max_examples=150)
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32")


@st.composite
def csv_files(draw: st.DrawFn) -> tuple[dict[str, Any], list[tuple[bytes, list[tuple[str | None, ...]]]]]:
    """Return the contract's options and some files in one dialect, each with the rows that it stands for."""
    delimiter, quote, escape = draw(st.permutations(",;\t|: ^§\"'`\\/!%"))[:3]
    quoting = draw(st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL, csv.QUOTE_NONNUMERIC, csv.QUOTE_NONE]))
    doubles = draw(st.booleans())
    has_escape = quoting == csv.QUOTE_NONE or not doubles or draw(st.booleans())
    end = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    encoding = draw(st.sampled_from(ENCODINGS))
    options = {"delimiter": delimiter, "quote": "none" if quoting == csv.QUOTE_NONE else quote, "encoding": encoding}
    if has_escape:
        options["escape"] = escape
    width = draw(st.integers(1, 3))
    # In an unquoted field Python's writer lets breaks stand that do not end its lines, and reads them as ends.
    breaks = "\r\n" if quoting in (csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC) else end
    plain = st.characters(exclude_categories=("Cs",), exclude_characters="\r\n")
    letters = st.one_of(st.sampled_from(delimiter + quote + escape + breaks + ' "a0\x00'), plain)
    values = st.one_of(st.none(), st.text(letters, max_size=6))
    files = draw(st.lists(st.lists(st.tuples(*[values] * width), max_size=5), min_size=1, max_size=8))

    def written(rows: list[tuple[str | None, ...]]) -> bytes:
        out = io.StringIO(newline="")
        writer = csv.writer(
            out, delimiter=delimiter, quotechar=quote, escapechar=escape if has_escape else None, quoting=quoting,
            doublequote=doubles, lineterminator=end,
        )  # fmt: skip
        writer.writerow([f"c{i}" for i in range(width)])
        writer.writerows(rows)
        return out.getvalue().encode(encoding)

    is_quoted = quoting in (csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC) or width == 1
    empty = "" if is_quoted else None
    if quoting == csv.QUOTE_NONE and width == 1:  # a record without a character cannot be written
        files = [[row for row in rows if row[0]] for rows in files]
    return options, [(written(rows), [tuple(value or empty for value in row) for row in rows]) for rows in files]


def _csv_law(files, drawn) -> None:
    options, written = drawn
    width = max((len(row) for _, rows in written for row in rows), default=1)
    declared = table(*(f"c{i} string" for i in range(width)), options=options, extra_columns="ignore")
    assert files.read_all(declared, [body for body, _ in written]) == [Read(rows) for _, rows in written]


@QUICK
@given(csv_files())
def test_what_csv_writes(files, drawn):
    _csv_law(files, drawn)


@pytest.mark.long
@pytest.mark.usefixtures("generated_code")
@pytest.mark.timeout(1800)
@THOROUGH
@given(csv_files())
def test_what_csv_writes_thoroughly(files, drawn):
    _csv_law(files, drawn)


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**27), max_value=10**27, places=10)
RECORDS = st.fixed_dictionaries(
    {
        "id": st.integers(-(2**63), 2**63 - 1),
        "price": st.none() | DECIMALS,
        "text": st.none() | TEXTS,
        "deep": st.none() | st.fixed_dictionaries({"er.": st.none() | TEXTS}),
        "list": st.none() | st.lists(st.none() | TEXTS, max_size=3),
        "counts": st.none() | st.dictionaries(TEXTS, st.none() | st.integers(-(2**31), 2**31 - 1), max_size=3),
        "pair": st.none() | st.fixed_dictionaries({"x": st.none() | DECIMALS, "y": st.none() | st.booleans()}),
        "ratio": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    }
)
JSON_COLUMNS = (
    "id bigint", "price decimal(38,10)", "text string", Column("deeper", "string", "deep.`er.`"), "list array<string>",
    "counts map<string,int>", "pair struct<x:decimal(38,10),y:boolean>", "ratio double",
)  # fmt: skip


def _dumped(value: Any, **how: Any) -> str:
    """Return JSON with decimals as numbers."""

    def numbers(part: Any) -> Any:
        if isinstance(part, Decimal):
            return f"\x00{part:f}\x00"
        if isinstance(part, dict):
            return {name: numbers(one) for name, one in part.items()}
        return [numbers(one) for one in part] if isinstance(part, list) else part

    mark = "\x00" if not how.get("ensure_ascii", True) else "\\u0000"
    return json.dumps(numbers(value), **how).replace(f'"{mark}', "").replace(f'{mark}"', "")


def _row(record: dict[str, Any]) -> tuple[Any, ...]:
    pair = record["pair"] and (record["pair"]["x"], record["pair"]["y"])
    deeper = record["deep"] and record["deep"]["er."]
    return (
        record["id"], record["price"], record["text"], deeper, record["list"], record["counts"], pair, record["ratio"],
    )  # fmt: skip


def _without_nul(record: dict[str, Any]) -> bool:
    return "\\u0000" not in json.dumps({**record, "price": None, "pair": None})


def _json_law(files, drawn, ascii_only: bool, indent: int | None) -> None:
    lines = table(*JSON_COLUMNS, form="jsonl")
    documents = table(*JSON_COLUMNS, form="json", options={"row_path": "data.`the rows`"})
    expected = [Read([_row(record) for record in records]) for records in drawn]
    texts = [[_dumped(record, ensure_ascii=ascii_only) for record in records] for records in drawn]
    assert files.read_all(lines, ["\n".join(some) for some in texts]) == expected
    whole = [
        _dumped(
            {"head": {"the rows": [1]}, "data": {"n": 1, "the rows": records}, "tail": []},
            ensure_ascii=ascii_only,
            indent=indent,
        )
        for records in drawn
    ]
    assert files.read_all(documents, whole) == expected


JSON_FILES = st.lists(st.lists(RECORDS.filter(_without_nul), max_size=4), min_size=1, max_size=8)


@QUICK
@given(JSON_FILES, st.booleans(), st.sampled_from([None, 0, 2]))
def test_what_json_writes(files, drawn, ascii_only, indent):
    _json_law(files, drawn, ascii_only, indent)


@pytest.mark.long
@pytest.mark.usefixtures("generated_code")
@pytest.mark.timeout(1800)
@THOROUGH
@given(JSON_FILES, st.booleans(), st.sampled_from([None, 0, 2]))
def test_what_json_writes_thoroughly(files, drawn, ascii_only, indent):
    _json_law(files, drawn, ascii_only, indent)


# XML allows these and no others, and its readers take a carriage return for a line feed.
XML_TEXTS = st.text(
    st.one_of(
        st.sampled_from("<>&\"'\n\t a;]]>"),
        st.characters(min_codepoint=0x20, exclude_categories=("Cs",), exclude_characters="\ufffe\uffff\x7f"),
    ),
    max_size=8,
)
XML_ROWS = st.lists(
    st.tuples(XML_TEXTS, st.none() | XML_TEXTS, st.none() | XML_TEXTS, st.lists(XML_TEXTS, max_size=3)), max_size=4
)
XML_COLUMNS = (
    Column("id", "string", "@id"), Column("name", "string", "ns:name"), Column("city", "string", "address.city"),
    Column("tags", "array<string>", "tag"),
)  # fmt: skip


def _xml(rows: list[tuple[Any, ...]], encoding: str) -> bytes:
    root = ElementTree.Element("rows")
    for id_, name, city, tags in rows:
        row = ElementTree.SubElement(ElementTree.SubElement(root, "page"), "row", id=id_)
        for path, text in (("{urn:n}name", name), ("city", city), *(("tag", tag) for tag in tags)):
            if text is not None:
                parent = ElementTree.SubElement(row, "address") if path == "city" else row
                ElementTree.SubElement(parent, path).text = text
    return ElementTree.tostring(root, encoding)


def _xml_law(files, drawn, encoding: str) -> None:
    options = {"row_tag": "row", "namespaces": {"ns": "urn:n"}}
    declared = table(*XML_COLUMNS, form="xml", options=options, missing_columns="null")
    expected = [Read([(id_, name, city, tags or None) for id_, name, city, tags in rows]) for rows in drawn]
    assert files.read_all(declared, [_xml(rows, encoding) for rows in drawn]) == expected


XML_FILES = st.lists(XML_ROWS, min_size=1, max_size=8)
XML_ENCODINGS = st.sampled_from(["utf-8", "utf-16", "iso-8859-1", "us-ascii", "windows-1252"])


@QUICK
@given(XML_FILES, XML_ENCODINGS)
def test_what_xml_writes(files, drawn, encoding):
    _xml_law(files, drawn, encoding)


@pytest.mark.long
@pytest.mark.usefixtures("generated_code")
@pytest.mark.timeout(1800)
@THOROUGH
@given(XML_FILES, XML_ENCODINGS)
def test_what_xml_writes_thoroughly(files, drawn, encoding):
    _xml_law(files, drawn, encoding)
