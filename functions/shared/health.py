"""Whether a table is well: what fails is tried again until it is done; a file that was refused stays refused."""

from __future__ import annotations

from collections.abc import Collection

from functions.shared.ledger import Lease

_OF_FILES = frozenset(("ContractViolationError", "LimitExceededError", "OverwriteRefusedError"))


def still_fails(lease: Lease, errors: Collection[str]) -> bool | None:
    """Tell how a table is at the end of an execution that met these errors; None leaves what is known of it.

    Errors of single files make no table ill, unless others wait for them: nobody but a human takes those files up
    again. A table is well once nothing failed and no mart is due.
    """
    if lease.held or not _OF_FILES.issuperset(errors):
        return True
    return None if errors or lease.due_marts else False
