"""The books in `audit.batches`: once for each batch, whoever runs it and whenever."""

from __future__ import annotations

import pytest

from spark_jobs.layers.staging import audit
from tests.unit.spark_jobs.staging.conftest import snapshot_table


def books(bench):
    rows = bench.lake.read(bench.lake.table("audit", "batches"))
    return [
        tuple(row)
        for row in rows.select("table", "token", "mode", "landings", "read", "inserted", "rejected", "balanced")
        .orderBy("token")
        .collect()
    ]


@pytest.mark.long
def test_two_runs_of_a_batch_that_end_at_once_write_its_books_once(bench, monkeypatch):
    table = snapshot_table(load="append")
    bench.stage(table, bench.land("k,v\n1,a\nx,b\n", "planes/2020-01-01/a.csv"))
    manifest = bench.manifest(table, bench.land("k,v\n2,a\n3,b\n", "planes/2020-01-02/a.csv"))
    write_batch = audit.write_batch

    def overtaken(*args):
        monkeypatch.setattr(audit, "write_batch", write_batch)
        bench.run(table, manifest)  # the other run finds the batch published, and its books not yet written
        write_batch(*args)

    monkeypatch.setattr(audit, "write_batch", overtaken)
    staged = bench.run(table, manifest)
    assert books(bench) == [
        ("planes", 1, "incremental", 1, 2, 1, 1, True),
        ("planes", 2, "incremental", 1, 2, 2, 0, True),
    ]
    assert bench.lake.head(bench.lake.table("staging", "planes")).id == staged.snapshot_id
    assert [key for key, _, _ in bench.log(table, "k")] == [1, 2, 3]
