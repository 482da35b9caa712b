"""The demo on few days, through the whole pipeline: tables equal what DuckDB and plain Python say of the files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import duckdb
import pytest

from orchestration.embedded.cloud import Cloud, open_cloud
from orchestration.embedded.demo import QUESTION, Round, count_rows, play
from orchestration.embedded.demo_data import DemoFile, write_demo_files, write_late_file
from tests.pipeline import registers

pytestmark = pytest.mark.long
PIPELINE = Path(__file__).parents[2] / "contracts" / "nycflights"
DAYS = 3
REGISTER_DAYS = 11
PLANES: Mapping[str, type] = {
    "tailnum": str, "year": int, "type": str, "manufacturer": str, "model": str,
    "engines": int, "seats": int, "speed": int, "engine": str,
}  # fmt: skip
PLANE_COLUMNS = ", ".join(PLANES)


@dataclass(frozen=True)
class Played:
    """The demo after its last night."""

    cloud: Cloud
    folder: Path
    files: Sequence[DemoFile]
    rounds: Sequence[Round]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(_aware(value) for value in row) for row in self.cloud.query(sql)[1]]


def _aware(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


def _text(row: Sequence[Any]) -> str:
    return str(tuple(row))


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("demo")
    days = tuple(f"2013/01/{day:02d}" for day in range(1, DAYS + 1))
    written = write_demo_files(folder / "files", REGISTER_DAYS)
    files = [file for file in written if file.key.startswith("reference/") or any(day in file.key for day in days)]
    with open_cloud(PIPELINE, folder / "lake") as cloud:
        yield Played(cloud, folder, files, list(play(cloud, files, nights_per_run=6)))


@pytest.fixture(scope="module")
def copies(played: Played) -> list[tuple[datetime, registers.Register]]:
    """The registers of planes as they landed, with the times in their keys."""
    return [
        (datetime.fromisoformat(file.key.split("/")[2]).replace(tzinfo=UTC), registers.read_register(file.path, PLANES))
        for file in played.files
        if file.key.startswith("reference/planes/")
    ]


def test_each_round_s_executions_succeed(played: Played) -> None:
    assert {one.status for done in played.rounds for one in done.executions} == {"SUCCEEDED"}
    for done in played.rounds:
        landed = {table.name for file in done.files if (table := played.cloud.plan.route(file.key))}
        extracted = {"planes_register"} if "planes" in landed else set()
        assert {one.table for one in done.executions} == landed | extracted


def test_facts_and_their_sums_are_what_duckdb_finds_in_the_files(played: Played) -> None:
    measures = ["air_time", "distance", "dep_delay", "arr_delay"]
    sums = ", ".join(f"sum({name}), count(*) - count({name})" for name in measures)
    sql = f"SELECT count(*), count(DISTINCT tailnum), count(*) - count(tailnum), {sums} FROM "
    source = f"read_csv('{played.folder}/files/ops/flights/*/*/0[1-{DAYS}]/flights.csv.gz', header = true)"
    assert played.rows(sql + "mart.fct_flights") == duckdb.sql(sql + source).fetchall()


def test_the_second_wave_is_what_duckdb_computes_from_the_files(played: Played) -> None:
    source = f"read_csv('{played.folder}/files/ops/flights/*/*/0[1-{DAYS}]/flights.csv.gz', header = true)"
    expected = duckdb.sql(
        "SELECT make_date(year, month, day), origin, count(*), count(*) FILTER (dep_time IS NULL), avg(dep_delay), "
        f"max(dep_delay) FROM {source} GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    found = played.rows(
        "SELECT flight_date, origin, flights, cancelled, mean_dep_delay, max_dep_delay FROM mart.daily_delays "
        "ORDER BY flight_date, origin"
    )
    assert found == [pytest.approx(row) for row in expected]


def test_latest_planes_is_the_newest_register(played: Played, copies: Any) -> None:
    found = played.rows(f"SELECT {PLANE_COLUMNS} FROM mart.latest_planes")
    assert sorted(found, key=_text) == sorted(registers.latest(copies), key=_text)


def test_dim_planes_holds_the_versions_that_the_registers_tell(played: Played, copies: Any) -> None:
    found = played.rows(
        f"SELECT {PLANE_COLUMNS}, valid_from, valid_to, is_current FROM mart.dim_planes WHERE NOT is_inferred"
    )
    assert sorted(found, key=_text) == sorted(registers.versions(copies), key=_text)


def test_planes_history_holds_every_change_of_the_registers(played: Played, copies: Any) -> None:
    found = played.rows(f"SELECT {PLANE_COLUMNS}, _op, _effective_from FROM mart.planes_history")
    assert sorted(found, key=_text) == sorted(registers.history(copies), key=_text)


def test_what_was_extracted_by_jdbc_tells_the_same_changes_as_the_files(played: Played, copies: Any) -> None:
    """The database held the last register of each round when it was read."""
    told = registers.history([copies[1], copies[3]])
    found = played.rows(f"SELECT {PLANE_COLUMNS}, _op FROM staging.planes_register")
    kept = [row[:-1] for row in told if row[-2] != "D"]
    gone = {(row[0], "D") for row in told if row[-2] == "D"}
    assert sorted((row for row in found if row[-1] != "D"), key=_text) == sorted(kept, key=_text)
    assert {(row[0], row[-1]) for row in found if row[-1] == "D"} == gone == {("N279JB", "D")}


def test_each_flight_has_the_plane_as_it_was_at_its_departure(played: Played, copies: Any) -> None:
    by_plane: dict[str, list[registers.Row]] = {}
    for row in registers.versions(copies):
        by_plane.setdefault(row[0], []).append(row)
    found = played.rows(
        "SELECT f.time_hour, f.tailnum, p.tailnum, p.valid_from, p.is_inferred "
        "FROM mart.fct_flights f JOIN mart.dim_planes p ON f.dim_planes_key = p.dim_planes_key"
    )
    assert len(found) == played.rows("SELECT count(*) FROM mart.fct_flights")[0][0]
    wrong = [row for row in found if row[1] is not None and row[2:] != _expected(row[0], row[1], by_plane)]
    unknown = {row[2:] for row in found if row[1] is None}
    assert (wrong, unknown) == ([], {(None, None, True)})


def _expected(at: datetime, tailnum: str, by_plane: Mapping[str, list[registers.Row]]) -> tuple[Any, ...]:
    version = registers.as_of(by_plane.get(tailnum, []), tailnum, at)
    return (tailnum, version[-3] if version else None, version is None)


def test_the_overview_counts_every_table_and_its_books_balance(played: Played) -> None:
    columns, rows = count_rows(played.cloud, played.cloud.plan)
    assert columns[:4] == ["table", "format or kind", "rows", "landings"]
    assert [row[0] for row in rows] == [
        *(f"staging.{name}" for name in played.cloud.plan.tables),
        *(f"mart.{name}" for name in played.cloud.plan.marts),
    ]
    assert {row[0]: row[1] for row in rows if row[0].startswith("staging.")} == {
        "staging.airlines": "xml",
        "staging.airports": "csv",
        "staging.flights": "csv.gz",
        "staging.planes": "csv",
        "staging.planes_register": "parquet by JDBC",
        "staging.weather": "jsonl.bz2",
    }
    landings = {row[0]: row[3] for row in rows}
    assert (landings["staging.planes"], landings["staging.flights"], landings["mart.dim_planes"]) == (4, DAYS, None)
    assert played.rows("SELECT DISTINCT balanced FROM audit.batches") == [(True,)]


def test_the_question_is_answered_by_the_version_at_departure(played: Played) -> None:
    jan = [datetime(2013, 1, day, tzinfo=UTC) for day in (1, 4)]
    assert played.rows(QUESTION) == [("N593JB", 200, jan[0], jan[1], 6, date(2013, 1, 3))]


def test_status_knows_every_landing(played: Played) -> None:
    landings = {table.table: dict(table.landings) for table in played.cloud.status().tables}
    staged = {name: {state: count for state, count in states.items() if count} for name, states in landings.items()}
    assert staged == {
        "airlines": {"staged": 3},
        "airports": {"staged": 3},
        "flights": {"staged": DAYS},
        "planes": {"staged": 4},
        "planes_register": {"staged": 2},
        "weather": {"staged": DAYS},
    }


def test_landing_and_telling_everything_twice_changes_nothing(played: Played) -> None:
    before = _tables(played), _data_snapshots(played.folder / "lake")
    for file in played.files:
        played.cloud.land(file.path, file.key, at=file.at)
    extracted = [line for line in _events(played) if _key(line).startswith("reference/planes_register/")]
    assert played.cloud.live.redeliver() == 2 * len(played.files) + len(extracted)
    executions = played.cloud.run()
    assert {one.status for one in executions} <= {"SUCCEEDED"}
    assert (_tables(played), _data_snapshots(played.folder / "lake")) == before
    duplicates = {table.table: table.landings.get("duplicate", 0) for table in played.cloud.status().tables}
    assert duplicates == {
        "airlines": 3,
        "airports": 3,
        "flights": DAYS,
        "planes": 4,
        "planes_register": 0,
        "weather": DAYS,
    }


def _events(played: Played) -> list[Any]:
    return [line for line in played.cloud.live.objects.journal.lines() if line["op"] == "event"]


def _key(event: Any) -> str:
    return unquote(event["record"]["s3"]["object"]["key"])


def _tables(played: Played) -> dict[str, list[str]]:
    """Return the rows of all tables and marts, audit columns included."""
    plan = played.cloud.plan
    names = [*(f"staging.{name}" for name in plan.tables), *(f"mart.{name}" for name in plan.marts)]
    return {name: sorted(map(_text, played.rows(f"SELECT * FROM {name}"))) for name in names}


def _data_snapshots(lake: Path) -> dict[str, list[int]]:
    """Return the ids of the snapshots that added or removed rows, by table folder, from Iceberg's own metadata."""
    found = {}
    for hint in sorted(lake.rglob("metadata/version-hint.text")):
        metadata = json.loads((hint.parent / f"v{hint.read_text().strip()}.metadata.json").read_text())
        found[str(hint.parent.parent.relative_to(lake))] = [
            snapshot["snapshot-id"]
            for snapshot in metadata.get("snapshots", [])
            if {"added-data-files", "deleted-data-files"} & set(snapshot["summary"])
        ]
    return found


def test_a_register_that_comes_late_puts_history_right(played: Played, copies: Any) -> None:
    late = write_late_file(played.folder / "late")
    played.cloud.land(late.path, late.key, at=late.at)
    assert [one.status for one in played.cloud.run()] == ["SUCCEEDED"]
    told = [*copies, (datetime(2013, 1, 6, tzinfo=UTC), registers.read_register(late.path, PLANES))]
    found = played.rows(
        f"SELECT {PLANE_COLUMNS}, valid_from, valid_to, is_current FROM mart.dim_planes WHERE NOT is_inferred"
    )
    assert sorted(found, key=_text) == sorted(registers.versions(told), key=_text)
    seats = played.rows("SELECT seats FROM mart.dim_planes WHERE tailnum = 'N593JB' ORDER BY valid_from")
    assert seats == [(200,), (150,), (162,), (150,)]
