"""An XML document is cut into its rows whatever the pieces it comes in, and dangerous ones are refused."""

from __future__ import annotations

import tracemalloc

import pytest

from contracts.types import parse_type
from spark_jobs.layers.staging.readers import xml_rows
from spark_jobs.layers.staging.readers.xml_elements import Step, Wanted, step_of
from spark_jobs.layers.staging.readers.xml_rows import BrokenDocumentError, Row, rows_of


def cut(
    body: str | bytes, *wanted: str, row: str = "r", size: int = 1 << 20, namespaces=None, encoding=None
) -> list[Row]:
    names = namespaces or {}
    columns = []
    for one in wanted:
        path, _, kind = one.partition(" ")
        steps = tuple(step_of(part, names) for part in path.split("."))
        columns.append(Wanted(path, steps, parse_type(kind) if kind else None))
    data = body.encode() if isinstance(body, str) else body
    return list(
        rows_of((data[i : i + size] for i in range(0, len(data), size)), step_of(row, names), columns, encoding)
    )


def texts(*args, **words) -> list[tuple[str | None, ...]]:
    return [row.texts for row in cut(*args, **words)]


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_elements_attributes_and_text(size):
    body = (
        '<?xml version="1.0"?>\n<!-- c --><rs n="0"><r id="1" x="&lt;&quot;&#10;"><a>A &amp; B</a>'
        "<b><c>&#233;</c></b></r>\n"
        "<page><r id='2'>\n <a><![CDATA[<x> & ]] > ]]>y<!-- no -->z<?pi no?></a> <b/> </r></page><r>own</r></rs>"
    )
    assert texts(body, "@id", "@x", "a", "b.c", "#text", size=size) == [
        ("1", '<"\n', "A & B", "é", None),
        ("2", None, "<x> & ]] > yz", None, None),
        (None, None, None, None, "own"),
    ]


def test_empty_is_a_value_and_nil_is_none():
    body = (
        '<rs xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><r><a/><b></b><c xsi:nil="true"/></r>'
        '<r><a xsi:nil="1"><x/></a><b xsi:nil="false">x</b></r></rs>'
    )
    rows = cut(body, "a", "b", "c", "a.x")
    assert [row.texts for row in rows] == [("", "", None, None), (None, "x", None, "")]
    assert [(row.missing, row.extra) for row in rows] == [("a.x", None), ("c", None)]
    assert cut(body, "c.x", "a", "b")[0].missing is None


def test_what_is_extra_or_missing_is_told():
    rows = cut("<rs><r k='1'><a/><z/></r><r><b>1</b></r><r><a/>text</r></rs>", "a", "@k")
    assert [(row.extra, row.missing) for row in rows] == [("z", None), ("b", "a"), ("#text", "@k")]


def test_names_are_found_in_any_case_but_those_of_a_map_are_values():
    body = "<rs><r K='1'><Name>x</Name><M><a>1</a><A>2</A></M></r><r k='2'><name>x</name><NAME>y</NAME></r></rs>"
    rows = cut(body, "@k", "NAME", "m map<string,string>")
    assert [row.texts for row in rows] == [("1", "x", '{"a": "1", "A": "2"}'), ("2", None, None)]
    assert [row.extra for row in rows] == [None, None]
    assert rows[1].problem == "NAME stands 2 times; declare an array, or a path to one of them"


def test_arrays_structs_and_maps_become_json():
    body = "<rs><r><t>1</t><t/><p k='é'><x>2</x><x>3</x><y><z>4</z></y></p><m><a>1</a><b>2</b></m></r><r/></rs>"
    kinds = (
        "t array<string>",
        "p struct<k:string,x:array<int>,y:struct<z:int>>",
        "m map<string,int>",
        "p.x array<int>",
    )
    assert texts(body, *kinds) == [
        ('["1", ""]', '{"k": "é", "x": ["2", "3"], "y": {"z": "4"}}', '{"a": "1", "b": "2"}', '["2", "3"]'),
        (None, None, None, None),
    ]


