"""Recognised records: what is not read again is staged as if it had been."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts.model import Check, Column, Source
from spark_jobs.layers.staging import known_keys, recognition
from spark_jobs.layers.staging.readers import seam
from spark_jobs.layers.staging.state import WAS_TEXT
from tests.cases import few
from tests.unit.spark_jobs.staging.conftest import snapshot_table

STABLE = [f"{key},s" for key in range(10, 20)]
# The same contract, but with a check that every row passes and that makes the job read every record.
LOOKED_AT = (Check(name="sound", rule="k IS NOT NULL", on_fail="warn"),)


@pytest.fixture(autouse=True)
def _few_bytes_are_enough(monkeypatch):
    monkeypatch.setattr(recognition, "WORTH_BYTES", 0)


def at(day: int) -> str:
    return f"2020-01-{day:02d} 00:00:00"


def land(bench, day: int, rows, header="k,v", folder="planes"):
    text = "".join(f"{row}\n" for row in (header, *rows))
    return bench.land(text, f"{folder}/2020-01-{day:02d}/planes.csv")


def told(bench, table) -> dict[str, object]:
    sealed = bench.lake.sealed(bench.lake.table("staging", table.name))
    return json.loads(sealed.summary["landfall.texts"])


def fingerprints(bench, table) -> int:
    """Return how many living keys the state can recognise."""
    known = known_keys.known_now(
        bench.lake.read(bench.lake.table("state", table.name)), table, parts(bench, table)["moved"]
    )
    return known.filter("_was_high IS NOT NULL AND _was_low IS NOT NULL").count()


def texts_are_counted_without_keys(bench, table) -> bool:
    """Tell whether the fingerprints that the state counts are those of the keys that it knows, each as often."""
    state = bench.lake.read(bench.lake.table("state", table.name))
    moved = parts(bench, table)["moved"]
    by_key = known_keys.known_now(state, table, moved).groupBy("_was_high", "_was_low").count().collect()
    counted = known_keys.texts_now(state, moved).groupBy("_text_high", "_text_low").sum("_known").collect()
    return Counter({(high, low): n for high, low, n in by_key if high is not None}) == Counter(
        {(high, low): n for high, low, n in counted if n and high is not None}
    )


def parts(bench, table) -> Counter[str]:
    """Return how many rows each part of the state has."""
    state = bench.lake.read(bench.lake.table("state", table.name))
    return Counter(row[0] for row in state.select("_part").collect())


@pytest.fixture(params=few(["few keys", "many keys"]))
def few_and_many(request, monkeypatch):
    """Let `current` be written anew at once, or let all that moves go beside it."""
    if request.param == "many keys":
        monkeypatch.setattr(known_keys, "MANY", 0)
        monkeypatch.setattr(known_keys, "SHARE", 0)


def test_of_known_records_nothing_is_read_and_the_books_count_them(bench):
    table = snapshot_table()
    bench.stage(table, land(bench, 1, ["1,a", "2,b", *STABLE]))
    staged = bench.stage(table, land(bench, 2, ["2,B", *STABLE, "3,c"]))
    assert bench.log(table)[:5] == [
        (1, "a", "I", at(1)),
        (1, None, "D", at(2)),
        (2, "b", "I", at(1)),
        (2, "B", "U", at(2)),
        (3, "c", "I", at(2)),
    ]
    counted = {name: count for name, count in staged.books.as_dict().items() if count}
    assert counted == {"read": 12, "inserted": 1, "updated": 1, "unchanged": 10, "deleted": 1}
    assert told(bench, table)["in_vain"] is False
    assert fingerprints(bench, table) == 12


TWICE = [["1,a", "1,b"], ["1,b", "1,a"], ["1,a", "1,a"], ["1,a", "1,a", "1,b"]]


@pytest.mark.parametrize("rows", few(TWICE), ids="|".join)
def test_a_key_that_a_known_and_another_record_tell_of(bench, rows):
    table = snapshot_table()
    bench.stage(table, land(bench, 1, ["1,a", *STABLE]))
    staged = bench.stage(table, land(bench, 2, [*STABLE, *rows]))
    is_new = rows[-1] != "1,a"
    assert bench.log(table)[: 1 + is_new] == [(1, "a", "I", at(1)), *([(1, "b", "U", at(2))] if is_new else [])]
    assert staged.books.read == 10 + len(rows)
    assert staged.books.duplicate == len(rows) - 1
    assert staged.books.balanced


@pytest.mark.long(little=True)
def test_a_known_record_speaks_for_its_key_beside_a_refused_one(bench):
    table = snapshot_table(columns=(Column("k", "bigint"), Column("v", "int")))
    stable = [f"{key},{key}" for key in range(10, 20)]
    bench.stage(table, land(bench, 1, ["1,1", "2,2", *stable]))
    staged = bench.stage(table, land(bench, 2, ["1,1", "1,x", "2,x", *stable]))
    assert bench.log(table)[:2] == [(1, 1, "I", at(1)), (2, 2, "I", at(1))]
    assert (staged.books.rejected, staged.books.unchanged, staged.books.deleted) == (2, 11, 0)
    bench.stage(table, land(bench, 3, ["1,1", "2,2", *stable]))
    assert bench.log(table)[:2] == [(1, 1, "I", at(1)), (2, 2, "I", at(1))]
    assert fingerprints(bench, table) == 12


@pytest.mark.long(little=True)
def test_texts_that_mean_the_same_row_are_learnt(bench):
    table = snapshot_table()
    bench.stage(table, land(bench, 1, ["1,a", *STABLE]))
    staged = bench.stage(table, land(bench, 2, ['1,"a"', *STABLE]))
    assert (staged.books.unchanged, staged.books.updated) == (11, 0)
    staged = bench.stage(table, land(bench, 3, ['1,"a"', *STABLE]))
    assert (staged.books.unchanged, staged.books.updated) == (11, 0)
    assert fingerprints(bench, table) == 11


@pytest.mark.long(little=True)
def test_under_another_header_or_contract_the_same_texts_mean_other_rows(bench):
    table = snapshot_table(columns=(Column("k", "bigint"), Column("v", "bigint")))
    rows = [f"{key},{key + 1}" for key in range(6)]
    bench.stage(table, land(bench, 1, rows))
    bench.stage(table, land(bench, 2, rows, header="v,k"))
    assert bench.log(table)[:3] == [(0, 1, "I", at(1)), (0, None, "D", at(2)), (1, 2, "I", at(1))]
    doubled = replace(table, columns=(Column("k", "bigint"), Column("v", "bigint", expr="v * 2", reads=("v",))))
    bench.stage(doubled, land(bench, 3, rows, header="v,k"))
    assert [row[:3] for row in bench.log(doubled) if row[3] == at(3)] == [
        (key, 2 * (key - 1), "U") for key in range(2, 7)
    ]


@pytest.mark.long(little=True)
def test_files_whose_records_never_return_are_tried_but_not_learnt(bench):
    table = snapshot_table(source=Source(prefix="planes/"), extra_columns="ignore")
    for day in (1, 2, 3):
        bench.stage(table, land(bench, day, [f"{row},{day}" for row in STABLE], header="k,v,exported"))
        assert told(bench, table)["in_vain"] is (day > 1)
    assert [row[2:] for row in bench.log(table)] == [("I", at(1))] * len(STABLE)


@pytest.mark.long(little=True)
def test_a_snapshot_without_records_and_a_late_one(bench):
    table = snapshot_table()
    bench.stage(table, land(bench, 1, STABLE))
    bench.stage(table, land(bench, 4, []))
    bench.stage(table, land(bench, 5, STABLE))
    bench.stage(table, land(bench, 2, STABLE[1:]))
    bench.stage(table, land(bench, 6, STABLE))
    assert bench.log(table)[:4] == [
        (10, "s", "I", at(1)),
        (10, None, "D", at(2)),
        (10, "s", "I", at(5)),
        (11, "s", "I", at(1)),
    ]


@pytest.mark.long(little=True)
def test_many_keys_are_written_anew_only_when_many_of_them_moved(bench, monkeypatch):
    monkeypatch.setattr(known_keys, "MANY", 10)
    table = snapshot_table()
    stable = [f"{key},s" for key in range(100, 130)]
    days = (
        (["1,a", "2,b", *stable], (32, 0)),
        (["1,A", "2,b", *stable], (32, 1)),  # changed
        (['1,"A"', "2,b", *stable], (32, 2)),  # the same row in other words
        (["2,b", "3,c", *stable], (32, 4)),  # one goes, one comes
        (["1,a", "2,b", "3,c", *stable], (33, 0)),  # a fifth would be more than an eighth: all are written anew
        (["1,a", "2,b", "3,C", *stable], (33, 1)),
        (["1,a", "2,b", "3,C", *stable], (33, 1)),
    )
    for day, (rows, sizes) in enumerate(days, start=1):
        bench.stage(table, land(bench, day, rows))
        found = parts(bench, table)
        assert (day, found["current"], found["moved"]) == (day, *sizes)
        assert texts_are_counted_without_keys(bench, table)
    assert fingerprints(bench, table) == 33
    assert bench.log(table)[:7] == [
        (1, "a", "I", at(1)),
        (1, "A", "U", at(2)),
        (1, None, "D", at(4)),
        (1, "a", "I", at(5)),
        (2, "b", "I", at(1)),
        (3, "c", "I", at(4)),
        (3, "C", "U", at(6)),
    ]
    bench.stage(table, land(bench, 8, ["1,a", "2,b", "4,d", *stable]))
    bench.stage(table, land(bench, 3, ["1,a", "2,b", "3,c", *stable]))  # late: what the last one saw stays
    bench.stage(table, land(bench, 9, ["1,a", "2,b", "4,d", *stable]))
    assert [row for row in bench.log(table) if row[0] in (3, 4)] == [
        (3, "c", "I", at(3)),
        (3, "C", "U", at(6)),
        (3, None, "D", at(8)),
        (4, "d", "I", at(8)),
    ]


@pytest.mark.long(little=True)
def test_fingerprints_that_were_kept_otherwise_are_learnt_anew(bench, monkeypatch):
    monkeypatch.setattr(known_keys, "MANY", 10)
    table = snapshot_table()
    stable = [f"{key},s" for key in range(100, 130)]
    moves = known_keys.moves
    with monkeypatch.context() as before:
        before.setattr(seam, "READING", seam.READING - 1)
        before.setattr(known_keys, "moves", lambda seen, number: moves(seen.drop(*WAS_TEXT), number))
        bench.stage(table, land(bench, 1, ["1,a", *stable]))
        bench.stage(table, land(bench, 2, ["1,A", *stable]))
    bench.stage(table, land(bench, 3, ["1,a", *stable]))
    assert bench.log(table)[:3] == [(1, "a", "I", at(1)), (1, "A", "U", at(2)), (1, "a", "U", at(3))]
    assert (parts(bench, table)["current"], parts(bench, table)["moved"]) == (31, 0)
    assert texts_are_counted_without_keys(bench, table)


@pytest.mark.long(little=True)
def test_a_key_that_stays_held_moves_once(bench, monkeypatch):
    monkeypatch.setattr(known_keys, "MANY", 10)
    table = snapshot_table(columns=(Column("k", "bigint"), Column("v", "int")))
    stable = [f"{key},{key}" for key in range(100, 130)]
    for day, (rows, moved) in enumerate(
        ((["1,1"], 0), (["1,x"], 1), (["1,x", "2,2"], 2), (["1,1", "2,2"], 3)), start=1
    ):
        bench.stage(table, land(bench, day, [*rows, *stable]))
        assert (day, parts(bench, table)["moved"]) == (day, moved)
        assert texts_are_counted_without_keys(bench, table)
    assert bench.log(table)[:2] == [(1, 1, "I", at(1)), (2, 2, "I", at(3))]


@pytest.mark.long(little=True)
@pytest.mark.usefixtures("few_and_many")
def test_a_last_snapshot_that_is_taken_back_leaves_what_the_one_before_saw(bench):
    table = snapshot_table()
    bench.stage(table, land(bench, 1, ["1,a", "2,b", *STABLE]))
    last = land(bench, 2, ["1,A", "3,c", *STABLE])
    bench.stage(table, last)
    bench.stage(table, retired=[last])
    assert bench.log(table)[:3] == [(1, "a", "I", at(1)), (2, "b", "I", at(1)), (10, "s", "I", at(1))]
    staged = bench.stage(table, land(bench, 3, ["1,a", "3,d", *STABLE]))
    assert bench.log(table)[:5] == [
        (1, "a", "I", at(1)),
        (2, "b", "I", at(1)),
        (2, None, "D", at(3)),
        (3, "d", "I", at(3)),
        (10, "s", "I", at(1)),
    ]
    counted = {name: count for name, count in staged.books.as_dict().items() if count}
    assert counted == {"read": 12, "inserted": 1, "unchanged": 11, "deleted": 1}


@pytest.mark.long
@pytest.mark.usefixtures("generated_code", "few_and_many")
def test_a_batch_like_the_one_before_runs_the_code_that_java_has_compiled(bench):
    table = snapshot_table()
    compiled = bench.lake.spark._jvm.org.apache.spark.metrics.source.CodegenMetrics.METRIC_COMPILATION_TIME()
    counts = []
    for day in range(1, 7):
        bench.stage(table, land(bench, day, [f"1,{day}", f"2,{day}", f"{100 + day},new", *STABLE]))
        counts.append(compiled.getCount())
    assert 0 < counts[3] == counts[4] == counts[5]


ROWS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["a", "b", "", '"a"', "x y"])), max_size=4)


@pytest.mark.long
@pytest.mark.usefixtures("few_and_many")
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("third", few(["first", "second", "last"]))
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(files=st.lists(ROWS, min_size=2, max_size=3), order=st.randoms(use_true_random=False))
def test_any_files_are_staged_as_if_every_record_were_read(bench, third, files, order):
    name = f"{third}_{abs(hash(str(files)))}"
    tables = [
        replace(snapshot_table(), name=name, source=Source(prefix=f"{name}/")),
        replace(snapshot_table(), name=f"{name}_all", source=Source(prefix=f"{name}/"), checks=LOOKED_AT),
    ]
    days = [*range(1, len(files) + 1)]
    order.shuffle(days)
    bodies = {day: [*STABLE, *(f"{key},{value}" for key, value in files[day - 1])] for day in days}
    books = [
        [bench.stage(table, land(bench, day, bodies[day], folder=table.name)).books for day in days] for table in tables
    ]
    assert books[0] == books[1]
    assert bench.log(tables[0]) == bench.log(tables[1])
    assert texts_are_counted_without_keys(bench, tables[0])
