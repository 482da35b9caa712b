"""CSV by RFC 4180, to the letter: a corpus of nasty files, value for value."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.model import Column
from contracts.paths import is_kept
from spark_jobs.layers.staging.readers.seam import CARRIED, FINGERPRINT, HELD
from spark_jobs.layers.staging.records import DELETING, PRESENT, TRUNCATING
from tests.unit.spark_jobs.readers.conftest import Read, table

AB = ("a string", "b string")
MISQUOTED = "has text behind a closing quote, or a quote that is not closed"


def ragged(number: int, said: str, raw: str, width: int = 2) -> tuple:
    return (number, "", "record", f"has {said}, the header has {width}", raw)


def misquoted(number: int, raw: str) -> tuple:
    return (number, "", "record", MISQUOTED, raw)


def check(files, of, corpus: dict[str, tuple[str | bytes, Read]]) -> None:
    """Read a whole corpus in one batch."""
    found = files.read_all(of, [body for body, _ in corpus.values()])
    assert dict(zip(corpus, found, strict=True)) == {name: read for name, (_, read) in corpus.items()}


LINES = {
    "plain": ("a,b\n1,2\n", Read([("1", "2")])),
    "crlf": ("a,b\r\n1,2\r\n3,4\r\n", Read([("1", "2"), ("3", "4")])),
    "crlf that Windows wrote as text": ("a,b\r\r\n1,2\r\r\n\r\r\n3,4", Read([("1", "2"), ("3", "4")])),
    "one such line": ("a,b\n1,2\r\r\n3,4\r\n", Read([("1", "2"), ("3", "4")])),
    "carriage returns alone": ("a,b\r1,2\r3,4\r", Read([("1", "2"), ("3", "4")])),
    "line ends of both kinds": ("a,b\r\n1,2\n3,4\r\n", Read([("1", "2"), ("3", "4")])),
    "no final line end": ("a,b\n1,2", Read([("1", "2")])),
    "no final line end, crlf": ("a,b\r\n1,2", Read([("1", "2")])),
    "no final line end behind a quote": ('a,b\n1,"2"', Read([("1", "2")])),
    "a header alone": ("a,b\n", Read()),
    "a header alone without line end": ("a,b", Read()),
    "nothing": ("", Read()),
    "line ends alone": ("\n\r\n\n", Read()),
    "blank lines": ("\n\na,b\n\n1,2\n\n\n3,4\n\n", Read([("1", "2"), ("3", "4")])),
    "blank lines, crlf": ("a,b\r\n\r\n1,2\r\n\r\n", Read([("1", "2")])),
    "a line of blanks is a record": ("a,b\n  \n1,2\n", Read([("1", "2")], [ragged(1, "1 field", "  ")])),
    "the header's order is the file's": ("b,a\n1,2\n", Read([("2", "1")])),
    "the header's case is nobody's": ("B,A\n1,2\n", Read([("2", "1")])),
    "a quoted header": ('"a","b"\n1,2\n', Read([("1", "2")])),
    "blanks around header names": (" a , b\n1,2\n", Read([("1", "2")])),
    "a byte order mark": ("\ufeffa,b\n1,2\n", Read([("1", "2")])),
    "a byte order mark before a quote": ('\ufeff"a",b\n1,2\n', Read([("1", "2")])),
    "a line that begins with #": ("a,b\n#1,2\n", Read([("#1", "2")])),
    "a line that begins with NUL": ("a,b\n\x001,\x00\n", Read([("\x001", "\x00")])),
    "tabs and blanks are values": ("a,b\n\t1 , 2\t\n", Read([("\t1 ", " 2\t")])),
    "text beyond the basic plane": ("a,b\n😀,\U0010ffff\n", Read([("😀", "\U0010ffff")])),
}


def test_lines_and_headers(files):
    check(files, table(*AB), LINES)


FIELDS = {
    "empty is NULL, quoted empty is empty": ('a,b\n,""\n"",\n', Read([(None, ""), ("", None)])),
    "both empty": ("a,b\n,\n", Read([(None, None)])),
    "delimiters in quotes": ('a,b\n"1,2",","\n', Read([("1,2", ",")])),
    "doubled quotes": ('a,b\n"say ""hi""",""""\n', Read([('say "hi"', '"')])),
    "quotes alone, doubled": ('a,b\n"""""",""""""""\n', Read([('""', '"""')])),
    "a value that begins with a quote": ('a,b\n"""x""y",2\n', Read([('"x"y', "2")])),
    "a value that looks quoted": ('a,b\n"""x""",2\n', Read([('"x"', "2")])),
    "blanks inside quotes": ('a,b\n" x ","  "\n', Read([(" x ", "  ")])),
    "a quote inside an unquoted field": ('a,b\n5" pipe,x"\n', Read([('5" pipe', 'x"')])),
    "two quotes inside an unquoted field": ('a,b\nx""y,2\n', Read([('x""y', "2")])),
    "a blank before a quote": ('a,b\n "1",2\n', Read([(' "1"', "2")])),
    "a backslash is a character": ('a,b\n\\,"\\"\n\\N,"a\\\\b"\n', Read([("\\", "\\"), ("\\N", "a\\\\b")])),
    "too few": ("a,b\n1\n3,4\n", Read([("3", "4")], [ragged(1, "1 field", "1")])),
    "too many": ("a,b\n1,2,3\n3,4\n", Read([("3", "4")], [ragged(1, "3 fields", "1,2,3")])),
    "a delimiter at the end": ("a,b\n1,2,\n", Read([], [ragged(1, "3 fields", "1,2,")])),
    "too many, in quotes": ('a,b\n"1","2","3"\n', Read([], [ragged(1, "3 fields", '"1","2","3"')])),
    "too few, a delimiter in quotes": ('a,b\n"1,2"\n', Read([], [ragged(1, "1 field", '"1,2"')])),
    "text behind a closing quote": ('a,b\n"1"x,2\n3,4\n', Read([("3", "4")], [misquoted(1, '"1"x,2')])),
    "a blank behind a closing quote": ('a,b\n"1" ,2\n3,4\n', Read([("3", "4")], [misquoted(1, '"1" ,2')])),
    "quotes inside quotes": ('a,b\n"a "b" c",2\n3,4\n', Read([("3", "4")], [misquoted(1, '"a "b" c",2')])),
    "other records go on": (
        'a,b\n1,"x"y\n2\n3,"z"\n4,5,6\n',
        Read([("3", "z")], [misquoted(1, '1,"x"y'), ragged(2, "1 field", "2"), ragged(4, "3 fields", "4,5,6")]),
    ),
}


