"""What a contract may say of its files' format: every option that a format does not know is told."""

from __future__ import annotations

import pytest

from contracts.compile import check, compile_plan
from contracts.paths import PathMistakeError, split_path

HEAD = "table: orders\nload: upsert\nkey: [id]\n"
COLUMNS = "schema:\n  columns:\n    - {name: id, type: bigint}\n    - {name: note, type: string}\n"


def found(write, text: str) -> list[str]:
    return [
        str(mistake).removeprefix("shop/tables/orders.yaml:") for mistake in check(write({"tables/orders.yaml": text}))
    ]


def source(words: str) -> str:
    return f"{HEAD}source: {words}\n{COLUMNS}"


SOUND = {
    "csv": "{format: csv, options: {delimiter: '~|~', quote: none, escape: '\\', null_value: ['\\N']}}",
    "jsonl": "{format: jsonl, options: {encoding: utf-16}}",
    "json": "{format: json, options: {row_path: data.items, null_value: ''}}",
    "xml": "{format: xml, options: {row_tag: 'c:order', namespaces: {c: 'urn:crm'}}}",
    "parquet": "{format: parquet}",
    "parquet that is not packed": "{format: parquet, compression: none}",
}


@pytest.mark.parametrize("words", SOUND.values(), ids=SOUND)
def test_each_format_has_its_options(write, words):
    assert found(write, source(words)) == []


WRONG = {
    "a delimiter for JSON": (
        "{format: jsonl, options: {delimiter: ';'}}",
        ["4: source.options.delimiter: is no option of jsonl; allowed: encoding, null_value, absent_value"],
    ),
    "anything for Parquet": (
        "{format: parquet, compression: gzip, options: {header: true}}",
        [
            "4: source.compression: parquet files say themselves how they are packed",
            "4: source.options.header: is no option of parquet; allowed: absent_value",
        ],
    ),
    "XML without rows": (
        "{format: xml}",
        ["4: source.options: format xml needs row_tag: the element that is a row"],
    ),
    "a prefix that nobody declared": (
        "{format: xml, options: {row_tag: 'c:order', namespaces: {crm: 'urn:crm'}}}",
        [
            "4: source.options.row_tag: prefix 'c' is not one of crm: declare it in source.options.namespaces",
        ],
    ),
    "an encoding that is none": (
        "{options: {encoding: utf-7b}}",
        [
            "4: source.options.encoding: 'utf-7b' is no encoding that is known; common: utf-8, utf-16, iso-8859-1, "
            "windows-1252"
        ],
    ),
    "an encoding that cannot be looked up": (
        '{options: {encoding: "utf-8\\0"}}',
        [
            "4: source.options.encoding: 'utf-8\\x00' is no encoding that is known; common: utf-8, utf-16, iso-8859-1, "
            "windows-1252"
        ],
    ),
    "line breaks that divide or quote": (
        '{options: {delimiter: "a\\n", quote: "\\r", escape: "\\n"}}',
        [
            "4: source.options.delimiter: must not be a line break",
            "4: source.options.escape: \n is the delimiter too",
            "4: source.options.escape: must not be a line break",
            "4: source.options.quote: must not be a line break",
        ],
    ),
    "a quote of its own that divides": (
        '{options: {delimiter: "a\'", quote: "\'"}}',
        ["4: source.options.quote: ' is the delimiter too"],
    ),
    "no quotes, between which nothing is escaped but by an escape": (
        "{options: {delimiter: none, quote: none, escape: e}}",
        ["4: source.options.escape: e is the delimiter too"],
    ),
    "columns whose prefixes nobody declared": (
        "{format: xml, options: {row_tag: r}}\n"
        "schema: {columns: [{name: id, type: bigint, from: '@x:id'}], unstored: [y:a.b]}",
        [
            "5: schema.columns[0].from: prefix 'x' is not one of (none): declare it in source.options.namespaces",
            "5: schema.unstored[0]: prefix 'y' is not one of (none): declare it in source.options.namespaces",
        ],
    ),
    "unstored columns of lines": (
        "{format: fixed_width}\nschema: {columns: [{name: id, type: bigint, start: 1, width: 2}], unstored: [a]}",
        ["5: schema.unstored: fixed_width knows no column without start and width"],
    ),
    "a codec that is no encoding": (
        "{options: {encoding: base64}}",
        [
            "4: source.options.encoding: 'base64' is no encoding that is known; common: utf-8, utf-16, iso-8859-1, "
            "windows-1252"
        ],
    ),
    "a quote that divides": (
        "{options: {delimiter: '\"'}}",
        ['4: source.options.delimiter: " is the delimiter too'],
    ),
    "an escape that divides": (
        "{options: {delimiter: '|', escape: '|'}}",
        ["4: source.options.escape: | is the delimiter too"],
    ),
    "a long quote": (
        "{options: {quote: \"''\"}}",
        ["4: source.options.quote: \"''\" must be one character, or none"],
    ),
    "a path with a hole": (
        "{format: json, options: {row_path: data..items}}",
        ["4: source.options.row_path: 'data..items' is no path such as address.city"],
    ),
}


