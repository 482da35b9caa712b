"""Freshness of a contract (`26h`, `90m`, `2d`) as CloudWatch can watch it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from orchestration.settings import SettingsError

_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_HOUR, _DAY = 3600, 86_400


@dataclass(frozen=True)
class Watch:
    """A window of `periods` periods of `period_seconds` each."""

    period_seconds: int
    periods: int


def watch(table: str, freshness: str) -> Watch:
    """Return the window that covers a freshness; SettingsError names the table and what is allowed.

    CloudWatch looks back seven days with periods of an hour or more, one day with shorter ones.
    """
    match = re.fullmatch(r"(\d+)\s*([mhd])", freshness.strip())
    seconds = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 300 <= seconds <= 7 * _DAY:
        raise SettingsError(f"table {table}: freshness is {freshness!r}: it must lie between 5m and 7d, such as 26h")
    if seconds % _HOUR == 0 or seconds > _DAY:
        return Watch(_HOUR, math.ceil(seconds / _HOUR))
    return Watch(300, math.ceil(seconds / 300))
