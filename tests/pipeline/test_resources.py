"""The embedded cloud holds what the template says: every resource, and the properties that matter."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.pipeline.conftest import Shop

Client = Callable[[str], Any]
Exists = Callable[[Client, str, dict[str, Any]], Any]


def _queue_policy(client: Client, properties: dict[str, Any]) -> Any:
    return [_attributes(client, url)["Policy"] for url in properties["Queues"]]


def _attributes(client: Client, url: str) -> dict[str, Any]:
    found: dict[str, Any] = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return found


def _only(found: list[Any]) -> Any:
    [one] = found
    return one


EXISTS: dict[str, Exists] = {
    "AWS::Athena::NamedQuery": lambda c, i, _: c("athena").get_named_query(NamedQueryId=i)["NamedQuery"],
    "AWS::Athena::WorkGroup": lambda c, i, _: c("athena").get_work_group(WorkGroup=i)["WorkGroup"],
    "AWS::CloudFormation::Stack": lambda c, i, _: _only(c("cloudformation").describe_stacks(StackName=i)["Stacks"]),
    "AWS::CloudWatch::Alarm": lambda c, i, _: _only(c("cloudwatch").describe_alarms(AlarmNames=[i])["MetricAlarms"]),
    "AWS::CloudWatch::Dashboard": lambda c, i, _: c("cloudwatch").get_dashboard(DashboardName=i),
    "AWS::DynamoDB::Table": lambda c, i, _: c("dynamodb").describe_table(TableName=i)["Table"],
    "AWS::Events::Rule": lambda c, i, _: _only(c("events").list_targets_by_rule(Rule=i)["Targets"]),
    "AWS::Glue::Database": lambda c, i, _: c("glue").get_database(Name=i)["Database"],
    "AWS::Glue::Job": lambda c, i, _: c("glue").get_job(JobName=i)["Job"],
    "AWS::Glue::Table": lambda c, i, p: c("glue").get_table(DatabaseName=p["DatabaseName"], Name=i)["Table"],
    "AWS::IAM::ManagedPolicy": lambda c, i, _: c("iam").get_policy(PolicyArn=i)["Policy"],
    "AWS::IAM::Policy": lambda c, _, p: [
        c("iam").get_role_policy(RoleName=r, PolicyName=p["PolicyName"]) for r in p["Roles"]
    ],
    "AWS::IAM::Role": lambda c, i, _: c("iam").get_role(RoleName=i)["Role"],
    "AWS::KMS::Key": lambda c, i, _: c("kms").get_key_rotation_status(KeyId=i)["KeyRotationEnabled"] or None,
    "AWS::Lambda::EventSourceMapping": lambda c, i, _: c("lambda").get_event_source_mapping(UUID=i),
    "AWS::Lambda::Function": lambda c, i, _: c("lambda").get_function(FunctionName=i)["Configuration"],
    "AWS::Lambda::Permission": lambda c, _, p: c("lambda").get_policy(FunctionName=p["FunctionName"])["Policy"],
    "AWS::Logs::LogGroup": lambda c, i, _: _only(c("logs").describe_log_groups(logGroupNamePrefix=i)["logGroups"])[
        "retentionInDays"
    ],
    "AWS::S3::Bucket": lambda c, i, _: c("s3").head_bucket(Bucket=i),
    "AWS::S3::BucketPolicy": lambda c, i, _: c("s3").get_bucket_policy(Bucket=i)["Policy"],
    "AWS::SNS::Topic": lambda c, i, _: c("sns").get_topic_attributes(TopicArn=i)["Attributes"]["KmsMasterKeyId"],
    "AWS::SNS::TopicPolicy": lambda c, _, p: [
        c("sns").get_topic_attributes(TopicArn=t)["Attributes"]["Policy"] for t in p["Topics"]
    ],
    "AWS::SQS::Queue": lambda c, i, _: _attributes(c, i),
    "AWS::SQS::QueuePolicy": lambda c, _, p: _queue_policy(c, p),
    "AWS::StepFunctions::StateMachine": lambda c, i, _: c("stepfunctions").describe_state_machine(stateMachineArn=i),
}


@pytest.fixture
def resources(shop: Shop) -> dict[str, tuple[str, str, dict[str, Any]]]:
    """Type, physical id and resolved properties by logical id, as the template has them."""
    stack = shop.cloud.live.stack
    template = shop.cloud._assembly.resources
    assert set(stack.resources) == set(template)
    return {
        name: (one["Type"], stack.resources[name], _resolved(one.get("Properties", {}), stack.resources))
        for name, one in template.items()
    }


def _resolved(value: Any, ids: dict[str, str]) -> Any:
    """Resolve references to resources by id or ARN alone; enough to find what a policy belongs to."""
    if isinstance(value, dict):
        if "Ref" in value:
            return ids.get(value["Ref"], value)
        if "Fn::GetAtt" in value:
            return ids.get(value["Fn::GetAtt"][0], value)
        return {name: _resolved(item, ids) for name, item in value.items()}
    return [_resolved(item, ids) for item in value] if isinstance(value, list) else value


def test_every_resource_of_the_template_exists(shop: Shop, resources: Any) -> None:
    client = shop.cloud.client
    missing = [name for name, (kind, id_, properties) in resources.items() if not EXISTS[kind](client, id_, properties)]
    assert missing == []


def test_buckets_are_versioned_encrypted_private_and_have_an_end_for_what_is_left(shop: Shop, resources: Any) -> None:
    s3 = shop.cloud.client("s3")
    for name, (kind, bucket, properties) in resources.items():
        if kind != "AWS::S3::Bucket":
            continue
        if "AccessLogs" not in name:
            assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
            logging = s3.get_bucket_logging(Bucket=bucket)["LoggingEnabled"]
            assert logging["TargetBucket"] == properties["LoggingConfiguration"]["DestinationBucketName"]
        rule = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
        assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
        block = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
        assert block == properties["PublicAccessBlockConfiguration"]
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        assert [rule["ID"] for rule in rules] == [rule["Id"] for rule in properties["LifecycleConfiguration"]["Rules"]]


def test_the_raw_bucket_tells_the_queue_and_the_queue_keeps_what_fails(shop: Shop) -> None:
    outputs = shop.cloud.live.outputs
    queue = _attributes(shop.cloud.client, outputs["LandingQueueUrl"])
    dead = _attributes(shop.cloud.client, outputs["DeadLetterQueueUrl"])
    notification = shop.cloud.client("s3").get_bucket_notification_configuration(Bucket=outputs["RawBucketName"])
    [told] = notification["QueueConfigurations"]
    assert (told["QueueArn"], told["Events"]) == (queue["QueueArn"], ["s3:ObjectCreated:*"])
    assert json.loads(queue["RedrivePolicy"]) == {"deadLetterTargetArn": dead["QueueArn"], "maxReceiveCount": 5}
    [mapping] = shop.cloud.client("lambda").list_event_source_mappings()["EventSourceMappings"]
    assert (mapping["EventSourceArn"], mapping["BatchSize"]) == (queue["QueueArn"], 100)
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_the_ledger_can_be_brought_back(shop: Shop) -> None:
    found = shop.cloud.client("dynamodb").describe_continuous_backups(
        TableName=shop.cloud.live.outputs["LedgerTableName"]
    )["ContinuousBackupsDescription"]
    assert found["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED"


def test_the_machine_is_the_definition_with_its_placeholders_filled(shop: Shop, resources: Any) -> None:
    machine = shop.cloud.client("stepfunctions").describe_state_machine(
        stateMachineArn=shop.cloud.live.outputs["StateMachineArn"]
    )
    assert "${" not in machine["definition"]
    [properties] = [p for _, _, p in resources.values() if p.get("StateMachineName") == "shop-dev-table-pipeline"]
    states, template = json.loads(machine["definition"])["States"], json.loads(properties["DefinitionString"])["States"]
    assert list(states) == list(template)
    assert shop.cloud.live.outputs["LedgerTableName"] in machine["definition"]
    assert (machine["loggingConfiguration"]["level"], machine["tracingConfiguration"]["enabled"]) == ("ALL", True)


def test_jobs_and_functions_are_those_of_the_template(shop: Shop, resources: Any) -> None:
    glue, lambda_ = shop.cloud.client("glue"), shop.cloud.client("lambda")
    for kind, id_, properties in resources.values():
        if kind == "AWS::Glue::Job":
            job = glue.get_job(JobName=id_)["Job"]
            assert set(job["DefaultArguments"]) == set(properties["DefaultArguments"])
            assert job["DefaultArguments"]["--plan"].startswith("s3://cdk-hnb659fds-assets-")
            found = {name: job[name] for name in ("GlueVersion", "WorkerType", "NumberOfWorkers", "Timeout")}
            assert found == {name: properties[name] for name in found}
            assert job["ExecutionProperty"] == properties["ExecutionProperty"]
        elif kind == "AWS::Lambda::Function":
            function = lambda_.get_function(FunctionName=id_)["Configuration"]
            assert set(function["Environment"]["Variables"]) == set(properties["Environment"]["Variables"])
            assert (function["Timeout"], function["MemorySize"]) == (properties["Timeout"], properties["MemorySize"])
            assert (function["Architectures"], function["TracingConfig"]) == (["arm64"], {"Mode": "Active"})
            assert function["Layers"][0]["Arn"].split(":")[6] == "AWSLambdaPowertoolsPythonV3"
