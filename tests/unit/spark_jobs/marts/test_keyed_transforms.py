"""latest, scd2, dimension and history of one change log, case by case (SEMANTICS 16 to 20)."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from contracts.model import EffectiveAt
from spark_jobs.layers.errors import DataError
from spark_jobs.layers.marts import dimension, history, latest, scd2
from spark_jobs.layers.marts.events import log_columns
from tests.unit.spark_jobs.marts.bench import mart, ordered, table

BY_DAY = EffectiveAt(column="day")
PLANES = table(
    "planes",
    "tail string, seats int, owner string, day date",
    load="changes",
    key=("tail",),
    effective_at=BY_DAY,
)
VERSIONS = mart("dim_planes", "scd2", "planes", track=("seats",))
D1, D2, D3, D4, D5 = (date(2024, 1, day) for day in range(1, 6))


def log(spark, *rows, of=PLANES):
    """Build change-log rows; the landing order and row number are those of the arguments."""
    ddl = ", ".join(f"{name} {kind}" for name, kind in log_columns(of).items())
    full = [(*row, f"{number:03}", number) for number, row in enumerate(rows)]
    return spark.createDataFrame(full, ddl)


def up(tail, seats, owner, day, op="U"):
    return (tail, seats, owner, day, op, day)


def gone(tail, day):
    return (tail, None, None, None, "D", day)


def versions(spark, *rows, of=VERSIONS):
    found = scd2.rows(log(spark, *rows), of, PLANES)
    return ordered(found.select("tail", "seats", "owner", "day", "valid_from", "valid_to", "is_current"))


def test_neighbours_with_equal_tracked_columns_are_one_version_with_the_last_rows_values(spark):
    found = versions(spark, up("A", 2, "x", D1, "I"), up("A", 2, "y", D2), up("A", 3, "y", D3))
    assert found == [("A", 2, "y", D2, D1, D3, False), ("A", 3, "y", D3, D3, None, True)]


def test_the_first_version_may_begin_at_the_epoch_and_no_other_does(spark):
    from_epoch = mart("dim_planes", "scd2", "planes", track=("seats",), valid_from="epoch")
    found = versions(
        spark, up("A", 2, "x", D2), gone("A", D3), up("A", 2, "x", D4), up("B", 1, "z", date(1960, 1, 1)), of=from_epoch
    )
    assert [row[4:6] for row in found] == [(date(1970, 1, 1), D3), (D4, None), (date(1960, 1, 1), None)]


def test_the_first_version_may_begin_when_its_file_landed_unless_that_was_after_its_end(spark):
    landed = mart("dim_planes", "scd2", "planes", track=("seats",), valid_from="landed")
    order = "2024-01-01T00:00:00.000000Z\t{}T06:00:00.000000Z\tkey\t0\tbucket"
    rows = [
        (*row[:6], order.format(at), 1)
        for row, at in (
            (up("A", 2, "x", D1), "2024-01-03"),
            (up("A", 3, "x", D4), "2024-01-04"),
            (up("B", 2, "x", D1), "2024-01-05"),
            (up("B", 3, "x", D4), "2024-01-05"),
            (up("C", 2, "x", D4), "2024-01-02"),
        )
    ]
    ddl = ", ".join(f"{name} {kind}" for name, kind in log_columns(PLANES).items())
    found = scd2.rows(spark.createDataFrame(rows, ddl), landed, PLANES)
    assert ordered(found.select("tail", "valid_from", "valid_to")) == [
        ("A", D3, D4),
        ("A", D4, None),
        ("B", D1, D4),
        ("B", D4, None),
        ("C", D2, None),
    ]


def test_an_untracked_change_is_ignored_on_every_run_when_asked(spark):
    ignoring = mart("dim_planes", "scd2", "planes", track=("seats",), untracked_change="ignore")
    found = versions(spark, up("A", 2, "x", D1), up("A", 2, "y", D2), up("A", 3, "z", D3), of=ignoring)
    assert found == [("A", 2, "x", D1, D1, D3, False), ("A", 3, "z", D3, D3, None, True)]


def test_a_delete_ends_a_version_and_a_key_that_comes_back_opens_one(spark):
    found = versions(spark, up("A", 2, "x", D1), gone("A", D2), up("A", 2, "x", D4))
    assert found == [("A", 2, "x", D1, D1, D2, False), ("A", 2, "x", D4, D4, None, True)]


def test_a_delete_of_an_unknown_or_gone_key_leaves_no_version(spark):
    found = versions(spark, gone("A", D1), up("A", 2, "x", D2), gone("A", D3), gone("A", D4), gone("B", D1))
    assert found == [("A", 2, "x", D2, D2, D3, False)]


def test_null_is_a_value_of_its_own_for_versions(spark):
    rows = [up("A", None, "x", D1), up("A", None, "y", D2), up("A", 0, "y", D3), up("A", None, "y", D4)]
    assert versions(spark, *rows) == [
        ("A", 0, "y", D3, D3, D4, False),
        ("A", None, "y", D2, D1, D3, False),
        ("A", None, "y", D4, D4, None, True),
    ]


def test_empty_string_and_null_are_different_versions(spark):
    by_owner = mart("dim_planes", "scd2", "planes", track=("owner",))
    found = versions(spark, up("A", 1, "", D1), up("A", 1, None, D2), of=by_owner)
    assert found == [("A", 1, "", D1, D1, D2, False), ("A", 1, None, D2, D2, None, True)]


def test_without_tracked_columns_a_key_has_one_version_for_each_life(spark):
    untracked = mart("dim_planes", "scd2", "planes")
    rows = [up("A", 1, "x", D1), up("A", 2, "y", D2), gone("A", D3), up("A", 3, "z", D4)]
    assert versions(spark, *rows, of=untracked) == [
        ("A", 2, "y", D2, D1, D3, False),
        ("A", 3, "z", D4, D4, None, True),
    ]


def test_surrogate_keys_differ_by_version_and_are_the_same_whatever_else_is_in_the_log(spark):
    rows = [up("A", 2, "x", D1), up("A", 3, "x", D2), up("B", 2, "x", D1)]
    all_keys = scd2.rows(log(spark, *rows), VERSIONS, PLANES).select("tail", "valid_from", "dim_planes_key")
    one_key = scd2.rows(log(spark, rows[2]), VERSIONS, PLANES).select("tail", "valid_from", "dim_planes_key")
    keys = {(tail, day): key for tail, day, key in ordered(all_keys)}
    assert len(set(keys.values())) == 3
    assert ordered(one_key) == [("B", D1, keys[("B", D1)])]


def test_latest_is_the_whole_last_row_of_living_keys(spark):
    rows = [up("A", 2, "x", D1), up("A", 2, "y", D3), up("B", 1, "x", D1), gone("B", D2)]
    found = latest.rows(log(spark, *rows), None, PLANES)
    assert ordered(found) == [("A", 2, "y", D3)]
    assert found.columns == ["tail", "seats", "owner", "day"]


def test_a_dimension_keeps_deleted_keys_with_their_last_living_values(spark):
    rows = [up("A", 2, "x", D1), up("A", 3, "y", D2), gone("A", D3), up("B", 1, "x", D1), gone("C", D1)]
    found = dimension.rows(log(spark, *rows), mart("dim", "dimension", "planes"), PLANES)
    assert ordered(found.select("tail", "seats", "owner", "is_deleted", "is_inferred")) == [
        ("A", 3, "y", True, False),
        ("B", 1, "x", False, False),
    ]


def test_history_has_instants_of_change_only_and_deletes_carry_the_row_as_last_confirmed(spark):
    rows = [
        up("A", 2, "x", D1, "I"),
        up("A", 2, "x", D2),
        gone("A", D3),
        gone("A", D4),
        up("A", 2, "x", D5),
        gone("B", D1),
        up("C", 1, "x", D1),
        up("C", 1, None, D2),
        up("C", 1, None, D3),
    ]
    found = history.rows(log(spark, *rows), mart("h", "history", "planes"), PLANES)
    assert ordered(found) == [
        ("A", 2, "x", D1, "I", D1),
        ("A", 2, "x", D2, "D", D3),
        ("A", 2, "x", D5, "I", D5),
        ("C", 1, "x", D1, "I", D1),
        ("C", 1, None, D2, "U", D2),
    ]


def test_appended_rows_are_upserts_of_their_key_and_the_last_of_an_instant_wins(spark):
    t1, t2 = datetime(2024, 1, 1), datetime(2024, 1, 2)
    sales = table("sales", "k int, v int, lsn int", load="append", key=("k",), tie_break=("lsn",))
    rows = [
        (1, 10, 2, "I", t1),
        (1, 11, None, "I", t1),
        (1, 12, 2, "I", t1),
        (1, 13, 1, "I", t1),
        (1, 20, 1, "I", t2),
        (2, 30, 1, "I", t1),
    ]
    frame = log(spark, *rows, of=sales)
    tracked = mart("dim", "scd2", "sales", track=("v",))
    assert ordered(latest.rows(frame, None, sales)) == [(1, 20, 1), (2, 30, 1)]
    assert ordered(scd2.rows(frame, tracked, sales).select("k", "v", "valid_from", "valid_to")) == [
        (1, 12, t1, t2),
        (1, 20, t2, None),
        (2, 30, t1, None),
    ]
    assert ordered(latest.current_rows(frame, sales)) == sorted((row[:3] for row in rows), key=repr)


def test_the_history_of_rows_without_a_key_is_every_row(spark):
    t1 = datetime(2024, 1, 1)
    events = table("events", "v int", load="append")
    frame = log(spark, (1, "I", t1), (1, "I", t1), of=events)
    assert ordered(history.rows(frame, mart("h", "history", "events"), events)) == [(1, "I", t1)] * 2


@pytest.mark.parametrize(
    ("keep_for", "expected"),
    [
        ("36h", datetime(2024, 2, 27, 12, tzinfo=UTC)),
        ("1d", datetime(2024, 2, 28, tzinfo=UTC)),
        ("2w", datetime(2024, 2, 15, tzinfo=UTC)),
        ("12mo", datetime(2023, 2, 28, tzinfo=UTC)),
        ("1y", datetime(2023, 2, 28, tzinfo=UTC)),
    ],
)
def test_the_cutoff_of_a_retention_is_counted_from_the_start_of_the_day(keep_for, expected):
    assert history.cutoff(keep_for, datetime(2024, 2, 29, 17, 5, tzinfo=UTC)) == expected


def test_a_retention_that_is_no_duration_or_has_no_dates_is_refused():
    numbered = table("n", "k int, seq bigint", key=("k",), effective_at=EffectiveAt(column="seq"))
    with pytest.raises(DataError, match="keep_for: 'soon' is not"):
        history.cutoff("soon", datetime.now(UTC))
    with pytest.raises(DataError, match="h: keep_for needs a date or timestamp, not bigint"):
        history.kept(mart("h", "history", "n", keep_for="1y"), numbered, datetime.now(UTC))
