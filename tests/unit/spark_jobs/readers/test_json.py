"""JSON Lines and JSON documents: fields by path, numbers to the last digit, nothing read past its end."""

from __future__ import annotations

from decimal import Decimal

import pytest

from contracts.model import Column, EffectiveAt
from tests.unit.spark_jobs.readers.conftest import Read, table

NO_OBJECT = "is no JSON object, or more than one"


def lines(*columns, **words):
    return table(*columns, form="jsonl", **{"missing_columns": "null", **words})


def test_lines_are_records_and_blank_lines_are_none(files):
    body = '{"a": 1}\n\n \t\n{"a": 2}\r\n\r\n {"a": 3} \n{"a": 4}'
    assert files.read(lines("a int"), body) == Read([(1,), (2,), (3,), (4,)])
    found = files.read_all(
        lines("a int"), ["", "\n \n", "\ufeff" + body, body.replace("\n", "\r"), body.encode("utf-8")]
    )
    assert [read.rows for read in found] == [[], [], *[[(1,), (2,), (3,), (4,)]] * 3]


BROKEN = [
    '{"a": 1',
    '{"a": 1}}',
    '{"a": 1}{"a": 2}',
    '{"a": 1},{"a": 2}',
    '{"a": 1} trailing',
    '{"a": 1},"b": 2',
    "{'a': 1}",
    "{a: 1}",
    '{"a": 01}',
    '{"a": 1.}',
    '{"a": .5}',
    '{"a": +1}',
    '{"a": 1e}',
    '{"a": -}',
    '{"a": 0x1}',
    '{"a": 1,}',
    '{"a": "\t"}',
    "[1]",
    '[{"a": 1}]',
    "1",
    "null",
    '"a"',
    '{"a": "x}',
]


def test_lines_that_are_no_object_are_refused_each_by_itself(files):
    body = "".join(f'{line}\n{{"a": {number}}}\n' for number, line in enumerate(BROKEN))
    read = files.read(lines("a int"), body)
    assert read.rows == [(number,) for number in range(len(BROKEN))]
    assert read.refused == [(2 * i + 1, "", "record", NO_OBJECT, line) for i, line in enumerate(BROKEN)]


def test_objects_that_are_long_or_deep_as_no_parser_takes_them_are_told_so(files):
    deep, long = f'{{"a": {"[" * 1_000}{"]" * 1_000}}}', f'{{"a": "{"x" * 20_000_001}"}}'
    read = files.read(lines("a string"), f'{deep}\n{long}\n{{"a": "y"}}\n')
    told = f"{NO_OBJECT}; or holds a text of more than 20,000,000 characters, or 1,000 brackets inside each other"
    assert (read.rows, [row[:4] for row in read.refused]) == (
        [("y",)],
        [(1, "", "record", told), (2, "", "record", told)],
    )


def test_a_field_twice_is_refused(files):
    twice = ['{"a": 1, "a": 2}', '{"a": 1, "A": 2}', '{"O": {"b": 1, "b": 2}}', '{"o": {"b": 1}, "O": null}']
    allowing = lines("a int", Column("b", "int", "o.b"), extra_columns="ignore")
    read = files.read(allowing, "\n".join([*twice, '{"x": 1, "X": 2}']))
    assert read.rows == [(None, None)]
    assert [row[1:] for row in read.refused] == [
        ("", "record", "has a field twice", twice[0]),
        ("", "record", "has a field twice", twice[1]),
        ("o", "record", "o has a field twice", twice[2]),
        ("", "record", "has a field twice", twice[3]),
    ]


def test_fields_are_found_in_any_case(files):
    columns = ("customer_id int", Column("twice", "int", expr="ID * 2", reads=("ID",)), Column("id", "int", "Id"),
               Column("city", "string", "Address.CITY"), Column("zip", "string", "address.zip"))  # fmt: skip
    body = '{"Customer_ID": 1, "iD": 2, "ADDRESS": {"City": "Rome", "ZIP": "00100"}}\n'
    found = files.read_all(lines(*columns, missing_columns="fail"), [body, body.replace("}}", '}, "Zip": 1}')])
    assert found[0] == Read([(1, 4, 2, "Rome", "00100")])
    assert found[1].failed.startswith("record 1: column Zip: is not in the contract")


def test_bytes_that_are_no_text(files):
    read = files.read(lines("a string"), b'{"a": "\xff"}\n{"a": "\xc3\xa9"}\n')
    reason = "holds bytes that are no text in the declared encoding"
    assert read == Read([("é",)], [(1, "", "record", reason, '{"a": "\ufffd"}')])


