"""Errors of the Glue jobs; the class name is what Step Functions and the operator see."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any


class LandfallJobError(Exception):
    """Base of all errors that a job raises on purpose."""


class DataError(LandfallJobError):
    """The data or its contract is at fault: running the job again cannot help."""


class ContractViolationError(DataError):
    """A file does not fit its contract; `landings` maps landing id to (reason, column)."""

    def __init__(self, message: str, landings: dict[str, tuple[str, str | None]] | None = None) -> None:
        super().__init__(message)
        self.landings = landings or {}


class FileGoneError(ContractViolationError):
    """A file is in the raw bucket no more."""


class LimitExceededError(DataError):
    """A circuit breaker of the contract tripped before anything was published.

    `limit` is its name, `rejected` the first records that the batch would have put in quarantine; `landings` are the
    files to blame, id to (reason, no column): without them the others pass. Empty: the batch as a whole is to blame.
    """

    def __init__(self, message: str, limit: str = "") -> None:
        super().__init__(message)
        self.limit = limit
        self.rejected: Sequence[Any] = ()
        self.landings: Mapping[str, tuple[str, str | None]] = {}


class SchemaChangeError(DataError):
    """A contract asks for columns that its table cannot take without losing values."""


class StaleLeaseError(LandfallJobError):
    """A later run has taken the table over: this run must not publish."""


class ConcurrentPublishError(LandfallJobError):
    """Somebody else published the table since this run read it."""


def in_short(text: str, most: int = 500) -> str:
    """Return a text without its middle where it is longer: names in files may be as long as files.

    What a job tells goes to the ledger and through the state machine, which take some hundred kilobytes in all.
    """
    half = most // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def message_of(error: Exception) -> str:
    """Return the first line of an error, in short."""
    return in_short(str(error).splitlines()[0], 1000) if str(error) else ""


def first_words(error: Exception) -> str:
    """Return the innermost cause of an error of Spark in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    causes = [line.removeprefix("Caused by: ") for line in lines if line.startswith("Caused by: ")]
    thrown = [line.removeprefix(": ") for line in lines if line.startswith(": ")]
    return [lines[0], *thrown[:1], *causes][-1][:300]


def words_about_sql(error: Exception) -> str:
    """Return what Spark says of SQL that it cannot take, and where in it, without the plan."""
    words = re.split(r"\.?(?:;|\(line )", first_words(error))[0]
    place = re.search(r"(?:; |\()line (\d+),? pos (\d+)", str(error))
    return f"{words} (line {place[1]}, character {int(place[2]) + 1})" if place else words


def all_violations(errors: list[ContractViolationError]) -> ContractViolationError:
    """Return one error that blames every landing that one of `errors` blames, worded by the first."""
    landings = {key: value for error in errors for key, value in error.landings.items()}
    others = f" (and {len(errors) - 1} more files)" if len(errors) > 1 else ""
    return ContractViolationError(f"{errors[0]}{others}", landings)
