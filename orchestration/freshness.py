"""Freshness of a contract (`26h`, `90m`, `2d`) as CloudWatch can watch it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from contracts.snapshot_parts import duration

_HOUR, _DAY = 3600, 86_400


@dataclass(frozen=True)
class Watch:
    """A window of `periods` periods of `period_seconds` each."""

    period_seconds: int
    periods: int


def watch(freshness: str) -> Watch:
    """Return the window that covers a freshness.

    CloudWatch looks back seven days with periods of an hour or more, one day with shorter ones.
    """
    seconds = duration(freshness).total_seconds()
    if seconds % _HOUR == 0 or seconds > _DAY:
        return Watch(_HOUR, math.ceil(seconds / _HOUR))
    return Watch(300, math.ceil(seconds / 300))
