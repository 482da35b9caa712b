"""What a database's errors mean: whose fault they are, and whether running again can help."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from contracts.databases import Connection
from spark_jobs.layers.errors import LandfallJobError


class ExtractionError(LandfallJobError):
    """An extraction failed; nothing landed and the watermark is where it was."""


class SourceRefusedError(ExtractionError):
    """The database, its secret or the contract is at fault: running again cannot help."""


class SourceUnavailableError(ExtractionError):
    """The database did not answer or broke off: running again may help."""


@dataclass(frozen=True)
class Symptom:
    """One error of a chain: the Java class, the SQLSTATE ('' where there is none) and the message."""

    kind: str
    state: str
    message: str


CREDENTIALS, CONTRACT, DATA, UNAVAILABLE = "credentials", "contract", "data", "unavailable"
UNKNOWN, OTHER = "unknown", "other"
_SQL = "java.sql.SQLException"
_ORACLE = re.compile(r"ORA-(\d{5})")
_ORACLE_CODES = {
    CREDENTIALS: {1005, 1017, 1045, 1918, 28000, 28001, 28002, 28009},
    UNAVAILABLE: {
        18, 20, 28, 60, 1012, 1033, 1034, 1041, 1089, 1090, 1092, 1555, 2391, 2396, 3113, 3114, 3135, 8177, 17002,
        17008, 17009, 17410, 17800, *range(12150, 12700), *range(18700, 18720),
    },
    CONTRACT: {900, 903, 904, 907, 911, 923, 932, 933, 936, 942, 1031, 4043, 980},
    DATA: {1426, 1722, 1830, 1843, 1858, 22835},
}  # fmt: skip
# SQLSTATEs by prefix, the longest first; XJ and XS are Derby's, 9xxxx are H2's.
_STATES = {
    "08004": CREDENTIALS,
    "XJ004": CONTRACT,
    "90079": CONTRACT,
    "90146": CONTRACT,
    "90149": CONTRACT,
    "90020": UNAVAILABLE,
    "90067": UNAVAILABLE,
    "90098": UNAVAILABLE,
    "90121": UNAVAILABLE,
    "57P": UNAVAILABLE,
    "HYT": UNAVAILABLE,
    "XJ": UNAVAILABLE,
    "XS": UNAVAILABLE,
    "08": UNAVAILABLE,
    "28": CREDENTIALS,
    "40": UNAVAILABLE,
    "53": UNAVAILABLE,
    "57": UNAVAILABLE,
    "58": UNAVAILABLE,
    "3D": CONTRACT,
    "3F": CONTRACT,
    "42": CONTRACT,
    "22": DATA,
}
_CLASSES = {
    "SQLInvalidAuthorizationSpecException": CREDENTIALS,
    "SQLSyntaxErrorException": CONTRACT,
    "SQLDataException": DATA,
    "SQLNonTransientConnectionException": UNAVAILABLE,
    "SQLTransient": UNAVAILABLE,
    "SQLRecoverableException": UNAVAILABLE,
    "SQLTimeoutException": UNAVAILABLE,
    "java.net.": UNAVAILABLE,
    "java.io.EOFException": UNAVAILABLE,
    "ArithmeticException": DATA,
    "SparkDateTimeException": DATA,
}


def symptoms(error: BaseException) -> list[Symptom]:
    """Return the Java errors behind a Python one, the outermost first; none where Java has no part in it."""
    return list(_chain(getattr(error, "java_exception", None) or getattr(error, "_origin", None)))


def _chain(thrown: Any) -> Iterator[Symptom]:
    for _ in range(20):
        if thrown is None:
            return
        kinds = _ancestry(thrown)
        is_sql = _SQL in kinds
        state = thrown.getSQLState() if is_sql else None
        yield Symptom(" ".join(kinds), state or "", thrown.getMessage() or "")
        thrown = thrown.getCause() or (thrown.getNextException() if is_sql else None)


def _ancestry(thrown: Any) -> list[str]:
    """Return the names of an exception's class and of those that it extends."""
    names, kind = [], thrown.getClass()
    while kind is not None and kind.getName() != "java.lang.Throwable":
        names.append(kind.getName())
        kind = kind.getSuperclass()
    return names


def diagnose(found: list[Symptom]) -> tuple[str, str]:
    """Return what kind of failure it is, and the database's own words: the innermost that is known decides.

    Without an SQLException it is the database's only where a value could not be read: the lake fails too.
    """
    is_sql = any(_SQL in symptom.kind for symptom in found)
    for symptom in reversed(found):
        kind = _kind(symptom)
        if kind == DATA or (is_sql and kind != UNKNOWN):
            return kind, _first_line(symptom.message)
    return UNKNOWN if is_sql else OTHER, _first_line(found[-1].message) if found else ""


def _kind(symptom: Symptom) -> str:
    if oracle := _ORACLE.search(symptom.message):
        code = int(oracle[1])
        return next((kind for kind, codes in _ORACLE_CODES.items() if code in codes), UNKNOWN)
    for length in range(5, 1, -1):
        if kind := _STATES.get(symptom.state[:length]):
            return kind
    return next((kind for name, kind in _CLASSES.items() if name in symptom.kind), UNKNOWN)


def explained(error: Exception, connection: Connection, table: str, password: str = "") -> Exception:
    """Return the error that an operator reads in place of the driver's; one of another origin comes back as it is."""
    kind, words = diagnose(symptoms(error))
    if kind == OTHER:
        return error
    if password:
        words = words.replace(password, "***")
    place = f"{table}: {connection.name} ({address(connection.url)})"
    match kind:
        case "credentials":
            return SourceRefusedError(f"{place} refuses the user of secret {connection.secret or '(none)'}: {words}")
        case "contract":
            return SourceRefusedError(f"{place} does not accept what the contract asks for: {words}")
        case "data":
            return SourceRefusedError(f"{place} holds a value that cannot be read as the contract asks: {words}")
        case "unavailable":
            return SourceUnavailableError(
                f"{place} does not answer or broke off: {words} (is it up, and does its network let the job in?)"
            )
    return ExtractionError(f"{place} failed: {words}")


def address(url: str) -> str:
    """Return the part of a JDBC URL that names the place, without parameters: `db.example.com:1521/OPS`."""
    plain = re.split(r"[;?]", url.removeprefix("jdbc:"))[0]
    return re.sub(r"^[\w:]*:(?=//|@)", "", plain).lstrip("/@")


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line.removesuffix("; SQL statement:").rstrip(". ")
