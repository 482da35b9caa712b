"""A contract drawn from a sample file: what it says to the letter, and that it is ready to check."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path

import pytest

from contracts.compile import check
from contracts.new_table import NoKeyError, NoNameError, draft, to_yaml
from contracts.samples import Sample, SampleError, read_sample


def no_parquet(path: Path, most: int) -> Sample:
    raise AssertionError(f"{path} is no Parquet")


def drawn(tmp_path: Path, name: str, body: bytes, **words) -> str:
    """Return the YAML below its two comments; it is written into a pipeline and has no mistake."""
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(body)
    found = draft(read_sample(file, no_parquet), Path(name), **words)
    folder = tmp_path / "shop" / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    text = to_yaml(found, folder)
    (folder / f"{found.table}.yaml").write_text(text, encoding="utf-8")
    assert [str(mistake) for mistake in check(folder.parent)] == []
    first, second, rest = text.split("\n", 2)
    assert first.startswith("# yaml-language-server: $schema=") and first.endswith("contracts/schema/table.schema.json")
    assert second == f"# Drawn from a sample of {len(found.sample.records):,} records. Read it before it is deployed."
    return rest


CUSTOMERS = """\
Customer ID;name;Joined;balance;active;last seen;zip;note
1;"Ann; Lee";31/12/2019;10.50;true;2020-01-01T10:00:00Z;01234;NA
2;Bob;05/06/2020;-3.25;false;2020-01-02 11:30:00;99999;NA
3000000000;;01/01/2020;100.00;TRUE;2020-01-02T11:30:00.5+02:00;00001;7
"""


def test_csv_with_its_dialect_types_words_for_null_and_key(tmp_path):
    text = drawn(tmp_path, "crm/customers_2020-01-02.csv.gz", gzip.compress(CUSTOMERS.encode()))
    assert text == (
        "table: customers\n"
        "source:\n"
        "  prefix: customers/\n"
        "  format: csv\n"
        '  options: {delimiter: ";", null_value: NA}\n'
        "load: upsert  # snapshot: each file holds all rows; changes: each row says what it does\n"
        "key: [customer_id]  # unique in the sample too: [joined] or [zip] or [balance]\n"
        "effective_at: {from_key: '(?P<date>\\d{4}-\\d{2}-\\d{2})'}\n"
        "schema:\n"
        "  columns:\n"
        "    - {name: customer_id, type: bigint, from: Customer ID}\n"
        "    - {name: name, type: string}\n"
        "    - {name: Joined, type: date, format: dd/MM/yyyy}\n"
        '    - {name: balance, type: "decimal(18,2)"}\n'
        "    - {name: active, type: boolean}\n"
        "    - {name: last_seen, type: timestamp, from: last seen}\n"
        "    - {name: zip, type: string}\n"
        "    - {name: note, type: bigint}\n"
    ).replace("[joined]", "[Joined]")


def test_csv_without_a_header_and_without_a_key(tmp_path):
    text = drawn(
        tmp_path, "2020/readings.txt", "1,2.5,x\n1,2.25,x\n1,2.5,x\n".encode("utf-16"), prefix="iot/", table="iot"
    )
    assert text == (
        "table: iot\n"
        "source:\n"
        "  prefix: iot/\n"
        "  format: csv\n"
        "  options: {header: false, encoding: utf-16}\n"
        "load: append  # no column or few of them are unique in the sample: no key was found\n"
        "schema:\n"
        "  columns:\n"
        "    - {name: c1, type: bigint}\n"
        "    - {name: c2, type: double}\n"
        "    - {name: c3, type: string}\n"
    )


JSONL = (
    '{"id": 1, "at": "2020-01-01T00:00:00Z", "address": {"city": "Reno", "geo": {"lat": 39.5}}, "tags": ["a", "b"]}\n'
    '{"id": 9007199254740993, "at": null, "address": {"city": null}, "tags": [], "lines": [{"sku": 7, "n": 1}]}\n'
)


def test_json_lines_with_paths_and_arrays(tmp_path):
    text = drawn(tmp_path, "orders.jsonl.bz2", bz2.compress(JSONL.encode()))
    assert text.partition("schema:\n")[2] == (
        "  columns:\n"
        "    - {name: id, type: bigint}\n"
        "    - {name: at, type: timestamp}\n"
        "    - {name: address_city, type: string, from: address.city}\n"
        '    - {name: address_geo_lat, type: "decimal(18,1)", from: address.geo.lat}\n'
        '    - {name: tags, type: "array<string>"}\n'
        '    - {name: lines, type: "array<struct<sku:bigint,n:bigint>>"}\n'
        "  missing_columns: null  # records of the sample lack some\n"
    )


def test_a_json_document_whose_records_lie_inside(tmp_path):
    body = b'{"meta": {"tags": ["x"]}, "data": {"items": [{"k": "a", "n": true}, {"k": "b", "n": 1}]}}'
    text = drawn(tmp_path, "things.json", body)
    assert "  options: {row_path: data.items}\n" in text
    assert text.endswith("    - {name: k, type: string}\n    - {name: n, type: string}\n")


def test_json_lines_whose_file_is_called_json(tmp_path):
    text = drawn(tmp_path, "things.json", b'{"k": "a"}\n{"k": "b"}\n')
    assert "  format: jsonl\n" in text


def test_dates_of_one_digit_or_two_and_moments_finer_than_a_timestamp(tmp_path):
    body = (
        b"id,us,de,at,fine,zeros\n1,1/2/2024,1.2.2024,1/2/2024 9:05,2024-01-01T00:00:00.1234567Z,"
        b"2024-01-01T00:00:00.123456000Z\n"
        b"2,3/14/2024,13.2.2024,12/31/2024 10:30,2024-01-01T00:00:00.1Z,2024-01-01 00:00\n"
    )
    text = drawn(tmp_path, "days.csv", body)
    assert text.partition("  columns:\n")[2] == (
        "    - {name: id, type: bigint}\n"
        "    - {name: us, type: date, format: M/d/yyyy}\n"
        "    - {name: de, type: date, format: d.M.yyyy}\n"
        '    - {name: at, type: timestamp, format: "M/d/yyyy H:mm"}\n'
        "    - {name: fine, type: string}  # it tells more than microseconds\n"
        "    - {name: zeros, type: timestamp}\n"
    )


HEADERS = {
    ",name,city\n0,Ada,London\n1,Alan,Wilmslow\n": ("name", "city"),
    "id,name,\n1,Ada,\n2,Alan,\n": ("id", "name"),
    "country,2019,2020\nDE,1,2\nFR,3,4\n": ("country", "2019", "2020"),
    "Rome,2019,5\nParis,2020,7\n": ("c1", "c2", "c3"),
    "Ann,,Rome\nBob,x,Paris\n": ("c1", "c2", "c3"),
    "2019,2020\n1,2\n": ("c1", "c2"),
}


@pytest.mark.parametrize("body", HEADERS)
def test_a_header_may_lack_a_name_or_hold_years(tmp_path, body):
    text = drawn(tmp_path, "sample.csv", body.encode())
    assert read_sample(tmp_path / "sample.csv", no_parquet).columns == HEADERS[body]
    unnamed = "  extra_columns: ignore  # the sample has a column without a name\n"
    assert text.endswith(unnamed) is ("" in body.partition("\n")[0].split(",") and "c1" not in HEADERS[body])


REPEATED = (
    '<os><o id="1"><tag>a</tag><item n="1"><sku>x</sku></item></o><o id="2"><tag>b</tag><tag>c</tag>'
    '<item n="2"><sku>y</sku><sku>z</sku></item><item n="3"><sku>w</sku></item></o></os>'
)


def test_what_repeats_in_one_row_of_xml_is_an_array_in_all(tmp_path):
    text = drawn(tmp_path, "orders.xml", REPEATED.encode())
    assert text.partition("  columns:\n")[2] == (
        '    - {name: id, type: bigint, from: "@id"}\n'
        '    - {name: tag, type: "array<string>"}\n'
        '    - {name: item, type: "array<struct<n:bigint,sku:array<string>>>"}\n'
    )


XML = (
    '<list xmlns="urn:x"><meta/><airline code="UA"><name>United</name><hub>ORD</hub><hub>EWR</hub></airline>'
    '<airline code="AA"><name lang="en">American</name></airline></list>'
)


def test_xml_by_the_outermost_element_that_repeats(tmp_path):
    text = drawn(tmp_path, "airlines.xml", XML.encode())
    assert "  options: {row_tag: airline}\n" in text
    assert 'key: ["@code"]' not in text and "key: [code]" in text
    assert text.partition("  columns:\n")[2] == (
        '    - {name: code, type: string, from: "@code"}\n'
        "    - {name: name, type: string}\n"
        '    - {name: hub, type: "array<string>"}\n'
        '    - {name: name_lang, type: string, from: "name.@lang"}\n'
        "  missing_columns: null  # records of the sample lack some\n"
    )


def test_keys_of_several_columns_prefer_names_that_speak_of_keys(tmp_path):
    body = b"day,shop_no,till_id,total\n1,1,1,9.5\n1,1,2,9.5\n1,2,1,9.5\n2,1,1,9.5\n2,2,2,9.5\n"
    text = drawn(tmp_path, "sales.csv", body)
    assert "key: [day, shop_no, till_id]\n" in text


def test_a_key_that_is_given_is_held_against_the_sample(tmp_path):
    text = drawn(tmp_path, "customers.csv", CUSTOMERS.encode(), key=["Customer ID"])
    assert "key: [customer_id]  #" in text
    sample = read_sample(tmp_path / "customers.csv", no_parquet)
    for key, message in {
        "customer": "no such column: customer; the file has customer_id, name, Joined, balance, active, last_seen, "
        "zip, note",
        "name": "name is no key: records of the sample have no value there",
        "note": "note is no key: records of the sample share its values",
    }.items():
        with pytest.raises(NoKeyError) as raised:
            draft(sample, Path("customers.csv"), key=[key])
        assert str(raised.value) == message


def test_a_name_is_one_that_a_table_may_have(tmp_path):
    text = drawn(tmp_path, f"{'long' * 20}.csv", b"a\n1\n")
    assert text.startswith(f"table: {'long' * 15}lon\n")
    sample = read_sample(tmp_path / f"{'long' * 20}.csv", no_parquet)
    with pytest.raises(NoNameError, match="'../x' must be at most 63 small letters, digits and _, a letter first"):
        draft(sample, Path("customers.csv"), table="../x")


UNREADABLE = {
    "empty.csv": (b"\n", "is empty"),
    "header.csv": (b"a,b\n", "holds no record"),
    "broken.csv": (b'a,b\n1,"x\n', "cannot be read as csv: unexpected end of data"),
    "empty.parquet": (b"", "is empty"),
    "cut.csv.gz": (
        gzip.compress(b"a,b\n1,2\n")[:-9],
        "cannot be unpacked to its end: Compressed file ended before the end-of-stream marker was reached",
    ),
    "broken.jsonl": (b'{"a": 1}\n[2]\n', "cannot be read as jsonl: record 2 is no object"),
    "broken.xml": (b"<a><b></a>", "cannot be read as xml: mismatched tag: line 1, column 8"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_files_from_which_nothing_can_be_drawn(tmp_path, name):
    body, message = UNREADABLE[name]
    (tmp_path / name).write_bytes(body)
    with pytest.raises(SampleError) as raised:
        read_sample(tmp_path / name, no_parquet)
    assert str(raised.value) == f"{tmp_path / name}: {message}"
