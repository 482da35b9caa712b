"""Checks of a table contract: what they compile to, how they read in messages, and every mistake in them."""

from __future__ import annotations

import pytest

from contracts.compile import check, compile_plan
from contracts.model import Check, Plan
from tests.unit.contracts.conftest import ORDERS

CUSTOMERS = """\
table: customers
load: snapshot
key: [id]
schema:
  columns:
    - {name: id, type: int}
    - {name: code, type: string}
"""
GOOD = """\
checks:
  - {name: a, rule: id > 0}
  - {name: b, not_null: [note, at]}
  - {name: c, unique: [note], on_fail: fail}
  - {name: d, references: {column: id, table: customers}}
  - {name: e, references: {column: note, table: customers, to: code}, on_fail: quarantine}
  - {name: f, row_count: {min: 1, max: 100}}
  - {name: g, null_ratio: {column: note, max: 2.5%}, on_fail: warn}
  - {name: h, null_ratio: {column: note, min: 0%}}
"""


def compiled(write) -> Plan:
    return compile_plan(write({"tables/orders.yaml": ORDERS + GOOD, "tables/customers.yaml": CUSTOMERS}))


def test_every_kind_of_check_reaches_the_plan(write):
    plan = compiled(write)
    assert plan.tables["orders"].checks == (
        Check("a", "id > 0", "quarantine"),
        Check("b", "", "quarantine", "not_null", ("note", "at")),
        Check("c", "", "fail", "unique", ("note",)),
        Check("d", "", "warn", "references", ("id",), "customers", "id"),
        Check("e", "", "quarantine", "references", ("note",), "customers", "code"),
        Check("f", "", "fail", "row_count", at_least=1, at_most=100),
        Check("g", "", "warn", "null_ratio", ("note",), at_most=0.025),
        Check("h", "", "fail", "null_ratio", ("note",), at_least=0),
    )
    assert Plan.from_json(plan.to_json()) == plan


def test_a_check_says_in_words_what_it_asks_for(write):
    assert [check.words for check in compiled(write).tables["orders"].checks] == [
        "id > 0",
        "note, at must not be NULL",
        "note must be unique in a file",
        "id must stand in customers.id",
        "note must stand in customers.code",
        "a file must hold 1 to 100 records",
        "note may be NULL in at most 2.5% of a file's records",
        "note may be NULL in at least 0% of a file's records",
    ]


@pytest.mark.parametrize(
    ("kind", "least", "most", "words"),
    [
        ("row_count", 5, None, "a file must hold at least 5 records"),
        ("row_count", None, 100, "a file must hold at most 100 records"),
        ("row_count", 0, 10, "a file must hold 0 to 10 records"),
        ("null_ratio", 0.1, 1, "note may be NULL in 10% to 100% of a file's records"),
        ("null_ratio", None, 0.000125, "note may be NULL in at most 0.0125% of a file's records"),
        ("null_ratio", None, 0, "note may be NULL in at most 0% of a file's records"),
    ],
)
def test_bounds_in_words(kind, least, most, words):
    assert Check("a", kind=kind, columns=("note",), at_least=least, at_most=most).words == words


KINDS = "rule, not_null, unique, references, row_count, null_ratio"
CASES = {
    "{name: a}": [f"checks[0]: must hold exactly one of {KINDS}"],
    "{name: a, rule: id > 0, unique: [id]}": [f"checks[0]: must hold exactly one of {KINDS}"],
    **{
        f"{{name: {word}, rule: id > 0}}": [f"checks[0].name: {word} is a rule of its own; give the check another name"]
        for word in ("key", "record", "required", "type")
    },
    "{name: a, rule: 'idd > 0'}": [
        "checks[0].rule: no such column: 'idd' is not one of at, id, note (did you mean id?)"
    ],
    "{name: a, rule: 'count(id) > 0'}": [
        "checks[0].rule: COUNT(id) needs more than one row: write an expression over one row"
    ],
    "{name: a, rule: id}": ["checks[0].rule: is bigint, and must be true or false: write a comparison"],
    "{name: a, rule: trim(note)}": ["checks[0].rule: is string, and must be true or false: write a comparison"],
    "{name: a, not_null: [notes]}": [
        "checks[0].not_null: no such column: 'notes' is not one of at, id, note (did you mean note?)"
    ],
    "{name: a, unique: []}": ["checks[0].unique: must hold at least one"],
    "{name: a, references: {column: id}}": ["checks[0].references: lacks table"],
    "{name: a, references: {column: id, table: customer}}": [
        "checks[0].references.table: no such table: 'customer' is not one of customers, orders (did you mean "
        "customers?)"
    ],
    "{name: a, references: {column: note, table: customers}}": [
        "checks[0].references.to: customers has no such column: 'note' is not one of code, id"
    ],
    "{name: a, references: {column: at, table: customers, to: id}}": [
        "checks[0].references: at is timestamp, but customers.id is int"
    ],
    "{name: a, row_count: {}}": ["checks[0].row_count: lacks min or max"],
    "{name: a, row_count: {min: 5, max: 4}}": ["checks[0].row_count: min is more than max"],
    "{name: a, row_count: {min: 5}, on_fail: quarantine}": [
        "checks[0].on_fail: a check of whole files cannot quarantine a row; allowed: fail, warn"
    ],
    "{name: a, null_ratio: {column: note, max: 0.05}}": ["checks[0].null_ratio.max: 0.05 must be a share such as 5%"],
    "{name: a, rule: id > 0, on_fail: warning}": [
        "checks[0].on_fail: 'warning' is not one of fail, quarantine, warn (did you mean warn?)"
    ],
}


