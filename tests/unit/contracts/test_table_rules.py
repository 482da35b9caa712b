"""Every mistake of a table contract is told with its file, line, field and what is allowed."""

from __future__ import annotations

import pytest

from contracts.compile import check
from tests.unit.contracts.conftest import ORDERS

TYPES = (
    "boolean, tinyint, smallint, int, bigint, float, double, decimal(p,s), string, binary, date, timestamp, "
    "timestamp_ntz, array<…>, map<…,…>, struct<name:…>"
)


def changed(*edits: tuple[str, str]) -> str:
    text = ORDERS
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    return text


def found(write, text: str) -> list[str]:
    return [
        str(mistake).removeprefix("shop/tables/orders.yaml:") for mistake in check(write({"tables/orders.yaml": text}))
    ]


def test_a_good_contract_has_no_mistake(write):
    assert found(write, ORDERS) == []


SCHEMA = {
    "a field that is none": (
        ORDERS + "keys: [id]\n",
        [
            "9: keys: is no field here; allowed: capacity, checks, delete_when, description, effective_at, freshness, "
            "key, limits, load, on_bad_key, on_duplicate_key, on_failed_file, on_missing, on_overwrite, partition_by, "
            "schema, source, table, tie_break, truncate_when, updates (did you mean key?)"
        ],
    ),
    "a word that is not allowed": (
        changed(("upsert", "upserts")),
        ["2: load: 'upserts' is not one of append, changes, snapshot, upsert (did you mean upsert?)"],
    ),
    "fields that lack": ("description: orders\n", ["1: (file): lacks table, load, schema"]),
    "a column without a type": (
        changed(("{name: note, type: string}", "{name: note}")),
        ["7: schema.columns[1]: lacks type"],
    ),
    "text where a list belongs": (
        changed(("key: [id]", "key: id")),
        ["3: key: 'id' must be a list, such as [a, b]"],
    ),
    "an empty list": (changed(("key: [id]", "key: []")), ["3: key: must hold at least one"]),
    "a column twice in the key": (changed(("key: [id]", "key: [id, id]")), ["3: key: holds a value twice"]),
    "a date where text belongs": (
        ORDERS + "description: 2020-01-01\n",
        ['9: description: "2020-01-01" must be text (put it between quotes)'],
    ),
    "a number as null_value": (
        ORDERS + "source:\n  options: {null_value: -999}\n",
        ["10: source.options.null_value: -999 must be text, or a list of texts (put numbers between quotes)"],
    ),
    "a delimiter of eleven characters": (
        ORDERS + "source:\n  options:\n    delimiter: '~|~|~|~|~|~'\n",
        ["11: source.options.delimiter: '~|~|~|~|~|~' must be one to ten characters"],
    ),
    "a pattern of keys": (
        ORDERS + "source: {prefix: ops/*/orders/}\n",
        [
            "9: source.prefix: 'ops/*/orders/' must be what keys begin with, letter for letter (not a pattern with * "
            "or ?)"
        ],
    ),
    "a share that is none": (
        ORDERS + "limits: {max_rejected: 0.01}\n",
        ["9: limits.max_rejected: 0.01 must be a share such as 1%, or a count of rows"],
    ),
    "shares that nothing breaks, and a freshness that everything does": (
        ORDERS + "limits: {max_rejected: 101%, max_deleted: 100%}\nfreshness: 0h\n",
        [
            "9: limits.max_rejected: '101%' must be a share such as 1%, or a count of rows",
            "10: freshness: '0h' must be a time such as 90m, 26h or 7d",
        ],
    ),
    "extra columns of files that name none": (
        ORDERS + "  extra_columns: add\nsource: {options: {header: false}}\n",
        [
            "9: schema.extra_columns: add is not for csv without a header, whose lines tell no names; allowed: fail, "
            "ignore"
        ],
    ),
    "a freshness that is none": (
        ORDERS + "freshness: daily\n",
        ["9: freshness: 'daily' must be a time such as 90m, 26h or 7d"],
    ),
    "event_time that is not true": (
        ORDERS + "effective_at: {event_time: false}\n",
        ["9: effective_at.event_time: false must be true"],
    ),
    "too few workers": (ORDERS + "capacity: {workers: 1}\n", ["9: capacity.workers: 1 must be at least 2"]),
    "a name that Athena does not take": (
        changed(("table: orders", "table: Orders-2")),
        ["1: table: 'Orders-2' must be at most 63 small letters, digits and _, a letter first"],
    ),
    "yes is a word, not a truth": (
        changed(("type: bigint}", "type: bigint, required: yes}")),
        ["6: schema.columns[0].required: 'yes' must be true or false"],
    ),
    "a field twice": (ORDERS + "load: append\n", ["9: load: stands twice"]),
}