def test_elements_that_do_not_fit_are_told_and_the_others_stand():
    body = "<rs><r k='1'><a>1</a><a>2</a></r><r k='2'><a><b/></a><m><x/><x/></m></r><r k='3'><m><x/><x/></m></r></rs>"
    assert [(row.texts, row.problem) for row in cut(body, "a", "m map<string,string>", "@k")] == [
        ((None, None, "1"), "a stands 2 times; declare an array, or a path to one of them"),
        ((None, None, "2"), "a holds elements; declare a struct, or a path into it"),
        ((None, None, "3"), "m.x stands 2 times; declare an array, or a path to one of them"),
    ]


def test_namespaces():
    body = (
        '<rs xmlns="urn:d" xmlns:p="urn:p" xmlns:q="urn:q"><r><p:a p:k="1" k="2">p</p:a><q:a>q</q:a></r>'
        '<x:r xmlns:x="urn:p"><a>d</a></x:r></rs>'
    )
    names = {"one": "urn:p", "two": "urn:q", "def": "urn:d"}
    assert texts(body, "one:a", "two:a", "one:a.@one:k", "def:a", row="def:r", namespaces=names) == [
        ("p", "q", "1", None)
    ]
    assert texts(body, "a", row="one:r", namespaces=names) == [("d",)]
    assert [row.problem for row in cut(body, "a")] == [
        "a stands 2 times; declare an array, or a path to one of them",
        None,
    ]
    with pytest.raises(KeyError):
        step_of("three:a", names)


def test_the_raw_text_of_rows_is_kept_within_bounds():
    body = f"<rs><r a='1'/><r><a/></r><r>{'x' * 40_000}</r><r></r></rs>"
    for size in (1, 7, 1000, 1 << 20):
        raws = [row.raw for row in cut(body, "a", size=size if size > 1 else 16)]
        assert raws[:2] == ["<r a='1'/>", "<r><a/></r>"]
        assert (len(raws[2]), raws[2][:5], raws[3]) == (16_000, "<r>xx", "<r></r>")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1", "windows-1252", "koi8-r"])
def test_a_document_says_how_it_is_written(encoding):
    text = "ё" if encoding == "koi8-r" else "é"
    body = f'<?xml version="1.0" encoding="{encoding}"?><rs><r a="{text}">{text}</r></rs>'.encode(encoding)
    row = cut(body, "@a", "#text", size=5)[0]
    assert row.texts == (text, text)
    assert cut(f'<?xml version="1.0" encoding="latin-1"?><rs><r a="{text}"/></rs>', "@a", encoding="utf-8")[
        0
    ].texts == (text,)


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><rs><r><a>&b;</a></r></rs>'
REFUSED = {
    "a bomb": (BOMB, "declares the entity a: entities of a document's own are refused"),
    "a file": (
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><rs><r><a>&e;</a></r></rs>',
        "declares the entity e: entities of a document's own are refused",
    ),
    "a parameter": (
        '<!DOCTYPE x [<!ENTITY % e SYSTEM "http://127.0.0.1/x.dtd"> %e;]><rs><r/></rs>',
        "declares the entity e: entities of a document's own are refused",
    ),
    "a DTD elsewhere": (
        '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd"><rs><r><a>&e;</a></r></rs>',
        "refers to something outside the document, which is refused",
    ),
    "a DTD elsewhere, of which an attribute asks for an entity": (
        '<!DOCTYPE x SYSTEM "x.dtd"><rs><r a="&gt;"/><r a="x" b=\'"&e;\'/></rs>',
        "refers to something outside the document, which is refused",
    ),
    "a DTD elsewhere, in UTF-16": (
        '<!DOCTYPE x SYSTEM "x.dtd"><rs><r a="1&e;2"/></rs>'.encode("utf-16"),
        "refers to something outside the document, which is refused",
    ),
    "an entity that nobody declared": ("<rs><r><a>&e;</a></r></rs>", "is no well-formed XML: undefined entity"),
    "the wrong end": ("<rs><r></a></r></rs>", "is no well-formed XML: mismatched tag: line 1, column 9"),
    "no end": ("<rs><r/>", "is no well-formed XML: no element found"),
    "half a tag": ("<rs><r><a", "is no well-formed XML: unclosed token"),
    "two roots": ("<rs/><rs/>", "is no well-formed XML: junk after document element"),
    "text": ("hello", "is no well-formed XML: syntax error"),
    "a bare ampersand": ("<rs><r>a & b</r></rs>", "is no well-formed XML: not well-formed (invalid token)"),
    "bytes that are no text": (b"<rs><r>\xff</r></rs>", "is no well-formed XML: not well-formed (invalid token)"),
    "an encoding that nobody knows": (
        '<?xml version="1.0" encoding="klingon"?><rs/>',
        "is no well-formed XML: unknown encoding",
    ),
    "an encoding of several bytes": (
        '<?xml version="1.0" encoding="shift_jis"?><rs/>',
        "is no well-formed XML: multi-byte encodings are not supported",
    ),
    "a row without a floor": (
        f"<rs><r>{'<a>' * 3000}{'</a>' * 3000}</r></rs>",
        "holds a row of more than 200 elements inside each other",
    ),
    "other elements": ("<rs><row/><row/></rs>", "holds no element r, which row_tag names"),
    "an error": ("<error>Service unavailable</error>", "holds no element r, which row_tag names"),
}


