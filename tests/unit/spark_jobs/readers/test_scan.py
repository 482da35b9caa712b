"""What a scan finds out about a text, however the text is cut into pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_jobs.layers.staging.readers.dialect import Dialect, dialect_of
from spark_jobs.layers.staging.readers.plain import UnreadableError
from spark_jobs.layers.staging.readers.scan import LONGEST_LINE, Content, Scan

CSV = Dialect()
ESCAPED = Dialect(escape="\\")


def scanned(body: bytes, dialect: Dialect | None = CSV, size: int = 1 << 20, split: int = 1 << 30) -> Content:
    scan = Scan(dialect, split)
    passed = list(scan.through(body[i : i + size] for i in range(0, len(body), size)))
    assert b"".join(passed) == body
    return scan.content()


def test_a_plain_file():
    assert scanned(b"a,b\n1,2\n") == Content("a,b\n1,2\n", 8, split_bytes=1 << 30)
    assert scanned(b"") == Content(split_bytes=1 << 30)


@pytest.mark.parametrize(
    ("body", "end"),
    [
        (b"a,b\r\n1,2\r\n", "\n"),
        (b"a,b\r\r\n1,2\r\r\n", "\n"),
        (b"a,b\r1,2\r", "\r"),
        (b"a,b\r\r1,2\r", "\r"),
        (b"a,b", "\n"),
        (b'"a\n",b\r1,2\r', "\r"),
        (b'"a\r",b\n1,2\n', "\n"),
        (b'a"\r1\r', "\r"),
        (b'"a"x\n', "\n"),
        (b"\r\n\na\r", "\n"),
    ],
)
def test_the_first_break_outside_quotes_ends_lines(body, end):
    assert scanned(body).line_end == end


@pytest.mark.parametrize(
    ("body", "dialect", "spans"),
    [
        (b'a\n"1"\n"2,"""\n', CSV, False),
        (b'a\n"1\n2"\n', CSV, True),
        (b'a\n1\n"2', CSV, True),
        (b'a\n1\n5" pipe\n', CSV, True),
        (b'a\r"1\n"\r', CSV, False),
        (b'a\r"1\r"\r', CSV, True),
        (b'a\n"1\n2"\n', Dialect(quote=""), False),
        (b'a\n"1\\"2"\n', ESCAPED, False),
        (b'a\n"1\\\\"\n', ESCAPED, False),
        (b'a\n"1\\\\\\"\n"\n', ESCAPED, True),
        (b"a\n1\\\n2\n", ESCAPED, True),
        (b"a\n1\\\\\n2\n", ESCAPED, False),
        (b"a\n1\\\r\n2\n", ESCAPED, False),
        ("a\n“1\n2“\n".encode(), Dialect(quote="“"), True),
        (b'a\n"1\n2"\n', None, False),
    ],
)
def test_records_span_lines_where_quotes_or_escapes_say_so(body, dialect, spans):
    assert [scanned(body, dialect, size).spans for size in (1, 2, 3, 1000)] == [spans] * 4


@given(st.text(st.sampled_from('a",\n\\é'), max_size=60), st.integers(1, 7), st.booleans())
def test_pieces_make_no_difference(text, size, escaped):
    body = text.encode()
    dialect = ESCAPED if escaped else CSV
    assert scanned(body, dialect, size, split=5) == scanned(body, dialect, 1000, split=5)


@given(st.text(st.sampled_from('a"\n'), max_size=60))
def test_lines_before_the_places_where_spark_splits(text):
    body = text.encode()
    found = scanned(body, None, size=4, split=5).lines_before
    assert list(found) == ([body[:at].count(b"\n") for at in range(5, len(body), 5)] if len(body) > 5 else [])


def test_bytes_that_are_no_utf8():
    for body, is_text in ((b"\xff", False), ("é€😀".encode(), True), ("é".encode()[:1], False), (b"a\xe9b", False)):
        assert [scanned(body * 1, size=size).is_text for size in (1, 1000)] == [is_text] * 2
    assert not scanned(b"x" * 70_000 + b"\xc3").is_text


def test_the_head_is_text_without_its_mark():
    content = scanned("\ufeffa,b\n".encode() + b"x" * 100_000)
    assert (len(content.head), content.head[:4], content.size) == (65_533 + 0, "a,b\n", 100_007)


def test_a_line_that_no_task_can_hold_is_refused():
    with pytest.raises(UnreadableError, match="holds a line of more than 32 MiB"):
        scanned(b"x" * (LONGEST_LINE + 1), size=1 << 24)
    scanned((b"x" * (1 << 20) + b"\n") * 40)


def test_options_become_a_dialect():
    assert dialect_of({}) == CSV
    assert dialect_of({"quote": "none"}) == Dialect(quote="")
    assert dialect_of({"quote": "'", "escape": "'"}) == Dialect(quote="'")
    assert dialect_of({"delimiter": "||", "escape": "\\"}) == Dialect("||", '"', "\\")


@pytest.mark.parametrize(
    ("dialect", "text", "fields", "behind"),
    [
        (CSV, "a,b\n1", ["a", "b"], "1"),
        (CSV, 'a,"b ""x"", y"\r\n1', ["a", 'b "x", y'], "1"),
        (CSV, '"a\nb",\r1', ["a\nb", ""], "1"),
        (CSV, 'x"y', ['x"y'], ""),
        (ESCAPED, 'a\\,b,"c\\"\\\\"\n', ["a,b", 'c"\\'], ""),
        (ESCAPED, '"a""b"', ['a"b'], ""),
        (Dialect("||", "'"), "a|b||'c||d'", ["a|b", "c||d"], ""),
        (Dialect("||", "'", "\\"), "a\\||b||'c\\'d'", ["a||b", "c'd"], ""),
        (Dialect(quote=""), '"a,b"', ['"a', 'b"'], ""),
    ],
)
def test_a_header_is_divided_like_records(dialect, text, fields, behind):
    assert dialect.fields(text) == (fields, behind)


@pytest.mark.parametrize("text", ['"a', '"a"b', 'a,"b\n1,2'])
def test_a_header_that_breaks_off(text):
    with pytest.raises(ValueError, match="text behind a closing quote, or a quote that is not closed, in field"):
        CSV.fields(text)
