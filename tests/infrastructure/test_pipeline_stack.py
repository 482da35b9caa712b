"""What the template promises to the parts that run: events, names, arguments, environments, alarms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from functions.receive_files.arrivals import read_message
from tests.infrastructure.stack import Resources, Template, synthesize

FUNCTIONS = ("ReceiveFiles", "OpenBatch", "CloseBatch", "NotifyFailure")


def text(value: Any) -> str:
    """Write a CloudFormation value as text, references as <id>."""
    match value:
        case {"Ref": name}:
            return f"<{name}>"
        case {"Fn::GetAtt": [name, _]}:
            return f"<{name}>"
        case {"Fn::Join": [_, parts]}:
            return "".join(text(part) for part in parts)
        case {"Fn::Sub": str() as inner}:
            return inner
    return str(value)


def test_every_object_that_lands_is_told_to_the_queue_by_the_buckets_own_property(
    resources: Resources,
) -> None:
    bucket = resources.one("AWS::S3::Bucket", "StorageRaw")
    queue = resources.logical_id("AWS::SQS::Queue", "IngestionLandings")
    assert bucket["NotificationConfiguration"] == {
        "QueueConfigurations": [{"Event": "s3:ObjectCreated:*", "Queue": {"Fn::GetAtt": [queue, "Arn"]}}]
    }
    assert not resources.of_type("Custom::S3BucketNotifications")


def test_the_queue_may_be_written_before_the_bucket_is_made(resources: Resources) -> None:
    bucket = resources.all[resources.logical_id("AWS::S3::Bucket", "StorageRaw")]
    assert bucket["DependsOn"] == [resources.logical_id("AWS::SQS::QueuePolicy", "IngestionLandings")]


def test_raw_objects_are_kept_in_every_version_and_never_expire(resources: Resources) -> None:
    bucket = resources.one("AWS::S3::Bucket", "StorageRaw")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert not [rule for rule in rules if {"ExpirationInDays", "NoncurrentVersionExpiration"} & set(rule)]


@pytest.mark.parametrize(
    ("bucket", "prefixes"),
    [
        ("Staging", ["claims/", "extracts/"]),
        ("Artifacts", ["batches/", "maintenance/"]),
        ("Mart", ["query-results/", "operators-query-results/"]),
    ],
)
def test_only_what_can_be_made_again_expires(resources: Resources, bucket: str, prefixes: list[str]) -> None:
    rules = resources.one("AWS::S3::Bucket", f"Storage{bucket}")["LifecycleConfiguration"]["Rules"]
    assert [rule["Prefix"] for rule in rules if "ExpirationInDays" in rule] == prefixes


def test_a_message_that_fails_five_times_goes_to_the_dead_letters(resources: Resources) -> None:
    queue = resources.one("AWS::SQS::Queue", "IngestionLandings")
    dead = resources.logical_id("AWS::SQS::Queue", "IngestionDeadLetters")
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": [dead, "Arn"]},
        "maxReceiveCount": 5,
    }
    handler = resources.one("AWS::Lambda::Function", "FunctionsReceiveFiles")
    assert queue["VisibilityTimeout"] >= 6 * handler["Timeout"]
    [mapping] = resources.of_type("AWS::Lambda::EventSourceMapping").values()
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert (mapping["BatchSize"], mapping["MaximumBatchingWindowInSeconds"]) == (100, 5)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_knows_its_surroundings(resources: Resources, name: str) -> None:
    function = resources.one("AWS::Lambda::Function", f"Functions{name}")
    folder = "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
    assert (function["Runtime"], function["Handler"]) == ("python3.11", f"functions.{folder}.handler.handler")
    assert function["TracingConfig"] == {"Mode": "Active"}
    assert "LogGroup" in function["LoggingConfig"]
    variables = {key: text(value) for key, value in function["Environment"]["Variables"].items()}
    assert variables["STATE_MACHINE_ARN"].endswith(":stateMachine:nycflights-dev-table-pipeline")
    assert variables["LEDGER_TABLE"].startswith("<LedgerTable")
    assert variables["ARTIFACTS_BUCKET"].startswith("<StorageArtifacts")
    assert {key: variables[key] for key in ("PLAN_FILE", "PIPELINE", "ENVIRONMENT", "MAX_ATTEMPTS")} == {
        "PLAN_FILE": "plan.json",
        "PIPELINE": "nycflights",
        "ENVIRONMENT": "dev",
        "MAX_ATTEMPTS": "3",
    }
    assert variables["POWERTOOLS_SERVICE_NAME"] == folder
    assert variables["POWERTOOLS_METRICS_NAMESPACE"] == "Landfall"
    assert ("TOPIC_ARN" in variables) == (name == "NotifyFailure")


@pytest.mark.parametrize("name", ["OpenBatch", "CloseBatch"])
def test_a_batch_of_all_files_of_a_table_fits_into_the_memory_of_a_function(resources: Resources, name: str) -> None:
    assert resources.one("AWS::Lambda::Function", f"Functions{name}")["MemorySize"] >= 1024


def test_the_powertools_layer_is_looked_up_at_deploy(template: Template, resources: Resources) -> None:
    [layer] = resources.one("AWS::Lambda::Function", "FunctionsOpenBatch")["Layers"]
    parameter = template["Parameters"][layer["Ref"]]
    assert parameter["Type"] == "AWS::SSM::Parameter::Value<String>"
    assert parameter["Default"] == "/aws/service/powertools/python/arm64/python3.11/latest"


def test_databases_lie_in_the_buckets_of_their_layers(resources: Resources) -> None:
    inputs = [d["DatabaseInput"] for d in resources.of_type("AWS::Glue::Database").values()]
    places = {d["Name"]: text(d["LocationUri"]) for d in inputs}
    assert set(places) == {f"nycflights_dev_{x}" for x in ("staging", "mart", "quarantine", "audit", "state")}
    for name, place in places.items():
        bucket = "StorageMart" if name.endswith("_mart") else "StorageStaging"
        assert place.startswith(f"s3://<{bucket}") and place.endswith(f">/{name}/")


def test_there_is_a_job_for_each_table_and_each_mart_with_the_contracts_capacity(
    resources: Resources,
) -> None:
    jobs = {job["Name"]: job for job in resources.of_type("AWS::Glue::Job").values()}
    assert set(jobs) == {
        "nycflights-dev-stage-planes",
        "nycflights-dev-stage-flights",
        "nycflights-dev-mart-dim_planes",
        "nycflights-dev-mart-fct_flights",
        "nycflights-dev-maintain",
    }
    flights, planes = jobs["nycflights-dev-stage-flights"], jobs["nycflights-dev-stage-planes"]
    assert (flights["WorkerType"], flights["NumberOfWorkers"], flights["Timeout"]) == ("G.2X", 4, 90)
    assert (flights["ExecutionClass"], planes["ExecutionClass"]) == ("FLEX", "STANDARD")
    assert {job["GlueVersion"] for job in jobs.values()} == {"5.1"}
    assert {job["MaxRetries"] for job in jobs.values()} == {0}


def test_a_mart_is_built_by_one_run_at_a_time_whichever_tables_feed_it(resources: Resources) -> None:
    jobs = [job for job in resources.of_type("AWS::Glue::Job").values() if "-mart-" in job["Name"]]
    assert [job["ExecutionProperty"] for job in jobs] == [{"MaxConcurrentRuns": 1}] * 2


def test_a_job_gets_its_arguments_and_all_catalogs_in_one_conf(resources: Resources) -> None:
    arguments = {
        name: text(value) for name, value in resources.one("AWS::Glue::Job", "StagePlanes")["DefaultArguments"].items()
    }
    assert (arguments["--table"], arguments["--database_prefix"]) == ("planes", "nycflights_dev")
    assert arguments["--datalake-formats"] == "iceberg"
    assert arguments["--plan"].startswith("s3://") and arguments["--plan"].endswith(".json")
    assert arguments["--extra-py-files"].endswith(".zip")
    options = dict(option.split("=", 1) for option in arguments["--conf"].split(" --conf "))
    assert options["spark.sql.session.timeZone"] == "UTC"
    assert options["spark.sql.extensions"].endswith("IcebergSparkSessionExtensions")
    for layer in ("staging", "mart", "quarantine", "audit", "state"):
        catalog = f"spark.sql.catalog.{layer}"
        bucket = "StorageMart" if layer == "mart" else "StorageStaging"
        assert options[catalog] == "org.apache.iceberg.spark.SparkCatalog"
        assert options[f"{catalog}.catalog-impl"] == "org.apache.iceberg.aws.glue.GlueCatalog"
        assert options[f"{catalog}.io-impl"] == "org.apache.iceberg.aws.s3.S3FileIO"
        assert options[f"{catalog}.warehouse"].startswith(f"s3://<{bucket}")


def test_the_machine_logs_everything_and_is_traced(resources: Resources) -> None:
    machine = resources.one("AWS::StepFunctions::StateMachine", "Workflow")
    assert machine["StateMachineName"] == "nycflights-dev-table-pipeline"
    assert machine["StateMachineType"] == "STANDARD"
    assert (machine["LoggingConfiguration"]["Level"], machine["TracingConfiguration"]["Enabled"]) == (
        "ALL",
        True,
    )


def test_an_execution_that_ended_badly_is_told_by_notify_failure(resources: Resources) -> None:
    rule = resources.one("AWS::Events::Rule", "WorkflowCutOff")
    notify = resources.logical_id("AWS::Lambda::Function", "FunctionsNotifyFailure")
    assert rule["EventPattern"]["detail"]["status"] == ["FAILED", "ABORTED", "TIMED_OUT"]
    assert [target["Arn"] for target in rule["Targets"]] == [{"Fn::GetAtt": [notify, "Arn"]}]


def test_a_sweep_looks_for_landings_that_nobody_works_on(resources: Resources) -> None:
    rule = resources.one("AWS::Events::Rule", "Sweep")
    queue = resources.logical_id("AWS::SQS::Queue", "IngestionLandings")
    [target] = rule["Targets"]
    assert (rule["ScheduleExpression"], target["Arn"]) == ("rate(15 minutes)", {"Fn::GetAtt": [queue, "Arn"]})
    assert read_message(target["Input"], "raw").sweep


def test_alarms_tell_all_but_what_notify_failure_tells_itself(resources: Resources) -> None:
    alarms = resources.of_type("AWS::CloudWatch::Alarm")
    silent = {name for name, alarm in alarms.items() if not alarm.get("AlarmActions")}
    quiet = ("AlarmsExecutions", "AlarmsOpenBatchErrors", "AlarmsCloseBatchErrors")
    assert len(silent) == 5 and all(name.startswith(quiet) for name in silent)
    told = ("DeadLetters", "QueueAge", "UnroutedObjects", "BooksUnbalanced0", "LandingsQuarantined0", "FreshnessPlanes")
    for name in (*told, "ReceiveFilesErrors", "NotifyFailureErrors"):
        assert resources.one("AWS::CloudWatch::Alarm", f"Alarms{name}")["AlarmActions"]
    assert sorted(alarm["AlarmName"].removeprefix("landfall-nycflights-dev-") for alarm in alarms.values()) == [
        "books-unbalanced0",
        "close-batch-errors",
        "dead-letters",
        "executions-aborted",
        "executions-failed",
        "executions-timed-out",
        "freshness-planes",
        "landings-quarantined0",
        "notify-failure-errors",
        "open-batch-errors",
        "queue-age",
        "receive-files-errors",
        "unrouted-objects",
    ]
    books = resources.one("AWS::CloudWatch::Alarm", "AlarmsBooksUnbalanced0")["AlarmDescription"]
    assert books == "Rows read are not rows accounted for in one of flights, planes: see audit.batches."


def test_freshness_is_broken_by_silence(resources: Resources) -> None:
    alarm = resources.one("AWS::CloudWatch::Alarm", "AlarmsFreshnessPlanes")
    assert (alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (26, "breaching")
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (1, "LessThanThreshold")
    told, read = alarm["Metrics"]
    assert (told["Expression"], read["Id"]) == ("FILL(published, 0)", "published")
    assert (read["ReturnData"], read["MetricStat"]["Period"], read["MetricStat"]["Stat"]) == (False, 3600, "Sum")
    dimensions = {d["Name"]: d["Value"] for d in read["MetricStat"]["Metric"]["Dimensions"]}
    assert dimensions == {
        "service": "close_batch",
        "pipeline": "nycflights",
        "environment": "dev",
        "table": "planes",
    }
    assert not [name for name in resources.of_type("AWS::CloudWatch::Alarm") if "FreshnessFlights" in name]


def test_the_dashboard_shows_the_books_of_every_table_and_what_their_jobs_cost(
    resources: Resources,
) -> None:
    body = text(resources.one("AWS::CloudWatch::Dashboard", "Dashboard")["DashboardBody"])
    titles = {widget["properties"].get("title") for widget in json.loads(body)["widgets"]}
    assert {
        "Alarms",
        "Landings",
        "Queue",
        "Executions by outcome",
        "Glue jobs by table, DPU-seconds an hour",
        "Books of planes",
        "Books of flights",
    } <= titles
    [cost] = [one["properties"] for one in json.loads(body)["widgets"] if "DPU" in str(one["properties"].get("title"))]
    [[[found]]] = [cost["metrics"]]
    facts = 'MetricName="DpuSeconds" pipeline="nycflights" environment="dev" service="close_batch"'
    schema = "{Landfall,pipeline,environment,service,table}"
    assert found["expression"] == f"SEARCH('{schema} {facts}', 'Sum', 3600)"


def test_outputs_name_what_the_command_line_needs(template: Template) -> None:
    [exported] = [name for name in template["Outputs"] if name.startswith("ExportsOutput")]  # for stacks of views
    assert "ReadersPolicy" in exported
    assert set(template["Outputs"]) - {exported} == {
        "RawBucketName",
        "StagingBucketName",
        "MartBucketName",
        "ArtifactsBucketName",
        "LandingQueueUrl",
        "DeadLetterQueueUrl",
        "LedgerTableName",
        "StateMachineArn",
        "MaintainMachineArn",
        "TopicArn",
        "WorkgroupName",
        "MartReadersPolicyArn",
    }


def test_production_keeps_its_data_and_development_does_not(resources: Resources, tmp_path: Path) -> None:
    production = Resources(synthesize(tmp_path / "out", tmp_path / "build", env="prod"))
    kept = ("AWS::S3::Bucket", "AWS::DynamoDB::Table")
    assert {r["DeletionPolicy"] for r in production.all.values() if r["Type"] in kept} == {"Retain"}
    assert {r["DeletionPolicy"] for r in resources.all.values() if r["Type"] in kept} == {"Delete"}
    assert production.one("AWS::DynamoDB::Table", "Ledger")["DeletionProtectionEnabled"] is True
    databases = {r["DeletionPolicy"] for r in production.all.values() if r["Type"] == "AWS::Glue::Database"}
    assert databases == {"RetainExceptOnCreate"}


def test_synth_twice_gives_the_same_template_and_the_same_assets(
    cdk_out: Path, template: Template, tmp_path: Path
) -> None:
    assert synthesize(tmp_path / "out", tmp_path / "build") == template
    first, second = (
        json.loads((out / "landfall-nycflights-dev.assets.json").read_text()) for out in (cdk_out, tmp_path / "out")
    )
    assert first == second
