"""Every call that functions, jobs and machines make is one that their roles in the template allow.

moto lets everybody do everything: what IAM would say is asked here, of all that a day of the shop comes to.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pipeline.calls import Recorder, needs
from tests.pipeline.conftest import Shop
from tests.pipeline.policies import Need, Policies, listed, missing

pytestmark = pytest.mark.long
ACCOUNT = "eu-west-1:123456789012"
LAYERS = {"staging": "staging", "quarantine": "staging", "audit": "staging", "state": "staging", "mart": "mart"}
_CATALOG = ("GetTable", "CreateTable", "UpdateTable")
# What no day needs: telling a missing key from a forbidden one, handing over a long history, asking after a lease.
UNSEEN = {"s3:ListBucket", "states:StartExecution", "states:DescribeExecution"}
Needs = list[tuple[str, Need]]


class Day:
    """What happened on the day, and the roles of those who did it."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.client = shop.cloud.client
        self.recorder = Recorder()
        before = set(self.files())
        with self.recorder.recording():
            self._run()
        self.written = set(self.files()) - before

    def _run(self) -> None:
        """Let everything happen once: what is staged, refused, failed, repaired, looked at, maintained."""
        shop, start = self.shop, self.shop.cloud.start
        shop.customers("2024-03-01", "1,Bern", "2,Genf", "3,Chur", ",Nirgends")
        shop.orders("2024-03-01", "301,1,2024-03-01T09:00:00Z,5.50", "302,9,2024-03-01T10:00:00Z,7.25")
        shop.cloud.land(b"nobody's", "lost/property.csv")
        assert {status for _, status in shop.run()} == {"SUCCEEDED"}
        shop.orders("2024-03-02", "303,1,2024-03-02T09:00:00Z", header="order_id,customer_id,ordered_at")
        assert shop.run() == [("orders", "FAILED")]
        shop.cloud.live.jobs.fail("shop-dev-mart-dim_customers", "SparkException: no space", times=10)
        shop.customers("2024-03-03", "1,Chur", "2,Genf")
        assert shop.run() == [("customers", "FAILED")]
        shop.cloud.live.jobs.mend("shop-dev-mart-dim_customers")
        for request in (
            {"table": "customers"},
            {"table": "customers", "mode": "dry_run"},
            {"table": "customers", "mode": "reconcile"},
            {"table": "customers", "mode": "rebuild"},
            {"table": "customers", "mode": "rebuild", "layer": "staging"},
            {"table": "orders", "mode": "replay", "prefix": "shop/orders/2024-03-01"},
        ):
            assert start(request).status == "SUCCEEDED", request
        assert shop.cloud.maintain()[0].status == "SUCCEEDED"

    def files(self) -> Iterator[Path]:
        """Yield the files of the tables, from the lake's folder."""
        for layer in LAYERS:
            yield from (path.relative_to(self.shop.lake) for path in self.shop.lake.glob(f"*/shop_dev_{layer}/*/*/**/*")
                        if path.is_file() and not path.name.startswith("."))  # fmt: skip

    def roles(self) -> dict[str, str]:
        """Return the role of each principal."""
        functions = self.client("lambda").list_functions()["Functions"]
        found = {f"function {one['FunctionName']}": one["Role"] for one in functions}
        for one in self.client("glue").get_jobs()["Jobs"]:
            found[f"job {one['Name']}"] = one["Role"]
        machines = self.client("stepfunctions")
        for one in machines.list_state_machines()["stateMachines"]:
            arn = one["stateMachineArn"]
            found[arn] = machines.describe_state_machine(stateMachineArn=arn)["roleArn"]
        return {principal: role.rpartition("/")[2] for principal, role in found.items()}

    def policies(self) -> dict[str, Policies]:
        """Return the policies of each principal."""
        return {principal: Policies(self.client("iam"), role) for principal, role in self.roles().items()}

    def called(self) -> Needs:
        """Return what the calls by boto3 need."""
        return [
            (principal, need)
            for principal, call in self.recorder.calls
            for need in needs(
                call,
                lambda table: f"arn:aws:dynamodb:{ACCOUNT}:table/{table}",
                lambda job: f"arn:aws:glue:{ACCOUNT}:job/{job}",
            )
        ]

    def job(self, layer: str, table: str) -> str:
        """Return a job that writes a table."""
        if layer == "mart":
            return f"job shop-dev-mart-{table}"
        return f"job shop-dev-stage-{'orders' if layer == 'audit' else table}"


