"""Where extractions go on when what they go by has changed, or when their input says after which value."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contracts.databases import Extract
from contracts.model import Table
from spark_jobs.layers.extraction.extract import run
from spark_jobs.layers.extraction.failures import SourceRefusedError
from spark_jobs.layers.extraction.ledger import Record
from spark_jobs.layers.extraction.marks import NUMBER, Mark
from tests.unit.spark_jobs.extraction.conftest import LEDGER, Bench, whole

COLUMNS = {"id": "bigint", "seq": "bigint", "upd": "timestamp"}
PLANES = "CREATE TABLE planes (id INT, seq INT, upd TIMESTAMP)"
WAY_OUT = {
    "upsert": 'start {"table": "planes", "mode": "full"}',
    "append": 'start {"table": "planes", "watermark": "<value after which to go on>"}',
}


def ids(bench: Bench, record: Record) -> list[int]:
    return [row[0] for row in bench.rows(record, "ID")]


def add(bench: Bench, *numbers: int) -> None:
    bench.execute(*(f"INSERT INTO planes VALUES ({n}, {n * 10}, TIMESTAMP('2013-01-01 00:00:0{n}'))" for n in numbers))


def by(column: str, load: str = "upsert", **words: Any) -> Extract:
    return whole(watermark=column, **({"overlap": 0} if load == "upsert" else {}), **words)


def extracted(bench: Bench, load: str = "upsert") -> Table:
    """Return a table whose two rows have been extracted by their ID."""
    bench.execute(PLANES)
    add(bench, 1, 2)
    table = bench.table(COLUMNS, load=load)
    bench.extract(table, by("ID", load))
    return table


@pytest.mark.parametrize("load", ["upsert", "append"])
def test_another_column_is_refused_with_the_input_that_works(derby: Bench, load: str) -> None:
    table = extracted(derby, load)
    with pytest.raises(SourceRefusedError) as refused:
        derby.extract(table, by("SEQ", load))
    assert str(refused.value) == (
        "planes: the stored watermark 2 is of ID of PLANES in ops, a number, and the contract's of SEQ of PLANES in "
        f"ops, a number: {WAY_OUT[load]}"
    )


def test_another_column_of_an_upsert_is_extracted_once_with_mode_full(derby: Bench) -> None:
    table = extracted(derby)
    assert ids(derby, derby.extract(table, by("SEQ"), "full")) == [1, 2]
    add(derby, 3)
    assert ids(derby, derby.extract(table, by("SEQ"))) == [3]


def test_another_column_of_an_append_goes_on_after_the_value_that_the_input_gives(derby: Bench) -> None:
    table = extracted(derby, "append")
    add(derby, 3)
    record = derby.extract(table, by("SEQ", "append"), watermark="20")
    assert (ids(derby, record), record.watermark) == ([3], "30")
    add(derby, 4)
    assert ids(derby, derby.extract(table, by("SEQ", "append"))) == [4]


def test_another_type_of_an_append_goes_on_after_the_value_that_the_input_gives(derby: Bench) -> None:
    derby.execute("CREATE TABLE planes (id INT, upd DATE)", "INSERT INTO planes VALUES (1, '2013-01-01')")
    table = derby.table({"id": "bigint", "upd": "timestamp"}, load="append")
    derby.now += timedelta(days=2)
    derby.extract(table, by("UPD", "append"))
    derby.execute("DROP TABLE planes", "CREATE TABLE planes (id INT, upd TIMESTAMP)")
    derby.execute("INSERT INTO planes VALUES (1, '2013-01-01 00:00:00'), (2, '2013-01-02 05:00:00')")
    with pytest.raises(SourceRefusedError) as refused:
        derby.extract(table, by("UPD", "append"))
    assert str(refused.value) == (
        "planes: the stored watermark 2013-01-01 is of UPD of PLANES in ops, a date, and the contract's of UPD of "
        f"PLANES in ops, a timestamp: {WAY_OUT['append']}"
    )
    record = derby.extract(table, by("UPD", "append"), watermark="2013-01-01T23:59:59")
    assert (ids(derby, record), record.watermark) == ([2], "2013-01-02 05:00:00.0")


def test_a_given_value_above_all_rows_is_the_watermark(derby: Bench) -> None:
    table = extracted(derby, "append")
    record = derby.extract(table, by("ID", "append"), watermark="5")
    assert (record.state, derby.watermark(by("ID"))) == ("empty", Mark(NUMBER, "5"))
    add(derby, 4, 6)
    assert ids(derby, derby.extract(table, by("ID", "append"))) == [6]


def test_append_does_not_go_back_to_a_value_above_which_rows_have_landed(derby: Bench) -> None:
    table = extracted(derby, "append")
    with pytest.raises(SourceRefusedError) as refused:
        derby.extract(table, by("ID", "append"), watermark="1")
    assert str(refused.value) == (
        "planes: watermark '1' is below 2, up to which rows have landed; they would land a second time: "
        'start {"table": "planes"}'
    )


def test_upsert_goes_back_to_a_given_value(derby: Bench) -> None:
    table = extracted(derby)
    assert ids(derby, derby.extract(table, by("ID"), watermark="1")) == [2]


@pytest.mark.parametrize(
    ("column", "given", "told"),
    [
        ("ID", "1 OR 1 = 1", "'1 OR 1 = 1' must be a number such as 1000, as ID of PLANES in ops is: "),
        ("ID", "<value after which to go on>", "'<value after which to go on>' must be a number such as 1000"),
        ("UPD", "2013-01-01", "'2013-01-01' must be a time such as 2013-01-31 23:59:59.5, as UPD of PLANES in ops is"),
        ("UPD", "2013-02-30 00:00:00", "'2013-02-30 00:00:00' must be a time such as"),
        ("UPD", "2013-02-01 00:00:00", "'2013-02-01 00:00:00' is more than a day ahead: "),
    ],
)
def test_a_given_value_must_be_one_of_the_column(derby: Bench, column: str, given: str, told: str) -> None:
    derby.execute(PLANES)
    with pytest.raises(SourceRefusedError) as refused:
        derby.extract(derby.table(COLUMNS, load="append"), by(column, "append"), watermark=given)
    assert str(refused.value).startswith(f"planes: watermark {told}")
    assert str(refused.value).endswith(WAY_OUT["append"])


def test_a_table_that_is_extracted_whole_goes_on_after_no_value(derby: Bench) -> None:
    derby.execute(PLANES)
    with pytest.raises(SourceRefusedError, match="watermark '1' is of no column, for the contract names none"):
        derby.extract(derby.table(COLUMNS), whole(), watermark="1")


def test_another_relation_or_connection_is_another_watermark(derby: Bench) -> None:
    table = extracted(derby)
    derby.execute("CREATE VIEW planes_v2 AS SELECT * FROM planes")
    other = by("ID", table="PLANES_V2")
    for extract in (other, Extract("crm", "PLANES", watermark="ID", overlap=0)):
        with pytest.raises(SourceRefusedError, match=f"of ID of PLANES in ops, .* of {extract.table} in"):
            derby.extract(table, extract)
    assert ids(derby, derby.extract(table, other, "full")) == [1, 2]
    assert derby.extract(table, by("id", table="planes_v2")).state == "empty"


def test_a_query_is_the_same_however_its_lines_are_broken(derby: Bench) -> None:
    table = extracted(derby)
    broken, other = "SELECT *\n  FROM planes", "SELECT * FROM planes WHERE id > 0"
    derby.extract(table, by("ID", table="", query="SELECT * FROM planes"), "full")
    assert derby.extract(table, by("ID", table="", query=broken)).state == "empty"
    with pytest.raises(SourceRefusedError, match="of ID of .SELECT . FROM planes. q in ops"):
        derby.extract(table, by("ID", table="", query=other))


def test_a_watermark_of_an_older_ledger_is_taken_and_completed(derby: Bench) -> None:
    table = extracted(derby)
    dynamodb = derby.ledger(by("ID"))._dynamodb
    key = {"pk": {"S": "TABLE#planes"}, "sk": {"S": "WATERMARK"}}
    dynamodb.update_item(
        TableName=LEDGER,
        Key=key,
        UpdateExpression="REMOVE relation, #of",
        ExpressionAttributeNames={"#of": "connection"},
    )
    add(derby, 3)
    assert ids(derby, derby.extract(table, by("ID"))) == [3]
    item = dynamodb.get_item(TableName=LEDGER, Key=key)["Item"]
    assert [item[name]["S"] for name in ("column", "relation", "connection")] == ["ID", "PLANES", "ops"]


def test_what_landed_by_another_column_before_its_job_died_stands_in_no_way(
    derby: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = extracted(derby)
    add(derby, 3)
    extraction = derby.extraction(table, by("ID"))

    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(extraction.ledger, "settle", die)
    with pytest.raises(KeyboardInterrupt):
        run(extraction)
    with pytest.raises(SourceRefusedError, match="is of ID of PLANES"):
        derby.extract(table, by("SEQ"))
    assert derby.watermark(by("ID")) == Mark(NUMBER, "3")
    assert ids(derby, derby.extract(table, by("SEQ"), "full")) == [1, 2, 3]
    assert derby.extract(table, by("SEQ")).state == "empty"
