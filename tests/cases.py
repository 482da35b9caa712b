"""Cases of a test that are like one another: a few are tried at once, the others with the long tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

LITTLE = pytest.mark.long(little=True)


def few(cases: Iterable[Any], quick: int = 1) -> list[Any]:
    """Return the cases for `parametrize`, of which the first `quick` are tried by `make test`."""
    return [case if number < quick else _long(case) for number, case in enumerate(cases)]


def _long(case: Any) -> Any:
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=LITTLE)
