"""What a run and the status say of records in quarantine and of checks that warn."""

from __future__ import annotations

from orchestration.embedded.cli.outcome import remarks
from tests.unit.cli.test_reports import execution


def test_a_snapshot_that_waits_says_for_what():
    output = {"batches": [], "ended_because": "waits for the rest of the snapshot of a: 2 of 3 objects have landed"}
    assert list(remarks(execution(output=output))) == [
        "planes waits for the rest of the snapshot of a: 2 of 3 objects have landed"
    ]


def test_refused_records_are_named_with_their_file_record_column_and_reason():
    batch = {
        "rows": {"read": 1200, "rejected": 2},
        "refused_records": [
            {"file": "crm/planes/a.csv", "row": 2, "column": "seats", "reason": "'x' is no int"},
            {
                "file": "crm/planes/a.csv",
                "row": 7,
                "column": None,
                "reason": "has more or fewer fields than the header",
            },
        ],
        "warnings": {"sane": 1, "known": 3},
    }
    assert list(remarks(execution("FAILED", batches=(batch, {"rows": {"read": 5, "rejected": 0}})))) == [
        "planes: 2 records of 1,200 in quarantine: crm/planes/a.csv record 2: column seats 'x' is no int; "
        "crm/planes/a.csv record 7: has more or fewer fields than the header",
        "planes: the check sane warns 1 time",
        "planes: the check known warns 3 times",
    ]


def test_of_a_batch_that_was_not_published_no_records_are_in_quarantine():
    refused = [{"file": "crm/planes/a.csv", "row": 2, "column": "seats", "reason": "'x' is no int"}]
    assert list(remarks(execution("FAILED", batches=({"rows": {}, "refused_records": refused},)))) == []


def test_files_in_quarantine_are_named():
    reason = "planes: key crm/planes.csv: does not match from_key /(\\d+)/"
    batch = {"rows": {}, "quarantined_files": [{"key": "crm/planes.csv", "reason": reason}]}
    assert list(remarks(execution(batches=(batch,)))) == [f"A file was not staged and is in quarantine: {reason}"]
