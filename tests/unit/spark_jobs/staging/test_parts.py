"""Snapshots in parts: objects that share a time are one snapshot, of which nothing is deleted for being elsewhere."""

from __future__ import annotations

import pytest

from contracts.model import Check, Parts, Source
from spark_jobs.layers.errors import ContractViolationError
from tests.unit.spark_jobs.staging.conftest import snapshot_table


def at(day: int) -> str:
    return f"2020-01-{day:02d} 00:00:00"


def part(bench, day: int, name: str, *rows: str, minute: int = 0):
    text = "k,v\n" + "".join(f"{row}\n" for row in rows) if rows else ""
    return bench.land(text, f"planes/2020-01-{day:02d}/{name}", f"2020-01-{day:02d}T06:{minute:02d}:00Z")


def parted(parts: Parts, **words):
    return snapshot_table(source=Source(prefix="planes/", parts=parts), **words)


MARKED = Parts(marker="/_DONE$")


def test_the_parts_of_one_time_are_one_snapshot_and_its_marker_holds_nothing(bench):
    table = parted(MARKED)
    first = [part(bench, 1, "a.csv", "1,a", "2,b"), part(bench, 1, "b.csv", "3,c"), part(bench, 1, "_DONE")]
    staged = bench.stage(table, *first)
    assert bench.log(table) == [(1, "a", "I", at(1)), (2, "b", "I", at(1)), (3, "c", "I", at(1))]
    assert (staged.books.read, staged.superseded) == (3, ())
    bench.stage(table, part(bench, 2, "b.csv", "3,C"), part(bench, 2, "a.csv", "1,a"), part(bench, 2, "_DONE"))
    assert bench.log(table) == [
        (1, "a", "I", at(1)),
        (2, "b", "I", at(1)),
        (2, None, "D", at(2)),
        (3, "c", "I", at(1)),
        (3, "C", "U", at(2)),
    ]


@pytest.mark.long
def test_a_part_that_lands_again_takes_its_own_place_only(bench):
    table = parted(MARKED)
    bench.stage(table, part(bench, 1, "a.csv", "1,a"), part(bench, 1, "b.csv", "2,b", "3,c"), part(bench, 1, "_DONE"))
    again = bench.stage(table, part(bench, 1, "b.csv", "3,C", minute=5), part(bench, 1, "_DONE", minute=6))
    assert bench.log(table) == [(1, "a", "I", at(1)), (3, "C", "I", at(1))]
    assert (again.books.read, again.superseded) == (2, ())


def test_of_two_numbers_of_parts_the_newer_counts(bench):
    table = parted(Parts(count=r"-of-(?P<parts>\d+)\.csv$"))
    old = [part(bench, 1, "1-of-3.csv", "1,a"), part(bench, 1, "2-of-3.csv", "2,b")]
    new = [part(bench, 1, "1-of-2.csv", "1,A", minute=5), part(bench, 1, "2-of-2.csv", "4,d", minute=5)]
    staged = bench.stage(table, *old, *new)
    assert bench.log(table) == [(1, "A", "I", at(1)), (4, "d", "I", at(1))]
    assert set(staged.superseded) == {landing["id"] for landing in old}


@pytest.mark.long(little=True)
def test_values_are_unique_in_all_parts_together(bench):
    table = parted(MARKED, checks=(Check("one_v", kind="unique", columns=("v",)),))
    staged = bench.stage(table, part(bench, 1, "a.csv", "1,x", "2,y"), part(bench, 1, "b.csv", "3,x"))
    assert bench.log(table) == [(2, "y", "I", at(1))]
    assert staged.books.rejected == 2


def test_one_part_that_fails_takes_the_others_of_its_snapshot_with_it(bench):
    table = parted(MARKED, checks=(Check("v_known", "v <> 'bad'", "fail"),))
    good, bad, done = part(bench, 1, "a.csv", "1,a"), part(bench, 1, "b.csv", "2,bad"), part(bench, 1, "_DONE")
    with pytest.raises(ContractViolationError) as raised:
        bench.stage(table, good, bad, done, part(bench, 2, "a.csv", "1,a"), part(bench, 2, "_DONE"))
    other = ("belongs to a snapshot of which another part failed; send that part again and replay all", None)
    assert raised.value.landings == {
        bad["id"]: ("record 1: fails the check v_known: v <> 'bad'", None),
        good["id"]: other,
        done["id"]: other,
    }


def test_a_part_that_landed_again_is_read_in_its_newest_version_alone(bench):
    table = parted(MARKED)
    cut_off, mended = part(bench, 1, "a.csv", "1,a,?"), part(bench, 1, "a.csv", "1,A", minute=5)
    bench.s3.put("test-raw", cut_off["key"], cut_off["version_id"], b"\x1f\x8b\x08cut off")
    staged = bench.stage(table, cut_off, part(bench, 1, "b.csv", "2,b"), mended, part(bench, 1, "_DONE", minute=6))
    assert bench.log(table) == [(1, "A", "I", at(1)), (2, "b", "I", at(1))]
    assert (staged.books.read, staged.superseded) == (2, (cut_off["id"],))
