"""Settings and freshness: what a user may write, and the sentence that answers what he may not."""

from __future__ import annotations

import pytest
from aws_cdk import App, RemovalPolicy
from aws_cdk.aws_logs import RetentionDays

from orchestration.freshness import Watch, watch
from orchestration.settings import Settings, SettingsError


def test_settings_come_from_the_context() -> None:
    app = App(context={"env": "prod", "pipeline": "crm", "alarm_email": "ops@example.com", "glue_version": "6.0"})
    assert Settings.from_context(app.node) == Settings("crm", "prod", "ops@example.com", "6.0", folder="crm")


def test_every_setting_can_be_said_in_the_context() -> None:
    said = {
        "architecture": "x86_64",
        "maintenance": "rate(1 day)",
        "quicksight": "arn:aws:quicksight:eu-west-1:123456789012:group/default/analysts",
        "sagemaker": "subnet-0123abcd,sg-0123abcd",
    }
    assert Settings.from_context(App(context=said).node) == Settings("nycflights", "dev", folder="nycflights", **said)


def test_production_keeps_what_development_lets_go() -> None:
    assert [
        (
            one.removal_policy,
            one.database_removal_policy,
            one.log_retention,
            one.snapshot_days,
            one.noncurrent_days,
            one.maintenance_schedule,
            one.retry_seconds,
            one.batch_window_seconds,
        )
        for one in (Settings("crm", "prod"), Settings("crm", "dev"))
    ] == [
        (
            RemovalPolicy.RETAIN,
            RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
            RetentionDays.THREE_MONTHS,
            7,
            30,
            "cron(0 3 * * ? *)",
            30,
            20,
        ),
        (RemovalPolicy.DESTROY, RemovalPolicy.DESTROY, RetentionDays.TWO_WEEKS, 2, 3, "", 5, 5),
    ]


@pytest.mark.parametrize(("said", "schedule"), [("off", ""), ("rate(1 day)", "rate(1 day)"), ("", "cron(0 3 * * ? *)")])
def test_maintenance_comes_when_the_setting_says(said: str, schedule: str) -> None:
    assert Settings("crm", "prod", maintenance=said).maintenance_schedule == schedule


@pytest.mark.parametrize(("architecture", "name"), [("arm64", "arm64"), ("x86_64", "x86_64")])
def test_functions_and_their_layer_are_of_one_architecture(architecture: str, name: str) -> None:
    settings = Settings("crm", "dev", architecture=architecture)
    assert settings.lambda_architecture.name == name
    assert settings.powertools_parameter == f"/aws/service/powertools/python/{name}/python3.11/latest"


def test_without_context_the_demo_is_built_for_development() -> None:
    assert Settings.from_context(App().node) == Settings("nycflights", "dev", folder="nycflights")


def test_a_pipeline_may_lie_anywhere_and_is_called_like_its_folder() -> None:
    settings = Settings.from_context(App(context={"pipeline": "/srv/contracts/crm/"}).node)
    assert (settings.pipeline, settings.folder) == ("crm", "/srv/contracts/crm")


def test_names_are_those_that_jobs_and_lambdas_compose() -> None:
    settings = Settings("ny_flights", "dev")
    assert settings.database("state") == "ny_flights_dev_state"
    assert settings.stage_job_prefix == "ny_flights-dev-stage-"
    assert settings.mart_job_prefix == "ny_flights-dev-mart-"
    assert settings.state_machine_name == "ny_flights-dev-table-pipeline"
    assert settings.stack_name == "landfall-ny-flights-dev"
    assert settings.extract_machine_name == "ny_flights-dev-extract-source"
    assert settings.extract_job_prefix == "ny_flights-dev-extract-"
    assert settings.crawler_prefix == "ny_flights-dev-crawl-"
    assert settings.maintain_machine_name == "ny_flights-dev-maintain-lake"
    assert settings.maintain_job_name == "ny_flights-dev-maintain"
    assert settings.operators_workgroup == "ny_flights-dev-operators"
    assert settings.code_prefix == "landfall-ny_flights-dev/"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"env": "test"}, "env is 'test': it must be one of dev, prod"),
        ({"pipeline": "My Pipe"}, "pipeline is 'My Pipe': it must be at most 40 small letters"),
        ({"glue_version": "5.0"}, "glue_version is '5.0': it must be 5.1 or later"),
        ({"glue_version": "latest"}, "glue_version is 'latest': it must be 5.1 or later"),
        ({"alarm_email": "ops"}, "alarm_email is 'ops': it must be one address, such as ops@example.com"),
        ({"alarm_email": "a@example.com, b@example.com"}, "it must be one address"),
        ({"architecture": "riscv"}, "architecture is 'riscv': it must be arm64 or x86_64"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(settings: dict[str, str], sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        Settings(**({"pipeline": "nycflights", "env": "dev"} | settings))


@pytest.mark.parametrize(
    ("freshness", "window"),
    [
        ("26h", Watch(3600, 26)),
        ("2d", Watch(3600, 48)),
        ("90m", Watch(300, 18)),
        ("7m", Watch(300, 2)),
        ("1439m", Watch(300, 288)),
        ("1500m", Watch(3600, 25)),
        ("1501m", Watch(3600, 26)),
        ("5m", Watch(300, 1)),
        ("6h", Watch(3600, 6)),
        ("7d", Watch(3600, 168)),
    ],
)
def test_a_freshness_becomes_a_window_that_covers_it(freshness: str, window: Watch) -> None:
    assert watch(freshness) == window