@pytest.mark.parametrize("text", CASES)
def test_what_a_check_cannot_be(write, text):
    folder = write({"tables/orders.yaml": f"{ORDERS}checks:\n  - {text}\n", "tables/customers.yaml": CUSTOMERS})
    assert [str(m) for m in check(folder)] == [f"shop/tables/orders.yaml:10: {message}" for message in CASES[text]]


def test_checks_compare_no_maps_nor_lists_of_other_things(write):
    nested = '    - {name: tags, type: "map<string,int>"}\n    - {name: ids, type: "array<bigint>"}\n'
    checks = (
        "checks:\n  - {name: a, unique: [tags]}\n  - {name: b, references: {column: tags, table: customers}}\n"
        "  - {name: c, references: {column: ids, table: customers}}\n"
        "  - {name: d, references: {column: ids, table: customers, to: codes}}\n"
    )
    theirs = '    - {name: tags, type: "map<string,int>"}\n    - {name: ids, type: "array<int>"}\n'
    customers = CUSTOMERS + theirs + '    - {name: codes, type: "array<string>"}\n'
    folder = write({"tables/orders.yaml": ORDERS + nested + checks, "tables/customers.yaml": customers})
    assert [str(m).partition(": ")[2] for m in check(folder)] == [
        "checks[0].unique: tags is map<string,int>, and maps cannot be compared",
        "checks[1].references: tags is map<string,int>, and maps cannot be compared",
        "checks[3].references: ids is array<bigint>, but customers.codes is array<string>",
    ]


def test_checks_have_names_of_their_own(write):
    text = f"{ORDERS}checks:\n  - {{name: a, rule: id > 0}}\n  - {{name: a, not_null: [id]}}\n"
    assert [str(m) for m in check(write({"tables/orders.yaml": text}))] == [
        "shop/tables/orders.yaml:11: checks[1].name: a is the name of an earlier check"
    ]


CRAWLED = "table: crawled\nload: append\nschema: crawler\n"


@pytest.mark.parametrize(
    "text",
    [
        "{name: a, row_count: {min: 4, max: 4}}",
        "{name: a, null_ratio: {column: note, min: 1%, max: 1%}}",
        "{name: a, not_null: [tags]}",
        "{name: a, null_ratio: {column: tags, max: 1%}}",
        "{name: a, references: {column: note, table: crawled, to: whatever}}",
        "{name: a, references: {column: id, table: orders}}",
    ],
)
def test_what_a_check_may_be(write, text):
    orders = ORDERS + '    - {name: tags, type: "map<string,int>"}\n'
    assert check(write({"tables/orders.yaml": f"{orders}checks:\n  - {text}\n", "tables/crawled.yaml": CRAWLED})) == []


def test_a_reference_is_looked_at_as_far_as_the_other_contracts_can_be_read(write):
    checks = (
        "checks:\n  - {name: a, references: {column: id, table: wrong}}\n"
        "  - {name: b, references: {column: id, table: customers, to: nr}}\n"
        "  - {name: c, references: {column: nr, table: customers, to: id}}\n"
    )
    files = {
        "tables/orders.yaml": ORDERS + checks,
        "tables/customers.yaml": CUSTOMERS,
        "tables/wrong.yaml": "table: wrong\n",
    }
    assert [str(m).removeprefix("shop/tables/") for m in check(write(files))] == [
        "orders.yaml:11: checks[1].references.to: customers has no such column: 'nr' is not one of code, id",
        "orders.yaml:12: checks[2].references: no such column: 'nr' is not one of at, id, note",
        "wrong.yaml:1: (file): lacks load, schema",
    ]


def test_a_check_of_a_column_without_a_type_is_not_to_blame(write):
    text = ORDERS.replace("type: string", "type: text") + "checks:\n  - {name: a, unique: [note]}\n"
    [mistake] = check(write({"tables/orders.yaml": text}))
    assert mistake.field == "schema.columns[1].type"