@pytest.mark.parametrize(("body", "reason"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(body, reason):
    for size in (2, 1 << 20):
        with pytest.raises(BrokenDocumentError) as raised:
            cut(body, "a", "#text", size=size)
        assert str(raised.value).startswith(reason)


def test_a_document_type_without_entities_does_no_harm():
    body = '<!DOCTYPE rs [<!ELEMENT rs (r*)><!ATTLIST r k CDATA "d">]><rs><r/><r k="x"/></rs>'
    assert texts(body, "@k") == [("d",), ("x",)]
    elsewhere = '<!DOCTYPE rs SYSTEM "rs.dtd"><rs><r k="&#38;&amp;e; &lt;\'>"/><r k=\'">"\'>&lt;</r></rs>'
    for size in (1, 1 << 20):
        assert texts(elsewhere, "@k", "#text", size=size) == [("&&e; <'>", None), ('">"', "<")]


def test_what_lies_deep_in_a_row_is_found():
    deep = f"{'<a>' * 199}x{'</a>' * 199}"
    extra = Wanted("a", (Step("a"),), None, is_extra=True)
    rows = list(rows_of(iter([f"<rs><r>{deep}</r></rs>".encode()]), Step("r"), [extra], None))
    assert [row.texts for row in rows] == [('{"a": ' * 198 + '"x"' + "}" * 198,)]


def test_a_root_alone_holds_no_rows():
    assert cut("<rs/>", "a") == cut("<rs> \n</rs>", "a") == []


@pytest.mark.long
def test_memory_does_not_grow_with_the_document():
    def chunks():
        yield b"<rs>"
        for i in range(20_000):
            yield b"<r><a>%d</a><b>%s</b></r>" % (i, b"x" * 500)
        yield b"</rs>"

    tracemalloc.start()
    count = sum(1 for _ in rows_of(chunks(), Step("r"), [Wanted("a", (Step("a"),), None)], None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (count, peak < 2_000_000) == (20_000, True)


def test_a_row_that_no_task_can_hold_is_refused(monkeypatch):
    monkeypatch.setattr(xml_rows, "LONGEST_ROW", 100_000)
    with pytest.raises(BrokenDocumentError, match="holds a row of more than"):
        cut(f"<rs><r>{'x' * 300_000}</r></rs>", "a")


@pytest.mark.parametrize(
    "body", [f"<rs><!--{'x' * 300_000}--><r/></rs>", f"<rs><r a='{'x' * 300_000}'/></rs>", f"<rs><?p {'x' * 300_000}?>"]
)
def test_what_the_parser_reads_again_with_each_piece_of_it_is_refused_where_it_is_long(monkeypatch, body):
    """Of 32 MiB each takes 15 seconds, of a gigabyte, which packs to one megabyte, hours."""
    monkeypatch.setattr(xml_rows, "LONGEST_TAG", 100_000)
    with pytest.raises(BrokenDocumentError, match="holds a tag or a comment of more than"):
        cut(body, "a")


def test_elements_around_rows_are_refused_where_memory_would_not_hold_them():
    assert len(cut(f"{'<a>' * 199}<r/><r/>{'</a>' * 199}", "a")) == 2
    with pytest.raises(BrokenDocumentError, match="holds more than 200 elements inside each other around its rows"):
        cut("<a>" * 201, "a")
