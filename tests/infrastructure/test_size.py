"""A pipeline may grow: what every table brings lies in nested stacks, and what is too much is told at synth."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from aws_cdk import App

from contracts.model import Extract, Mart, Plan, Source
from orchestration.limits import MOST_BYTES, MOST_RESOURCES, TooLargeError, check_size
from orchestration.pipeline_stack import PipelineStack
from orchestration.settings import FEATURE_FLAGS, Settings
from tests.infrastructure.extract_stack import OPS, extracting_plan
from tests.infrastructure.stack import ROOT, Template, small_plan

MOST_IN_A_POLICY = 6144
MANY = 101
PER_TABLE = {"AWS::Glue::Job", "AWS::Glue::Table", "AWS::Athena::NamedQuery", "AWS::CloudWatch::Alarm"}


def grown(tables: int) -> Plan:
    """Return a plan of tables of one database, each with a schedule, a freshness and a dimension."""
    one = extracting_plan().tables["customers"]
    names = [f"customers_of_the_northern_region_{number}" for number in range(tables)]
    extract = Extract("oracle_ops", "OPS.CUSTOMERS", schedule="cron(0 2 * * ? *)")
    plan = {
        name: replace(one, name=name, freshness="26h", source=Source(f"db/{name}/", "parquet", extract=extract))
        for name in names
    }
    marts = {f"dim_{name}": Mart(f"dim_{name}", "scd2", name, reads=(name,), key=("tailnum",)) for name in names}
    return Plan("shop", plan, marts, connections={"oracle_ops": OPS})


def templates(folder: Path, plan: Plan) -> tuple[Template, list[Template]]:
    """Return the template of the pipeline's stack and those of the stacks nested in it."""
    folder.mkdir()
    settings = Settings(pipeline="shop", env="dev")
    app = App(outdir=str(folder / "out"), context=FEATURE_FLAGS)
    PipelineStack(app, settings.stack_name, settings=settings, plan=plan, root=ROOT, build=folder)
    app.synth()
    check_size(folder / "out")
    nested = sorted((folder / "out").glob("*.nested.template.json"))
    outer = json.loads((folder / "out" / f"{settings.stack_name}.template.json").read_text())
    return outer, [json.loads(path.read_text()) for path in nested]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Template, list[Template]]:
    return templates(tmp_path_factory.mktemp("many") / "cdk", grown(MANY))


def kinds(template: Template) -> Counter[str]:
    """Count the resources by type, without the policies that CDK writes where a role's list is long."""
    resources = template["Resources"].items()
    return Counter(one["Type"] for name, one in resources if "OverflowPolicy" not in name)


def test_no_table_brings_a_resource_to_the_outer_stack(many: tuple[Template, list[Template]], tmp_path: Path) -> None:
    few, _ = templates(tmp_path / "few", grown(1))
    outer, nested = many
    assert kinds(outer) == kinds(few)
    assert not PER_TABLE & set(kinds(outer))
    brought = sum((kinds(template) for template in nested), Counter[str]())
    assert (brought["AWS::Glue::Job"], brought["AWS::Events::Rule"]) == (3 * MANY + 1, MANY)
    assert (brought["AWS::Glue::Table"], brought["AWS::Athena::NamedQuery"]) == (MANY, MANY + 1)
    assert not [template for template in nested if template.get("Outputs")]  # a stack has 200 at most


def test_a_pipeline_without_marts_has_no_empty_stack(tmp_path: Path) -> None:
    outer, nested = templates(tmp_path / "none", replace(small_plan(), marts={}))
    assert outer["Resources"] and all(template["Resources"] for template in nested)
    jobs = [
        one["Properties"]["Name"] for t in nested for one in t["Resources"].values() if one["Type"].endswith("::Job")
    ]
    assert sorted(jobs) == ["shop-dev-maintain", "shop-dev-stage-flights", "shop-dev-stage-planes"]


def test_the_policies_of_a_role_that_lands_many_tables_are_short_enough(
    many: tuple[Template, list[Template]],
) -> None:
    template, _ = many
    found = {n: r["Properties"] for n, r in template["Resources"].items() if r["Type"] == "AWS::IAM::ManagedPolicy"}
    long = [name for name in found if "ExtractOracleOpsOverflowPolicy" in name]
    assert long
    for policy in found.values():
        for statement in policy["PolicyDocument"]["Statement"]:
            assert len(json.dumps(statement)) < MOST_IN_A_POLICY / 2
    told = json.dumps(template["Resources"])
    assert [n for n in range(MANY) if f"/db/customers_of_the_northern_region_{n}/*" not in told] == []
    assert [n for n in range(MANY) if f'"TABLE#customers_of_the_northern_region_{n}"' not in told] == []


def test_a_hundred_tables_are_a_dashboard(many: tuple[Template, list[Template]]) -> None:
    _, nested = many
    boards = [
        one["Properties"]
        for template in nested
        for one in template["Resources"].values()
        if one["Type"] == "AWS::CloudWatch::Dashboard"
    ]
    assert [board["DashboardName"] for board in boards] == ["landfall-shop-dev", "landfall-shop-dev-books-2"]
    shown = [str(board["DashboardBody"]) for board in boards]
    assert [text.count("Books of customers") for text in shown] == [100, 1]
    assert shown[0].count('"title":"Alarms"') == 2


def test_an_alarm_sums_no_more_tables_than_cloudwatch_takes(many: tuple[Template, list[Template]]) -> None:
    alarms = [one["Properties"] for template in many[1] for one in template["Resources"].values()]
    sums = [
        one["Metrics"] for one in alarms if one.get("AlarmName", "").startswith("landfall-shop-dev-books-unbalanced")
    ]
    assert [len([one for one in metrics if "MetricStat" in one]) for metrics in sums] == [10] * 10 + [1]


@pytest.mark.parametrize(
    ("resources", "filling", "complaint"),
    [
        (MOST_RESOURCES, 0, ""),
        (MOST_RESOURCES + 1, 0, "a job for each mart: 501 resources are more than CloudFormation takes in a stack"),
        (1, MOST_BYTES, "a job for each mart: 1,048,.* bytes are more than CloudFormation takes"),
    ],
)
def test_what_cloudformation_would_refuse_is_told_with_the_way_out(
    tmp_path: Path, resources: int, filling: int, complaint: str
) -> None:
    template = {"Description": "a job for each mart", "Resources": {f"R{n}": {} for n in range(resources)}}
    (tmp_path / "x.nested.template.json").write_text(json.dumps(template | {"Metadata": "x" * filling}))
    (tmp_path / "of_before.template.json").write_text(json.dumps({"Resources": dict.fromkeys(map(str, range(999)))}))
    (tmp_path / "x.assets.json").write_text(
        json.dumps({"files": {"1": {"source": {"path": "x.nested.template.json"}}}})
    )
    assets = {"type": "cdk:asset-manifest", "properties": {"file": "x.assets.json"}}
    (tmp_path / "manifest.json").write_text(json.dumps({"artifacts": {"x.assets": assets}}))
    if not complaint:
        check_size(tmp_path)
    else:
        with pytest.raises(TooLargeError, match=f"(?s){complaint}.*Deploy the pipeline as several"):
            check_size(tmp_path)
