"""The laws: after every batch the product's tables hold what the oracle says of the landings that came until then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.law import oracle
from tests.law.histories import World
from tests.law.oracle import Event, Key, Landing, Row, Rules
from tests.law.product import Product, plain
from tests.unit.spark_jobs.staging.conftest import Bench

Rows = list[tuple[Any, ...]]
VERSIONS = {"scd2": (("v", "w"), "overwrite"), "first": (("v",), "ignore"), "all": (("v", "w", "u"), "overwrite")}


def hold(bench: Bench, world: World, ending: str | None, *marts: str, maintained: bool = False) -> None:
    """Stage a world batch by batch and compare its tables after each; where they are maintained, after that.

    Marts are compared after some batches. Where there is an ending, rebuild or replay, all is staged again in the end
    as it says, and then the marts are rebuilt: that must change nothing.
    """
    product = Product(bench, world, marts)
    for number in range(world.batches):
        product.stage(world.batch(number))
        if maintained:
            product.maintain()
        compare(product, marts=number in world.looks or number == world.batches - 1)
    if ending is None:
        return
    product.stage_again(ending)
    compare(product, marts=True)
    for mart in product.marts:
        before = product.rows(mart)
        assert product.build(mart, rebuild=True).status == "unchanged", f"{mart}: a rebuild gives other rows"
        assert product.rows(mart) == before


def compare(product: Product, *, marts: bool) -> None:
    """Compare the change log, the quarantine and, once built, every mart with the oracle."""
    rules = product.world.shape.rules
    landings = oracle.in_effect(product.arrived, rules)
    same("change log", product.log(), expected_log(landings, rules))
    same("quarantine", product.quarantine(), expected_quarantine(landings, rules))
    timelines = oracle.timelines(landings, rules) if rules.key else {}
    for mart in product.marts if marts else ():
        product.build(mart)
        expected = expected_facts(product.facts(), timelines) if mart == "fact" else None
        if expected is None:
            expected = expected_mart(mart, timelines, landings, rules)
        same(mart, product.rows(mart, *columns_of(mart, rules)), expected)


def same(what: str, found: Rows, expected: Rows) -> None:
    """Assert that rows are equal; say which are not."""
    if found != expected:
        extra = [row for row in found if row not in expected or found.count(row) != expected.count(row)]
        missing = [row for row in expected if row not in found or found.count(row) != expected.count(row)]
        raise AssertionError(f"{what}: not expected {extra[:8]}, missing {missing[:8]}")


def expected_log(landings: Sequence[Landing], rules: Rules) -> Rows:
    if rules.load == "append":
        good = [(one, record) for one in landings for record in one.records if oracle.good(record, rules)]
        return plain(
            ("I", oracle.stated(record, one, rules), one.key, *rules.content(record.row)) for one, record in good
        )
    rows: list[tuple[Any, ...]] = []
    for key, events in oracle.timelines(landings, rules).items():
        for op, event in oracle.change_log(events, rules):
            content = (*key, *[None] * (len(rules.columns) - len(key))) if op == "D" else rules.content(event.row or {})
            rows.append((op, event.at, event.order[2], *content))
    return plain(rows)


def expected_quarantine(landings: Sequence[Landing], rules: Rules) -> Rows:
    """Return the refused rows of the landings that are read: of several snapshots at one time, those that count."""
    if rules.load == "snapshot" and rules.on_missing == "close":
        landings = list({one.file_time: one for one in sorted(landings, key=lambda one: one.order)}.values())
    return plain(
        (one.key, number)
        for one in landings
        for number, record in enumerate(one.records, start=1)
        if not oracle.good(record, rules)
    )


def columns_of(mart: str, rules: Rules) -> tuple[str, ...]:
    if mart == "sums":
        return ("h", "k", "n", "w")
    more = {
        "latest": (),
        "history": ("_op", "_effective_from"),
        "members": ("is_deleted", "is_inferred"),
    }
    return (*rules.columns, *more.get(mart, ("valid_from", "valid_to", "is_current", "is_inferred")))


def expected_facts(facts: Rows, timelines: dict[Key, list[Event]]) -> Rows:
    """Return the id of each fact with the version of its key at its time, or an inferred member."""
    found = []
    for h, k, at, number in facts:
        versions = oracle.versions(timelines.get((h, k), ()), *VERSIONS["all"])
        fits = [one for one in versions if one.since <= at and (one.until is None or at < one.until)]
        row = fits[0].row if fits else {}
        since = fits[0].since if fits else None
        found.append((number, row.get("v"), row.get("w"), row.get("u"), since, not fits))
    return plain(found)


def _expected_sums(rows: Sequence[Row]) -> Rows:
    """Return how many rows each key has, and the sum of their numbers, NULL where none has one."""
    groups: dict[Key, list[Any]] = {}
    for row in rows:
        groups.setdefault((row["h"], row["k"]), []).append(row["w"])
    sums = {key: [w for w in values if w is not None] for key, values in groups.items()}
    return plain((*key, len(values), sum(sums[key]) if sums[key] else None) for key, values in groups.items())


def expected_mart(mart: str, timelines: dict[Key, list[Event]], landings: Sequence[Landing], rules: Rules) -> Rows:
    if mart == "sums" and rules.load == "append":
        return _expected_sums([r.row for one in landings for r in one.records if oracle.good(r, rules)])
    if mart == "sums":
        return _expected_sums([row for events in timelines.values() for row in oracle.latest(events)])
    if not rules.key:
        return plain((*row[3:], *row[:2]) for row in expected_log(landings, rules))
    return plain(row for events in timelines.values() for row in _rows_of(mart, events, rules))


def _rows_of(mart: str, events: Sequence[Event], rules: Rules) -> Rows:
    if mart == "latest":
        return [rules.content(row) for row in oracle.latest(events)]
    if mart == "history":
        return [(*rules.content(row), op, at) for op, at, row in oracle.history(events, rules)]
    if mart == "members":
        return [(*rules.content(row), gone, False) for row, gone in oracle.member(events)]
    return [
        (*rules.content(one.row), one.since, one.until, one.until is None, False)
        for one in oracle.versions(events, *VERSIONS[mart])
    ]
