"""The real databases of the long tests: `.ci/databases` installs and starts them, and says where they are."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from contracts.databases import Connection
from spark_jobs.layers.extraction.database import Credentials

HOW = 'run: eval "$(.ci/databases)" and try again (it installs PostgreSQL, its JDBC driver and H2 on Debian, as root)'
POSTGRES = "LANDFALL_TEST_POSTGRES"
JARS = "LANDFALL_JDBC_JARS"


def needed(name: str) -> str:
    """Return an environment variable that `.ci/databases` prints, or fail with what to do."""
    value = os.environ.get(name, "")
    if not value:
        pytest.fail(f"{name} is not set: {HOW}", pytrace=False)
    return value


def postgres_login() -> Credentials:
    return Credentials(needed(f"{POSTGRES}_USER"), needed(f"{POSTGRES}_PASSWORD"))


@contextmanager
def postgres_database(spark: Any) -> Iterator[Connection]:
    """Yield a connection to a database of its own, dropped in the end: what a killed test leaves disturbs none."""
    needed(JARS)
    url, name = needed(POSTGRES), f"t{uuid.uuid4().hex}"
    server = Connection("server", url)
    execute(spark, server, f"CREATE DATABASE {name}")
    try:
        yield Connection("ops", f"{url.rsplit('/', 1)[0]}/{name}")
    finally:
        execute(spark, server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(spark: Any, connection: Connection, *statements: str) -> None:
    from spark_jobs.layers.extraction.database import Database

    with Database(spark, connection, postgres_login(), "tests")._connected() as open_connection:
        statement = open_connection.createStatement()
        for text in statements:
            statement.execute(text)
