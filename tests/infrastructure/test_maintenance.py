"""Maintenance in the template: who runs it, when, and how it is told that it failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from orchestration.maintenance import CAPACITY, ORPHAN_DAYS
from orchestration.settings import Settings, SettingsError
from tests.infrastructure.stack import Resources, assembled, mistakes, synthesize

SCHEDULE = "AWS::Scheduler::Schedule"


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the production stack, which cdk-nag has judged."""
    folder = tmp_path_factory.mktemp("cdk")

    def judge(app: App) -> None:
        Validations.of(app).add_plugins(AwsSolutionsChecks(app))

    synthesize(folder / "out", folder / "build", env="prod", prepare=judge)
    return folder / "out"


def test_production_is_maintained_by_night_and_development_when_somebody_asks(
    production: Path, resources: Resources
) -> None:
    prod = Resources(assembled(production, "landfall-nycflights-prod"))
    schedule = prod.one(SCHEDULE, "MaintenanceSchedule")
    machine = prod.logical_id("AWS::StepFunctions::StateMachine", "Maintenance")
    assert schedule["ScheduleExpression"] == "cron(0 3 * * ? *)"
    assert (schedule["Target"]["Arn"], schedule["Target"]["Input"]) == ({"Ref": machine}, "{}")
    [statement] = prod.statements("MaintenanceScheduleRole")
    assert (statement["Action"], statement["Resource"]) == ("states:StartExecution", {"Ref": machine})
    assert not resources.of_type(SCHEDULE)


@pytest.mark.long
def test_cfn_lint_finds_nothing_in_production(production: Path) -> None:
    assert mistakes(production) == []


@pytest.mark.parametrize(
    ("env", "maintenance", "schedule"),
    [
        ("prod", "", "cron(0 3 * * ? *)"),
        ("prod", "off", ""),
        ("dev", "", ""),
        ("dev", "rate(7 days)", "rate(7 days)"),
    ],
)
def test_a_setting_says_when(env: str, maintenance: str, schedule: str) -> None:
    assert Settings("nycflights", env, maintenance=maintenance).maintenance_schedule == schedule


def test_a_setting_that_is_no_schedule_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"maintenance: 'nightly' must be cron\(.*; or write off"):
        Settings("nycflights", "dev", maintenance="nightly")


def test_files_are_nobodys_only_after_the_longest_job_and_snapshots_last_longer_than_any_reader(
    resources: Resources,
) -> None:
    jobs = resources.of_type("AWS::Glue::Job").values()
    arguments = resources.one("AWS::Glue::Job", "Maintain")["DefaultArguments"]
    longest_days = max(job["Timeout"] for job in jobs) / 60 / 24
    assert longest_days < int(arguments["--keep_days"]) < ORPHAN_DAYS == int(arguments["--orphan_days"])
    assert CAPACITY.timeout_minutes * 60 < 90_000


def test_an_aborted_maintenance_is_told_by_notify_failure(resources: Resources) -> None:
    rule = resources.one("AWS::Events::Rule", "MaintenanceCutOff")
    notify = resources.logical_id("AWS::Lambda::Function", "FunctionsNotifyFailure")
    machine = resources.logical_id("AWS::StepFunctions::StateMachine", "Maintenance")
    assert rule["EventPattern"]["detail"] == {
        "stateMachineArn": [{"Ref": machine}],
        "status": ["FAILED", "ABORTED", "TIMED_OUT"],
    }
    assert [target["Arn"] for target in rule["Targets"]] == [{"Fn::GetAtt": [notify, "Arn"]}]
