"""Messages from the queue: what is written down, once, and who is started, once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from contracts.model import Source, Table
from functions.receive_files.arrivals import read_message
from functions.receive_files.receiving import execution_name
from functions.shared.arriving import is_noise
from functions.shared.ledger import Lease
from tests.unit.functions.conftest import COLUMNS, FIRST_TOKEN, Pipeline, recorded, s3_event


@pytest.mark.parametrize(
    "key",
    [
        "crm/planes/",
        "crm/planes_$folder$",
        "crm/planes/_SUCCESS",
        "crm/planes/_temporary/0/part-0.csv",
        "crm/planes/.hidden",
        "crm/planes/.staging/a.csv",
        "crm/planes/a.csv.tmp",
        "crm/planes/a.csv.PART",
        "crm/planes/.a.csv.crc",
        "crm/planes/_committed_123",
        "crm/planes/a.csv~",
        *(f"crm/planes/a.csv.{suffix}" for suffix in ("temp", "partial", "crc", "filepart", "crdownload", "swp")),
    ],
)
def test_noise_is_ignored(key: str) -> None:
    assert is_noise(key)


@pytest.mark.parametrize("key", ["a.csv", "crm/planes/part-00000.csv", "crm/planes/_a.csv", "x.tmp/a.csv", "a b+c.csv"])
def test_files_are_not_noise(key: str) -> None:
    assert not is_noise(key)


def test_a_landing_is_written_down_with_its_key_decoded(pipeline: Pipeline) -> None:
    event = recorded("s3_put")
    event["Records"][0]["s3"]["object"]["key"] = "crm/planes/caf%C3%A9+%2B+100%25.csv"
    assert pipeline.deliver(event) == ([], {"Landings": 1})
    [landing] = pipeline.items("LANDING#")
    [marker] = pipeline.items("PENDING#")
    assert {name: landing[name] for name in ("key", "bucket", "version_id", "sequencer", "etag", "size", "state")} == {
        "key": "crm/planes/café + 100%.csv",
        "bucket": "raw",
        "version_id": "096fKKXTRTtl3on89fVO.nfljtsv6qko",
        "sequencer": "0055AED6DCD90281E5",
        "etag": "d41d8cd98f00b204e9800998ecf8427e",
        "size": 1024,
        "state": "pending",
    }
    assert marker["sk"] == f"PENDING#2013-01-02T05:00:00.000000Z#{landing['id']}"
    assert pipeline.items("LEASE") == [{"pk": "TABLE#planes", "sk": "LEASE", "arrivals": 1}]


def test_an_event_that_comes_twice_changes_nothing_and_starts_nothing(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    before = pipeline.items("")
    assert pipeline.land("crm/planes/a.csv") == ([], {"DuplicateEvents": 1})
    assert pipeline.items("") == before
    assert pipeline.executions() == ["planes-1-0"]


def test_objects_without_versions_are_told_apart_by_their_sequencers(pipeline: Pipeline) -> None:
    puts = [s3_event("crm/planes/a.csv", sequencer=sequencer) for sequencer in ("0A", "0B", "0B")]
    for put in puts:
        del put["Records"][0]["s3"]["object"]["versionId"]
    assert pipeline.deliver(*puts) == ([], {"Landings": 2, "DuplicateEvents": 1})
    assert {(one["version_id"], one["sequencer"]) for one in pipeline.items("PENDING#")} == {
        ("null", "0A"),
        ("null", "0B"),
    }


def test_the_longest_prefix_owns_an_object_and_nobody_an_unrouted_one(pipeline: Pipeline) -> None:
    pipeline.land("ops/flights/a.csv")
    pipeline.land("ops/other.csv")
    assert pipeline.land("somewhere/else.csv") == ([], {"UnroutedObjects": 1})
    assert pipeline.land("somewhere/else.csv") == ([], {"DuplicateEvents": 1})
    assert (list(pipeline.states("flights")), list(pipeline.states("weather"))) == (
        ["ops/flights/a.csv v1"],
        ["ops/other.csv v1"],
    )
    [unrouted] = pipeline.items("LANDING#", "UNROUTED")
    assert (unrouted["key"], unrouted["state"]) == ("somewhere/else.csv", "unrouted")
    assert pipeline.executions() == ["flights-1-0", "weather-1-0"]


def test_test_events_and_deletions_are_ignored_and_counted(pipeline: Pipeline) -> None:
    deleted = s3_event("crm/planes/a.csv")
    deleted["Records"][0]["eventName"] = "ObjectRemoved:Delete"
    assert pipeline.deliver(recorded("s3_test"), deleted, s3_event("crm/planes/_SUCCESS")) == (
        [],
        {"IgnoredObjects": 3},
    )
    assert pipeline.executions() == []


def test_what_another_bucket_tells_of_is_ignored_and_counted(pipeline: Pipeline) -> None:
    foreign = s3_event("crm/planes/a.csv")
    foreign["Records"][0]["s3"]["bucket"]["name"] = "somebody-else-s"
    assert pipeline.deliver(foreign) == ([], {"IgnoredObjects": 1})
    assert (pipeline.states(), pipeline.executions()) == ({}, [])


def test_only_the_message_that_cannot_be_read_comes_again(pipeline: Pipeline) -> None:
    failed, counts = pipeline.deliver({"unknown": 1}, s3_event("crm/planes/a.csv"))
    assert (failed, counts) == (["m1"], {"Landings": 1})
    with pytest.raises(ValueError, match="the message is no S3 event: it has no Records"):
        read_message('{"unknown": 1}', "raw")


def test_one_execution_is_started_for_all_that_one_call_brings(pipeline: Pipeline) -> None:
    pipeline.deliver(*(s3_event(f"crm/planes/{n}.csv") for n in range(5)))
    assert pipeline.executions() == ["planes-5-0"]


def test_whoever_holds_the_lease_and_runs_is_left_to_it(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    pipeline.open(pipeline.caller("planes-1-0"))
    pipeline.land("crm/planes/b.csv")
    assert pipeline.executions() == ["planes-1-0"]


def test_a_message_of_a_landing_that_still_waits_starts_again_when_nobody_runs(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    pipeline.stop("planes-1-0")
    pipeline.land("crm/planes/a.csv")
    assert pipeline.executions() == ["planes-1-0-1"]
    pipeline.open(pipeline.caller("planes-1-0-1"))
    pipeline.stop("planes-1-0-1")
    pipeline.land("crm/planes/a.csv")
    assert pipeline.executions() == [f"planes-1-{FIRST_TOKEN}"]


def test_messages_come_again_when_no_execution_could_be_started(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: object) -> None:
        raise ConnectionError("Step Functions does not answer")

    monkeypatch.setattr(pipeline.world.executions.client, "start_execution", refuse)
    failed, counts = pipeline.deliver(s3_event("crm/planes/a.csv"), s3_event("nowhere/a.csv"))
    assert (failed, counts) == (["m1"], {"Landings": 1, "UnroutedObjects": 1})


def test_a_sweep_starts_tables_whose_landings_wait_and_no_others(pipeline: Pipeline) -> None:
    pipeline.land("crm/planes/a.csv")
    pipeline.stop("planes-1-0")
    assert pipeline.deliver({"landfall": "sweep"}) == ([], {})
    assert pipeline.executions() == ["planes-1-0-1"]


def test_an_execution_is_named_for_the_arrival_and_the_token() -> None:
    assert execution_name(Lease("planes", token=5, arrivals=12), 0) == "planes-12-5"
    assert execution_name(Lease("planes", token=5, arrivals=12), 2) == "planes-12-5-2"
    assert len(execution_name(Lease("p" * 100, token=10**9, arrivals=10**9), 49)) <= 80


def test_tables_whose_long_names_begin_alike_have_executions_of_their_own(pipeline: Pipeline) -> None:
    long = "customer_relationship_management_export_of_the_north_"
    plan = pipeline.world.plan
    for name in (f"{long}a", f"{long}b"):
        plan = replace(plan, tables={**plan.tables, name: Table(name, "append", Source(prefix=f"{name}/"), COLUMNS)})
    pipeline.world = replace(pipeline.world, plan=plan)
    pipeline.deliver(s3_event(f"{long}a/1.csv"), s3_event(f"{long}b/1.csv"))
    assert pipeline.executions() == [
        "customer_relationship_management_export_o-b249b939-1-0",
        "customer_relationship_management_export_o-555cc58f-1-0",
    ]
