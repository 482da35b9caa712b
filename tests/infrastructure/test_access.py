"""What a security reviewer asks: what is encrypted, what is public, and who may do what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infrastructure.stack import Resources

BUCKETS = ("Raw", "Staging", "Mart", "Artifacts", "AccessLogs")
ROLES = {
    "receive_files": "FunctionsReceiveFilesRole",
    "open_batch": "FunctionsOpenBatchRole",
    "close_batch": "FunctionsCloseBatchRole",
    "notify_failure": "FunctionsNotifyFailureRole",
    "staging job": "JobsRolesStaging",
    "mart job": "JobsRolesMart",
    "machine": "WorkflowTablePipelineRole",
    "maintenance job": "JobsRolesMaintenance",
    "maintenance machine": "MaintenanceMaintainLakeRole",
}
WRITES = ("Put", "Delete", "Create", "Update", "Start", "Abort", "Publish", "Send", "Invoke", "BatchStop")


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def grants(resources: Resources, role: str) -> Iterator[tuple[str, str]]:
    """Yield (action, resource as JSON text) of all that a role may do."""
    for statement in resources.statements(ROLES[role]):
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                yield action, json.dumps(resource)


def may(resources: Resources, role: str, service: str) -> dict[str, set[str]]:
    """Return what a role may change in a service: resource -> actions."""
    found: dict[str, set[str]] = {}
    for action, resource in grants(resources, role):
        prefix, verb = action.split(":")
        if prefix == service and verb.startswith(WRITES):
            found.setdefault(resource, set()).add(verb)
    return found


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_is_encrypted_private_and_owned(resources: Resources, name: str) -> None:
    bucket = resources.one("AWS::S3::Bucket", f"Storage{name}")
    [rule] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert "BucketName" not in bucket


@pytest.mark.parametrize("name", BUCKETS)
def test_a_bucket_refuses_plain_http(resources: Resources, name: str) -> None:
    bucket = {"Ref": resources.logical_id("AWS::S3::Bucket", f"Storage{name}")}
    [policy] = [p for p in resources.of_type("AWS::S3::BucketPolicy").values() if p["Bucket"] == bucket]
    assert denies_plain_http(policy["PolicyDocument"], "s3:*")


def denies_plain_http(document: dict[str, Any], action: str) -> bool:
    return any(
        statement["Effect"] == "Deny"
        and statement["Action"] == action
        and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        and statement["Principal"] == {"AWS": "*"}
        for statement in document["Statement"]
    )


def test_queues_refuse_plain_http_and_are_encrypted(resources: Resources) -> None:
    for name, queue in resources.of_type("AWS::SQS::Queue").items():
        assert queue["SqsManagedSseEnabled"] is True
        policies = resources.of_type("AWS::SQS::QueuePolicy").values()
        [policy] = [p for p in policies if p["Queues"] == [{"Ref": name}]]
        assert denies_plain_http(policy["PolicyDocument"], "sqs:*")


def test_the_topic_is_encrypted_with_a_key_that_rotates_and_the_accounts_alarms_may_use(resources: Resources) -> None:
    topic = resources.one("AWS::SNS::Topic", "Notifications")
    key_id = resources.logical_id("AWS::KMS::Key", "Notifications")
    key = resources.one("AWS::KMS::Key", "Notifications")
    assert topic["KmsMasterKeyId"] == {"Fn::GetAtt": [key_id, "Arn"]}
    assert key["EnableKeyRotation"] is True
    [alarms] = [s for s in key["KeyPolicy"]["Statement"] if "Service" in s["Principal"]]
    assert alarms["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_every_alarm_that_tells_the_topic_is_let_in_by_its_policy(resources: Resources) -> None:
    """A topic's own policy stands in place of the one that SNS gives, which admits the account's alarms."""
    topic = {"Ref": resources.logical_id("AWS::SNS::Topic", "Notifications")}
    told = [
        arn for alarm in resources.of_type("AWS::CloudWatch::Alarm").values() for arn in alarm.get("AlarmActions", [])
    ]
    assert told and all(arn == topic for arn in told)
    [policy] = [p for p in resources.of_type("AWS::SNS::TopicPolicy").values() if p["Topics"] == [topic]]
    [allowed] = [s for s in policy["PolicyDocument"]["Statement"] if s["Effect"] == "Allow"]
    assert allowed["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert (allowed["Action"], allowed["Resource"]) == ("sns:Publish", topic)
    [source] = allowed["Condition"]["ArnLike"].values()
    partition, region, account = ({"Ref": f"AWS::{name}"} for name in ("Partition", "Region", "AccountId"))
    assert source == {"Fn::Join": ["", ["arn:", partition, ":cloudwatch:", region, ":", account, ":alarm:*"]]}


def test_the_ledger_is_encrypted_and_can_be_turned_back(resources: Resources) -> None:
    ledger = resources.one("AWS::DynamoDB::Table", "Ledger")
    assert ledger["SSESpecification"] == {"SSEEnabled": True}
    assert ledger["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_nothing_of_the_pipeline_may_change_or_delete_a_raw_object(resources: Resources) -> None:
    for role in ROLES:
        assert not [resource for resource in may(resources, role, "s3") if "StorageRaw" in resource], role


def test_each_job_writes_its_own_layer_only(resources: Resources) -> None:
    staging, mart = (may(resources, role, "s3") for role in ("staging job", "mart job"))
    assert {bucket_of(resource) for resource in staging} == {"StorageStaging", "StorageArtifacts"}
    assert {bucket_of(resource) for resource in mart} == {"StorageMart", "StorageArtifacts"}
    assert all("/nycflights_dev_mart/*" in r for r in mart if bucket_of(r) == "StorageMart")
    for written in (staging, mart):
        assert [verbs for r, verbs in written.items() if bucket_of(r) == "StorageArtifacts"] == [{"PutObject"}]


def bucket_of(resource: str) -> str:
    [name] = [f"Storage{name}" for name in BUCKETS if f"Storage{name}" in resource]
    return name


def test_the_mart_job_reads_the_tables_of_two_databases_and_not_what_somebody_asked_of_them(
    resources: Resources,
) -> None:
    read = {resource for action, resource in grants(resources, "mart job") if action == "s3:GetObject"}
    assert {(bucket_of(r), r.rsplit('"/', 1)[1].rstrip('"]}')) for r in read if "Storage" in r} == {
        ("StorageStaging", "nycflights_dev_staging/*"),
        ("StorageMart", "nycflights_dev_mart/*"),
    }


def test_a_job_reads_manifests_or_none_and_writes_results_of_its_own_kind(resources: Resources) -> None:
    def batches(role: str) -> set[tuple[str, str]]:
        found = {(action, resource) for action, resource in grants(resources, role) if "StorageArtifacts" in resource}
        return {(action, resource.rsplit('"/', 1)[1].rstrip('"]}')) for action, resource in found}

    read, written = ("s3:GetObject", "batches/*/manifest.json"), ("s3:PutObject", "batches/*/stage.json")
    assert batches("staging job") == {read, written}
    assert batches("mart job") == {("s3:PutObject", "batches/*/mart-*.json")}


def test_each_job_writes_the_catalog_of_its_own_layer_only(resources: Resources) -> None:
    def databases(role: str) -> set[str]:
        written = may(resources, role, "glue")
        return {r.split(":database/")[1].rstrip('"]}') for r in written if ":database/" in r}

    assert databases("staging job") == {
        "nycflights_dev_staging",
        "nycflights_dev_quarantine",
        "nycflights_dev_audit",
        "nycflights_dev_state",
    }
    assert databases("mart job") == {"nycflights_dev_mart"}


def test_no_job_drops_a_table_or_touches_a_database(resources: Resources) -> None:
    for role in ("staging job", "mart job"):
        verbs = set().union(*may(resources, role, "glue").values())
        assert verbs == {"CreateTable", "UpdateTable"}
    assert set().union(*may(resources, "maintenance job", "glue").values()) == {"UpdateTable"}


def test_the_maintenance_job_rewrites_the_tables_of_the_databases_and_nothing_beside_them(resources: Resources) -> None:
    written = {r for r, verbs in may(resources, "maintenance job", "s3").items() if "DeleteObject" in verbs}
    assert {(bucket_of(r), r.rsplit("/", 2)[1]) for r in written} == {
        ("StorageMart", "nycflights_dev_mart"),
        *(("StorageStaging", f"nycflights_dev_{layer}") for layer in ("staging", "quarantine", "audit", "state")),
    }
    beside = {r: verbs for r, verbs in may(resources, "maintenance job", "s3").items() if r not in written}
    [(reports, verbs)] = beside.items()
    assert (bucket_of(reports), reports.rsplit("/", 2)[1:], verbs) == (
        "StorageArtifacts",
        ["maintenance", '*"]]}'],
        {"PutObject"},
    )
    read = {bucket_of(r) for action, r in grants(resources, "maintenance job") if action == "s3:ListBucket"}
    assert read == {"StorageStaging", "StorageMart"}


def test_who_starts_executions_and_that_only_the_machine_starts_jobs(resources: Resources) -> None:
    """receive_files begins; an execution whose history runs full hands over to another."""
    starters = {role for role in ROLES for action, _ in grants(resources, role) if action == "states:StartExecution"}
    runners = {role for role in ROLES for action, _ in grants(resources, role) if action == "glue:StartJobRun"}
    assert (starters, runners) == ({"receive_files", "machine"}, {"machine", "maintenance machine"})
    started = {resource for role in starters for action, resource in grants(resources, role) if "StartEx" in action}
    assert [one.rpartition(":stateMachine:")[2] for one in started] == ['nycflights-dev-table-pipeline"]]}']


def test_the_machine_runs_watches_and_stops_the_jobs_of_its_pipeline_only(resources: Resources) -> None:
    allowed = {(action, resource) for action, resource in grants(resources, "machine") if action.startswith("glue:")}
    assert {action for action, _ in allowed} == {
        "glue:StartJobRun",
        "glue:GetJobRun",
        "glue:GetJobRuns",
        "glue:BatchStopJobRun",
    }
    assert all(":job/nycflights-dev-" in resource for _, resource in allowed)


def test_the_machine_reads_and_notes_in_the_ledger_and_calls_three_functions(resources: Resources) -> None:
    actions = {action for action, _ in grants(resources, "machine") if action.startswith("dynamodb:")}
    called = {resource for action, resource in grants(resources, "machine") if action.startswith("lambda:")}
    assert actions == {"dynamodb:GetItem", "dynamodb:UpdateItem"}
    assert len(called) == 3 and not [resource for resource in called if "ReceiveFiles" in resource]


@pytest.mark.parametrize("role", ["receive_files", "notify_failure", "machine"])
def test_who_holds_no_lease_deletes_nothing_from_the_ledger(resources: Resources, role: str) -> None:
    assert set().union(*may(resources, role, "dynamodb").values()) <= {"PutItem", "UpdateItem"}


def test_only_notify_failure_publishes(resources: Resources) -> None:
    publishers = {role for role in ROLES for action, _ in grants(resources, role) if action == "sns:Publish"}
    assert publishers == {"notify_failure"}


def test_a_star_as_resource_is_left_to_what_has_no_resources(resources: Resources) -> None:
    for role in ROLES:
        starred = {action.split(":")[0] for action, resource in grants(resources, role) if resource == '"*"'}
        assert starred <= {"xray", "cloudwatch", "logs"}, role
        assert not [action for action, _ in grants(resources, role) if action.endswith(":*")], role


@pytest.mark.parametrize("role", ["staging job", "mart job", "maintenance job"])
def test_a_job_writes_metrics_of_its_own_namespaces_only(resources: Resources, role: str) -> None:
    [metrics] = [one for one in resources.statements(ROLES[role]) if one["Action"] == "cloudwatch:PutMetricData"]
    assert metrics["Condition"] == {"StringEquals": {"cloudwatch:namespace": ["Glue", "Landfall"]}}


def test_no_role_takes_a_managed_policy(resources: Resources) -> None:
    assert not [name for name, role in resources.of_type("AWS::IAM::Role").items() if "ManagedPolicyArns" in role]


def test_only_s3_of_this_account_and_the_sweep_may_send_to_the_queue(resources: Resources) -> None:
    policy = resources.one("AWS::SQS::QueuePolicy", "IngestionLandings")["PolicyDocument"]
    allowed = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    sweep = resources.logical_id("AWS::Events::Rule", "Sweep")
    assert {json.dumps(one["Principal"]): one["Condition"] for one in allowed} == {
        '{"Service": "s3.amazonaws.com"}': {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
        '{"Service": "events.amazonaws.com"}': {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [sweep, "Arn"]}}},
    }
