"""Files with flipped bits, cut off, with bytes too many: each record is kept, refused, or its file fails by name."""

from __future__ import annotations

import bz2
import gzip
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import duckdb
import pytest

from contracts.model import Column
from tests.cases import few
from tests.unit.spark_jobs.readers.conftest import Bench, Read, table
from tests.unit.spark_jobs.readers.references import csv_records, json_lines

ROWS = [
    ("plain", "1", "x"),
    ("", "line\nbreak", 'say "hi"'),
    ("é€😀", "a,b;c", "  "),
    ('"', "\\", "\r\n"),
    ("-1.5e3", "null", "[{}]"),
    ("last", "0", "\t"),
]
LOUD = (*b"\"',;\\\r\n\t{}[]<>/&:\0", 0xFF, 0xC3, 0x80)


def mutated(body: bytes, chance: random.Random) -> bytes:
    """Return a body with one to three accidents."""
    changed = bytearray(body)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        place = chance.randrange(len(changed)) if changed else 0
        match chance.randrange(6):
            case 0 if changed:
                changed[place] ^= 1 << chance.randrange(8)
            case 1 if changed:
                changed[place] = chance.choice(LOUD)
            case 2:
                changed[place:place] = bytes(chance.choice(LOUD) for _ in range(chance.randrange(1, 4)))
            case 3:
                del changed[place : place + chance.randrange(1, 12)]
            case 4:
                del changed[place:]
            case _:
                piece = changed[place : place + chance.randrange(1, 40)]
                changed[place:place] = piece
    return bytes(changed)


def csv_seed(delimiter: str, quote: str, escape: str, end: str) -> bytes:
    def field(text: str) -> str:
        if not any(mark in text for mark in (delimiter, quote, escape or quote, "\r", "\n")):
            return text
        marked = text.replace(escape, escape * 2).replace(quote, escape + quote) if escape else text
        return f"{quote}{marked if escape else text.replace(quote, quote * 2)}{quote}"

    lines = [("a", "b", "c"), *ROWS]
    return "".join(delimiter.join(map(field, line)) + end for line in lines).encode()


def check_csv(files: Bench, bodies: Sequence[bytes], delimiter: str, quote: str, escape: str) -> None:
    options = {"delimiter": delimiter, "quote": quote, **({"escape": escape} if escape else {})}
    read = files.read_all(table("a string", "b string", "c string", options=options), bodies)
    for body, found in zip(bodies, read, strict=True):
        expected = csv_records(body, delimiter, quote, escape)
        if expected is None or (expected[0] and sorted(expected[0]) != ["a", "b", "c"]):
            assert found.failed, (body, found)
            continue
        header, records = expected
        assert found.failed is None, (body, found, expected)
        good = [one for one in records if one is not None and len(one) == 3]
        assert found.rows == [tuple(one[header.index(name)] for name in "abc") for one in good], (body, found)
        assert len(found.refused) == len(records) - len(good), (body, found)


CSV_DIALECTS = [(",", '"', ""), (";", "'", "\\"), ("\t", '"', "")]


def soup(chance: random.Random, delimiter: str, quote: str, escape: str) -> bytes:
    """Return a header and whatever characters that mean something."""
    marks = [delimiter, delimiter, quote, quote, quote * 2, "\n", "\n", "\r\n", "x", " ", "\r", "é", "\0", "\\", "\x80"]
    if escape:
        marks += [escape, escape + quote, escape + escape, escape + "\n"]
    text = "".join(chance.choice(marks) for _ in range(chance.randrange(120)))
    return delimiter.join("abc").encode() + b"\n" + text.encode().replace("\x80".encode(), b"\x80")


