"""What a reviewer asks of extraction: how a database is reached, who may read what, and what starts when."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from tests.infrastructure.extract_stack import synthesize_extracting
from tests.infrastructure.stack import Resources, assembled, mistakes

ROLES = {
    "oracle_ops": "JobsRolesExtractOracleOps",
    "crm": "JobsRolesExtractCrm",
    "open_data": "JobsRolesExtractOpenData",
}


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extract")
    synthesize_extracting(folder / "out", folder / "build")
    return folder / "out"


@pytest.fixture(scope="module")
def stack(out: Path) -> Resources:
    return Resources(assembled(out, "landfall-shop-dev"))


def grants(stack: Resources, role: str) -> Iterator[tuple[str, str, Any]]:
    """Yield (action, resource as JSON text, condition) of all that a role may do."""
    for statement in stack.statements(role):
        actions, resources = statement["Action"], statement["Resource"]
        for action in actions if isinstance(actions, list) else [actions]:
            for resource in resources if isinstance(resources, list) else [resources]:
                yield action, json.dumps(resource), statement.get("Condition")


def allowed(stack: Resources, role: str, action: str) -> list[str]:
    return [resource for found, resource, _ in grants(stack, role) if found == action]


def test_a_connection_leads_into_the_network_that_its_file_names_and_holds_nothing_else(stack: Resources) -> None:
    connection = stack.one("AWS::Glue::Connection", "ExtractionConnectionOracleOps")["ConnectionInput"]
    assert connection == {
        "Name": "shop-dev-oracle_ops",
        "Description": "The operations database.",
        "ConnectionType": "NETWORK",
        "PhysicalConnectionRequirements": {
            "AvailabilityZone": "eu-west-1a",
            "SecurityGroupIdList": ["sg-0123456789abcdef0", "sg-0123456789abcdef1"],
            "SubnetId": "subnet-0123456789abcdef0",
        },
    }
    assert len(stack.of_type("AWS::Glue::Connection")) == 2  # open_data lies in no network


def test_a_job_joins_its_connections_network_and_its_arguments_name_no_secret(stack: Resources) -> None:
    job = stack.one("AWS::Glue::Job", "ExtractCustomers")
    assert job["Connections"] == {"Connections": ["shop-dev-oracle_ops"]}
    assert "Connections" not in stack.one("AWS::Glue::Job", "ExtractHolidays")
    arguments = job["DefaultArguments"]
    assert {"--table", "--raw_bucket", "--staging_bucket", "--ledger", "--plan"} <= set(arguments)
    assert "landfall/ops" not in json.dumps(arguments)
    assert stack.one("AWS::Glue::Job", "ExtractLeads")["DefaultArguments"]["--extra-jars"] == (
        "s3://drivers/postgresql.jar"
    )


def test_one_extraction_of_a_table_runs_at_a_time_and_glue_does_not_retry_by_itself(stack: Resources) -> None:
    job = stack.one("AWS::Glue::Job", "ExtractCustomers")
    assert (job["ExecutionProperty"], job["MaxRetries"]) == ({"MaxConcurrentRuns": 1}, 0)


def test_each_role_reads_its_own_secret_only(stack: Resources) -> None:
    for name, secret in {"oracle_ops": "landfall/ops-??????", "crm": "landfall/crm-??????"}.items():
        [resource] = allowed(stack, ROLES[name], "secretsmanager:GetSecretValue")
        assert f":secret:{secret}" in resource
    assert allowed(stack, ROLES["open_data"], "secretsmanager:GetSecretValue") == []


def test_a_role_lands_under_its_tables_prefixes_and_deletes_nothing_that_landed(stack: Resources) -> None:
    role = ROLES["oracle_ops"]
    put = allowed(stack, role, "s3:PutObject")
    assert sorted("Raw" if "StorageRaw" in resource else "Staging" for resource in put) == ["Raw", "Staging"]
    assert all("/db/customers/*" in resource for resource in put if "StorageRaw" in resource)
    assert all("/extracts/oracle_ops/*" in resource for resource in put if "StorageStaging" in resource)
    assert ["StorageRaw" in resource for resource in allowed(stack, role, "s3:DeleteObject")] == [False]
    assert not [action for action, _, _ in grants(stack, role) if "DeleteObjectVersion" in action]


def test_a_role_may_do_to_scratch_what_spark_does_to_write_by_s3a(stack: Resources) -> None:
    """Glue 5.1 writes by S3A, whose committers list uploads; hadoop.apache.org tells what S3A asks for."""
    role = ROLES["oracle_ops"]
    [listed] = allowed(stack, role, "s3:ListBucketMultipartUploads")
    assert "StorageStaging" in listed
    for verb in ("AbortMultipartUpload", "ListMultipartUploadParts", "GetObject", "PutObject", "DeleteObject"):
        scratch = [one for one in allowed(stack, role, f"s3:{verb}") if "StorageStaging" in one]
        assert ["/extracts/oracle_ops/*" in one for one in scratch] == [True], verb


def test_a_role_writes_the_ledgers_items_of_its_own_tables_only(stack: Resources) -> None:
    [condition] = [c for action, _, c in grants(stack, ROLES["crm"]) if action == "dynamodb:PutItem"]
    assert condition == {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": ["TABLE#leads"]}}


def test_a_role_makes_interfaces_in_its_subnet_and_removes_glues_own_only(stack: Resources) -> None:
    role = ROLES["oracle_ops"]
    made = allowed(stack, role, "ec2:CreateNetworkInterface")
    assert [name for name in ("subnet-0123456789abcdef0", "sg-0123456789abcdef0", "sg-0123456789abcdef1")
            if not any(name in resource for resource in made)] == []  # fmt: skip
    [removal] = [c for action, _, c in grants(stack, role) if action == "ec2:DeleteNetworkInterface"]
    assert removal == {"StringLike": {"aws:ResourceTag/aws-glue-service-resource": "*"}}
    assert not [action for action, _, _ in grants(stack, ROLES["open_data"]) if action.startswith("ec2:")]


def test_a_star_as_resource_is_left_to_what_has_no_resources(stack: Resources) -> None:
    for role in ROLES.values():
        starred = {action for action, resource, _ in grants(stack, role) if resource == '"*"'}
        assert {action for action in starred if not action.startswith("ec2:Describe")} <= {"cloudwatch:PutMetricData"}
        assert not [action for action, _, _ in grants(stack, role) if action.endswith(":*")]


def test_the_machine_runs_the_extract_jobs_and_no_other(stack: Resources) -> None:
    role = "ExtractionExtractSourceRole"
    [jobs] = allowed(stack, role, "glue:StartJobRun")
    assert jobs.rpartition(":job/")[2].split('"')[0] == "shop-dev-extract-*"
    actions = {action for action, _, _ in grants(stack, role) if action.startswith(("dynamodb:", "lambda:", "sns:"))}
    assert actions == {"dynamodb:GetItem", "lambda:InvokeFunction"}


def test_a_schedule_starts_the_machine_with_an_input_that_an_operator_could_write(stack: Resources) -> None:
    rule = stack.one("AWS::Events::Rule", "ScheduleCustomers")
    assert rule["ScheduleExpression"] == "cron(0 2 * * ? *)"
    [target] = rule["Targets"]
    assert json.loads(target["Input"]) == {"table": "customers"}
    assert target["Arn"] == {"Ref": stack.logical_id("AWS::StepFunctions::StateMachine", "ExtractionExtractSource")}
    [started] = allowed(stack, "ExtractionScheduleRole", "states:StartExecution")
    assert started == json.dumps(target["Arn"])
    scheduled = [name for name in stack.of_type("AWS::Events::Rule") if name.startswith("Schedule")]
    assert len(scheduled) == 1  # the other tables name no schedule


def test_extractions_that_were_cut_off_are_told(stack: Resources) -> None:
    rule = stack.one("AWS::Events::Rule", "ExtractionCutOff")
    assert rule["EventPattern"]["detail"]["status"] == ["FAILED", "ABORTED", "TIMED_OUT"]


def test_files_of_extractions_leave_the_staging_bucket_after_a_day(stack: Resources) -> None:
    rules = stack.one("AWS::S3::Bucket", "StorageStaging")["LifecycleConfiguration"]["Rules"]
    [rule] = [rule for rule in rules if rule["Id"] == "old-extracts"]
    assert (rule["Prefix"], rule["ExpirationInDays"]) == ("extracts/", 1)
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}


def test_a_pipeline_without_databases_has_nothing_of_it(resources: Resources) -> None:
    assert [name for name in resources.all if name.startswith("Extraction")] == []


@pytest.mark.long
def test_both_judges_find_nothing(tmp_path: Path) -> None:
    def judge(app: App) -> None:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))

    try:
        synthesize_extracting(tmp_path / "out", tmp_path / "build", prepare=judge)
    except RuntimeError:
        report = json.loads((tmp_path / "out" / "validation-report.json").read_text())
        violations = [v for plugin in report["pluginReports"] for v in plugin["violations"]]
        assert [(v["ruleName"], v["violatingConstructs"][0]["constructPath"]) for v in violations] == []
        raise
    assert mistakes(tmp_path / "out") == []
