"""The command line as it is typed: options in any place, wrong usage in one sentence with exit code 2."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result
from pyspark.sql import SparkSession

from orchestration.embedded.cli import access, keys
from orchestration.embedded.cli.main import cli
from orchestration.embedded.cli.options import GlobalOptionsGroup, Places

ROOT = Path(__file__).parents[3]


def landfall(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments), prog_name="landfall")


def says(result: Result) -> str:
    """Return the last line of what went to stderr."""
    return result.stderr.strip().splitlines()[-1]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "tables").mkdir(parents=True)
    text = "table: orders\nload: append\nschema:\n  columns:\n    - {name: id, type: int}\n"
    (folder / "tables" / "orders.yaml").write_text(text)
    return folder


@click.group(cls=GlobalOptionsGroup)
@click.option("--pipeline", type=click.Path(path_type=Path), default="p")
@click.option("--lake", type=click.Path(path_type=Path), default="l")
@click.pass_context
def group(ctx: click.Context, pipeline: Path, lake: Path) -> None:
    ctx.obj = Places(pipeline, lake)


@group.command()
@click.argument("words", nargs=-1)
@click.option("--loud", is_flag=True)
@click.pass_obj
def say(places: Places, words: tuple[str, ...], loud: bool) -> None:
    click.echo(f"{places.pipeline} {places.lake} {' '.join(words)} {loud}")


@pytest.mark.parametrize(
    ("arguments", "printed"),
    [
        (["--pipeline", "a", "--lake", "b", "say", "x", "--loud"], "a b x True"),
        (["say", "x", "--loud", "--lake", "b", "--pipeline=a"], "a b x True"),
        (["--lake=b", "say", "--pipeline", "a", "x"], "a b x False"),
        (["say", "--", "--lake", "b"], "p l --lake b False"),
        (["--lake", "a", "say", "--lake", "b"], "p b  False"),
    ],
    ids=["before", "after", "both", "after the end of options", "the last one wins"],
)
def test_global_options_stand_before_or_after_the_command(arguments: list[str], printed: str) -> None:
    assert CliRunner().invoke(group, arguments).output == printed + "\n"


def test_a_global_option_without_its_value_is_wrong_usage() -> None:
    result = CliRunner().invoke(group, ["say", "--lake"])
    assert (result.exit_code, says(result)) == (2, "Error: Option '--lake' requires an argument.")


def test_check_counts_what_is_right(shop: Path) -> None:
    result = landfall("check", "--pipeline", str(shop))
    assert (result.exit_code, result.output) == (0, "shop: 1 table and 0 marts, no mistakes\n")


def test_check_prints_every_mistake_with_a_path_that_opens(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (shop / "tables" / "orders.yaml").write_text("table: orders\nload: apend\nkeys: [id]\nschema: {columns: []}\n")
    monkeypatch.chdir(shop.parent.parent)
    pipeline = f"{shop.parent.name}/shop"
    result = landfall("check", "--pipeline", pipeline)
    assert result.exit_code == 1
    file = f"{pipeline}/tables/orders.yaml"
    assert [line.split(": ")[:2] for line in result.stdout.splitlines()] == [
        [f"{file}:2", "load"],
        [f"{file}:3", "keys"],
        [f"{file}:4", "schema.columns"],
    ]
    assert says(result) == f"3 mistakes in {pipeline}"


def test_check_asks_spark_about_sql_unless_it_must_be_fast(shop: Path, spark: SparkSession) -> None:
    (shop / "marts").mkdir(exist_ok=True)
    (shop / "marts/sums.sql").write_text("SELECT id, nope FROM orders")
    (shop / "marts/sums.yaml").write_text("mart: sums\nkind: sql\nsql: sums.sql\nkey: [id]\n")
    fast = landfall("check", "--fast", "--pipeline", str(shop))
    assert (fast.exit_code, fast.output) == (0, "shop: 1 table and 1 mart, no mistakes\n")
    result = landfall("check", "--pipeline", str(shop))
    [line] = result.stdout.splitlines()
    assert "shop/marts/sums.yaml:3: sql: sums.sql: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column or" in line
    assert line.endswith("(line 1, character 12)")
    assert (result.exit_code, says(result)) == (1, f"1 mistake in {shop}")
    assert spark.range(1).count() == 1, "check has ended a Spark that was not its own"


@pytest.mark.parametrize("command", [["check"], ["run"], ["status"], ["query", "SELECT 1"], ["start", "{}"]])
def test_a_pipeline_that_is_not_there_is_named(command: list[str]) -> None:
    result = landfall(*command, "--pipeline", "nowhere/else")
    assert (result.exit_code, says(result)) == (
        2,
        "Error: there is no pipeline folder nowhere/else; name one with --pipeline DIR.",
    )


def test_a_file_that_is_not_there_is_named(shop: Path) -> None:
    result = landfall("land", "no.csv", "--pipeline", str(shop))
    assert (result.exit_code, says(result)) == (2, "Error: Invalid value for 'FILE…': File 'no.csv' does not exist.")


@pytest.mark.parametrize("text", ["yesterday", "0001-01-01T00:00:00+05:00"])
def test_a_time_that_is_none_is_named(shop: Path, text: str) -> None:
    result = landfall("land", str(shop / "tables" / "orders.yaml"), "--at", text, "--pipeline", str(shop))
    assert (result.exit_code, says(result)) == (
        2,
        f"Error: Invalid value for '--at': '{text}' is not a time such as 2013-01-02T05:00:00Z.",
    )


def test_a_lake_that_cannot_be_written_is_named(shop: Path) -> None:
    lake = shop / "tables" / "orders.yaml"
    result = landfall("run", "--lake", str(lake), "--pipeline", str(shop))
    assert (result.exit_code, says(result)) == (
        1,
        f"Error: The lake {lake} cannot be written: Not a directory. Name another with --lake.",
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "{table: planes}",
            "the input is no JSON: Expecting property name enclosed in double quotes at character 2; "
            """write it between single quotes, such as '{"table": "planes"}'.""",
        ),
        ('["planes"]', """the input must be a JSON object such as '{"table": "planes"}'."""),
    ],
)
def test_an_input_that_is_no_json_object_is_wrong_usage(shop: Path, text: str, sentence: str) -> None:
    result = landfall("start", text, "--pipeline", str(shop))
    assert (result.exit_code, says(result)) == (2, f"Error: {sentence}")


def test_the_demo_is_for_its_own_pipeline(shop: Path) -> None:
    result = landfall("demo", "--pipeline", str(shop))
    assert (result.exit_code, says(result)) == (
        2,
        "Error: the demo's files are for contracts/nycflights; leave --pipeline out.",
    )


@pytest.mark.parametrize("arguments", [["--help"], ["check", "--help"], ["query", "--help"]])
def test_help_loads_neither_spark_nor_the_cloud(arguments: list[str]) -> None:
    code = (
        "import sys; from orchestration.embedded.cli.main import cli; "
        f"cli({arguments!r}, standalone_mode=False); "
        "heavy = {'pyspark', 'moto', 'boto3', 'aws_cdk', 'rich', 'sqlglot', 'yaml'} & set(sys.modules); "
        "sys.exit(', '.join(sorted(heavy)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_file_that_vanishes_while_others_land_is_one_sentence(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def opened(*_: Any, **__: Any) -> Iterator[Any]:
        yield SimpleNamespace(land=lambda file, *_, **__: file.read_bytes())

    def leave(*_: Any, **__: Any) -> list[str]:
        files[1].unlink()
        return ["orders/1.csv", "orders/2.csv"]

    files = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for file in files:
        file.write_text("id\n1\n")
    monkeypatch.setattr(access, "opened", opened)
    monkeypatch.setattr(keys.KeyChoice, "keys", leave)
    result = landfall("land", "--pipeline", str(shop), "--table", "orders", *map(str, files))
    assert (result.exit_code, result.stdout) == (1, "orders/1.csv  orders\n")
    assert says(result) == f"Error: {files[1]} cannot be landed: No such file or directory"
