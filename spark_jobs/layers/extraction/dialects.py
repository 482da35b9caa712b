"""What differs between databases: drivers, timeouts, and the few words of SQL that an extraction needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from contracts.databases import Connection
from spark_jobs.layers.extraction.failures import SourceRefusedError

CONNECT_SECONDS = 30
_READ_SECONDS = 900


@dataclass(frozen=True)
class Dialect:
    """One database's ways; in the templates {column}, {value}, {count}, {index}, {kind} and {name} are filled in.

    `in_text` turns a column of a type that JDBC has no word for into text, `zoned_text` a time with its zone;
    `hashed` gives a column's bucket; `finite` is a date or time, and an error with the column's name where it is one
    without end. Empty where the database has no such thing.
    """

    driver: str
    properties: Mapping[str, str] = field(default_factory=dict)
    timestamp: str = "{{ts '{value}'}}"
    zoned: str = "TIMESTAMP WITH TIME ZONE '{value}+00:00'"
    seconds: str = "{{ts '{value}'}}"
    at_utc: str = "CAST({column} AT TIME ZONE 'UTC' AS TIMESTAMP(9))"
    zoned_text: str = ""
    finite: str = ""
    in_text: str = ""
    hashed: str = ""


_ORACLE = Dialect(
    "oracle.jdbc.OracleDriver",
    {
        "oracle.net.CONNECT_TIMEOUT": str(CONNECT_SECONDS * 1000),
        "oracle.jdbc.ReadTimeout": str(_READ_SECONDS * 1000),
        "oracle.jdbc.mapDateToTimestamp": "true",  # DATE holds hours, minutes and seconds
        "oracle.jdbc.timezoneAsRegion": "false",
    },
    timestamp="TIMESTAMP '{value}'",
    zoned="TIMESTAMP '{value} +00:00'",
    # Compared with a TIMESTAMP, a DATE column is converted row by row, and its index is of no use.
    seconds="TO_DATE('{value}', 'YYYY-MM-DD HH24:MI:SS')",
    zoned_text="TO_CHAR({column}, 'YYYY-MM-DD\"T\"HH24:MI:SS.FF9 TZR')",
    in_text="TO_CHAR({column})",
    hashed="ORA_HASH({column}, {count} - 1) = {index}",
)
_H2 = Dialect(
    "org.h2.Driver",
    timestamp=_ORACLE.timestamp,
    zoned=_ORACLE.zoned,
    seconds=_ORACLE.seconds,
    zoned_text=_ORACLE.zoned_text,
    in_text="CAST({column} AS VARCHAR)",
    hashed=_ORACLE.hashed,
)
_POSTGRESQL = Dialect(
    "org.postgresql.Driver",
    {
        "connectTimeout": str(CONNECT_SECONDS),
        "loginTimeout": str(CONNECT_SECONDS),
        "socketTimeout": str(_READ_SECONDS),
        "tcpKeepAlive": "true",
    },
    timestamp="TIMESTAMP '{value}'",
    seconds="TIMESTAMP '{value}'",
    zoned_text="CAST({column} AS text)",
    # What no date can be read from; a text without the column in it would be cast before a row is read.
    finite="CASE WHEN NOT isfinite({column}) THEN CAST({column} || ' in column {name}, which Spark has no {kind} for: "
    "cast it in source.query' AS {kind}) ELSE {column} END",
    in_text="CAST({column} AS text)",
    hashed="(hashtext(CAST({column} AS text)) & 2147483647) % {count} = {index}",
)
_DERBY = Dialect("org.apache.derby.jdbc.EmbeddedDriver")
_DIALECTS = {
    "oracle": _ORACLE,
    "h2": _H2,
    "postgresql": _POSTGRESQL,
    "derby": _DERBY,
    "mysql": Dialect(
        "com.mysql.cj.jdbc.Driver",
        {"connectTimeout": str(CONNECT_SECONDS * 1000), "socketTimeout": str(_READ_SECONDS * 1000)},
    ),
    "sqlserver": Dialect("com.microsoft.sqlserver.jdbc.SQLServerDriver", {"loginTimeout": str(CONNECT_SECONDS)}),
}


def dialect_of(connection: Connection) -> Dialect:
    """Return the dialect of a connection's URL; its `driver` and `properties` come before the dialect's."""
    known = _DIALECTS.get(connection.url.split(":")[1] if ":" in connection.url else "")
    if known is None and not connection.driver:
        names = ", ".join(sorted(_DIALECTS))
        raise SourceRefusedError(f"{connection.name}: name the driver class: Landfall knows those of {names}")
    base = known or Dialect(connection.driver)
    properties = {**base.properties, **connection.properties}
    return replace(base, driver=connection.driver or base.driver, properties=properties)


def driver_url(url: str) -> str:
    """Return the URL as the driver reads it: Glue's `thin://@host` is `thin:@//host` to Oracle's driver."""
    return url.replace("jdbc:oracle:thin://@", "jdbc:oracle:thin:@//", 1)