def test_fields_and_quotes(files):
    check(files, table(*AB), FIELDS)


SPANNING = {
    "a line break in quotes": ('a,b\n"1\n2",3\n4,5\n', Read([("1\n2", "3"), ("4", "5")])),
    "crlf in quotes": ('a,b\r\n"1\r\n2",3\r\n4,5\r\n', Read([("1\r\n2", "3"), ("4", "5")])),
    "crlf in quotes, line feeds outside": ('a,b\n1,"x\r\ny"\n4,5\n', Read([("1", "x\r\ny"), ("4", "5")])),
    "crlf that Windows wrote as text, values quoted": (
        'a,b\r\r\n"1\r\n2","x\r"\r\r\n4,"5"\r\r\n',
        Read([("1\r\n2", "x\r"), ("4", "5")]),
    ),
    "a line feed in quotes, crlf outside": ('a,b\r\n1,"x\ny"\r\n4,5\r\n', Read([("1", "x\ny"), ("4", "5")])),
    "a return in quotes": ('a,b\n1,"x\ry"\n"\r",5\n', Read([("1", "x\ry"), ("\r", "5")])),
    "a value that ends in a return": ('a,b\n1,"x\r"\n2,3\n', Read([("1", "x\r"), ("2", "3")])),
    "returns outside, line feeds inside": ('a,b\r1,"x\ny"\r2,"\n"\r', Read([("1", "x\ny"), ("2", "\n")])),
    "line breaks alone": ('a,b\n"\n","\n\n\n"\n', Read([("\n", "\n\n\n")])),
    "blank lines inside and outside": ('a,b\n\n"\n\n",1\n\n2,3\n', Read([("\n\n", "1"), ("2", "3")])),
    "a record that looks like two": ('a,b\n1,"2\n3,4"\n5,6\n', Read([("1", "2\n3,4"), ("5", "6")])),
    "quotes beside breaks": ('a,b\n"""\n""","\n"""\n1,2\n', Read([('"\n"', '\n"'), ("1", "2")])),
    "a header over two lines": ('"a\n",b\n1,2\n', Read([("1", "2")])),
    "a stray quote does not lead astray": (
        'a,b\n5" pipe,1\n2,"x\ny"\n3" pipe,4\n5,6\n',
        Read([('5" pipe', "1"), ("2", "x\ny"), ('3" pipe', "4"), ("5", "6")]),
    ),
    "text behind a closing quote, over two lines": (
        'a,b\n1,"x\ny"z\n2,"p\nq"\n',
        Read([("2", "p\nq")], [misquoted(1, '1,"x\ny"z')]),
    ),
    "too many, over two lines": (
        'a,b\n1,"x\ny",2\n3,4\n',
        Read([("3", "4")], [ragged(1, "3 fields", '1,"x\ny",2')]),
    ),
    "a quote that is never closed": (
        'a,b\n1,2\n3,"4\n5,6\n7,8\n',
        Read(failed="record 2: opens a quote that is never closed, or ends in an escape"),
    ),
    "a quote that opens at the end": (
        'a,b\n1,2\n3,"',
        Read(failed="record 2: opens a quote that is never closed, or ends in an escape"),
    ),
}


