"""XML documents are read by `row_tag`; dangerous and broken ones fail by name, and the others are read."""

from __future__ import annotations

import gzip
from datetime import date
from decimal import Decimal

from contracts.model import Column
from tests.unit.spark_jobs.readers.conftest import Read, table
from tests.unit.spark_jobs.readers.test_xml_rows import BOMB

COLUMNS = (
    Column("id", "bigint", "@id"), Column("name", "string", "n:name"), Column("city", "string", "address.city"),
    Column("since", "date", "since", format="dd.MM.yyyy"), Column("tags", "array<string>", "tags.tag"),
    Column("lines", "array<struct<sku:string,price:decimal(6,2)>>", "line"),
)  # fmt: skip
OPTIONS = {"row_tag": "customer", "namespaces": {"n": "urn:names"}, "null_value": ["-"]}
DOCUMENT = """<?xml version="1.0" encoding="utf-8"?>
<customers xmlns="urn:crm" xmlns:x="urn:names">
 <customer id="1"><x:name>A &amp; B</x:name><address><city>-</city></address><since>29.02.2020</since>
  <tags><tag>a</tag><tag/></tags><line sku="s1"><price>1.50</price></line>
  <line sku="s2"><price>2</price></line></customer>
 <customer id="2"><x:name/><address/><since>30.02.2020</since></customer>
 <customer id="3"><x:name><b>bold</b></x:name></customer>
 <customer id="x"/>
</customers>"""


def customers(**words):
    return table(*COLUMNS, form="xml", **{"options": OPTIONS, "missing_columns": "null", **words})


def test_rows_of_a_document(files):
    read = files.read(customers(), DOCUMENT)
    assert read.rows == [
        (1, "A & B", None, date(2020, 2, 29), ["a", ""], [("s1", Decimal("1.50")), ("s2", Decimal("2.00"))])
    ]
    assert read.refused == [
        (2, "since", "type", "'30.02.2020' is no date of format dd.MM.yyyy",
         '<customer id="2"><x:name/><address/><since>30.02.2020</since></customer>'),
        (3, "", "record", "n:name holds elements; declare a struct, or a path into it",
         '<customer id="3"><x:name><b>bold</b></x:name></customer>'),
        (4, "id", "type", "'x' is no bigint", '<customer id="x"/>'),
    ]  # fmt: skip


def test_documents_that_break_fail_by_name_and_the_others_are_read(files):
    cut = DOCUMENT[:300]
    bodies = [cut, "", BOMB, DOCUMENT.replace("customer ", "client "), DOCUMENT, gzip.compress(DOCUMENT.encode())[:200]]
    found = files.read_all(customers(), bodies)
    assert [read.failed for read in found] == [
        "is no well-formed XML: unclosed token: line 5, column 33",
        "is empty, which is no xml document",
        "declares the entity a: entities of a document's own are refused",
        "is no well-formed XML: mismatched tag: line 5, column 42",
        None,
        "cannot be unpacked to its end (the archive is cut off); send it again",
    ]
    assert found[4].records == 4


def test_drift_fails_the_file_unless_the_contract_allows_it(files):
    body = "<customers><customer id='1'><fax/></customer></customers>"
    allowing = customers(extra_columns="ignore")
    assert files.read(allowing, body).rows == [(1, None, None, None, None, None)]
    assert files.read(customers(), body).failed == (
        "record 1: column fax: is not in the contract; declare it, or allow it with extra_columns: ignore"
    )
    assert files.read(customers(missing_columns="fail", extra_columns="ignore"), body).failed == (
        "record 1: column n:name: is missing; send it, or allow it with missing_columns: null"
    )


def test_a_row_that_deletes_may_lack_all_but_its_key(files):
    words = {"key": ("k",), "delete_when": "op = 'D'", "unstored": ("op",), "options": {"row_tag": "row"}}
    strict = table("v string", "k int", form="xml", missing_columns="fail", **words)
    bodies = ("<op>D</op><k>1</k>", "<op>U</op><k>1</k>", "<op>D</op>")
    found = files.read_all(strict, [f"<rows><row>{body}</row></rows>" for body in bodies])
    missing = "is missing; send it, or allow it with missing_columns: null"
    assert found == [
        Read([(None, 1)]),
        *(Read(failed=f"record 1: column {name}: {missing}") for name in ("v", "k")),
    ]


def test_encodings(files):
    head = '<?xml version="1.0" encoding="{}"?><r><c><a>é€</a></c></r>'
    declared = table("a string", form="xml", options={"row_tag": "c"})
    bodies = [head.format(name).encode(name) for name in ("utf-8", "utf-16", "windows-1252")]
    assert [read.rows for read in files.read_all(declared, bodies)] == [[("é€",)]] * 3
    told = table("a string", form="xml", options={"row_tag": "c", "encoding": "shift_jis"})
    assert files.read(told, "<r><c><a>カナ</a></c></r>".encode("shift_jis")).rows == [("カナ",)]


def test_large_documents_are_read_in_order(files):
    rows = "".join(f"<c><a>{i}</a><b>{'é' * (i % 100)}</b></c>\n" for i in range(20_000))
    read = files.read(table("a int", "b string", form="xml", options={"row_tag": "c"}), f"<r>{rows}</r>")
    assert read == Read([(i, "é" * (i % 100)) for i in range(20_000)])
