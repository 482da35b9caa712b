"""What `landfall maintain` prints of a report."""

from __future__ import annotations

from orchestration.embedded.cli.maintain import remarks, rows

REPORT = [
    {"table": "staging.shop_dev_staging.orders", "files_rewritten": 7, "files_written": 1, "held_by": "fct_orders"},
    {"table": "state.shop_dev_state.customers", "note": "a batch works on it"},
    {"table": "mart.shop_dev_mart.history", "rows_forgotten": 2, "error": "OSError: no space"},
]


def test_each_table_to_which_something_was_done_is_a_row_under_the_name_that_queries_use():
    assert list(rows(REPORT)) == [
        ("staging.orders", 7, 1, 0, 0, 0, 0, 0),
        ("mart.history", 0, 0, 0, 0, 0, 0, 2),
    ]


def test_what_was_left_and_why_is_said_in_words():
    assert list(remarks(REPORT)) == [
        "staging.orders: old snapshots stay because the mart fct_orders has not read them yet",
        "state.customers: a batch works on it",
        "mart.history: OSError: no space",
    ]