def fuzz_csv(files: Bench, chance: random.Random, count: int) -> None:
    for number, dialect in enumerate(CSV_DIALECTS):
        seeds = [csv_seed(*dialect, end) for end in ("\n", "\r\n", "\r")]
        share = count // 3 + (number < count % 3)
        bodies = [mutated(chance.choice(seeds), chance) for _ in range(share // 2)]
        bodies += [soup(chance, *dialect) for _ in range(share - len(bodies))]
        check_csv(files, bodies, *dialect)


OBJECTS = [
    {"a": 1, "b": "x", "c": {"d": [1.5, None, "y"]}},
    {"a": -(2**62), "b": 'é€😀 "q" \\ {[', "c": None},
    {"a": None, "b": "\n\t", "c": {"d": []}},
    {"b": "5", "c": {}},
]
JSON_COLUMNS = ("a bigint", "b string", Column("d", "string", "c.d"))


def fuzz_json_lines(files: Bench, chance: random.Random, count: int) -> None:
    seeds = [
        "".join(json.dumps(one, ensure_ascii=ascii_only) + end for one in OBJECTS).encode()
        for ascii_only in (True, False)
        for end in ("\n", "\r\n")
    ]
    bodies = [mutated(chance.choice(seeds), chance) for _ in range(count)]
    declared = table(*JSON_COLUMNS, form="jsonl", extra_columns="ignore", missing_columns="null")
    for body, found in zip(bodies, files.read_all(declared, bodies), strict=True):
        records = json_lines(body)
        assert found.failed is None, (body, found)
        assert found.records == len(records), (body, found)
        sound = [one for one in records if isinstance(one, dict)]
        assert len(found.rows) <= len(sound), (body, found)
        kept = iter(sound)
        for row in found.rows:  # in order, each is one of the sound ones
            assert any(_says(one, row) for one in kept), (body, row)


def _says(record: dict, row: tuple) -> bool:
    """Tell whether a record says what a row holds, by the two columns that need no second thought."""
    number, text = record.get("a"), record.get("b")
    same = row[0] is None if number is None else row[0] == int(number)
    return same and (not isinstance(text, str | None) or row[1] == text)


def fuzz_json(files: Bench, chance: random.Random, count: int) -> None:
    seeds = [json.dumps({"x": 1, "rows": OBJECTS}, indent=indent).encode() for indent in (None, 1)]
    bodies = [mutated(chance.choice(seeds), chance) for _ in range(count)]
    options = {"row_path": "rows"}
    declared = table(*JSON_COLUMNS, form="json", options=options, extra_columns="ignore", missing_columns="null")
    for body, found in zip(bodies, files.read_all(declared, bodies), strict=True):
        try:
            document = json.loads(body.decode())
        except (ValueError, RecursionError):
            assert found.failed or found.refused or found.rows, (body, found)
            continue
        rows = document.get("rows") if isinstance(document, dict) else None
        if isinstance(rows, list | dict):
            assert found.records == (len(rows) if isinstance(rows, list) else 1), (body, found)


def fuzz_xml(files: Bench, chance: random.Random, count: int) -> None:
    rows = "".join(f'<r i="{i}"><a>x &amp; y</a><b><![CDATA[<{i}>]]></b>é</r>\n' for i in range(5))
    seeds = [f"<rs>{rows}</rs>".encode(), f'<?xml version="1.0"?><!-- c --><rs n="1">{rows}<z/></rs>'.encode()]
    bodies = [mutated(chance.choice(seeds), chance) for _ in range(count)]
    declared = table(
        Column("i", "string", "@i"), "a string", form="xml", options={"row_tag": "r"}, extra_columns="ignore",
        missing_columns="null",
    )  # fmt: skip
    for body, found in zip(bodies, files.read_all(declared, bodies), strict=True):
        try:
            root = ElementTree.fromstring(body)
        except (ElementTree.ParseError, ValueError):
            assert found.failed, (body, found)
            continue
        outer = [root] if root.tag == "r" else root.findall(".//r")
        assert found.failed or found.records == len(outer) or _is_nested(root), (body, found)
        assert found.failed is None or not outer, (body, found)


def _is_nested(root: ElementTree.Element) -> bool:
    return bool(root.findall(".//r//r"))


def fuzz_fixed_width(files: Bench, chance: random.Random, count: int) -> None:
    seed = "".join(f"{i:5d}{'é' * (i % 4):<6}{i * 7:<4}\n" for i in range(6)).encode()
    bodies = [mutated(seed, chance) for _ in range(count)]
    declared = table(
        Column("a", "int", start=1, width=5), Column("b", "string", start=6, width=6),
        Column("c", "int", start=12, width=4), form="fixed_width",
    )  # fmt: skip
    for body, found in zip(bodies, files.read_all(declared, bodies), strict=True):
        text = body.decode("utf-8", "surrogateescape")
        end = "\r" if "\r" in text and (text.find("\n") < 0 or text.find("\r") < text.find("\n") - 1) else "\n"
        lines = [line[:-1] if end == "\n" and line.endswith("\r") else line for line in text.split(end)]
        assert found.failed is None and found.records == sum(1 for line in lines if line), (body, found)


def fuzz_archives(files: Bench, chance: random.Random, count: int) -> None:
    plain = "a,b\n" + "".join(f"{i},{i * i}\n" for i in range(50))
    whole = Read([(str(i), str(i * i)) for i in range(50)])
    for pack, unpack in ((gzip.compress, gzip.decompress), (bz2.compress, bz2.decompress)):
        seeds = [pack(plain.encode()), pack(plain[:100].encode()) + pack(plain[100:].encode())]
        bodies = [mutated(chance.choice(seeds), chance) for _ in range(count // 2)]
        for body, found in zip(bodies, files.read_all(table("a string", "b string"), bodies), strict=True):
            try:
                is_whole = unpack(body) == plain.encode()
            except (OSError, EOFError, ValueError, gzip.zlib.error):
                is_whole = False
            assert found.failed or (is_whole and found == whole) or not body, (body, found)


def fuzz_parquet(files: Bench, chance: random.Random, count: int, folder: Path) -> None:
    path = folder / "seed.parquet"
    duckdb.sql(f"COPY (SELECT i a, hash(i)::VARCHAR b FROM range(300) t(i)) TO '{path}' (FORMAT parquet)")
    bodies = [mutated(path.read_bytes(), chance) for _ in range(count)]
    declared = table("a bigint", "b string", form="parquet")
    for body, found in zip(bodies, files.read_all(declared, bodies), strict=True):
        assert found.failed or found.records == 300, (body, found)


Fuzz = Callable[[Bench, random.Random, int], None]
ALL: dict[str, tuple[Fuzz, int]] = {
    "jsonl": (fuzz_json_lines, 400),
    "json": (fuzz_json, 250),
    "xml": (fuzz_xml, 250),
    "fixed_width": (fuzz_fixed_width, 150),
    "archives": (fuzz_archives, 200),
    "csv": (fuzz_csv, 700),
}


@pytest.mark.parametrize("form", few(ALL, quick=5))
def test_a_few_damaged_files(files, form):
    ALL[form][0](files, random.Random(f"a few {form}"), 5)


def test_some_damaged_parquet_files(files, tmp_path):
    fuzz_parquet(files, random.Random("some"), 5, tmp_path)


@pytest.mark.long
@pytest.mark.usefixtures("generated_code")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("form", ALL)
def test_two_thousand_damaged_files(files, form):
    fuzz, count = ALL[form]
    chance = random.Random(f"thousands {form}")
    for done in range(0, count, 50):
        fuzz(files, chance, min(50, count - done))


@pytest.mark.long
@pytest.mark.usefixtures("generated_code")
def test_damaged_parquet_files(files, tmp_path):
    fuzz_parquet(files, random.Random("many"), 50, tmp_path)
