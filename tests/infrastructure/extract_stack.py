"""Synthesizes a stack whose tables come from databases: two in networks, one without, one table from files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from aws_cdk import App

from contracts.model import Connection, Extract, Plan, Source, Table
from orchestration.pipeline_stack import PipelineStack
from orchestration.settings import FEATURE_FLAGS, Settings
from tests.infrastructure.stack import ROOT, Template, assembled, small_plan

OPS = Connection(
    "oracle_ops",
    "jdbc:oracle:thin://@db.example.com:1521/OPS",
    description="The operations database.",
    secret="landfall/ops",
    subnet_id="subnet-0123456789abcdef0",
    security_groups=("sg-0123456789abcdef0", "sg-0123456789abcdef1"),
    availability_zone="eu-west-1a",
)
CRM = replace(
    OPS,
    name="crm",
    url="jdbc:postgresql://crm.example.com:5432/crm",
    secret="landfall/crm",
    driver_jar="s3://drivers/postgresql.jar",
)
OPEN = Connection("open_data", "jdbc:derby:open")


def extracting_plan() -> Plan:
    """Return the small plan with three tables from databases; one has a schedule."""
    plan = small_plan()
    customers = _table("customers", Extract("oracle_ops", "OPS.CUSTOMERS", schedule="cron(0 2 * * ? *)"))
    leads = _table("leads", Extract("crm", "leads"))
    holidays = _table("holidays", Extract("open_data", "HOLIDAYS"))
    tables = {**plan.tables, "customers": customers, "leads": leads, "holidays": holidays}
    return replace(plan, tables=tables, connections={"oracle_ops": OPS, "crm": CRM, "open_data": OPEN})


def _table(name: str, extract: Extract) -> Table:
    planes = small_plan().tables["planes"]
    return replace(planes, name=name, freshness=None, source=Source(f"db/{name}/", "parquet", extract=extract))


def synthesize_extracting(
    out: Path, build: Path, env: str = "dev", prepare: Callable[[App], None] = lambda app: None
) -> Template:
    """Synthesize the plan into a folder; return the template."""
    build.mkdir(parents=True, exist_ok=True)
    settings = Settings(pipeline="shop", env=env)
    app = App(outdir=str(out), context=FEATURE_FLAGS)
    prepare(app)
    PipelineStack(app, settings.stack_name, settings=settings, plan=extracting_plan(), root=ROOT, build=build)
    app.synth()
    return assembled(out, settings.stack_name)