def test_records_that_span_lines(files):
    check(files, table(*AB), SPANNING)


def test_a_record_is_found_by_the_line_where_it_begins(files):
    read = files.read(table("a int", "b string"), 'a,b\n1,"x\ny"\n\n2,"p\nq\nr"\nz,3\n')
    assert read.rows == [(1, "x\ny"), (2, "p\nq\nr")]
    assert read.refused == [(7, "a", "type", "'z' is no int", "z,3")]


def test_one_column_needs_no_delimiter(files):
    body = 'a\n1\n""\n"x,y"\n  \n"""q"""\n2,3\n'
    assert files.read(table("a string"), body) == Read(
        [("1",), ("",), ("x,y",), ("  ",), ('"q"',)], [ragged(6, "2 fields", "2,3", 1)]
    )


HEADERS = {
    "a column is missing": (
        "a,c\n1,2\n",
        "column b is missing (the file has a, c); send it, or allow it with missing_columns: null",
    ),
    "a column too many": (
        "a,b,c\n1,2,3\n",
        "column c is not in the contract; declare it, or allow it with extra_columns: ignore",
    ),
    "a delimiter too many": (
        "a,b,\n1,2,\n",
        "column (without a name) is not in the contract; declare it, or allow it with extra_columns: ignore",
    ),
    "a column twice": ("a,b,A\n1,2,3\n", "column a stands more than once in the header"),
    "a header that breaks off": (
        'a,"b\n1,2\n',
        "its header has text behind a closing quote, or a quote that is not closed, in field 2",
    ),
    "UTF-16 that is not declared": (
        "a,b\n1,2\n".encode("utf-16"),
        "begins with the byte order mark of UTF-16; declare encoding: utf-16",
    ),
}


def test_headers_that_do_not_fit_are_all_named_at_once(files):
    found = files.read_all(table(*AB), [*(body for body, _ in HEADERS.values()), "a,b\n1,2\n"])
    assert {name: read.failed for name, read in zip(HEADERS, found[:-1], strict=True)} == {
        name: reason for name, (_, reason) in HEADERS.items()
    }
    assert found[-1] == Read([("1", "2")])


def test_drift_that_the_contract_allows(files):
    allowing = table("k string", *AB, extra_columns="ignore", missing_columns="null", key=("k",))
    found = files.read_all(allowing, ["x,B,k,x,\n0,2,1,0,0\n", "a\n1\n"])
    assert found[0] == Read([("1", None, "2")])
    assert (
        found[1].failed == "column k is missing (the file has a); send it, since key and order of the rows depend on it"
    )
    [found] = files.read_all(table("k string", *AB, key=("k",)), ["a\n1\n"])
    assert found.failed == (
        "column k, b is missing (the file has a); send it, or allow all but k with missing_columns: null"
    )


