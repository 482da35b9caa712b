"""Connections and extractions: what a contract says of a database, and every mistake in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.compile import check, compile_plan
from contracts.databases import EXTRACTED_AT, Connection, Extract
from contracts.model import EffectiveAt, Plan
from tests.unit.contracts.conftest import Write

OPS = """\
connection: oracle_ops
url: jdbc:oracle:thin://@db.example.com:1521/OPS
secret: landfall/ops
subnet_id: subnet-0123456789abcdef0
security_groups: [sg-0123456789abcdef0]
availability_zone: eu-west-1a
environments:
  dev: {url: "jdbc:oracle:thin://@dev.example.com:1521/OPS", security_groups: [sg-0123456789abcdef1]}
"""
CUSTOMERS = """\
table: customers
source: {%s}
load: %s
key: [id]
schema: {columns: [{name: id, type: bigint}, {name: at, type: timestamp}]}
"""
TABLE = "connection: oracle_ops, table: T"  # stands for @T below
GOOD = "connection: oracle_ops, table: OPS.CUSTOMERS, watermark: UPDATED_AT, split_by: ID, splits: 4, overlap: 10m"


def pipeline(write: Write, source: str = GOOD, load: str = "upsert", connection: str = OPS) -> Path:
    return write(
        {"connections/ops.yaml": connection, "tables/customers.yaml": CUSTOMERS % (source.replace("@T", TABLE), load)}
    )


def mistakes(folder: Path) -> list[str]:
    return [str(mistake).removeprefix("shop/") for mistake in check(folder)]


def test_a_table_of_a_database_and_its_connection_travel_in_the_plan(write: Write) -> None:
    plan = compile_plan(pipeline(write))
    assert plan.extracts == {
        "customers": Extract(
            "oracle_ops", "OPS.CUSTOMERS", watermark="UPDATED_AT", split_by="ID", splits=4, overlap="10m"
        )
    }
    table = plan.tables["customers"]
    assert (table.source.format, table.source.prefix) == ("parquet", "customers/")
    assert table.effective_at == EffectiveAt(from_key=EXTRACTED_AT)
    assert Plan.from_json(plan.to_json()) == plan


def test_a_connection_differs_between_environments_where_its_file_says_so(write: Write) -> None:
    plan = compile_plan(pipeline(write))
    dev, prod = plan.in_environment("dev"), plan.in_environment("prod")
    assert dev.connections["oracle_ops"] == Connection(
        "oracle_ops",
        "jdbc:oracle:thin://@dev.example.com:1521/OPS",
        secret="landfall/ops",
        subnet_id="subnet-0123456789abcdef0",
        security_groups=("sg-0123456789abcdef1",),
        availability_zone="eu-west-1a",
    )
    assert prod.connections["oracle_ops"].url == "jdbc:oracle:thin://@db.example.com:1521/OPS"
    assert prod.connections["oracle_ops"].security_groups == ("sg-0123456789abcdef0",)


@pytest.mark.parametrize(
    ("source", "load", "found"),
    [
        ("connection: oracle_op, table: T", "upsert", "source.connection: no such connection: 'oracle_op' is"),
        ("connection: oracle_ops", "upsert", "source: must hold exactly one of table, query"),
        ('@T, query: "SELECT 1"', "upsert", "source: must hold exactly one of table"),
        ('connection: oracle_ops, query: "DELETE FROM t"', "upsert", "source.query: must be one SELECT"),
        ('connection: oracle_ops, query: "SELECT 1;"', "upsert", "source.query: must not end with ;"),
        ('connection: oracle_ops, query: "SELECT 1 -- all"', "upsert", "source.query: must not end in a comment"),
        ('connection: oracle_ops, table: "t; DROP TABLE t"', "upsert", "source.table: 't; DROP TABLE t' must be"),
        ("@T, format: csv", "upsert", "source.format: extractions land as parquet"),
        ("@T, compression: gzip", "upsert", "source.compression: does not go with"),
        ("@T, splits: 4", "upsert", "source.splits: needs split_by"),
        ("@T, splits: 1", "upsert", "source.splits: 1 must be at least 2"),
        ("@T, watermark: ID", "upsert", "source.overlap: must be written out where the watermark is a number"),
        ("@T, watermark: ID", "changes\ndelete_when: id < 0", "source.overlap: must be written out where the"),
        ("@T, options: {}", "upsert", "source.options: does not go with"),
        ("fetch_size: 10", "upsert", "source.fetch_size: goes with connection"),
        ("@T, overlap: 5m", "upsert", "source.overlap: needs watermark"),
        ("@T, watermark: A, overlap: 5x", "upsert", "source.overlap: '5x' must be a time such"),
        ("@T, watermark: A", "snapshot", "source.watermark: does not go with load snapshot"),
        ("@T", "append", "source: lacks watermark: load append would land the whole table"),
        ("@T, watermark: A, overlap: 5m", "append", "source.overlap: does not go with load"),
        ('@T, schedule: "0 2 * * *"', "upsert", "source.schedule: '0 2 * * *' must be cron("),
        ('@T, schedule: "cron(0 2 * * * *)"', "upsert", "source.schedule: exactly one of day"),
        ('@T, schedule: "rate(1 hours)"', "upsert", "source.schedule: 'rate(1 hours)' must be"),
        ('@T, schedule: "cron(0 24 * * ? *)"', "upsert", "source.schedule: 'cron(0 24 * * ? *)': hour is '24', and"),
        ("watermark: A", "upsert", "source.watermark: goes with connection"),
        ("conection: oracle_ops, table: T", "upsert", "source.conection: is no field here"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_table_names_file_line_and_field(write: Write, source: str, load: str, found: str) -> None:
    assert any(one.startswith(f"tables/customers.yaml:2: {found}") for one in mistakes(pipeline(write, source, load)))


@pytest.mark.parametrize(
    ("source", "load"),
    [
        ("@T, watermark: ID, overlap: 0", "upsert"),
        ("@T, watermark: ID", "append"),
        ("@T, watermark: AT", "upsert"),
    ],
)
def test_the_overlap_of_a_number_is_written_out_where_rows_may_come_twice(write: Write, source: str, load: str) -> None:
    assert [one for one in mistakes(pipeline(write, source, load)) if "source" in one] == []


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ("//@db.example.com:1521/OPS", "scott/tiger@db:1521/OPS", "2: url: holds a user or password"),
        *(
            ("jdbc:oracle:thin://@db.example.com:1521/OPS", url, "2: url: holds a user or password")
            for url in (
                "jdbc:mysql://(host=db,user=scott,password=tiger)/ops",
                "jdbc:mysql://address=(host=db)(password=tiger)/ops",
                "jdbc:sqlserver://db;databaseName=ops;keyStoreSecret=hush",
                "jdbc:postgresql://db/ops?ssl=true&sslpassword=hush",
            )
        ),
        ("//@db.example.com:1521/OPS", "@db:1521:OPS", "2: url: 'jdbc:oracle:thin:@db:1521:OPS' must be"),
        ("jdbc:oracle:thin://@db.example.com:1521/OPS", "jdbc:sybase://db/x", "2: url: sybase needs `driver`"),
        (
            "jdbc:oracle:thin://@db.example.com:1521/OPS",
            "db.example.com",
            "2: url: 'db.example.com' must be a JDBC",
        ),
        (
            "availability_zone: eu-west-1a\n",
            "",
            "1: (file): lacks availability_zone: subnet_id and security_groups",
        ),
        ("subnet-0123456789abcdef0", "sub-1", "4: subnet_id: 'sub-1' must be the id of a subnet"),
        ("eu-west-1a", "eu-west-1", "6: availability_zone: 'eu-west-1' must be an availability zone"),
        ("secret: landfall/ops", "password: tiger", "3: password: is no field here"),
        (
            "secret: landfall/ops\n",
            "properties: {oracle.net.CONNECT_TIMEOUT: '9', sslPassword: hush}\n",
            "3: properties.sslPassword: holds a user or password, which belong in the secret",
        ),
        (
            "secret: landfall/ops",
            "driver_jar: s3://*/x.jar",
            "3: driver_jar: 's3://*/x.jar' must be the S3 URI of a jar",
        ),
        *(
            (
                "secret: landfall/ops",
                f'driver_jar: "s3://jars/{name}.jar"',
                f"3: driver_jar: 's3://jars/{name}.jar' must be the S3 URI of a jar, of letters that the policy",
            )
            for name in ("драйвер", "${aws:username}", "ojdbc?")
        ),
        ("  dev:", "  test:", "8: environments.test: is no field here; allowed: dev, prod"),
        ("@dev.example.com:1521/OPS", "@dev", "8: environments.dev.url: 'jdbc:oracle:thin://@dev' must be"),
    ],
)
def test_a_mistake_in_a_connection_names_file_line_and_field(write: Write, old: str, new: str, found: str) -> None:
    told, *_ = mistakes(pipeline(write, connection=OPS.replace(old, new, 1)))
    assert told.startswith(f"connections/ops.yaml:{found}")


@pytest.mark.parametrize(
    "url",
    [
        *("jdbc:derby://db:1527/ops", "jdbc:h2:tcp://db/ops", "jdbc:mysql://db:3306/ops"),
        *("jdbc:oracle:thin://@db:1521/OPS", "jdbc:postgresql://db/ops", "jdbc:sqlserver://db;databaseName=ops"),
    ],
)
def test_a_database_that_is_known_needs_no_driver(write: Write, url: str) -> None:
    assert mistakes(pipeline(write, connection=OPS.replace("jdbc:oracle:thin://@db.example.com:1521/OPS", url))) == []


def test_a_jar_may_lie_under_any_other_key(write: Write) -> None:
    jar = 'secret: landfall/ops\ndriver_jar: "s3://jars.example/größte Treiber/$1 {2}/ojdbc-11.jar"'
    assert mistakes(pipeline(write, connection=OPS.replace("secret: landfall/ops", jar))) == []


def test_a_name_that_two_files_give_is_told(write: Write) -> None:
    folder = pipeline(write)
    (folder / "connections" / "other.yaml").write_text(OPS)
    assert mistakes(folder) == [
        "connections/other.yaml:1: connection: oracle_ops is already the name of another connection"
    ]


def test_a_from_key_that_no_extraction_would_match_is_told(write: Write) -> None:
    folder = pipeline(write)
    path = folder / "tables" / "customers.yaml"
    path.write_text(path.read_text() + "effective_at: {from_key: 'day=(?P<date>.{10})'}\n")
    [told] = mistakes(folder)
    assert told.startswith("tables/customers.yaml:6: effective_at.from_key: does not match the keys of extractions")