@pytest.mark.parametrize(("text", "messages"), SCHEMA.values(), ids=SCHEMA)
def test_what_the_schema_refuses(write, text, messages):
    assert found(write, text) == messages


UNREADABLE = {
    "nothing": ("", ["1: (file): must hold fields such as `table: orders`"]),
    "a list": ("- a\n", ["1: (file): must hold fields such as `table: orders`"]),
    "an open bracket": (
        "table: orders\nkey: [id\nload: upsert\n",
        ["3: (file): is no YAML: expected ',' or ']', but got ':'"],
    ),
    "a tab": (
        "table: orders\n\tload: upsert\n",
        ["2: (file): is no YAML: found character '\\t' that cannot start any token"],
    ),
    "a list in itself": ("table: &a [*a]\n", ["1: (file): is no YAML: maximum recursion depth exceeded"]),
    "a list as a name": ("table: orders\n? [a, b]\n: 1\n", ["2: (file): is no YAML: a field's name is no word"]),
    "a day that is none": (
        "table: orders\ndescription: 2013-02-30\n",
        ["2: (file): is no YAML: '2013-02-30' is no timestamp (text stands between quotes)"],
    ),
    "a time that is a word": (
        "table: orders\ndescription: !!timestamp noon\n",
        ["2: (file): is no YAML: 'noon' is no timestamp (text stands between quotes)"],
    ),
    "a number without digits": (
        "table: orders\nkey: [0x_]\n",
        ["2: (file): is no YAML: '0x_' is no int (text stands between quotes)"],
    ),
    "a truth that is none": (
        "table: !!bool maybe\n",
        ["1: (file): is no YAML: 'maybe' is no bool (text stands between quotes)"],
    ),
    "a Python object": (
        "table: !!python/name:os.system x\n",
        [
            "1: (file): is no YAML: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/name:os.system'"
        ],
    ),
}