def test_numbers_keep_every_digit(files):
    body = (
        '{"n": 9223372036854775807, "d": 12345678901234567890.123456789012, "t": 1.10, "f": 0.1}\n'
        '{"n": -9223372036854775808, "d": 0.000000000001, "t": 1E400, "f": -2.5e-3}\n'
        '{"n": 1.0e3, "d": "1.5", "t": "1.10", "f": "3"}\n'
        '{"n": 9223372036854775808}\n{"n": 1.5}\n{"d": 0.0000000000001}\n{"f": 1e400}\n{"n": true}\n'
    )
    read = files.read(lines("n bigint", "d decimal(38,12)", "t string", "f double"), body)
    assert read.rows == [
        (9223372036854775807, Decimal("12345678901234567890.123456789012"), "1.10", 0.1),
        (-9223372036854775808, Decimal("0.000000000001"), "1E400", -0.0025),
        (1000, Decimal("1.500000000000"), "1.10", 3.0),
    ]
    assert [(row[0], row[1], row[3]) for row in read.refused] == [
        (4, "n", "'9223372036854775808' is no bigint"),
        (5, "n", "'1.5' is no bigint"),
        (6, "d", "'0.0000000000001' is no decimal(38,12)"),
        (7, "f", "'1e400' is no double"),
        (8, "n", "'true' is no bigint"),
    ]


def test_floats_that_json_has_no_words_for(files):
    read = files.read(lines("f double"), '{"f": NaN}\n{"f": -Infinity}\n{"f": "Infinity"}\n{"f": Inf}\n')
    assert (str(read.rows[0][0]), read.rows[1:]) == ("nan", [(float("-inf"),), (float("inf"),)])
    assert read.refused == [(4, "", "record", NO_OBJECT, '{"f": Inf}')]


def test_strings_that_look_like_numbers_and_escapes_stay_what_they_are(files):
    body = (
        r'{"s": "5, -6: [7]", "b": true}'
        "\n"
        r'{"s": "\"1\": 2\\", "b": false}'
        "\n"
        r'{"s": "\u00e9\ud83d\ude00\n\/\t", "b": null}'
        "\n"
        r'{"s": "", "b": "true"}'
        "\n"
        r'{"s": "null"}'
        "\n"
    )
    assert files.read(lines("s string", "b boolean"), body).rows == [
        ("5, -6: [7]", True),
        ('"1": 2\\', False),
        ("é😀\n/\t", None),
        ("", True),
        ("null", None),
    ]


def test_fields_are_found_by_path(files):
    columns = (
        Column("city", "string", "address.city"),
        Column("dotted", "int", "address.`geo.lat`"),
        Column("deep", "int", "a.b.c"),
        Column("whole", "string", "a"),
    )
    body = (
        '{"address": {"city": "Rome", "geo.lat": 41}, "a": {"b": {"c": 1.0}, "x": [1, 2.50]}}\n'
        '{"address": null, "a": {"b": null}}\n{"address": {}, "a": {}}\n{}\n'
        '{"address": "Rome"}\n{"a": {"b": [1]}}\n{"a": 5}\n'
    )
    read = files.read(lines(*columns), body)
    assert read.rows == [
        ("Rome", 41, 1, '{"b":{"c":1.0},"x":[1,2.50]}'),
        (None, None, None, '{"b":null}'),
        (None, None, None, "{}"),
        (None, None, None, None),
    ]
    assert [row[:4] for row in read.refused] == [
        (5, "address", "record", "address is no object"),
        (6, "a.b", "record", "a.b is no object"),
        (7, "a", "record", "a is no object"),
    ]


def test_arrays_maps_and_structs(files):
    columns = ("l array<int>", "m map<string,decimal(5,2)>", "s struct<d:date,i:array<struct<x:bigint>>>")
    body = (
        '{"l": [1, null, "3"], "m": {"a": 1.25, "b": null}, "s": {"d": "2020-02-29", "i": [{"x": 9007199254740993}]}}\n'
        '{"l": [], "m": {}, "s": {}}\n{"l": null}\n'
        '{"l": [1.5]}\n{"l": 1}\n{"l": "x"}\n{"m": {"a": 1.255}}\n{"m": [1]}\n{"s": {"d": "2020-02-30"}}\n'
        '{"s": {"i": [{"x": "y"}]}}\n{"m": {"a": 1, "a": 2}}\n'
    )
    read = files.read(lines(*columns), body)
    assert read.rows == [
        ([1, None, 3], {"a": Decimal("1.25"), "b": None}, (_date(2020, 2, 29), [(9007199254740993,)])),
        ([], {}, (None, None)),
        (None, None, None),
    ]
    assert [(row[0], row[1], row[2]) for row in read.refused] == [
        (4, "l", "type"), (5, "l", "type"), (6, "l", "type"), (7, "m", "type"), (8, "m", "type"), (9, "s", "type"),
        (10, "s", "type"), (11, "m", "type"),
    ]  # fmt: skip
    assert read.refused[0][3] == "'[1.5]' is no array<int>"