@pytest.mark.parametrize(("words", "messages"), WRONG.values(), ids=WRONG)
def test_what_a_format_does_not_know(write, words, messages):
    assert found(write, source(words) if "schema" not in words else f"{HEAD}source: {words}") == messages


FIXED = f"{HEAD}source: {{format: fixed_width, options: {{trim: right}}}}\nschema:\n  columns:\n"


def test_columns_of_fixed_width_have_their_places(write):
    text = FIXED + (
        "    - {name: id, type: bigint, start: 1, width: 5}\n"
        "    - {name: note, type: string}\n"
        '    - {name: loud, type: string, expr: "upper(id)"}\n'
    )
    assert found(write, text) == [
        "8: schema.columns[1]: lacks start: where it stands in a line",
        "8: schema.columns[1]: lacks width: where it stands in a line",
    ]
    plan = compile_plan(
        write({"tables/orders.yaml": text.replace("type: string}", "type: string, start: 6, width: 9}")})
    )
    assert [(c.start, c.width) for c in plan.tables["orders"].columns] == [(1, 5), (6, 9), (None, None)]


def test_places_and_time_zones_stand_where_they_mean_something(write):
    text = HEAD + (
        "schema:\n  columns:\n"
        "    - {name: id, type: bigint, start: 1}\n"
        "    - {name: at, type: timestamp, time_zone: Europe/Berlin}\n"
        "    - {name: day, type: date, time_zone: Europe/Berlin}\n"
        "    - {name: when, type: timestamp, time_zone: Europe/Berlyn}\n"
        "    - {name: then, type: timestamp, time_zone: Europe/}\n"
        "    - {name: none, type: time, time_zone: Europe}\n"
        "    - {name: here, type: timestamp, time_zone: localtime}\n"
    )
    assert [one for one in found(write, text) if "Spark type" not in one] == [
        "6: schema.columns[0].start: is for format fixed_width only",
        "8: schema.columns[2].time_zone: is for timestamp columns only, this one is date",
        "9: schema.columns[3].time_zone: 'Europe/Berlyn' is no time zone (did you mean Europe/Berlin?)",
        "10: schema.columns[4].time_zone: 'Europe/' is no time zone (did you mean Europe/Rome?)",
        "11: schema.columns[5].time_zone: 'Europe' is no time zone (did you mean Europe/Rome?)",
        "12: schema.columns[6].time_zone: 'localtime' is no time zone such as Europe/Berlin",
    ]


def test_paths_that_differ_by_case_alone_are_told(write):
    text = f"{HEAD}source: {{format: jsonl}}\nschema:\n  columns:\n" + (
        "    - {name: id, type: bigint, from: meta.id}\n    - {name: other, type: bigint, from: meta.ID}\n"
    )
    assert found(write, text) == [
        "8: schema.columns[1].from: meta.ID and meta.id differ by case alone, which SQL cannot tell apart"
    ]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_names_in_flat_files_are_no_paths(write, form):
    names = "    - {name: a, type: string, from: 'Price (EUR)..'}\n    - {name: b, type: string, from: 'crm:`no'}\n"
    assert found(write, f"{HEAD}source: {{format: {form}}}\n{COLUMNS}{names}") == []


def test_only_xml_has_prefixes(write):
    names = "    - {name: a, type: string, from: 'crm:no'}\n"
    assert found(write, f"{HEAD}source: {{format: json}}\n{COLUMNS}{names}") == []


def test_a_path_is_names_parted_by_dots():
    assert split_path("id") == ("id",)
    assert split_path("address.city") == ("address", "city")
    assert split_path("`a.b`.@c d.#text") == ("a.b", "@c d", "#text")
    for text in ("", ".", "a.", ".a", "a..b", "`a", "``", "a`b`"):
        with pytest.raises(PathMistakeError):
            split_path(text)


TEXTS = {"csv", "fixed_width", "json", "jsonl", "xml"}
TAKEN = {
    "delimiter: '|'": {"csv"},
    "quote: none": {"csv"},
    "escape: '|'": {"csv"},
    "multiline: false": {"csv"},
    "header: false": {"csv", "fixed_width"},
    "trim: left": {"fixed_width"},
    "row_path: a": {"json"},
    "row_tag: a": {"xml"},
    "namespaces: {}": {"xml"},
    "encoding: utf-16": TEXTS,
    "null_value: x": TEXTS,
    "absent_value: x": {"csv", "json", "jsonl", "xml", "parquet"},
}


@pytest.mark.parametrize("option", TAKEN)
def test_the_formats_that_take_an_option(write, option):
    refused = f"source.options.{option.partition(':')[0]}: is no option of"
    taken = {
        form
        for form in ("csv", "fixed_width", "json", "jsonl", "parquet", "xml")
        if not any(refused in one for one in found(write, source(f"{{format: {form}, options: {{{option}}}}}")))
    }
    assert taken == TAKEN[option]
