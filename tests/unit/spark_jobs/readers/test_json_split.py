"""A JSON document is cut into its records whatever the pieces it comes in."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_jobs.layers.staging.readers import json_split
from spark_jobs.layers.staging.readers.json_split import BrokenDocumentError, records_of


def cut(text: str | bytes, path: str = "", size: int = 1000) -> list[str]:
    body = text.encode() if isinstance(text, str) else text
    return list(
        records_of((body[i : i + size] for i in range(0, len(body), size)), tuple(filter(None, path.split("."))))
    )


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
@pytest.mark.parametrize(
    ("text", "path", "records"),
    [
        ("[]", "", []),
        (' [ {"a": 1} , {"a": [2, {}]}\n]\n', "", ['{"a": 1}', '{"a": [2, {}]}']),
        ('{"a": 1}', "", ['{"a": 1}']),
        ('{"a": 1}{"a": 2}\n {"a": 3}', "", ['{"a": 1}', '{"a": 2}', '{"a": 3}']),
        ('[{"a": 1}][{"a": 2}]', "", ['{"a": 1}', '{"a": 2}']),
        ('[1, "x,]", null, -2.5e3, [3]]', "", ["1", '"x,]"', "null", "-2.5e3", "[3]"]),
        ('[{"a": "}\\"]{["}, {"b\\\\": "\\\\"}]', "", ['{"a": "}\\"]{["}', '{"b\\\\": "\\\\"}']),
        ('\ufeff[{"a": "é😀"}]', "", ['{"a": "é😀"}']),
        ('{"n": {"rows": 0}, "data": {"x": "rows", "rows": [{"a": 1}, {"a": 2}]}, "z": []}', "data.rows",
         ['{"a": 1}', '{"a": 2}']),
        ('{"data": {"rows": []}}', "data.rows", []),
        ('{"data": {"rows": null}}', "data.rows", []),
        ('{"data": {"rows": {"a": 1}}}', "data.rows", ['{"a": 1}']),
        ('[{"rows": [{"a": 1}]}, {"x": 1, "rows": [{"a": 2}]}]', "rows", ['{"a": 1}', '{"a": 2}']),
        ('{"\\u0072ows": [1]}', "rows", ["1"]),
        ("[" * 100 + '{"rows": [1]}' + "]" * 100, "rows", ["1"]),
    ],
)  # fmt: skip
def test_records(text, path, records, size):
    assert cut(text, path, size) == records


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        ("\ufeff \n", "", "holds no value"),
        ('[{"a": 1}', "", "ends before its ] (character 10)"),
        ('[{"a": 1}, {"a"', "", "ends inside a record"),
        ('[{"a": "x', "", "ends inside a record"),
        ('[{"a": 1} {"a": 2}]', "", "lacks a comma or ]"),
        ('[{"a": [1}]', "", "has } where another bracket should close (character 11)"),
        ('[{"a": 1},]', "", "holds something that is no value, or a string without an end"),
        ("]", "", "holds something that is no value, or a string without an end"),
        ('["x]', "", "holds something that is no value, or a string without an end"),
        ('{"rows": [1], "b" 2}', "rows", "lacks a name or a colon"),
        ("{rows: [1]}", "rows", "lacks a name or a colon"),
        ('{"rows": 5}', "rows", "holds something else than an array at its path"),
        ('{"rows": [1]', "rows", "ends before its }"),
        ('{"row": [1]}', "rows", "has no array at rows"),
        ('{"data": 5}', "data.rows", "has no array at data.rows"),
        ('{"rows": ', "rows", "ends where a value should begin"),
        ("[" * 5000 + "]" * 5000, "rows", "holds more than 100 arrays inside each other around its records"),
    ],
)
def test_structures_that_break(text, path, reason, size):
    with pytest.raises(BrokenDocumentError) as raised:
        cut(text, path, size)
    assert str(raised.value).startswith(reason)


def test_what_comes_before_a_break_is_given():
    records = records_of(iter([b'[{"a": 1}, {"a": 2}, {']), ())
    assert [next(records), next(records)] == ['{"a": 1}', '{"a": 2}']
    with pytest.raises(BrokenDocumentError):
        next(records)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=30, deadline=None)
@given(st.lists(JSON, max_size=5), st.integers(1, 20), st.sampled_from([None, 0, 3]), st.booleans())
def test_the_records_of_any_array(values, size, indent, ascii_only):
    text = json.dumps({"x": values, "rows": values}, indent=indent, ensure_ascii=ascii_only)
    assert [json.loads(one) for one in cut(text, "rows", size)] == values


def test_memory_holds_one_record_at_a_time(monkeypatch):
    monkeypatch.setattr(json_split, "LONGEST_RECORD", 10_000)
    chunk = b'{"a": "' + b"x" * 5_000 + b'"},'
    chunks = iter([b"[", *[chunk] * 1_000, b"1]"])
    assert sum(1 for _ in records_of(chunks, ())) == 1_001
    skipped = iter([b'{"skip": [', *[chunk] * 1_000, b'1], "rows": [1]}'])
    assert list(records_of(skipped, ("rows",))) == ["1"]
    with pytest.raises(BrokenDocumentError, match="holds a record of more than"):
        list(records_of(iter([b'["', *[b"x" * 4_000] * 9, b'"]']), ()))


def test_bytes_that_are_no_text_are_marked():
    assert cut(b'[{"a": "\xff"}]', size=1) == ['{"a": "\udcff"}']
