"""Synthesizes the stack of a small plan, and finds the resources of its template."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from aws_cdk import App
from cfnlint.api import lint_file
from cfnlint.config import ManualArgs

from contracts.model import Capacity, Column, Mart, Plan, Source, Table
from orchestration.embedded.synth import Assembly
from orchestration.pipeline_stack import PipelineStack
from orchestration.settings import FEATURE_FLAGS, Settings

ROOT = Path(__file__).parents[2]
Template = dict[str, Any]


def small_plan() -> Plan:
    """Return two tables and two marts: a freshness, a FLEX job, a second wave."""
    columns = (Column("tailnum", "string", required=True), Column("seats", "int"))
    planes = Table("planes", "snapshot", Source(prefix="crm/planes/"), columns, key=("tailnum",), freshness="26h")
    capacity = Capacity(worker_type="G.2X", workers=4, timeout_minutes=90, flex=True)
    flights = Table("flights", "append", Source(prefix="ops/flights/"), columns, capacity=capacity)
    dim = Mart("dim_planes", "scd2", "planes", reads=("planes",), key=("tailnum",), track=("seats",))
    fact = Mart("fct_flights", "fact", "flights", reads=("flights", "dim_planes"), key=("tailnum",))
    return Plan("nycflights", {"planes": planes, "flights": flights}, {"dim_planes": dim, "fct_flights": fact})


def synthesize(out: Path, build: Path, env: str = "dev", prepare: Callable[[App], None] = lambda app: None) -> Template:
    """Synthesize the small plan into a folder; return the template."""
    build.mkdir(parents=True, exist_ok=True)
    settings = Settings(pipeline="nycflights", env=env, alarm_email="ops@example.com")
    app = App(outdir=str(out), context=FEATURE_FLAGS)
    prepare(app)
    PipelineStack(app, settings.stack_name, settings=settings, plan=small_plan(), root=ROOT, build=build)
    app.synth()
    return assembled(out, settings.stack_name)


def assembled(out: Path, stack: str) -> Template:
    """Return a stack's template with the resources of nested stacks among its own, and their parameters filled."""
    assembly = Assembly(out, stack)
    return {**assembly.template, "Resources": assembly.resources}


def mistakes(out: Path, templates: str = "*.template.json") -> list[str]:
    """Return what cfn-lint finds in the templates of a folder, nested ones too.

    W3005 is left out: CDK names dependencies that a reference already implies.
    """
    config = ManualArgs(ignore_checks=["W3005"], regions=["eu-west-1"])
    found = [match for template in sorted(out.glob(templates)) for match in lint_file(template, config)]
    return [f"{match.rule.id} {match.message}" for match in found]


class Resources:
    """The resources of a template, found by type and by a part of the logical id."""

    def __init__(self, template: Template) -> None:
        self.template = template
        self.all: dict[str, dict[str, Any]] = template["Resources"]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        return {name: r["Properties"] for name, r in self.all.items() if r["Type"] == kind}

    def one(self, kind: str, part: str) -> dict[str, Any]:
        [properties] = [p for name, p in self.of_type(kind).items() if name.startswith(part)]
        return properties

    def logical_id(self, kind: str, part: str) -> str:
        [name] = [name for name in self.of_type(kind) if name.startswith(part)]
        return name

    def statements(self, role: str) -> list[dict[str, Any]]:
        """Return all statements of the policies attached to the role whose logical id begins so."""
        role_id = self.logical_id("AWS::IAM::Role", role)
        policies = self.of_type("AWS::IAM::Policy").values()
        mine = [p for p in policies if {"Ref": role_id} in p["Roles"]]
        return [s for p in mine for s in p["PolicyDocument"]["Statement"]]
