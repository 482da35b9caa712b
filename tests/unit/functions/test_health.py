"""Whether a table is well at the end of an execution."""

from __future__ import annotations

import pytest

from functions.shared.health import still_fails
from functions.shared.ledger import Lease

WELL = Lease("planes")
HELD = Lease("planes", held=frozenset({"2013-01-02T05:00:00.000000Z#a-1"}))
OWES = Lease("planes", due_marts=frozenset({"daily"}))


@pytest.mark.parametrize(
    ("lease", "errors", "fails"),
    [
        (WELL, [], False),
        (WELL, ["ContractViolationError"], None),
        (WELL, ["LimitExceededError", "OverwriteRefusedError"], None),
        (WELL, ["OutOfMemoryError"], True),
        (WELL, ["ContractViolationError", "OutOfMemoryError"], True),
        (OWES, [], None),
        (OWES, ["SparkException"], True),
        (HELD, [], True),
        (HELD, ["ContractViolationError"], True),
    ],
)
def test_a_table_fails_by_what_is_tried_again_and_is_well_once_nothing_is_left(
    lease: Lease, errors: list[str], fails: bool | None
) -> None:
    assert still_fails(lease, errors) is fails
