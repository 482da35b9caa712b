"""Failures: what a database's error means, and what an operator reads of it."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from contracts.databases import Connection
from contracts.model import Source, Table
from spark_jobs.extract import fetch_credentials
from spark_jobs.layers.extraction import failures
from spark_jobs.layers.extraction.failures import SourceRefusedError, Symptom, address, diagnose, explained

OPS = Connection("ops", "jdbc:oracle:thin://@db.example.com:1521/OPS", secret="landfall/ops")


@pytest.mark.parametrize(
    ("symptom", "kind"),
    [
        (Symptom("java.sql.SQLException", "72000", "ORA-01017: invalid username/password"), "credentials"),
        (Symptom("java.sql.SQLException", "99999", "ORA-28000: the account is locked"), "credentials"),
        (Symptom("java.sql.SQLSyntaxErrorException", "42000", "ORA-00942: table or view does not exist"), "contract"),
        (Symptom("java.sql.SQLSyntaxErrorException", "42000", 'ORA-00904: "X": invalid identifier'), "contract"),
        (Symptom("java.sql.SQLException", "66000", "ORA-12514: TNS:listener does not know of service"), "unavailable"),
        (Symptom("java.sql.SQLRecoverableException", "08003", "ORA-03113: end-of-file"), "unavailable"),
        (Symptom("java.sql.SQLException", "72000", "ORA-01555: snapshot too old"), "unavailable"),
        (Symptom("java.sql.SQLException", "22018", "ORA-01722: invalid number"), "data"),
        (Symptom("java.sql.SQLRecoverableException", "08006", "IO Error: Connection reset"), "unavailable"),
        (Symptom("org.postgresql.util.PSQLException", "28P01", "password authentication failed"), "credentials"),
        (Symptom("org.postgresql.util.PSQLException", "42P01", 'relation "x" does not exist'), "contract"),
        (Symptom("org.postgresql.util.PSQLException", "3D000", 'database "x" does not exist'), "contract"),
        (Symptom("org.postgresql.util.PSQLException", "57P01", "terminating connection"), "unavailable"),
        (Symptom("org.postgresql.util.PSQLException", "53300", "too many clients already"), "unavailable"),
        (Symptom("org.postgresql.util.PSQLException", "40001", "could not serialize access"), "unavailable"),
        (Symptom("org.postgresql.util.PSQLException", "22003", "Bad value for type BigDecimal : NaN"), "data"),
        (Symptom("org.h2.jdbc.JdbcSQLSyntaxErrorException", "90079", "Schema not found"), "contract"),
        (Symptom("java.sql.SQLException", "08004", "Userid or password invalid."), "credentials"),
        (Symptom("java.sql.SQLException", "XSDB6", "Another instance of Derby may have booted"), "unavailable"),
        (Symptom("java.net.UnknownHostException java.io.IOException", "", "db.invalid"), "unavailable"),
        (Symptom("java.lang.ArithmeticException", "", "long overflow"), "data"),
        (Symptom("java.lang.IllegalStateException", "", "what?"), "unknown"),
    ],
)  # fmt: skip
def test_what_an_error_means(symptom: Symptom, kind: str) -> None:
    outer = Symptom("org.apache.spark.SparkException", "", "Job aborted")
    sql = Symptom("java.sql.SQLException", "", "it failed")
    assert diagnose([outer, sql, symptom])[0] == kind


def test_an_error_without_sql_is_the_lakes_unless_a_value_cannot_be_read() -> None:
    assert diagnose([Symptom("java.net.SocketTimeoutException", "", "s3")])[0] == "other"
    assert diagnose([Symptom("java.lang.ArithmeticException", "", "long overflow")])[0] == "data"
    assert diagnose([])[0] == "other"


def test_the_innermost_error_that_is_known_decides_and_speaks_in_one_line() -> None:
    found = [
        Symptom("org.x.Exception java.sql.SQLException", "08006", "the connection attempt failed.\nsee the log"),
        Symptom("java.lang.Exception", "", "nothing known"),
    ]
    assert diagnose(found) == ("unavailable", "the connection attempt failed")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("jdbc:oracle:thin://@db.example.com:1521/OPS", "db.example.com:1521/OPS"),
        ("jdbc:postgresql://db:5432/ops?sslmode=require", "db:5432/ops"),
        ("jdbc:sqlserver://db:1433;databaseName=ops", "db:1433"),
        ("jdbc:derby:fleet;create=true", "derby:fleet"),
        ("jdbc:h2:tcp://localhost/ops", "localhost/ops"),
    ],
)
def test_an_address_is_the_place_without_parameters(url: str, place: str) -> None:
    assert address(url) == place


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("credentials", "SourceRefusedError", "refuses the user of secret landfall/ops: no *** here"),
        ("contract", "SourceRefusedError", "does not accept what the contract asks for: no *** here"),
        ("data", "SourceRefusedError", "holds a value that cannot be read as the contract asks: no *** here"),
        (
            "unavailable",
            "SourceUnavailableError",
            "does not answer or broke off: no *** here (is it up, and does its network let the job in?)",
        ),
        ("unknown", "ExtractionError", "failed: no *** here"),
    ],
)
def test_an_operator_reads_one_sentence_without_the_password(
    monkeypatch: pytest.MonkeyPatch, kind: str, error: str, text: str
) -> None:
    monkeypatch.setattr(failures, "symptoms", lambda _: [Symptom("", "", "")])
    monkeypatch.setattr(failures, "diagnose", lambda _: (kind, "no tiger here"))
    told = explained(RuntimeError("x"), OPS, "planes", "tiger")
    assert (type(told).__name__, str(told).partition(") ")[2]) == (error, text)
    assert str(told).startswith("planes: ops (db.example.com:1521/OPS) ")


def test_an_error_that_is_not_the_databases_comes_back_as_it_is() -> None:
    error = ValueError("ours")
    assert explained(error, OPS, "planes") is error


@pytest.mark.parametrize(
    ("secret", "told"),
    [
        ({"SecretString": '{"username": "u"}'}, "must be JSON with username and password"),
        ({"SecretBinary": b"{}"}, "must be JSON with username and password"),
        ({"SecretString": '{"username": "u", "password": 1}'}, "must hold username and password as texts, in quotes"),
    ],
)
def test_a_secret_of_another_form_is_refused_in_a_sentence(secret: dict[str, object], told: str) -> None:
    secrets = Mock(get_secret_value=Mock(return_value=secret))
    with pytest.raises(SourceRefusedError) as refused:
        fetch_credentials(OPS, Table("planes", "append", Source("planes/"), ()), secrets)
    assert str(refused.value) == f"planes: secret landfall/ops of connection ops {told}"