def test_files_without_a_header_hold_the_columns_in_their_order(files):
    found = files.read_all(table(*AB, options={"header": False}), ["1,2\n", '\n"1\n",2\n3', "", '"1,2\n'])
    assert found == [
        Read([("1", "2")]),
        Read([("1\n", "2")], [ragged(4, "1 field", "3")]),
        Read(),
        Read(failed="record 1: opens a quote that is never closed, or ends in an escape"),
    ]


@pytest.mark.long(little=True)
def test_a_first_record_longer_than_the_head_tells_which_columns_a_file_has(files):
    of = table("Op string", *AB, options={"header": False})
    of = replace(of, source=replace(of.source, names=("Op", "a", "b"), optional=("Op",)))
    long = "x" * 70_000
    found = files.read_all(of, [f"\n{long},1\ny,2\n", f'I,"{long}\n",1\nD,y,2\n'])
    assert found == [Read([(None, long, "1"), (None, "y", "2")]), Read([("I", f"{long}\n", "1"), ("D", "y", "2")])]


def test_words_that_mean_null(files):
    body = 'a,b\nNA,"NA"\n,""\nna,N/A\n'
    assert files.read(table(*AB, options={"null_value": ["NA", "N/A"]}), body).rows == [
        (None, None),
        (None, ""),
        ("na", None),
    ]
    assert files.read(table(*AB, options={"null_value": ["", "NA"]}), body).rows[1] == (None, None)


@pytest.mark.long(little=True)
def test_wide_files_and_long_values(files):
    columns = [f"c{i}" for i in range(400)]
    wide = table(*(f"{name} string" for name in columns))
    row = [str(i) if i % 7 else "" for i in range(400)]
    body = ",".join(columns) + "\n" + ",".join(row) + "\n" + ",".join(row[:-1]) + "\n"
    read = files.read(wide, body)
    assert read.rows == [tuple(value or None for value in row)]
    assert read.refused == [ragged(2, "399 fields", ",".join(row[:-1])[:4000], 400)]
    long = "x," * 200_000
    cells = '{"n": [' + ", ".join('"v"' for _ in range(30_000)) + "]}"
    quoted = cells.replace('"', '""')
    read = files.read(table(*AB), f'a,b\n1,"{long}"\n"{quoted}",2\n3,{long}\n4,5\n')
    assert read.rows == [("1", long), (cells, "2"), ("4", "5")]
    assert read.refused == [ragged(3, "200002 fields", f"3,{long}"[:4000])]


DIALECTS = {
    "semicolons": ({"delimiter": ";"}, 'a;b\n1,5;"x;y"\n', [("1,5", "x;y")]),
    "tabs": ({"delimiter": "\t"}, 'a\tb\n 1\t"x\ty"\n\t\n', [(" 1", "x\ty"), (None, None)]),
    "blanks": ({"delimiter": " "}, 'a b\n1 "x y"\n', [("1", "x y")]),
    "pipes": ({"delimiter": "|", "quote": "'"}, "a|b\n'x|y'|'it''s'\n\"1\"|2\n", [("x|y", "it's"), ('"1"', "2")]),
    "backslashes": ({"delimiter": "\\"}, 'a\\b\n1\\"x\\y"\n\\n\n', [("1", "x\\y"), (None, "n")]),
    "quotes that are backslashes": ({"quote": "\\"}, "a,b\n1,\\x,\\\\y\\\n", [("1", "x,\\y")]),
    "two characters": ({"delimiter": "||"}, 'a||b\n1|2||"x||y"\n||\n', [("1|2", "x||y"), (None, None)]),
    "a sign beyond ASCII": ({"delimiter": "§"}, 'a§b\n1§"x§y"\n', [("1", "x§y")]),
    "no quotes": ({"quote": "none"}, 'a,b\n"1,2"\n,"\n', [('"1', '2"'), (None, '"')]),
    "no quotes, but an escape": (
        {"quote": "none", "escape": "\\", "null_value": "\\N"},
        "a,b\n1\\,2,x\\\ny\n\\N,\\\\N\n\\\\,\\\n\n",
        [("1,2", "x\ny"), (None, "\\N"), ("\\", "\n")],
    ),
    "quotes with an escape": (
        {"escape": "\\"},
        'a,b\n"say \\"hi\\"","x\\\\"\n\\"1,2\\,3\n"a ""b""",\\N\n"p\nq\\"",r\n',
        [('say "hi"', "x\\"), ('"1', "2,3"), ('a "b"', "N"), ('p\nq"', "r")],
    ),
    "an escape and crlf": (
        {"escape": "\\"},
        'a,b\r\n1,x\\\\\r\n2,y\\\r\n3,"z\\\r\nz"\r\n4,y\\\r\r\n',
        [("1", "x\\"), ("2", "y\r"), ("3", "z\r\nz"), ("4", "y\r")],
    ),
}


