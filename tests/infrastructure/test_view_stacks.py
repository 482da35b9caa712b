"""The stacks that a setting turns on: QuickSight and SageMaker read marts and nothing else."""

from __future__ import annotations

import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import sqlglot
from aws_cdk import App, Stack, Validations
from aws_cdk import aws_iam as iam
from cdk_nag import AwsSolutionsChecks
from sqlglot import exp

from app import add_view_stacks
from orchestration.pipeline_stack import PipelineStack
from orchestration.quicksight import QuickSightStack
from orchestration.sagemaker import SageMakerStack
from orchestration.settings import FEATURE_FLAGS, Settings, SettingsError
from tests.infrastructure.stack import ROOT, Resources, mistakes, small_plan
from tests.infrastructure.test_pipeline_stack import text

ANALYSTS = "arn:aws:quicksight:eu-west-1:123456789012:group/default/analysts"
NAMES = ("quicksight", "sagemaker")


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the templates of the small plan with both stacks, which cdk-nag has judged."""
    folder = tmp_path_factory.mktemp("views")
    settings = Settings("nycflights", "dev", quicksight=ANALYSTS, sagemaker="true")
    app = App(outdir=str(folder / "out"), context=FEATURE_FLAGS)
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    (folder / "build").mkdir()
    plan = small_plan()
    stack = PipelineStack(app, settings.stack_name, settings=settings, plan=plan, root=ROOT, build=folder / "build")
    add_view_stacks(app, stack, settings, plan, ROOT)
    try:
        app.synth()
    except RuntimeError:
        report = json.loads((folder / "out" / "validation-report.json").read_text())
        violations = [v for plugin in report["pluginReports"] for v in plugin["violations"]]
        assert [(v["ruleName"], v["violatingConstructs"][0]["constructPath"]) for v in violations] == []
        raise
    return folder / "out"


@pytest.mark.parametrize(("count", "sheets"), [(0, []), pytest.param(21, [20, 1], marks=pytest.mark.long)])
def test_twenty_marts_are_a_dashboard(count: int, sheets: list[int]) -> None:
    app = App(context=FEATURE_FLAGS)
    settings = Settings("nycflights", "dev", quicksight=ANALYSTS)
    small = small_plan()
    marts = {f"dim_{n}": replace(small.marts["dim_planes"], name=f"dim_{n}") for n in range(count)}
    readers = iam.ManagedPolicy.from_managed_policy_arn(
        Stack(app, "Readers"), "Readers", "arn:aws:iam::123456789012:policy/x"
    )
    plan = replace(small, marts=marts)
    stack = QuickSightStack(app, "Views", settings=settings, plan=plan, readers=readers, workgroup="nycflights-dev")
    template = Resources(app.synth().get_stack_by_name(stack.stack_name).template)
    for kind in ("Analysis", "Dashboard"):
        found = list(template.of_type(f"AWS::QuickSight::{kind}").values())
        assert [len(one["Definition"]["Sheets"]) for one in found] == sheets
        assert [one[f"{kind}Id"] for one in found] == ["nycflights-dev", "nycflights-dev-2"][: len(sheets)]


def loaded(folder: Path, name: str) -> Resources:
    return Resources(json.loads((folder / f"landfall-nycflights-dev-{name}.template.json").read_text()))


@pytest.fixture(scope="module")
def quicksight(templates: Path) -> Resources:
    return loaded(templates, "quicksight")


@pytest.fixture(scope="module")
def sagemaker(templates: Path) -> Resources:
    return loaded(templates, "sagemaker")


@pytest.mark.parametrize("name", NAMES)
def test_cfn_lint_finds_nothing(templates: Path, name: str) -> None:
    assert mistakes(templates, f"landfall-nycflights-dev-{name}.template.json") == []


@pytest.mark.parametrize(("name", "service"), [("quicksight", "quicksight"), ("sagemaker", "sagemaker")])
def test_the_role_reads_marts_by_the_readers_policy_and_is_taken_by_its_service_for_this_account_alone(
    templates: Path, name: str, service: str
) -> None:
    resources = loaded(templates, name)
    [role] = resources.of_type("AWS::IAM::Role").values()
    [statement] = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": f"{service}.amazonaws.com"}
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
    [policy] = role["ManagedPolicyArns"]
    assert "ReadersPolicy" in policy["Fn::ImportValue"]
    actions = [a for p in resources.of_type("AWS::IAM::Policy").values() for s in p["PolicyDocument"]["Statement"]
               for a in (s["Action"] if isinstance(s["Action"], list) else [s["Action"]])]  # fmt: skip
    assert {action.split(":")[0] for action in actions} <= {"logs", "s3"}
    assert [action for action in actions if action.startswith("s3:")] == ["s3:GetObject"] * (name == "sagemaker")


def test_each_mart_is_a_dataset_on_the_workgroup_with_the_columns_of_its_contract(quicksight: Resources) -> None:
    source = quicksight.one("AWS::QuickSight::DataSource", "Source")
    parameters = source["DataSourceParameters"]["AthenaParameters"]
    assert (source["Type"], parameters["WorkGroup"]) == ("ATHENA", "nycflights-dev")
    assert parameters["RoleArn"] == {"Fn::GetAtt": [quicksight.logical_id("AWS::IAM::Role", "Reader"), "Arn"]}
    dataset = quicksight.one("AWS::QuickSight::DataSet", "DatasetDimPlanes")
    [table] = dataset["PhysicalTableMap"].values()
    assert (dataset["ImportMode"], dataset["DataSetId"]) == ("DIRECT_QUERY", "nycflights-dev-dim-planes")
    assert table["CustomSql"]["SqlQuery"].endswith('FROM "nycflights_dev_mart"."dim_planes"')
    assert {column["Name"]: column["Type"] for column in table["CustomSql"]["Columns"]} == {
        "tailnum": "STRING",
        "seats": "INTEGER",
        "valid_from": "DATETIME",
        "valid_to": "DATETIME",
        "is_current": "BOOLEAN",
        "dim_planes_key": "INTEGER",
        "is_inferred": "BOOLEAN",
        "_batch_id": "STRING",
        "_built_at": "DATETIME",
    }
    assert len(quicksight.of_type("AWS::QuickSight::DataSet")) == len(small_plan().marts)


def test_the_group_of_the_setting_reads_all_and_owns_the_analysis(quicksight: Resources) -> None:
    owned = set()
    for kind in ("DataSource", "DataSet", "Analysis", "Dashboard"):
        for one in quicksight.of_type(f"AWS::QuickSight::{kind}").values():
            [permission] = one["Permissions"]
            assert permission["Principal"] == ANALYSTS
            verbs = [action.removeprefix("quicksight:") for action in permission["Actions"]]
            owned |= {kind for verb in verbs if verb.startswith(("Delete", "Update"))}
    assert owned == {"Analysis"}


@pytest.mark.parametrize("kind", ["Analysis", "Dashboard"])
def test_the_first_sheets_use_columns_that_their_datasets_have_and_ids_that_are_unique(
    quicksight: Resources, kind: str
) -> None:
    [made] = quicksight.of_type(f"AWS::QuickSight::{kind}").values()
    sheets = made["Definition"]["Sheets"]
    declared = {one["Identifier"]: one["DataSetArn"] for one in made["Definition"]["DataSetIdentifierDeclarations"]}
    assert [sheet["Name"] for sheet in sheets] == list(declared) == sorted(small_plan().marts)
    columns = {
        table["CustomSql"]["Name"]: {column["Name"] for column in table["CustomSql"]["Columns"]}
        for one in quicksight.of_type("AWS::QuickSight::DataSet").values()
        for table in one["PhysicalTableMap"].values()
    }
    used = list(_all(sheets, "Column"))
    assert [one for one in used if one["ColumnName"] not in columns[one["DataSetIdentifier"]]] == []
    for name in ("VisualId", "SheetId", "FieldId"):
        ids = list(_all(sheets, name))
        assert len(ids) == len(set(ids)) and not [one for one in ids if not re.fullmatch(r"[\w\-]{1,512}", one)]
    dim = next(sheet for sheet in sheets if sheet["Name"] == "dim_planes")
    assert [next(iter(visual)) for visual in dim["Visuals"]] == ["KPIVisual", "LineChartVisual", "TableVisual"]


def _all(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        yield from ([value[name]] if name in value else [])
        value = list(value.values())
    for item in value if isinstance(value, list) else []:
        yield from _all(item, name)


def test_the_notebook_instance_is_encrypted_without_root_and_finds_its_notebook(sagemaker: Resources) -> None:
    instance = sagemaker.one("AWS::SageMaker::NotebookInstance", "Instance")
    key = sagemaker.logical_id("AWS::KMS::Key", "Key")
    assert (instance["KmsKeyId"], instance["RootAccess"]) == ({"Fn::GetAtt": [key, "Arn"]}, "Disabled")
    assert instance["InstanceMetadataServiceConfiguration"] == {"MinimumInstanceMetadataServiceVersion": "2"}
    setup = sagemaker.one("AWS::SageMaker::NotebookInstanceLifecycleConfig", "Setup")
    script, values = setup["OnStart"][0]["Content"]["Fn::Base64"]["Fn::Sub"]
    assert set(re.findall(r"\$\{(\w+)\}", script)) == set(values) == {"Settings", "Notebook"}
    assert json.loads(values["Settings"]) == {
        "database": "nycflights_dev_mart",
        "workgroup": "nycflights-dev",
        "marts": ["dim_planes", "fct_flights"],
    }
    [read] = [s for s in sagemaker.statements("Analyst") if s["Action"] == "s3:GetObject"]
    assert text(values["Notebook"]).split("/", 3)[3] == text(read["Resource"]).split("/", 1)[1]


def test_in_a_network_the_instance_has_no_internet_of_its_own(tmp_path: Path) -> None:
    app = App(outdir=str(tmp_path), context=FEATURE_FLAGS)
    settings = Settings("nycflights", "dev", sagemaker="subnet-0123abcd,sg-0123abcd")
    readers = iam.ManagedPolicy.from_managed_policy_name(Stack(app, "other"), "Readers", "readers")
    SageMakerStack(app, "notebooks", settings=settings, plan=small_plan(), readers=readers, workgroup="w", root=ROOT)
    app.synth()
    resources = Resources(json.loads((tmp_path / "notebooks.template.json").read_text()))
    instance = resources.one("AWS::SageMaker::NotebookInstance", "Instance")
    assert (instance["DirectInternetAccess"], instance["SubnetId"]) == ("Disabled", "subnet-0123abcd")
    assert instance["SecurityGroupIds"] == ["sg-0123abcd"]


def test_the_first_notebook_asks_athena_what_it_can_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its cells are run, in their order, beside a library that notes the questions."""
    asked: list[dict[str, Any]] = []

    def read_sql_query(sql: str, **options: Any) -> Any:
        asked.append({"sql": sql, **options})
        return SimpleNamespace(describe=lambda **_: None)

    library = ModuleType("awswrangler")
    library.athena = SimpleNamespace(read_sql_query=read_sql_query)  # type: ignore[attr-defined]
    library.catalog = SimpleNamespace(table=lambda **told: told)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "awswrangler", library)
    monkeypatch.chdir(tmp_path)
    settings = {"database": "shop_dev_mart", "workgroup": "shop-dev", "marts": ["dim_planes", "fct_flights"]}
    Path("landfall.json").write_text(json.dumps(settings))
    cells = json.loads((ROOT / "orchestration" / "notebooks" / "marts.ipynb").read_text())["cells"]
    scope: dict[str, Any] = {}
    for cell in cells:
        if cell["cell_type"] == "code" and not cell["source"][0].startswith("%pip"):
            exec("".join(cell["source"]), scope)
    assert {(one["database"], one["workgroup"], one["ctas_approach"]) for one in asked} == {
        ("shop_dev_mart", "shop-dev", False)
    }
    trees = [sqlglot.parse_one(one["sql"], dialect="athena") for one in asked]
    read = [sorted({table.name for table in tree.find_all(exp.Table)}) for tree in trees]
    assert read == [["dim_planes", "fct_flights"], ["dim_planes"], ["dim_planes"]]


def test_without_settings_there_is_one_stack() -> None:
    app = App(context=FEATURE_FLAGS)
    assert not any((Settings.from_context(app.node).quicksight, Settings.from_context(app.node).sagemaker))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"quicksight": "analysts"}, "quicksight is 'analysts': it must be the ARN of a QuickSight user or group"),
        ({"sagemaker": "yes"}, "sagemaker is 'yes': it must be true, or a subnet and its security groups"),
        ({"sagemaker": "subnet-0123abcd"}, "sagemaker is 'subnet-0123abcd': it must be true, or a subnet"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        Settings("nycflights", "dev", **settings)
