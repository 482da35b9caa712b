"""An execution's input: what is understood, and what a wrong one is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from functions.open_batch.request import Request, read_request
from functions.shared.errors import InvalidRequestError
from tests.unit.functions.conftest import small_plan

PLAN = small_plan()
OF_A_DAY = Request("planes", "replay", since="2013-01-02T00:00:00.000000Z", until="2013-01-02T23:59:59.999999Z")


@pytest.mark.parametrize(
    ("raw", "request_"),
    [
        ({"table": "planes"}, Request("planes")),
        ({"table": "planes", "mode": "rebuild"}, Request("planes", "rebuild")),
        ({"table": "planes", "mode": "rebuild", "layer": "staging"}, Request("planes", "rebuild", layer="staging")),
        (
            {"table": "planes", "mode": "rebuild", "layer": "staging", "allow": ["missing_files"]},
            Request("planes", "rebuild", allow=frozenset({"missing_files"}), layer="staging"),
        ),
        ({"table": "planes", "marts": ["daily"]}, Request("planes", marts=frozenset({"daily"}))),
        ({"table": "planes", "allow": ["max_deleted"]}, Request("planes", allow=frozenset({"max_deleted"}))),
        (
            {"table": "planes", "mode": "replay", "from": "2013-01-02", "to": "2013-01-02"},
            OF_A_DAY,
        ),
        (
            {"table": "planes", "mode": "replay", "from": "20130102", "to": "20130102"},
            OF_A_DAY,
        ),
        (
            {"table": "planes", "mode": "replay", "to": "20130102T05"},
            Request("planes", "replay", until="2013-01-02T05:00:00.000000Z"),
        ),
        (
            {"table": "planes", "mode": "replay", "from": "2013-01-02T06:00:00+01:00"},
            Request("planes", "replay", since="2013-01-02T05:00:00.000000Z"),
        ),
        (
            {"table": "planes", "mode": "replay", "from": "2013-01-02T05:00", "to": "2013-01-02T05:00"},
            replace(OF_A_DAY, since="2013-01-02T05:00:00.000000Z", until="2013-01-02T05:00:00.000000Z"),
        ),
        ({"table": "planes", "mode": "replay", "batch_id": "b"}, Request("planes", "replay", batch_id="b")),
        ({"table": "planes", "mode": "dry_run", "prefix": "crm/"}, Request("planes", "dry_run", prefix="crm/")),
    ],
)
def test_what_is_understood(raw: Any, request_: Request) -> None:
    assert read_request(raw, PLAN) == request_


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        ({}, 'the input must be an object such as {"table": "flights"}'),
        ("planes", 'the input must be an object such as {"table": "flights"}'),
        ({"mode": "rebuild"}, "table is missing: it is one of flights, planes, weather"),
        ({"table": "plane"}, "table 'plane': it must be one of flights, planes, weather; did you mean planes?"),
        ({"table": 7}, "table 7: it must be one of flights, planes, weather"),
        (
            {"tabel": "planes"},
            "the input has no word 'tabel': it must be one of table, mode, marts, allow, from, to, prefix, batch_id, "
            "layer; did you mean table?",
        ),
        (
            {"table": "planes", "mode": "rebuilt"},
            "mode 'rebuilt': it must be one of incremental, reconcile, replay, rebuild, dry_run; did you mean rebuild?",
        ),
        (
            {"table": "flights", "marts": ["dim_planes"]},
            "marts 'dim_planes': it must be one of daily, fct_flights",
        ),
        ({"table": "flights", "marts": "daily"}, "marts must be a list of marts that read flights: daily, fct_flights"),
        ({"table": "weather", "marts": []}, "marts must be a list of marts that read weather: there are none"),
        (
            {"table": "planes", "allow": ["max_delete"]},
            "allow 'max_delete': it must be one of max_rejected, max_deleted, min_rows, missing_files; did you "
            "mean max_deleted?",
        ),
        (
            {"table": "planes", "mode": "rebuild", "allow": ["missing_files"]},
            'missing_files goes with "mode": "rebuild", "layer": "staging"',
        ),
        (
            {"table": "planes", "mode": "rebuild", "allow": ["max_deleted"]},
            "allow lets files through: leave it out of a rebuild of marts, which stages none",
        ),
        (
            {"table": "planes", "mode": "dry_run", "layer": "marts", "allow": ["max_deleted"]},
            "allow lets files through",
        ),
        ({"table": "planes", "mode": "replay"}, "replay needs at least one of from, to, prefix, batch_id to say which"),
        ({"table": "planes", "from": "2013-01-02"}, 'from goes with "mode": "replay", not with incremental'),
        ({"table": "planes", "to": "2013-01-02"}, 'to goes with "mode": "replay", not with incremental'),
        ({"table": "planes", "prefix": "crm/"}, 'prefix goes with "mode": "replay", not with incremental'),
        (
            {"table": "planes", "mode": "rebuild", "batch_id": "b"},
            'batch_id goes with "mode": "replay", not with rebuild',
        ),
        (
            {"table": "planes", "mode": "replay", "from": "0001-01-01T00:00:00+01:00"},
            "from '0001-01-01T00:00:00+01:00': it must be a time such as 2013-01-02T05:00:00Z or a date such as ",
        ),
        (
            {"table": "planes", "mode": "replay", "layer": "marts", "prefix": "crm/"},
            'layer goes with "mode": "rebuild", not with replay',
        ),
        (
            {"table": "planes", "mode": "dry_run", "layer": "staging", "prefix": "crm/"},
            "layer plans a rebuild and prefix a replay: leave one of them out",
        ),
        (
            {"table": "planes", "mode": "replay", "from": "yesterday"},
            "from 'yesterday': it must be a time such as 2013-01-02T05:00:00Z or a date such as 2013-01-02",
        ),
        (
            {"table": "planes", "mode": "replay", "from": "2013-01-03", "to": "2013-01-02"},
            "from 2013-01-03 is later than to 2013-01-02",
        ),
        ({"table": "planes", "mode": "replay", "prefix": ""}, "prefix must be a text that is not empty, not ''"),
        ({"table": "planes", "mode": "replay", "prefix": 7}, "prefix must be a text that is not empty, not 7"),
    ],
)
def test_what_a_wrong_input_is_told(raw: Any, sentence: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        read_request(raw, PLAN)
    assert str(caught.value).startswith(sentence)