@pytest.mark.parametrize(("text", "messages"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_file_that_is_no_contract(write, text, messages):
    assert found(write, text) == messages


def test_a_file_in_another_encoding(write):
    folder = write({"tables/orders.yaml": ORDERS})
    (folder / "tables/orders.yaml").write_bytes(b"description: caf\xe9\n")
    assert [str(m) for m in check(folder)] == ["shop/tables/orders.yaml:1: (file): is not written in UTF-8 (byte 16)"]


def test_a_file_that_cannot_be_read(write):
    folder = write({"tables/orders.yaml": ORDERS})
    (folder / "tables/.#orders.yaml").symlink_to("nobody@nowhere:1")  # so Emacs locks what it edits
    assert [str(mistake) for mistake in check(folder)] == [
        "shop/tables/.#orders.yaml:1: (file): cannot be read: No such file or directory"
    ]


COLUMNS = {
    "a column twice, whatever its case": (
        changed(("name: note", "name: ID")),
        ["7: schema.columns[1].name: ID is declared twice"],
    ),
    "a type that Spark has not": (
        changed(("type: string", "type: varchar")),
        [f"7: schema.columns[1].type: 'varchar' is no Spark type; allowed: {TYPES}"],
    ),
    "a decimal that YAML cuts at its comma": (
        changed(("type: string", "type: decimal(9,3)")),
        [
            "7: schema.columns[1].3): is no field here; allowed: expr, format, from, name, required, start, time_zone, "
            "type, width",
            "7: schema.columns[1].type: 'decimal(9': decimal takes precision and scale, such as decimal(12,2); "
            f"inside {{…}} YAML ends a value at a comma: put the type in quotes; allowed: {TYPES}",
        ],
    ),
    "a decimal that is too large": (
        changed(("type: string", "type: 'decimal(40,2)'")),
        [
            "7: schema.columns[1].type: 'decimal(40,2)': decimal holds 1 to 38 digits, of which the scale is a part; "
            f"allowed: {TYPES}"
        ],
    ),
    "a format for a column that is no date": (
        changed(("type: string", "type: int, format: yyyy")),
        ["7: schema.columns[1].format: is for date, timestamp and binary columns only, this one is int"],
    ),
    "epochs": (
        ORDERS
        + "    - {name: a, type: date, format: epoch_seconds}\n    - {name: b, type: timestamp, format: epoch_millis}\n"
        + "    - {name: c, type: timestamp_ntz, format: epoch_micros}\n"
        + "    - {name: d, type: date, format: epoch_nanos}\n",
        [],
    ),
    "an expression whose column has no type": (
        changed(("type: string", "type: text, expr: trim(note)")),
        [f"7: schema.columns[1].type: 'text' is no Spark type; allowed: {TYPES}"],
    ),
    "bytes": (
        changed(("type: string", "type: binary, format: base32")),
        ["7: schema.columns[1].format: 'base32' is not one of base64, hex (did you mean base64?)"],
    ),
    "a format that Spark cannot read": (
        changed(("type: string", "type: date, format: YYYY-ww")),
        [
            "7: schema.columns[1].format: 'YYYY-ww': Spark reads no Y; put letters that stand for themselves in ''",
            "7: schema.columns[1].format: 'YYYY-ww': Spark reads no w; put letters that stand for themselves in ''",
        ],
    ),
    "a format beside an expression": (
        changed(("type: string", "type: date, format: yyyy, expr: to_date(note)")),
        ["7: schema.columns[1].format: does not go with expr: write to_date or to_timestamp there"],
    ),
    "a key that is no column": (
        changed(("key: [id]", "key: [id, nate]")),
        ["3: key[1]: no such column: 'nate' is not one of at, id, note (did you mean note?)"],
    ),
    "a map in the key": (
        changed(("type: bigint", "type: 'struct<m: map<string, int>>'")),
        ["3: key[0]: id is struct<m:map<string,int>>, and maps cannot be compared"],
    ),
    "a tie_break that is no column": (
        ORDERS + "tie_break: [lsn]\n",
        ["9: tie_break[0]: no such column: 'lsn' is not one of at, id, note"],
    ),
    "partitions that are none": (
        ORDERS
        + "partition_by:\n  - month(note)\n  - week(at)\n  - day(on)\n  - month(at)\n  - day(at)\n  - bucket(0, id)\n",
        [
            "10: partition_by[0]: note is string; month takes date, timestamp, timestamp_ntz",
            "11: partition_by[1]: 'week(at)' is none of a column, year(c), month(c), day(c), hour(c), bucket(n, c), "
            "truncate(n, c)",
            "12: partition_by[2]: no such column: 'on' is not one of at, id, note",
            "14: partition_by[4]: at partitions twice",
            "15: partition_by[5]: 'bucket(0, id)' is none of a column, year(c), month(c), day(c), hour(c), "
            "bucket(n, c), truncate(n, c)",
        ],
    ),
}


@pytest.mark.parametrize(("text", "messages"), COLUMNS.values(), ids=COLUMNS)
def test_what_columns_cannot_be(write, text, messages):
    assert found(write, text) == messages


LOADS = {
    "columns that jobs could not tell from their own": (
        changed(("{name: note, type: string}", "{name: note, type: string, from: _Raw}")),
        ["7: schema.columns[1].from: _Raw is a name that jobs keep for themselves: the file must call it otherwise"],
    ),
    "more such columns": (
        changed(("schema:\n", "schema:\n  unstored: [_HELD, _text_high, _Result0, _value12, _value, _resultx]\n")),
        [
            f"5: schema.unstored: {name} is a name that jobs keep for themselves: the file must call it otherwise"
            for name in ("_HELD", "_Result0", "_text_high", "_value12")
        ],
    ),
    "partial updates of what may not lack": (
        ORDERS.replace("string}", "string, required: true}")
        + "updates: partial\nsource: {format: xml, options: {row_tag: r}}\nchecks:\n  - {name: a, not_null: [note]}\n",
        [
            "7: schema.columns[1].required: note cannot be required: a partial record may lack it",
            "12: checks[0].not_null: a partial record may lack these columns: check the mart instead",
        ],
    ),
    "partial updates that may not lack the key and the time": (
        ORDERS.replace("id, type: bigint}", "id, type: bigint, required: true}")
        + "effective_at: {column: at}\nupdates: partial\nsource: {format: jsonl}\nchecks:\n"
        + "  - {name: a, not_null: [id, at]}\n  - {name: b, unique: [note]}\n",
        [],
    ),
    "partial updates of lines": (
        ORDERS.replace("string}", "string, start: 9, width: 5}")
        .replace("bigint}", "bigint, start: 1, width: 4}")
        .replace("timestamp}", "timestamp, start: 14, width: 10}")
        + "updates: partial\nsource: {format: fixed_width}\n",
        ["9: updates: partial is not for fixed_width, whose lines hold every column"],
    ),
    "extra columns of lines": (
        ORDERS.replace("string}", "string, start: 9, width: 5}")
        .replace("bigint}", "bigint, start: 1, width: 4}")
        .replace("timestamp}", "timestamp, start: 14, width: 10}")
        + "  extra_columns: add\nsource: {format: fixed_width}\n",
        ["9: schema.extra_columns: add is not for fixed_width, whose lines tell no names; allowed: fail, ignore"],
    ),
    "a word for absence where rows are whole": (
        ORDERS + "source: {options: {absent_value: '?'}}\n",
        ["9: source.options.absent_value: goes with updates: partial"],
    ),
    "partial snapshots": (
        ORDERS.replace("upsert", "snapshot") + "updates: partial\n",
        ["9: updates: is for load upsert and changes only: other files hold whole rows"],
    ),
    "extra columns of an envelope": (
        ORDERS.replace("upsert", "changes").replace(
            "schema:\n", "source: {format: jsonl, preset: debezium}\nschema:\n  extra_columns: add\n"
        ),
        ["6: schema.extra_columns: add is not for preset debezium; allowed: fail, ignore"],
    ),
    "no key": (changed(("key: [id]\n", "")), ["1: (file): lacks key: load upsert tells rows apart by their key"]),
    "changes that never delete": (
        changed(("upsert", "changes")),
        ["1: (file): lacks delete_when: load changes must say which rows delete, such as op = 'D'"],
    ),
    "words of other loads": (
        ORDERS + "delete_when: note = 'D'\non_missing: keep\non_duplicate_key: fail\non_overwrite: add\n",
        [
            "9: delete_when: is for load changes only: upsert and append never delete, and a snapshot deletes by "
            "absence",
            "10: on_missing: is for load snapshot only: other files do not say what is absent",
            "11: on_duplicate_key: is for load snapshot only: elsewhere a key may come often",
            "12: on_overwrite: is for load append only: elsewhere every version counts",
        ],
    ),
    "a breaker for what cannot be": (
        ORDERS + "limits: {max_deleted: 5%}\n",
        ["9: limits.max_deleted: load upsert never deletes"],
    ),
    "two ways to date a file": (
        ORDERS + "effective_at: {column: at, event_time: true}\n",
        ["9: effective_at: must hold exactly one of column, from_key, event_time"],
    ),
    "no way to date a file": (
        ORDERS + "effective_at: {unmatched: event_time}\n",
        [
            "9: effective_at: must hold exactly one of column, from_key, event_time",
            "9: effective_at.unmatched: goes with from_key: what becomes of a key that does not match",
        ],
    ),
    "effective_at that is no column": (
        ORDERS + "effective_at: {column: when}\n",
        ["9: effective_at.column: no such column: 'when' is not one of at, id, note"],
    ),
    "effective_at that cannot be ordered in time": (
        ORDERS + "effective_at: {column: note}\n",
        ["9: effective_at.column: note is string; allowed: timestamp, date or a number"],
    ),
    "a number cannot date what a snapshot lacks": (
        changed(("upsert", "snapshot")) + "effective_at: {column: id}\n",
        [
            "9: effective_at.column: id is a number: a snapshot's file time cannot date a deletion among numbers; use "
            "on_missing: keep, or a date or timestamp column"
        ],
    ),
    "a format that is not read": (
        ORDERS + "source: {format: orc}\n",
        ["9: source.format: 'orc' is not one of csv, fixed_width, json, jsonl, parquet, xml"],
    ),
}


@pytest.mark.parametrize(("text", "messages"), LOADS.values(), ids=LOADS)
def test_what_a_load_cannot_have(write, text, messages):
    assert found(write, text) == messages


PATTERNS = {
    r"(?P<date>\d{4}-\d{2}-\d{2})": [],
    r"(?P<date>\d{8})T(?P<time>\d{6})": [],
    r"(?P<year>\d{4})/(?P<month>\d{2})/(?P<day>\d{2})/(?P<hour>\d{2})": [],
    r"(?P<year>\d{4})": [],
    r"(?P<date>\d{8})-(?P<time>\d{6})(?P<fraction>\d*)": [],
    r"(?P<date>\d{8})-(?P<fraction>\d*)": ["group fraction goes with time or second"],
    r"(\d{4}-\d{2}-\d{2})": [
        r"names no group date, nor year, month and day, such as (?P<date>\d{4}-\d{2}-\d{2})",
    ],
    r"(?P<date>\d+": ["is no regular expression: missing ), unterminated subpattern at position 0"],
    r"(?P<year>\d{4})(?P<day>\d{2})": ["group day needs month too"],
    r"(?P<date>\d{8})(?P<hour>\d{2})": ["group hour does not go with date; with date goes time"],
    r"(?P<year>\d{4})T(?P<time>\d{6})": [
        "group time goes with date; with year go month, day, hour, minute, second",
    ],
    r"(?P<date>\d{8})-(?P<hours>\d+)": [
        "group 'hours' is not one of date, day, fraction, hour, minute, month, second, time, year (did you mean hour?)",
    ],
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_from_key_names_a_time(write, pattern):
    text = f"{ORDERS}effective_at: {{from_key: '{pattern}'}}\n"
    assert found(write, text) == [f"9: effective_at.from_key: {message}" for message in PATTERNS[pattern]]


FILE = """\
table: orders
load: changes
key: [id]
delete_when: {delete_when}
schema:
  columns:
    - {{name: id, type: bigint, from: ORDER_ID}}
    - {{name: total, type: double, expr: "{total}"}}
  unstored: [Op, cents]
"""


def test_sql_reads_the_columns_of_the_file(write):
    good = FILE.format(delete_when="op = 'D'", total="cents / 100")
    assert found(write, good) == []
    own = FILE.format(delete_when="Op = 'D'", total="replace(total, ',', '.')")
    assert found(write, own) == []
    bad = FILE.format(delete_when="total < 0 OR id IS NULL", total="euros * 100")
    assert found(write, bad) == [
        "4: delete_when: no such column: 'id' is not one of ORDER_ID, Op, cents",
        "4: delete_when: no such column: 'total' is not one of ORDER_ID, Op, cents",
        "8: schema.columns[1].expr: no such column: 'euros' is not one of ORDER_ID, Op, cents, total",
    ]


def test_sql_gives_what_is_asked_of_it(write):
    bad = FILE.format(delete_when="Op", total="to_date(cents)")
    assert found(write, bad) == [
        "4: delete_when: is string, and must be true or false: write a comparison",
        "8: schema.columns[1].expr: is date, but the column double: declare that type, or convert it",
    ]
    typed = bad.replace("load:", "source: {format: parquet}\nload:").replace(
        "to_date(cents)", "coalesce(cents, 'none')"
    )
    assert found(write, typed) == []


def test_all_mistakes_are_told_at_once(write):
    folder = write(
        {
            "tables/orders.yaml": changed(("key: [id]", "key: [ids]")) + "freshness: soon\n",
            "tables/lines.yaml": ORDERS.replace("table: orders", "table: lines").replace("timestamp", "time"),
            "marts/latest_orders.yaml": "mart: latest_orders\nkind: latest\n",
            "marts/broken.yaml": "mart: [\n",
        }
    )
    assert [str(mistake) for mistake in check(folder)] == [
        "shop/marts/broken.yaml:2: (file): is no YAML: expected the node content, but found '<stream end>'",
        "shop/marts/latest_orders.yaml:1: (file): lacks source: a latest mart is built from one table",
        f"shop/tables/lines.yaml:8: schema.columns[2].type: 'time' is no Spark type; allowed: {TYPES}",
        "shop/tables/orders.yaml:3: key[0]: no such column: 'ids' is not one of at, id, note (did you mean id?)",
        "shop/tables/orders.yaml:9: freshness: 'soon' must be a time such as 90m, 26h or 7d",
    ]


CRAWLED = """\
table: orders
load: changes
key: [id]
effective_at: {column: at}
delete_when: op = 'D'
checks:
  - {name: cheap, rule: "price < 100"}
  - {name: named, not_null: [note]}
schema: crawler
"""


def test_nobody_knows_the_columns_of_a_crawled_table_before_its_files_land(write):
    mart = "mart: dim_orders\nkind: scd2\nsource: orders\ntrack: [note]\n"
    assert check(write({"tables/orders.yaml": CRAWLED, "marts/dim_orders.yaml": mart})) == []


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        (CRAWLED.replace("crawler", "crawl"), ["9: schema: 'crawl' must be columns, or the word crawler"]),
        (
            CRAWLED + "source: {format: xml, options: {row_tag: r}}\nupdates: partial\n",
            [
                "8: checks[1].not_null: a partial record may lack these columns: check the mart instead",
                "9: schema: crawler is for csv, json, jsonl, parquet, not for xml: declare the columns",
                "11: updates: does not go with schema: crawler: declare the columns",
            ],
        ),
        (
            CRAWLED + "source: {options: {header: false}}\n",
            ["9: schema: crawler needs files that name their columns: declare them"],
        ),
        (
            CRAWLED + 'source: {options: {delimiter: "||", quote: none}}\n',
            [
                "10: source.options.delimiter: a Glue crawler takes one character, not '||': declare the columns",
                "10: source.options.quote: a Glue crawler takes one character, not 'none': declare the columns",
            ],
        ),
        (
            CRAWLED + "source: {format: json, options: {row_path: data.it's}}\n",
            [
                "10: source.options.row_path: a Glue crawler takes no ' and no \\ in names, as in data.it's: declare "
                "the columns"
            ],
        ),
        (CRAWLED + "source: {format: json, options: {row_path: data.`the items.`}}\n", []),
        (
            CRAWLED.replace("price < 100", "prize("),
            ["7: checks[0].rule: does not parse"],
        ),
        (
            CRAWLED + "source: {format: jsonl, preset: debezium}\n",
            ["9: schema: preset debezium needs the columns of the rows in its envelopes: declare them"],
        ),
    ],
)
def test_what_a_crawled_table_cannot_be(write, text, messages):
    told = found(write, text)
    assert len(told) == len(messages)
    assert all(one.startswith(message) for one, message in zip(told, messages, strict=True)), told
