"""`landfall new-table`: it writes what `landfall check` takes, and never over what is there."""

from __future__ import annotations

from pathlib import Path

import duckdb
from click.testing import CliRunner, Result

from orchestration.embedded.cli.main import cli


def landfall(pipeline: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments, "--pipeline", str(pipeline)], prog_name="landfall")


def test_a_contract_is_written_shown_and_ready_to_check(tmp_path):
    file, shop = tmp_path / "orders_2020.csv", tmp_path / "shop"
    file.write_text("id,total\n1,9.50\n2,10.25\n")
    result = landfall(shop, "new-table", "--from", str(file))
    path = shop / "tables" / "orders.yaml"
    assert (result.exit_code, result.stdout) == (0, path.read_text())
    assert result.stderr == (
        f"\n{path} is written. Read it, then:\n"
        f"  .venv/bin/landfall --pipeline {shop} check\n"
        f"  .venv/bin/landfall --pipeline {shop} land --table orders {file}\n"
        f"  .venv/bin/landfall --pipeline {shop} run\n"
    )
    assert landfall(shop, "check").stdout == "shop: 1 table and 0 marts, no mistakes\n"


def test_the_command_that_lands_the_sample_keeps_its_date_and_holds_for_a_shell(tmp_path):
    file = tmp_path / "2020-01-02" / "all orders.csv"
    file.parent.mkdir()
    file.write_text("id,total\n1,9.50\n")
    result = landfall(tmp_path / "shop", "new-table", "--from", str(file), "--prefix", "crm/orders/")
    assert f" land --prefix crm/orders/2020-01-02 '{file}'\n" in result.stderr


def test_a_contract_that_is_there_stays_unless_forced(tmp_path):
    file, shop = tmp_path / "orders.csv", tmp_path / "shop"
    file.write_text("id,total\n1,9.50\n")
    assert landfall(shop, "new-table", "--from", str(file)).exit_code == 0
    again = landfall(shop, "new-table", "--from", str(file), "--key", "total")
    assert (again.exit_code, again.stderr.splitlines()[-1]) == (
        2,
        f"Error: {shop / 'tables' / 'orders.yaml'} is there already; write over it with --force, or choose another "
        "--name.",
    )
    assert landfall(shop, "new-table", "--from", str(file), "--key", "total", "--force").exit_code == 0
    assert "key: [total]" in (shop / "tables" / "orders.yaml").read_text()


def test_a_file_that_holds_nothing_is_wrong_usage(tmp_path):
    (tmp_path / "empty.csv").write_text("")
    result = landfall(tmp_path, "new-table", "--from", str(tmp_path / "empty.csv"))
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, f"Error: {tmp_path / 'empty.csv'}: is empty")


def test_parquet_says_its_types_itself(tmp_path, spark):
    file = tmp_path / "days.parquet"
    types = (
        "1::BIGINT id, DATE '2020-01-01' \"day\", [1] xs, NULL::INTEGER n, TIMESTAMP_NS '2020-01-01' ns, "
        "TIME '01:02' clock, uuid() u"
    )
    duckdb.sql(f"COPY (SELECT {types}) TO '{file}' (FORMAT parquet)")
    result = landfall(tmp_path / "shop", "new-table", "--from", str(file), "--name", "days")
    assert result.exit_code == 0
    assert result.stdout.partition("  columns:\n")[2] == (
        '    - {name: id, type: bigint}\n    - {name: day, type: date}\n    - {name: xs, type: "array<int>"}\n'
        "    - {name: n, type: string}  # the sample has no value\n    - {name: ns, type: timestamp_ntz}\n"
        "  extra_columns: ignore  # left out, since jobs cannot read their types: clock, u\n"
    )
    assert landfall(tmp_path / "shop", "check", "--fast").exit_code == 0
    duckdb.sql(f"COPY (SELECT uuid() u) TO '{file}' (FORMAT parquet)")
    result = landfall(tmp_path / "shop", "new-table", "--from", str(file), "--force")
    assert (result.exit_code, result.stderr.splitlines()[-1][:80]) == (
        2,
        f"Error: {file}: cannot be read as parquet: column u is of a type that cannot be read"[:80],
    )