@pytest.fixture(scope="module")
def day(shop: Shop) -> Day:
    return Day(shop)


def test_every_call_is_allowed_by_the_callers_role(day: Day) -> None:
    called = day.called()
    assert missing(day.policies(), called) == []
    principals = {principal for principal, _ in called}
    expected = {one for one in day.roles() if "extract" not in one and "crawl" not in one.lower()}
    assert expected - principals == set()


def test_every_file_that_iceberg_wrote_is_one_that_its_job_may_write_and_its_readers_may_read(day: Day) -> None:
    """The jobs' Java writes to folders here: what it would ask of S3 and of the Glue catalog is told by their names."""
    needed: Needs = []
    maintain = "job shop-dev-maintain"
    for path in day.written:
        bucket, database, table, *_ = path.parts
        place, layer = f"arn:aws:s3:::{path}", database.removeprefix("shop_dev_")
        writer = day.job(layer, table)
        needed += [(writer, Need(f"s3:{verb}", place)) for verb in ("PutObject", "GetObject", "DeleteObject")]
        needed += [(maintain, Need(f"s3:{verb}", place)) for verb in ("PutObject", "GetObject", "DeleteObject")]
        needed += [(who, Need("s3:ListBucket", f"arn:aws:s3:::{bucket}")) for who in (writer, maintain)]
        for resource in ("catalog", f"database/{database}", f"table/{database}/{table}"):
            arn = f"arn:aws:glue:{ACCOUNT}:{resource}"
            needed += [(writer, Need(f"glue:{verb}", arn)) for verb in _CATALOG]
            needed += [(maintain, Need(f"glue:{verb}", arn)) for verb in ("GetTable", "UpdateTable")]
        if layer == "staging":
            needed += [(day.job("mart", "dim_customers"), Need("s3:GetObject", place))]
    assert {path.parts[1] for path in day.written} == {f"shop_dev_{layer}" for layer in LAYERS}
    assert missing(day.policies(), needed) == []


def test_what_lambda_and_xray_ask_for_behind_the_code_is_allowed(day: Day) -> None:
    """The queue is read under the function's role; traces and logs are written under it too."""
    queue = day.client("sqs").get_queue_attributes(
        QueueUrl=day.shop.cloud.live.outputs["LandingQueueUrl"], AttributeNames=["QueueArn"]
    )["Attributes"]["QueueArn"]
    functions = [one for one in day.roles() if one.startswith("function ")]
    [receive_files] = [one for one in functions if "ReceiveFiles" in one]
    needed: Needs = [
        (receive_files, Need(f"sqs:{verb}", queue))
        for verb in ("ReceiveMessage", "DeleteMessage", "GetQueueAttributes")
    ]
    needed += [(one, Need(f"xray:{verb}", "*")) for one in functions for verb in ("PutTraceSegments",)]
    [notify] = [one for one in functions if "NotifyFailure" in one]
    key = day.client("sns").get_topic_attributes(TopicArn=day.shop.cloud.live.outputs["TopicArn"])["Attributes"]
    needed += [
        (notify, Need(f"kms:{verb}", _key_arn(key["KmsMasterKeyId"]))) for verb in ("Decrypt", "GenerateDataKey")
    ]
    assert missing(day.policies(), needed) == []


def _key_arn(key: str) -> str:
    return key if key.startswith("arn:") else f"arn:aws:kms:{ACCOUNT}:key/{key}"


def test_a_permission_that_is_taken_away_is_missed(day: Day) -> None:
    """The check is no stronger than its eyes: without each statement of these roles some call is not allowed."""
    policies, called = day.policies(), day.called()
    principals = [
        one for one in policies if "OpenBatch" in one or "CloseBatch" in one or one.endswith("table-pipeline")
    ]
    silent: set[str] = set()
    for principal in principals:
        mine = [(who, need) for who, need in called if who == principal]
        plain = policies[principal].statements
        for statement in plain:
            policies[principal].statements = [one for one in plain if one is not statement]
            if not missing(policies, mine):
                silent |= set(listed(statement["Action"]))
        policies[principal].statements = plain
    assert {action for action in silent if action.split(":")[0] not in ("logs", "xray")} <= UNSEEN