def test_drift_fails_the_file_unless_the_contract_allows_it(files):
    strict = lines("a int", Column("b", "int", "o.b"), missing_columns="fail")
    found = files.read_all(
        strict,
        [
            '{"a": 1, "o": {"b": 2, "more": 3}}\n{"a": null, "o": null}\n',
            '{"a": 1, "o": {"b": 2}, "c": 3}\n',
            '{"a": 1, "o": {}}\n',
            '{"a": 1, "o": {"b": 1}}\n{"o": {"b": 1}}\n',
        ],
    )
    assert found == [
        Read([(1, 2), (None, None)]),
        Read(failed="record 1: column c: is not in the contract; declare it, or allow it with extra_columns: ignore"),
        Read(failed="record 1: column o.b: is missing; send it, or allow it with missing_columns: null"),
        Read(failed="record 2: column a: is missing; send it, or allow it with missing_columns: null"),
    ]
    allowing = lines("a int", extra_columns="ignore")
    assert files.read(allowing, '{"b": 1}\n{"a": 1, "c": 2}\n').rows == [(None,), (1,)]


def test_documents_hold_an_array_at_the_top_or_at_a_path(files):
    bodies = ['[{"a": 1},\n {"a": 2}]', '{"a": 1}\n\n{"a": 2}', "[]", '[{"a": 1}, 5, {"a": "x"}, {"a": 2}]']
    found = files.read_all(table("a int", form="json"), bodies)
    assert found == [
        Read([(1,), (2,)]),
        Read([(1,), (2,)]),
        Read(),
        Read([(1,), (2,)], [(2, "", "record", NO_OBJECT, "5"), (3, "a", "type", "'x' is no int", '{"a": "x"}')]),
    ]
    at_path = table("a int", form="json", options={"row_path": "data.items"})
    body = '{"meta": {"items": [9]}, "data": {"items": [{"a": 1}, {"a": 2}], "n": 2}}'
    assert files.read(at_path, body).rows == [(1,), (2,)]


def test_documents_that_break_fail_by_name_and_the_others_are_read(files):
    reason = "is no sound JSON document: "
    bodies = ['[{"a": 1}', "", '[{"a": 1}]', '{"data": 1}', b"\x00\x01", '[{"a": 1}] x']
    found = files.read_all(table("a int", form="json", options={}), bodies)
    assert [read.failed for read in found] == [
        f"{reason}ends before its ] (character 10)",
        "is empty, which is no json document",
        None,
        "record 1: column data: is not in the contract; declare it, or allow it with extra_columns: ignore",
        None,
        None,
    ]
    assert found[2].rows == [(1,)]
    assert [row[3] for row in found[4].refused + found[5].refused] == [NO_OBJECT] * 2
    nowhere = files.read(table("a int", form="json", options={"row_path": "rows"}), '{"row": [{"a": 1}]}')
    assert nowhere.failed == f"{reason}has no array at rows"


@pytest.mark.long(little=True)
def test_documents_in_other_encodings_and_archives(files):
    import bz2
    import gzip

    text = '[{"a": "é€"}]'
    assert files.read(table("a string", form="json"), gzip.compress(text.encode())).rows == [("é€",)]
    assert files.read(table("a string", form="json"), bz2.compress(text.encode())).rows == [("é€",)]
    utf16 = table("a string", form="json", options={"encoding": "utf-16"})
    assert files.read(utf16, text.encode("utf-16")).rows == [("é€",)]
    bad = files.read(table("a string", form="json"), b'[{"a": "\xff"}, {"a": "ok"}]')
    assert bad.rows == [("ok",)]
    assert bad.refused[0][3] == "holds bytes that are no text in the declared encoding"


def _date(*parts: int):
    from datetime import date

    return date(*parts)


def test_a_record_that_deletes_may_lack_all_but_its_key_and_order_and_one_that_truncates_its_key_too(files):
    words = {"key": ("k",), "effective_at": EffectiveAt(column="ts"), "tie_break": ("n",)}
    words |= {"delete_when": "op = 'D'", "truncate_when": "op = 'T'", "unstored": ("op",)}
    strict = lines("v string", "k int", "ts int", "n int", missing_columns="fail", **words)
    gone, emptied = '{"op": "D", "k": 1, "ts": 5, "n": 1}', '{"op": "T", "ts": 5, "n": 1}'
    whole, said = '{"op": "U", "k": 1, "ts": 5, "n": 1, "v": "a"}', '{"op": "U", "k": 1, "ts": 5, "n": 1}'
    found = files.read_all(
        strict,
        [
            "\n".join((gone, emptied, whole)),
            said,
            gone.replace(', "n": 1', ""),
            gone.replace('"k": 1, ', ""),
            emptied.replace(', "n": 1', ""),
        ],
    )
    missing = "is missing; send it, or allow it with missing_columns: null"
    assert found == [
        Read([(None, 1, 5, 1), (None, None, 5, 1), ("a", 1, 5, 1)]),
        *(Read(failed=f"record 1: column {name}: {missing}") for name in ("v", "n", "k", "n")),
    ]
