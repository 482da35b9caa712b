"""Lists in groups: AWS takes so many of a thing at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

_T = TypeVar("_T")


def groups(items: Sequence[_T], most: int) -> Iterator[Sequence[_T]]:
    """Yield the items in order, at most so many at once."""
    for start in range(0, len(items), most):
        yield items[start : start + most]
