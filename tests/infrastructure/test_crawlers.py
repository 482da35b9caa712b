"""What a reviewer asks of crawlers and of snapshots in parts: what they read, who starts them, what is watched."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from contracts.mart_columns import columns_of_marts
from contracts.model import Parts, Plan, Source
from orchestration.pipeline_stack import PipelineStack
from orchestration.settings import FEATURE_FLAGS, Settings
from tests.infrastructure.stack import ROOT, Resources, assembled, mistakes, small_plan
from tests.infrastructure.test_pipeline_stack import text


def crawling_plan() -> Plan:
    """Return the small plan, its planes crawled and coming in parts, its flights crawled in documents of JSON."""
    plan = small_plan()
    source = Source(prefix="crm/planes/", options={"delimiter": ";"}, parts=Parts(marker="/_SUCCESS$"))
    planes = replace(plan.tables["planes"], columns=(), crawled=True, source=source)
    documents = Source(prefix="ops/flights/", format="json", options={"row_path": "`v1.0`.all flights"})
    flights = replace(plan.tables["flights"], columns=(), crawled=True, source=documents)
    return replace(plan, tables={**plan.tables, "planes": planes, "flights": flights})


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("crawl")
    (folder / "build").mkdir()
    settings = Settings(pipeline="shop", env="dev")
    app = App(outdir=str(folder / "out"), context=FEATURE_FLAGS)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    PipelineStack(app, settings.stack_name, settings=settings, plan=crawling_plan(), root=ROOT, build=folder / "build")
    app.synth()
    return folder / "out"


@pytest.fixture(scope="module")
def stack(out: Path) -> Resources:
    return Resources(assembled(out, "landfall-shop-dev"))


def test_a_crawler_reads_the_tables_files_and_writes_one_table_of_the_raw_database(stack: Resources) -> None:
    crawler = stack.one("AWS::Glue::Crawler", "CrawlersPlanes")
    bucket = {"Ref": stack.logical_id("AWS::S3::Bucket", "StorageRaw")}
    assert crawler["Targets"] == {"S3Targets": [{"Path": {"Fn::Join": ["", ["s3://", bucket, "/crm/planes/"]]}}]}
    assert (crawler["Name"], crawler["DatabaseName"], crawler["TablePrefix"]) == (
        "shop-dev-crawl-planes",
        "shop_dev_raw",
        "planes__",
    )
    assert json.loads(crawler["Configuration"])["CrawlerOutput"]["Tables"]["AddOrUpdateBehavior"] == "MergeNewColumns"
    assert "Schedule" not in crawler
    classifier = stack.one("AWS::Glue::Classifier", "CrawlersPlanesClassifier")["CsvClassifier"]
    assert (classifier["Delimiter"], classifier["ContainsHeader"]) == (";", "PRESENT")


def test_a_crawler_of_documents_is_told_in_jsonpath_where_their_records_lie(stack: Resources) -> None:
    classifier = stack.one("AWS::Glue::Classifier", "CrawlersFlightsClassifier")["JsonClassifier"]
    assert classifier == {"Name": "shop-dev-crawl-flights", "JsonPath": "$['v1.0']['all flights'][*]"}


def test_only_the_jobs_of_crawled_tables_know_of_crawlers(stack: Resources) -> None:
    arguments = {job["Name"]: job["DefaultArguments"] for job in stack.of_type("AWS::Glue::Job").values()}
    told = {name: words["--crawlers"] for name, words in arguments.items() if "--crawlers" in words}
    assert told == {"shop-dev-stage-flights": "shop-dev-crawl-", "shop-dev-stage-planes": "shop-dev-crawl-"}


def test_the_staging_role_starts_these_crawlers_and_writes_none_of_their_tables(stack: Resources) -> None:
    statements = stack.statements("JobsRolesStaging")
    [start] = [one for one in statements if "glue:StartCrawler" in one["Action"]]
    assert [text(one).rpartition(":")[2] for one in start["Resource"]] == [
        "crawler/shop-dev-crawl-flights",
        "crawler/shop-dev-crawl-planes",
    ]
    catalog = [one for one in statements if "table/shop_dev_raw/*" in json.dumps(one["Resource"])]
    assert [one["Action"] for one in catalog] == [["glue:GetDatabase", "glue:GetTable", "glue:GetTables"]]


def test_crawlers_may_read_their_prefixes_alone(stack: Resources) -> None:
    [read] = [one["Resource"] for one in stack.statements("CrawlersRole") if one["Action"] == "s3:GetObject"]
    assert [text(one).partition("/")[2] for one in read] == ["crm/planes/*", "ops/flights/*"]


def test_crawlers_may_keep_tables_and_their_partitions_one_by_one_and_in_batches(stack: Resources) -> None:
    [write] = [one for one in stack.statements("CrawlersRole") if "glue:CreateTable" in one["Action"]]
    written = {action for action in write["Action"] if not action.startswith(("glue:Get", "glue:BatchGet"))}
    kept = ("CreateTable", "UpdateTable", "CreatePartition", "UpdatePartition")
    assert written == {*(f"glue:{one}" for one in kept), "glue:BatchCreatePartition", "glue:BatchUpdatePartition"}


def test_a_mart_whose_columns_nobody_knows_yet_has_no_view(stack: Resources) -> None:
    assert stack.of_type("AWS::Glue::Table") == {}
    assert columns_of_marts(crawling_plan())["dim_planes"] == {}


def test_a_snapshot_that_waits_for_its_parts_longer_than_its_freshness_rises_an_alarm(stack: Resources) -> None:
    alarm = stack.one("AWS::CloudWatch::Alarm", "AlarmsOverduePlanes")
    told = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
    assert (alarm["MetricName"], told["service"], told["table"]) == ("OverdueSnapshots", "open_batch", "planes")
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")
    assert alarm["AlarmActions"] and "more than 26h" in alarm["AlarmDescription"]


@pytest.mark.long
def test_the_template_has_no_mistake(out: Path) -> None:
    assert mistakes(out) == []
