"""Where a local file lands: by key, prefix, table, or its own path."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from contracts.model import Column, EffectiveAt, Plan, Source, Table
from orchestration.embedded.cli.keys import KeyChoice, whose


def table(name: str, prefix: str) -> Table:
    return Table(name=name, load="append", source=Source(prefix=prefix), columns=(Column("a", "int"),))


PLAN = Plan("shop", {t.name: t for t in (table("orders", "orders/"), table("returns", "orders/returns/"))}, {})
FILES = [Path("/in/orders/2024/a.csv"), Path("/in/orders/returns/b.csv")]


def test_without_a_choice_the_path_names_the_longest_prefix() -> None:
    assert KeyChoice().keys(FILES, PLAN) == ["orders/2024/a.csv", "orders/returns/b.csv"]


def test_the_last_folder_of_a_prefix_s_name_counts() -> None:
    assert KeyChoice().keys([Path("/orders/old/orders/a.csv")], PLAN) == ["orders/a.csv"]


def test_a_path_without_a_prefix_says_what_there_is() -> None:
    with pytest.raises(click.UsageError) as caught:
        KeyChoice().keys([Path("/tmp/a.csv")], PLAN)
    assert str(caught.value) == (
        "the path of /tmp/a.csv holds no table's prefix: give --table, --prefix or --key. "
        "The prefixes are orders/ (orders), orders/returns/ (returns)."
    )


def test_a_table_stands_for_its_prefix() -> None:
    assert KeyChoice(table="returns").keys(FILES, PLAN) == ["orders/returns/a.csv", "orders/returns/b.csv"]


def test_an_unknown_table_says_what_there_is() -> None:
    with pytest.raises(click.UsageError) as caught:
        KeyChoice(table="order").keys(FILES, PLAN)
    assert str(caught.value) == "shop has no table 'order'; it has orders, returns."


@pytest.mark.parametrize("prefix", ["crm/new", "crm/new/"])
def test_a_prefix_is_put_before_the_file_s_name(prefix: str) -> None:
    assert KeyChoice(prefix=prefix).keys(FILES, PLAN) == ["crm/new/a.csv", "crm/new/b.csv"]


def test_a_key_is_taken_as_it_is() -> None:
    assert KeyChoice(key="a b/ü+%.csv").keys(FILES[:1], PLAN) == ["a b/ü+%.csv"]


@pytest.mark.parametrize("key", ["", "ü" * 513, "caf\udce9.csv"])
def test_a_key_is_one_that_s3_takes(key: str) -> None:
    with pytest.raises(click.UsageError, match="^--key must have 1 to 1,024 bytes of UTF-8: S3 takes no other.$"):
        KeyChoice(key=key).keys(FILES[:1], PLAN)


@pytest.mark.parametrize("name", ["caf\udce9.csv", "ü" * 510 + ".csv"])
def test_a_file_s_name_makes_a_key_that_s3_takes(name: str) -> None:
    with pytest.raises(click.UsageError, match="its key would not have 1 to 1,024 bytes of UTF-8, .* with --key.$"):
        KeyChoice(table="orders").keys([Path("/in") / name], PLAN)


def test_one_key_cannot_name_two_files() -> None:
    with pytest.raises(click.UsageError, match="^--key names one object, and 2 files are given; use --prefix.$"):
        KeyChoice(key="a.csv").keys(FILES, PLAN)


def test_two_choices_contradict_each_other() -> None:
    with pytest.raises(click.UsageError, match="^--key and --table contradict each other: give one of them.$"):
        KeyChoice(key="a.csv", table="orders")


def test_whose_a_key_is_and_what_keeps_it_from_its_table() -> None:
    days = Table(
        name="days",
        load="append",
        source=Source(prefix="days/"),
        columns=(Column("a", "int"),),
        effective_at=EffectiveAt(from_key=r"days/(?P<date>\d{4}-\d{2}-\d{2})/"),
    )
    plan = Plan("shop", {**PLAN.tables, "days": days}, {})
    told = {
        key: whose(key, plan)
        for key in ("orders/a.csv", "days/2024-02-29/a.csv", "days/2024-02-30/a.csv", "x.csv", "orders/.a.csv")
    }
    assert told == {
        "orders/a.csv": "orders",
        "days/2024-02-29/a.csv": "days",
        "days/2024-02-30/a.csv": "days, but it will be quarantined: key days/2024-02-30/a.csv: from_key finds no time: "
        "day is out of range for month",
        "x.csv": "no contract claims this key: it will be unrouted",
        "orders/.a.csv": "it will be ignored, as folders, markers and temporary or hidden files are",
    }
