"""Errors of the Lambdas; the class name is the error name in Step Functions."""

from __future__ import annotations


class LandfallFunctionError(Exception):
    """Base of all errors that a Lambda raises on purpose."""


class InvalidRequestError(LandfallFunctionError):
    """An execution's input is wrong; the message says what is allowed."""


class TableBusyError(LandfallFunctionError):
    """Another execution works on the table, and the request cannot be left to it."""


class StaleLeaseError(LandfallFunctionError):
    """A later run has taken the table over: this one must change nothing any more."""


class TableRemovedError(LandfallFunctionError):
    """A deployment removed the table while an execution worked on it."""


class LedgerBusyError(LandfallFunctionError):
    """The ledger refused a write again and again, because others write the same items."""


class ConditionFailedError(LandfallFunctionError):
    """A conditional write found the ledger otherwise than it must be; `failed` are the actions' positions."""

    def __init__(self, message: str, failed: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.failed = failed
