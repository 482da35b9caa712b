"""Records that empty a table end every key that lives at their instant, in whatever order the files come."""

from __future__ import annotations

import itertools

import pytest

from tests.cases import few
from tests.unit.spark_jobs.staging.test_events import changes_table

HEADER = "k,v,op,ts,n"


def table(**words):
    return changes_table(**{"truncate_when": "op = 'T'", **words})


def land(bench, name: str, *rows: str):
    return bench.land(HEADER + "\n" + "".join(f"{row}\n" for row in rows), f"planes/2020-01-01/{name}.csv")


ORDERS = [*itertools.permutations(range(3))]
FILES = [
    ("1,a,U,10,1", "2,b,U,20,1"),
    (",,T,30,1",),
    ("1,A,U,40,1", "3,c,U,25,1"),
]
LOG = [
    (1, "a", "I", "10"),
    (1, None, "D", "30"),
    (1, "A", "I", "40"),
    (2, "b", "I", "20"),
    (2, None, "D", "30"),
    (3, "c", "I", "25"),
    (3, None, "D", "30"),
]


@pytest.mark.long
@pytest.mark.parametrize("orders", few([ORDERS[::2], ORDERS[1::2]]))
def test_a_truncation_ends_what_lives_in_any_order_of_the_files(bench, orders):
    for number, order in enumerate(orders):
        feed = table(name=f"planes{number}")
        landings = [land(bench, str(place), *rows) for place, rows in enumerate(FILES)]
        books = [bench.stage(feed, landings[place]).books for place in order]
        assert sorted(bench.log(feed, "k", "v"), key=lambda row: (row[0], int(row[3]))) == LOG, order
        assert all(book.balanced for book in books)
        assert sum(book.deleting for book in books) == 1


@pytest.mark.long(little=True)
def test_a_truncation_ends_what_comes_after_it_from_before(bench):
    feed = table()
    landings = [land(bench, str(place), *rows) for place, rows in enumerate(FILES)]
    for place in (1, 2, 0):
        bench.stage(feed, landings[place])
    assert sorted(bench.log(feed, "k", "v"), key=lambda row: (row[0], int(row[3]))) == LOG


@pytest.mark.long(little=True)
def test_all_files_in_one_batch_end_the_same(bench):
    feed = table()
    staged = bench.stage(feed, *[land(bench, str(place), *rows) for place, rows in enumerate(FILES)])
    assert sorted(bench.log(feed, "k", "v"), key=lambda row: (row[0], int(row[3]))) == LOG
    assert (staged.books.read, staged.books.deleting, staged.books.deleted) == (5, 1, 3)


def test_at_one_instant_the_sequence_decides_and_without_one_the_truncation(bench):
    feed = table()
    bench.stage(feed, land(bench, "a", "1,a,U,30,1", ",,T,30,2", "2,b,U,30,3", "3,c,U,30,2"))
    assert bench.log(feed, "k", "v") == [(2, "b", "I", "30")]


@pytest.mark.long
def test_what_came_with_a_truncation_of_its_instant_is_there_after_another_and_a_replay(bench):
    feed = table()
    first = land(bench, "a", ",,T,30,1", "1,a,U,30,2")
    for landings in ([first], [land(bench, "b", ",,T,30,0")], [first]):
        bench.stage(feed, *landings)
        assert bench.log(feed, "k", "v") == [(1, "a", "I", "30")]


@pytest.mark.long(little=True)
def test_a_truncation_that_is_staged_again_changes_nothing(bench):
    feed = table()
    landings = [land(bench, str(place), *rows) for place, rows in enumerate(FILES)]
    bench.stage(feed, *landings)
    again = bench.stage(feed, landings[1])
    assert sorted(bench.log(feed, "k", "v"), key=lambda row: (row[0], int(row[3]))) == LOG
    assert again.books.deleting == 1


def test_a_truncation_without_its_instant_is_refused(bench):
    feed = table()
    staged = bench.stage(feed, land(bench, "a", "1,a,U,10,1", ",,T,,1"))
    assert bench.log(feed, "k", "v") == [(1, "a", "I", "10")]
    assert [(one.row, one.column, one.reason) for one in staged.rejected] == [(2, "ts", "is NULL")]


@pytest.mark.long(little=True)
def test_a_truncation_taken_back_brings_back_what_it_ended(bench):
    feed = table()
    landings = [land(bench, str(place), *rows) for place, rows in enumerate(FILES)]
    bench.stage(feed, *landings)
    without = table(truncate_when="op = 'X'", delete_when="op IN ('D', 'T')")
    bench.stage(without, landings[1])
    assert [row for row in bench.log(feed, "k", "v") if row[2] == "D"] == []
