"""A contract changes while its table holds rows: old rows stay, new ones follow, late ones are still put right."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest

from contracts.model import Column, EffectiveAt, Limits, Source
from spark_jobs.layers import branches
from spark_jobs.layers.errors import ContractViolationError, LimitExceededError, SchemaChangeError
from spark_jobs.layers.lake import Snapshot
from spark_jobs.layers.shape import check_shape, shape, way_out
from spark_jobs.layers.staging import stage
from spark_jobs.layers.staging.landings import dump
from spark_jobs.layers.staging.state import log_schema
from tests.cases import few
from tests.unit.spark_jobs.staging.conftest import snapshot_table


def at(day: int) -> str:
    return f"2020-01-{day:02d} 00:00:00"


def snapshot(bench, day: int, header: str, *rows: str):
    return bench.land(f"{header}\n" + "".join(f"{row}\n" for row in rows), f"planes/2020-01-{day:02d}/planes.csv")


OLD = snapshot_table(columns=(Column("k", "int"), Column("v", "string"), Column("n", "int")))
NEW = snapshot_table(columns=(Column("k", "bigint"), Column("n", "bigint"), Column("w", "string")))


@pytest.mark.parametrize("load", few(["snapshot", "upsert"]))
def test_columns_are_added_widened_and_dropped_under_living_rows(bench, load):
    old, new = dataclasses.replace(OLD, load=load), dataclasses.replace(NEW, load=load)
    bench.stage(old, snapshot(bench, 1, "k,v,n", "1,a,1", "2,b,2"))
    staged = bench.stage(new, snapshot(bench, 3, "k,n,w", "1,1,x", "2,5000000000,", "3000000000,3,"))
    assert bench.log(new, "k", "v", "n", "w") == [
        (1, "a", 1, None, "I", at(1)),
        (1, None, 1, "x", "U", at(3)),
        (2, "b", 2, None, "I", at(1)),
        (2, None, 5000000000, None, "U", at(3)),
        (3000000000, None, 3, None, "I", at(3)),
    ]
    assert (staged.books.updated, staged.books.inserted) == (2, 1)


@pytest.mark.long(little=True)
def test_a_late_file_brings_back_a_row_that_was_staged_under_the_old_contract(bench):
    old, new = dataclasses.replace(OLD, load="upsert"), dataclasses.replace(NEW, load="upsert")
    bench.stage(old, snapshot(bench, 1, "k,v,n", "1,a,1"))
    bench.stage(old, snapshot(bench, 5, "k,v,n", "1,a,1"))
    bench.stage(new, snapshot(bench, 3, "k,n,w", "1,9,x"))
    assert bench.log(new, "k", "v", "n", "w") == [
        (1, "a", 1, None, "I", at(1)),
        (1, None, 9, "x", "U", at(3)),
        (1, None, 1, None, "U", at(5)),
    ]


@pytest.mark.long(little=True)
def test_a_column_that_is_added_and_empty_changes_no_row(bench):
    wide = snapshot_table(columns=(*OLD.columns, Column("w", "string")), missing_columns="null")
    bench.stage(OLD, snapshot(bench, 1, "k,v,n", "1,a,1"))
    staged = bench.stage(wide, snapshot(bench, 2, "k,v,n", "1,a,1"), snapshot(bench, 3, "k,v,n,w", "1,a,1,"))
    assert bench.log(wide, "k", "v", "n", "w") == [(1, "a", 1, None, "I", at(1))]
    assert staged.books.unchanged == 2


def test_a_narrower_type_fails_with_both_types_and_the_way_out(bench):
    bench.stage(NEW, snapshot(bench, 1, "k,n,w", "1,1,x"))
    narrow = snapshot_table(columns=(Column("k", "bigint"), Column("n", "int"), Column("w", "string")))
    with pytest.raises(SchemaChangeError) as raised:
        bench.stage(narrow, snapshot(bench, 2, "k,n,w", "1,1,y"))
    assert str(raised.value) == (
        "planes: column n is bigint in the table and int in the contract; a type may only widen: int to bigint, float "
        "to double, decimal(p,s) to more digits before the point. Keep the type, or declare a column of another name. "
        'Or else: Stage the table anew from its raw files: start {"table": "planes", "mode": "rebuild", '
        '"layer": "staging"}'
    )
    assert bench.log(NEW, "k", "n", "w") == [(1, 1, "x", "I", at(1))]


def test_a_table_of_which_nothing_was_published_takes_any_type(bench):
    """The contract of a new table is corrected until its first file fits."""
    with pytest.raises(ContractViolationError, match="column n is missing"):
        bench.stage(OLD, snapshot(bench, 1, "k,v", "1,a"))
    texts = dataclasses.replace(OLD, columns=(Column("k", "string"), Column("v", "string"), Column("n", "date")))
    with pytest.raises(ContractViolationError, match="column k: is NULL"):
        bench.stage(dataclasses.replace(texts, on_bad_key="fail"), snapshot(bench, 1, "k,v,n", ",a,2020-01-01"))
    bench.stage(texts, snapshot(bench, 1, "k,v,n", "x,a,2020-01-01"))
    bench.stage(texts, snapshot(bench, 2, "k,v,n", "x,a,2020-01-02"))
    assert bench.log(texts, "k", "v", "n") == [
        ("x", "a", date(2020, 1, 1), "I", at(1)),
        ("x", "a", date(2020, 1, 2), "U", at(2)),
    ]
    assert bench.lake.read(bench.lake.table("staging", "planes")).columns == list(log_schema(texts).names)


@pytest.mark.long
def test_words_on_which_every_row_depends_cannot_change_under_staged_rows(bench):
    landing = snapshot(bench, 1, "k,v,n", "1,a,1", "2,a,2")
    bench.stage(OLD, landing)
    other = dataclasses.replace(OLD, key=("k", "v"), on_missing="keep")
    with pytest.raises(SchemaChangeError) as raised:
        bench.stage(other, snapshot(bench, 2, "k,v,n", "1,a,1"))
    assert str(raised.value) == (
        "planes: key was [k] and is [k, v]; on_missing was close and is keep: rows staged before would mean something "
        'else now. Stage the table anew from its raw files: start {"table": "planes", "mode": "rebuild", "layer": '
        '"staging"}'
    )
    bench.stage(other, landing, mode="rebuild")
    assert bench.log(other, "k", "v", "n") == [(1, "a", 1, "I", at(1)), (2, "a", 2, "I", at(1))]


BY_EVENT = dataclasses.replace(OLD, effective_at=EffectiveAt(event_time=True))
BY_MONTH = dataclasses.replace(OLD, effective_at=EffectiveAt(from_key=r"(?P<year>\d{4})-(?P<month>\d\d)"))
LENIENT = dataclasses.replace(OLD, effective_at=dataclasses.replace(OLD.effective_at, unmatched="event_time"))
FEED = dataclasses.replace(OLD, load="changes", delete_when="n = '0'")
OF_DMS = dataclasses.replace(FEED, source=dataclasses.replace(OLD.source, preset="dms"))
BY_DATE = r"(?P<date>\d{4}-\d{2}-\d{2})"


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        (BY_EVENT, OLD, f"from_key was not said and is {BY_DATE}; unmatched was not said and is quarantine"),
        (OLD, BY_MONTH, rf"from_key was {BY_DATE} and is (?P<year>\d{{4}})-(?P<month>\d\d)"),
        (OLD, LENIENT, "unmatched was quarantine and is event_time"),
        (FEED, OF_DMS, "order at one instant was deletes last and is as in the file"),
    ],
    ids=("event time", "another pattern", "unmatched", "preset"),
)
def test_what_dates_and_orders_rows_cannot_change_under_staged_rows(old, new, words):
    told = {"landfall.shape": dump(shape(old))}
    with pytest.raises(SchemaChangeError) as raised:
        check_shape(Snapshot(1, None, "append", told), new)
    assert str(raised.value) == f"planes: {words}: rows staged before would mean something else now. {way_out(new)}"
    check_shape(Snapshot(1, None, "append", told), old)


def test_a_table_whose_shape_did_not_tell_all_words_of_today_goes_on():
    told_since = ("from_key", "unmatched", "order at one instant")
    words = {word: value for word, value in shape(FEED).items() if word not in told_since}
    check_shape(Snapshot(1, None, "append", {"landfall.shape": dump(words)}), OF_DMS)


@pytest.mark.long(little=True)
def test_a_rebuild_takes_any_type(bench):
    landing = snapshot(bench, 1, "k,v,n", "1,a,1")
    bench.stage(OLD, landing)
    texts = dataclasses.replace(OLD, columns=(Column("k", "string"), Column("v", "string"), Column("n", "double")))
    bench.stage(texts, landing, mode="rebuild")
    assert bench.log(texts, "k", "v", "n") == [("1", "a", 1.0, "I", at(1))]


@pytest.mark.long(little=True)
def test_fields_inside_an_array_may_come_and_go_in_any_place(bench):
    def places(fields: str):
        columns = (Column("k", "bigint"), Column("a", f"array<struct<{fields}>>"))
        return snapshot_table(source=Source(prefix="planes/", format="jsonl"), columns=columns)

    def land(day: int, place: str):
        return bench.land(f'{{"k": 1, "a": [{place}]}}\n', f"planes/2020-01-{day:02d}/planes.jsonl")

    old, more, less = places("street:string,zip:string"), places("street:string,city:string,zip:string"), "zip:string"
    bench.stage(old, land(1, '{"street": "S", "zip": "Z"}'))
    bench.stage(more, land(2, '{"street": "S", "city": "C", "zip": "Z"}'))
    bench.stage(places(less), land(3, '{"zip": "Y"}'))
    rows = bench.lake.read(bench.lake.table("staging", "planes")).orderBy("_effective_from")
    assert [row.asDict(recursive=True)["a"] for row in rows.collect()] == [
        [{"street": "S", "zip": "Z", "city": None}],
        [{"street": "S", "zip": "Z", "city": "C"}],
        [{"street": None, "zip": "Y", "city": None}],
    ]


NUMBERS = snapshot_table(columns=(Column("k", "bigint"), Column("v", "int")), limits=Limits(max_rejected=0))
TEXTS = snapshot_table(columns=(Column("k", "string"), Column("v", "string")))


@pytest.mark.long(little=True)
@pytest.mark.parametrize("load", ["snapshot", "append"])
def test_a_rebuild_that_a_limit_stops_leaves_the_table_as_it_was(bench, load):
    texts, numbers = (dataclasses.replace(table, load=load, on_missing="keep") for table in (TEXTS, NUMBERS))
    landing = snapshot(bench, 1, "k,v", "1,5", "2,abc")
    bench.stage(texts, landing)
    with pytest.raises(LimitExceededError):
        bench.stage(numbers, landing, mode="rebuild")
    rows = [("1", "5", "I", at(1)), ("2", "abc", "I", at(1))]
    assert bench.log(texts) == rows
    with pytest.raises(SchemaChangeError, match="column k is string in the table and bigint in the contract"):
        bench.stage(numbers, snapshot(bench, 2, "k,v", "1,6"))
    other = snapshot(bench, 2, "k,v", "x,y")
    bench.stage(texts, other)
    assert bench.log(texts) == [*rows, ("x", "y", "I", at(2))]
    bench.stage(numbers, landing, other, mode="rebuild", allow=["max_rejected"])
    assert bench.log(numbers)[0] == (1, 5, "I", at(1))
    bench.stage(numbers, snapshot(bench, 3, "k,v", "1,6"))
    assert bench.log(numbers)[-1] == (1, 6, "I" if load == "append" else "U", at(3))


class KilledError(Exception):
    """The job was killed."""


def killed_at(step: int, monkeypatch) -> None:
    """Kill the job when it is about to take its n-th step."""
    steps = iter(range(1, step + 1))

    def reached(*_: object, **__: object) -> None:
        if next(steps, step) == step:
            raise KilledError

    monkeypatch.setattr(stage, "reached", reached)
    monkeypatch.setattr(branches, "reached", reached)


@pytest.mark.long
@pytest.mark.parametrize("steps", few([range(1, 20, 2), range(2, 20, 2)]))
def test_a_rebuild_that_is_killed_at_any_step_is_published_or_has_changed_nothing(bench, steps):
    texts, numbers = TEXTS, dataclasses.replace(NUMBERS, limits=Limits())
    landing = snapshot(bench, 1, "k,v", "1,5", "2,abc")
    before = [("1", "5", "I", at(1)), ("2", "abc", "I", at(1))]
    after = [(1, 5, "I", at(1))]
    bench.stage(texts, landing)
    seen = []
    for step in steps:
        rebuild = bench.manifest(numbers, landing, mode="rebuild")
        with pytest.MonkeyPatch.context() as patch:
            killed_at(step, patch)
            try:
                bench.run(numbers, rebuild)
                break
            except KilledError:
                found = bench.log(texts)
        seen.append(found)
        if found == before:
            bench.stage(texts, landing)
            assert bench.log(texts) == before
            continue
        assert found == after
        late = snapshot(bench, 3, "k,v", "1,7")
        bench.stage(numbers, late)
        assert bench.log(numbers) == [*after, (1, 7, "U", at(3))]
        bench.stage(texts, landing, mode="rebuild")
    assert bench.log(numbers) == after
    assert seen.count(after) == 1
    assert before in seen


@pytest.mark.long(little=True)
def test_a_table_that_was_dropped_is_staged_anew_under_any_type(bench):
    parted = dataclasses.replace(NUMBERS, limits=Limits(), partition_by=("v",))
    landing = snapshot(bench, 1, "k,v", "1,5", "2,abc")
    bench.stage(parted, landing)
    texts = dataclasses.replace(TEXTS, partition_by=("v",))
    with pytest.raises(SchemaChangeError, match=r"or was, partitioned by v itself"):
        bench.stage(texts, landing, mode="rebuild")
    assert bench.log(parted) == [(1, 5, "I", at(1))]
    bench.lake.spark.sql(f"DROP TABLE {bench.lake.table('staging', 'planes')}")
    bench.stage(texts, landing, mode="rebuild")
    assert bench.log(texts) == [("1", "5", "I", at(1)), ("2", "abc", "I", at(1))]
