"""Schedules: what EventBridge takes is taken, what it refuses is refused before, with the field that is wrong."""

from __future__ import annotations

import pytest

from contracts.schedules import schedule_mistake

FORM = (
    " must be cron(minute hour day month weekday year), such as cron(0 2 * * ? *), in UTC, or a rate such as "
    "rate(1 hour)"
)


@pytest.mark.parametrize(
    "schedule",
    [
        "cron(0 2 * * ? *)",
        "cron(0/15 8-18 ? * MON-FRI *)",
        "cron(*/5 0-23/2 1,15 JAN,jul ? 2026-2199)",
        "cron(0 0 L 12 ? *)",
        "cron(0 0 31W,LW * ? 1970)",
        "cron(0 0 ? * 3#2 *)",
        "cron(59 23 ? * FRIL *)",
        "rate(1 hour)",
        "rate(5 minutes)",
    ],
)
def test_what_eventbridge_takes_is_taken(schedule: str) -> None:
    assert schedule_mistake(schedule) == ""


@pytest.mark.parametrize(
    ("schedule", "mistake"),
    [
        ("nightly", f"'nightly'{FORM}"),
        ("cron(0 2 * *)", f"'cron(0 2 * *)'{FORM}"),
        ("rate(0 hours)", f"'rate(0 hours)'{FORM}"),
        ("cron(60 2 * * ? *)", "'cron(60 2 * * ? *)': minute is '60', and it must be of 0 to 59"),
        ("cron(0 24 * * ? *)", "'cron(0 24 * * ? *)': hour is '24', and it must be of 0 to 23"),
        ("cron(0 2 32W * ? *)", "'cron(0 2 32W * ? *)': day is '32W', and it must be of 1 to 31"),
        ("cron(0 2 * M? ? *)", "'cron(0 2 * M? ? *)': month is 'M?', and it must be of 1 to 12 or JAN to DEC"),
        ("cron(0 2 ? * 0 *)", "'cron(0 2 ? * 0 *)': weekday is '0', and it must be of 1 to 7 or SUN to SAT"),
        ("cron(0/0 2 * * ? *)", "'cron(0/0 2 * * ? *)': minute is '0/0', and it must be of 0 to 59"),
        ("cron(0 2 * * ? 20)", "'cron(0 2 * * ? 20)': year is '20', and it must be of 1970 to 2199"),
        ("cron(0 2 1-5- * ? *)", "'cron(0 2 1-5- * ? *)': day is '1-5-', and it must be of 1 to 31"),
        ("cron(0 2 * * * *)", "exactly one of day (the third) and weekday (the fifth) must be ?"),
        ("cron(0 2 ? * ? *)", "exactly one of day (the third) and weekday (the fifth) must be ?"),
    ],
)
def test_what_eventbridge_refuses_is_told(schedule: str, mistake: str) -> None:
    assert schedule_mistake(schedule) == mistake