def test_dialects(files):
    found = {name: files.read(table(*AB, options=options), body) for name, (options, body, _) in DIALECTS.items()}
    assert found == {name: Read(rows) for name, (_, _, rows) in DIALECTS.items()}


def test_lines_are_records_where_the_contract_promises_so(files):
    read = files.read(table(*AB, options={"multiline": False}), 'a,b\n1,"2\n3,4"\n5,6\n')
    assert read.rows == [("3", '4"'), ("5", "6")]
    assert read.refused == [misquoted(1, '1,"2')]


def test_a_large_file_is_read_in_parallel_and_its_lines_keep_their_numbers(files):
    rows = [f"{i},{'x' * (i % 50)}{'é' if i % 3 else ''}" for i in range(1, 2001)]
    rows[1499] = "1500"
    files.spark.conf.set("spark.sql.files.maxPartitionBytes", "4096")
    files.spark.conf.set("spark.sql.files.openCostInBytes", "4096")
    try:
        read = files.read(table("a int", "b string"), "a,b\n" + "\n".join(rows) + "\n")
        spanning = files.read(table("a int", "b string"), "a,b\n" + "\n".join(rows) + '\n2001,"p\nq"\nz,1\n')
        records = files.read(table("a int", form="jsonl"), "".join(f'{{"a": {i}}}\n' for i in range(1, 2001)) + "{\n")
    finally:
        files.spark.conf.unset("spark.sql.files.maxPartitionBytes")
    good = [(i, ("x" * (i % 50) + ("é" if i % 3 else "")) or None) for i in range(1, 2001) if i != 1500]
    assert read == Read([(a, b) for a, b in good], [ragged(1500, "1 field", "1500")])
    assert spanning.rows == [*good, (2001, "p\nq")]
    assert spanning.refused == [ragged(1500, "1 field", "1500"), (2003, "a", "type", "'z' is no int", "z,1")]
    assert records.rows == [(i,) for i in range(1, 2001)]
    assert [row[0] for row in records.refused] == [2001]


def test_columns_made_by_sql_read_the_file(files):
    columns = ("first string", "last string", Column("full", "string", expr="concat_ws(' ', first, last)",
               reads=("first", "last")), Column("n", "int", source="N", expr="N * 2", reads=("N",)),
               Column("region", "string", expr="'EU'"))  # fmt: skip
    read = files.read(table(*columns), "first,last,n\nAda,Lovelace,21\n,Li,x\n")
    assert read.rows == [("Ada", "Lovelace", "Ada Lovelace", 42, "EU"), (None, "Li", "Li", None, "EU")]


NEAR = ("_value", "_result", "_texts", "_order", "_landed_at", "_file_time", "_cast_failure", "_reject")


def test_no_column_of_a_file_bears_a_name_of_the_jobs():
    own = {*CARRIED, *FINGERPRINT, HELD, DELETING, TRUNCATING, PRESENT}
    assert all(is_kept(name) for name in (*own, "_value0", "_result1"))
    assert not any(map(is_kept, NEAR))


@pytest.mark.long(little=True)
def test_a_column_of_a_file_may_bear_any_other_name(files):
    columns = (Column(f"c{name}", "string", source=name, reads=(name,)) for name in NEAR)
    of = table(*columns, Column("x", "string", expr="upper(_value)", reads=("_value",)))
    values = tuple(str(number) for number, _ in enumerate(NEAR))
    assert files.read(of, f"{','.join(NEAR)}\n{','.join(values)}\n") == Read([(*values, "0")])
