"""What `landfall new-table` draws from a sample stages that sample whole: nothing is refused, no digit is lost."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from contracts.compile import compile_plan
from contracts.new_table import draft, to_yaml
from contracts.samples import Sample, read_sample
from tests.cases import few

SAMPLES = {
    "customers.csv": (
        'Customer ID;name;Joined;balance;active;note\n1;"Ann; ""Lee""";31/12/2019;10.50;true;NA\n'
        '2;"";05/06/2020;"";false;7\n3;;01/01/2020;;TRUE;NA\n'
    ),
    "days.csv": (
        ",us,at,fine,zeros,\n0,1/2/2024,1/2/2024 9:05,2024-01-01T00:00:00.1234567Z,2024-01-01T00:00:00.123456000Z,\n"
        "1,3/14/2024,12/31/2024 10:30,2024-01-01T00:00:00.1Z,2024-01-01 00:00:00+0200,\n"
    ),
    "baskets.xml": (
        '<os><o id="1"><tag>a</tag><item n="1"><sku>x</sku></item></o><o id="2"><tag>b</tag><tag>c</tag>'
        '<item n="2"><sku>y</sku><sku>z</sku></item><item n="3"><sku>w</sku></item></o></os>'
    ),
    "readings.tsv": "sensor\tat\tvalue\n1\t2020-01-01 10:00:00\t1e3\n2\t2020-01-01T10:00:00Z\t0.30000000000000004\n",
    "orders.jsonl": (
        '{"id": 9007199254740993, "at": "2020-01-01", "address": {"city": "Reno"}, "total": 12345678901234567890.12}\n'
        '{"id": 2, "at": null, "address": {"geo": {"lat": 39.5}}, "tags": ["a"], "total": 5}\n'
        '{"id": 3, "total": 0.1, "address": null, "extra": {"a b": 1}}\n'
    ),
    "things.json": '{"data": {"items": [{"k": "a", "n": "", "tags": {"x": "y"}}, {"k": "b", "n": "5", "flag": true}]}}',
    "people.xml": (
        '<people xmlns:h="urn:h"><person id="1"><h:name>Ann &amp; Co</h:name><age>30</age><h:tag>x</h:tag>'
        "<h:tag/></person><person id='2'><h:name><![CDATA[<Bob>]]></h:name><age/></person>"
        '<person id="3"><h:name lang="en">Cy</h:name></person></people>'
    ),
}
STAGED = {
    "customers": [
        (1, 'Ann; "Lee"', "2019-12-31", Decimal("10.50"), True, None),
        (2, None, "2020-06-05", None, False, 7),
        (3, None, "2020-01-01", None, True, None),
    ],
    "days": [
        ("2024-01-02", "2024-01-02 09:05:00", "2024-01-01T00:00:00.1234567Z", "2024-01-01 00:00:00.123456"),
        ("2024-03-14", "2024-12-31 10:30:00", "2024-01-01T00:00:00.1Z", "2023-12-31 22:00:00"),
    ],
    "readings": [(1, "2020-01-01 10:00:00", 1000.0), (2, "2020-01-01 10:00:00", 0.30000000000000004)],
    "baskets": [(1, ["a"], [(1, ["x"])]), (2, ["b", "c"], [(2, ["y", "z"]), (3, ["w"])])],
    "orders": [
        (2, None, None, Decimal(5), Decimal("39.5"), ["a"], None),
        (3, None, None, Decimal("0.10"), None, None, 1),
        (9007199254740993, "2020-01-01", "Reno", Decimal("12345678901234567890.12"), None, None, None),
    ],
    "things": [("a", None, "y", None), ("b", 5, None, True)],
    "people": [(1, "Ann & Co", 30, ["x", ""], None), (2, "<Bob>", None, None, None), (3, "Cy", None, None, "en")],
}


def drawn(name: str, folder: Path):
    """Return the table that a contract drawn from a sample makes."""

    def no_parquet(path: Path, most: int) -> Sample:
        raise AssertionError(f"{path} is no Parquet")

    file = folder / name
    file.write_text(SAMPLES[name], encoding="utf-8")
    found = draft(read_sample(file, no_parquet), Path(name))
    tables = folder / "shop" / "tables"
    tables.mkdir(parents=True)
    (tables / f"{found.table}.yaml").write_text(to_yaml(found, tables), encoding="utf-8")
    return compile_plan(folder / "shop").tables[found.table]


@pytest.mark.parametrize("name", few(SAMPLES, 3))
def test_a_sample_is_staged_whole(bench, tmp_path, name):
    table = drawn(name, tmp_path)
    staged = bench.stage(table, bench.land(SAMPLES[name], f"{table.source.prefix}{name}"))
    assert staged.rejected == ()
    rows = bench.lake.read(bench.lake.table("staging", table.name)).orderBy(*table.key)
    dated = [c.name for c in table.columns if c.type in ("date", "timestamp")]
    shown = [rows[c].cast("string") if c in dated else rows[c] for c in table.column_names]
    found = [tuple(row) for row in rows.select(*shown).collect()]
    assert found == STAGED[table.name]
