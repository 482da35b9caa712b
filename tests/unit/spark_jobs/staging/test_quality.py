"""Checks and circuit breakers: what they refuse, what they only tell, and how a batch is let through once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.databases import Extract
from contracts.model import Check, Column, EffectiveAt, Limits, Source
from spark_jobs.layers.errors import ContractViolationError, LimitExceededError
from spark_jobs.layers.staging.books import bound_of
from spark_jobs.layers.staging.rejections import Rejected
from tests.cases import few
from tests.unit.spark_jobs.staging.conftest import snapshot_table

COLUMNS = (Column("k", "bigint"), Column("v", "string"), Column("n", "int"))


def daily(bench, day: int, *rows: str, header: str = "k,v,n", table: str = "planes"):
    text = header + "\n" + "".join(f"{row}\n" for row in rows)
    return bench.land(text, f"{table}/2020-01-{day:02d}/x.csv", f"2020-01-{day:02d}T06:00:00Z")


def upserts(**words):
    return snapshot_table(**{"load": "upsert", "columns": COLUMNS, **words})


def quarantine(bench, table):
    rows = bench.lake.read(bench.lake.table("quarantine", table.name)).orderBy("_source_file", "_row_number")
    return [tuple(r) for r in rows.select("_row_number", "_column", "_rule", "_reason", "_raw").collect()]


def kept(bench, table):
    return [row[0] for row in bench.log(table, "k")]


def test_rules_and_not_null_take_out_their_rows_and_say_why(bench):
    checks = (Check("n_sane", "n < 10"), Check("known", kind="not_null", columns=("v", "n")))
    table = upserts(checks=checks)
    staged = bench.stage(table, daily(bench, 1, "1,a,1", "2,b,10", "3,,1", "4,d,"))
    assert kept(bench, table) == [1]
    assert quarantine(bench, table) == [
        (2, None, "n_sane", "fails the check n_sane: n < 10", "2,b,10"),
        (3, "v", "known", "fails the check known: v, n must not be NULL", "3,,1"),
        (4, "n", "known", "fails the check known: v, n must not be NULL", "4,d,"),
    ]
    assert staged.rejected == (
        Rejected("planes/2020-01-01/x.csv", 2, None, "fails the check n_sane: n < 10"),
        Rejected("planes/2020-01-01/x.csv", 3, "v", "fails the check known: v, n must not be NULL"),
        Rejected("planes/2020-01-01/x.csv", 4, "n", "fails the check known: v, n must not be NULL"),
    )


def test_a_check_that_warns_is_counted_and_stops_nothing(bench):
    checks = (
        Check("n_sane", "n < 10", "warn"),
        Check("has_v", "", "warn", "not_null", ("v",)),
        Check("one_v", "", "warn", "unique", ("v",)),
        Check("enough", "", "warn", "row_count", at_least=9),
    )
    table = upserts(checks=checks)
    landing = daily(bench, 1, "1,a,10", "2,,10", "3,b,1", "4,b,1", "x,b,99")
    manifest = bench.manifest(table, landing)
    staged = bench.run(table, manifest)
    assert kept(bench, table) == [1, 2, 3, 4]
    assert dict(staged.warnings) == {"n_sane": 2, "has_v": 1, "one_v": 2, "enough": 1}
    assert (staged.books.warned, staged.books.rejected, staged.books.balanced) == (4, 1, True)
    assert bench.run(table, manifest).warnings == staged.warnings


@pytest.mark.parametrize("load", few(["snapshot", "append"]))
def test_every_load_counts_its_warnings(bench, load):
    table = upserts(load=load, checks=(Check("n_sane", "n < 10", "warn"),))
    staged = bench.stage(table, daily(bench, 1, "1,a,10", "2,b,1"), daily(bench, 2, "1,a,10", "2,b,11"))
    assert (staged.books.warned, dict(staged.warnings)) == (3, {"n_sane": 3})


def test_values_that_must_be_unique_are_all_taken_out_but_only_within_a_file(bench):
    table = upserts(checks=(Check("one_v", kind="unique", columns=("v", "n")),))
    rows = ("1,a,1", "2,a,1", "3,a,2", "4,,1", "5,,1", "6,b,1")
    staged = bench.stage(table, daily(bench, 1, *rows), daily(bench, 2, "7,b,1"))
    assert kept(bench, table) == [3, 4, 5, 6, 7]
    reason = "fails the check one_v: v, n must be unique in a file"
    assert quarantine(bench, table) == [
        (1, None, "one_v", reason, "1,a,1"),
        (2, None, "one_v", reason, "2,a,1"),
    ]
    assert staged.books.rejected == 2


@pytest.mark.long(little=True)
def test_a_reference_holds_when_the_other_table_ever_had_the_value(bench):
    codes = snapshot_table(name="codes", source=Source(prefix="codes/"), columns=(Column("k", "int"),))
    bench.stage(codes, daily(bench, 1, "1", "2", header="k", table="codes"))
    bench.stage(codes, daily(bench, 2, "2", header="k", table="codes"))
    table = upserts(checks=(Check("known", "", "quarantine", "references", ("n",), "codes", "k"),))
    bench.stage(table, daily(bench, 3, "1,a,1", "2,b,2", "3,c,3", "4,d,"))
    assert kept(bench, table) == [1, 2, 4]
    assert quarantine(bench, table) == [(3, "n", "known", "fails the check known: n must stand in codes.k", "3,c,3")]


def test_a_reference_to_a_table_that_was_never_staged(bench):
    table = upserts(checks=(Check("known", "", "warn", "references", ("n",), "codes", "k"),))
    staged = bench.stage(table, daily(bench, 1, "1,a,1", "2,b,"))
    assert (kept(bench, table), dict(staged.warnings)) == ([1, 2], {"known": 1})


@pytest.mark.long(little=True)
def test_a_reference_to_a_column_that_the_other_table_has_not_got_yet(bench):
    codes = snapshot_table(name="codes", source=Source(prefix="codes/"), columns=(Column("k", "int"),))
    bench.stage(codes, daily(bench, 1, "1", header="k", table="codes"))
    table = upserts(checks=(Check("known", "", "warn", "references", ("n",), "codes", "code"),))
    staged = bench.stage(table, daily(bench, 1, "1,a,1", "2,b,"))
    assert (kept(bench, table), dict(staged.warnings)) == ([1, 2], {"known": 1})


def test_checks_that_fail_name_the_file_and_publish_nothing(bench):
    checks = (Check("one_v", "", "fail", "unique", ("v",)),)
    table = upserts(checks=checks)
    bad = daily(bench, 2, "2,a,1", "3,a,1")
    with pytest.raises(ContractViolationError) as raised:
        bench.stage(table, daily(bench, 1, "1,a,1"), bad)
    assert str(raised.value) == (
        "planes: file planes/2020-01-02/x.csv: record 1: column v: fails the check one_v: v must be unique in a file"
    )
    assert list(raised.value.landings) == [bad["id"]]
    assert bench.log(table) == []


def test_files_out_of_bounds_are_named_with_their_figures_the_empty_one_too(bench):
    checks = (
        Check("enough", "", "fail", "row_count", at_least=2, at_most=3),
        Check("named", "", "fail", "null_ratio", ("v",), at_most=0.5),
    )
    table = upserts(load="append", key=(), checks=checks)
    good, empty = daily(bench, 1, "1,a,1", "2,,1"), daily(bench, 2)
    large, nameless = daily(bench, 3, *["1,a,1"] * 4), daily(bench, 4, "1,,1", "2,,1", "x,y,1")
    with pytest.raises(ContractViolationError) as raised:
        bench.stage(table, good, empty, large, nameless)
    assert raised.value.landings == {
        empty["id"]: ("fails the check enough: a file must hold 2 to 3 records, it holds 0", None),
        large["id"]: ("fails the check enough: a file must hold 2 to 3 records, it holds 4", None),
        nameless["id"]: (
            "fails the check named: v may be NULL in at most 50% of a file's records, it is NULL in 2 of 2",
            "v",
        ),
    }
    bench.stage(table, good)
    assert kept(bench, table) == [1, 2]


BREAKERS = {
    "max_rejected, a share": (
        Limits(max_rejected=0.25),
        "max_rejected: 2 of 5 records read would be rejected, the limit is 25%",
    ),
    "max_rejected, a count": (
        Limits(max_rejected=1),
        "max_rejected: 2 of 5 records read would be rejected, the limit is 1",
    ),
    "min_rows": (Limits(min_rows=4), "min_rows: 3 good rows, the limit is 4"),
    "max_deleted": (Limits(max_deleted=0), "max_deleted: 1 of 5 records read would be deleted, the limit is 0"),
}


@pytest.mark.parametrize(("limits", "said"), few(BREAKERS.values()), ids=BREAKERS)
def test_a_breaker_says_what_tripped_and_lets_through_what_it_names(bench, limits, said):
    table = upserts(
        load="changes",
        columns=(*COLUMNS, Column("op", "string")),
        delete_when="op = 'D'",
        effective_at=EffectiveAt(column="n"),
        limits=limits,
    )
    rows = ("1,a,1,U", "1,,2,D", "2,b,1,U", "x,c,1,U", "3,c,x,U")
    landing = daily(bench, 1, *rows, header="k,v,n,op")
    with pytest.raises(LimitExceededError) as raised:
        bench.stage(table, landing)
    name = said.partition(":")[0]
    way_out = f'To let it through once, start {{"table": "planes", "allow": ["{name}"]}}'
    assert str(raised.value) == f"planes: {said}; nothing was published. {way_out}"
    assert tuple(raised.value.rejected) == (
        Rejected("planes/2020-01-01/x.csv", 4, "k", "'x' is no bigint"),
        Rejected("planes/2020-01-01/x.csv", 5, "n", "'x' is no int"),
    )
    assert bench.log(table) == []
    bench.stage(table, landing, allow=[name])
    assert bench.log(table, "k") == [(1, "I", "1"), (1, "D", "2"), (2, "I", "1")]


def test_a_share_that_is_just_reached_breaks_nothing():
    assert [bound_of(share, 100) for share in (0.07, 0.29, 0.57, 0.58, 1.0)] == [7, 29, 57, 58, 100]
    assert [bound_of(0.001, 999), bound_of(3, 10)] == [0.999, 3]


FEEDS = {
    "upsert": {"limits": Limits(max_rejected=0.2, min_rows=2)},
    "append": {"limits": Limits(max_rejected=0.2, min_rows=2), "load": "append", "key": ()},
}


@pytest.mark.long(little=True)
@pytest.mark.parametrize("feed", FEEDS)
def test_a_file_of_a_feed_breaks_a_limit_by_itself_whatever_else_its_batch_holds(bench, feed):
    table = upserts(**FEEDS[feed])
    files = {
        "good": daily(bench, 1, "1,a,1", "2,b,1"),
        "bad": daily(bench, 2, "3,c,1", "4,c,1", "x,d,1"),
        "passable": daily(bench, 3, *(f"{n},e,1" for n in range(10, 14)), "x,e,1"),
        "short": daily(bench, 4, "5,f,1"),
        "empty": daily(bench, 5),
    }
    reasons = {
        "bad": "max_rejected: 1 of 3 records read would be rejected, the limit is 20%",
        "short": "min_rows: 1 good rows, the limit is 2",
        "empty": "min_rows: 0 good rows, the limit is 2",
    }
    with pytest.raises(LimitExceededError) as raised:
        bench.stage(table, *files.values())
    assert raised.value.landings == {files[name]["id"]: (reason, None) for name, reason in reasons.items()}
    assert str(raised.value).startswith(f"planes: {reasons['bad']}; nothing was published.")
    for name, reason in reasons.items():
        with pytest.raises(LimitExceededError) as alone:
            bench.stage(table, files[name])
        assert alone.value.landings == {files[name]["id"]: (reason, None)}
    bench.stage(table, files["good"], files["passable"])
    assert kept(bench, table) == [1, 2, 10, 11, 12, 13]
    bench.stage(table, files["bad"], files["short"], files["empty"], allow=["max_rejected", "min_rows"])
    assert kept(bench, table) == [1, 2, 3, 4, 5, 10, 11, 12, 13]


@pytest.mark.parametrize("feed", few(FEEDS.values()), ids=FEEDS)
def test_an_extraction_that_found_nothing_above_its_watermark_breaks_no_min_rows(bench, feed):
    source = Source("planes/", extract=Extract("ops", "PLANES", watermark="N"))
    table = upserts(**feed, source=source)
    bench.stage(table, daily(bench, 1, "1,a,1", "2,b,1"), daily(bench, 2))
    bench.stage(table, daily(bench, 3))
    assert kept(bench, table) == [1, 2]
    with pytest.raises(LimitExceededError, match="min_rows: 1 good rows, the limit is 2"):
        bench.stage(table, daily(bench, 4, "3,c,1"))
    whole = replace(table, source=replace(source, extract=Extract("ops", "PLANES")))
    with pytest.raises(LimitExceededError, match="min_rows: 0 good rows, the limit is 2"):
        bench.stage(whole, daily(bench, 5))


@pytest.mark.long(little=True)
def test_a_breaker_that_stops_a_table_staged_anew_is_let_through_by_the_same_input(bench):
    table = upserts(limits=Limits(min_rows=2))
    with pytest.raises(LimitExceededError) as raised:
        bench.stage(table, daily(bench, 1, "1,a,1"), mode="rebuild")
    request = '{"table": "planes", "mode": "rebuild", "layer": "staging", "allow": ["min_rows"]}'
    assert str(raised.value).endswith(f"To let it through once, start {request}")


@pytest.mark.long(little=True)
def test_a_batch_that_breaks_a_second_breaker_is_told_the_way_through_both(bench):
    table = upserts(limits=Limits(max_rejected=0, min_rows=2))
    with pytest.raises(LimitExceededError) as raised:
        bench.stage(table, daily(bench, 1, "1,a,1", "x,b,1"), allow=["max_rejected"])
    request = '{"table": "planes", "allow": ["max_rejected", "min_rows"]}'
    assert str(raised.value).endswith(f"To let it through once, start {request}")


def test_allow_of_one_breaker_does_not_let_another_through(bench):
    table = upserts(limits=Limits(max_rejected=0, min_rows=2))
    with pytest.raises(LimitExceededError, match="planes: min_rows: 1 good rows, the limit is 2"):
        bench.stage(table, daily(bench, 1, "1,a,1", "x,b,1"), allow=["max_rejected"])
