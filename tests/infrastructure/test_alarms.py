"""What each alarm watches, and when it rises."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infrastructure.stack import Resources
from tests.infrastructure.test_pipeline_stack import text

DAYS_14 = 14 * 24 * 3600
OF_TABLES = ("close_batch flights", "close_batch planes")


def watched(alarm: dict[str, Any]) -> set[tuple[str, str]]:
    """Return (metric, of what) of all that an alarm sums up over five minutes; what: its dimensions but the stack's."""
    stats = [one["MetricStat"] for one in alarm.get("Metrics", []) if "MetricStat" in one]
    found = set()
    for stat in stats or [{"Metric": alarm, "Period": alarm["Period"], "Stat": alarm["Statistic"]}]:
        metric = stat["Metric"]
        ours = {one["Name"]: text(one["Value"]) for one in metric["Dimensions"]}
        if metric["Namespace"] == "Landfall":
            assert (ours.pop("pipeline"), ours.pop("environment")) == ("nycflights", "dev")
        assert (stat["Period"], stat["Stat"]) == (300, "Maximum" if metric["Namespace"] == "AWS/SQS" else "Sum")
        found.add((metric["MetricName"], " ".join(one.strip("<>").rstrip("0123456789ABCDEF") for one in ours.values())))
    return found


@pytest.mark.parametrize(
    ("name", "metrics", "above"),
    [
        ("DeadLetters", {("ApproximateNumberOfMessagesVisible", "IngestionDeadLetters")}, 0),
        ("QueueAge", {("ApproximateAgeOfOldestMessage", "IngestionLandings")}, 15 * 60),
        ("UnroutedObjects", {("UnroutedObjects", "receive_files")}, 0),
        ("BooksUnbalanced0", {("BooksUnbalanced", of) for of in OF_TABLES}, 0),
        ("LandingsQuarantined0", {("LandingsQuarantined", of) for of in OF_TABLES}, 0),
        *[
            (f"{function}Errors", {(metric, f"Functions{function}") for metric in ("Errors", "Throttles")}, 0)
            for function in ("ReceiveFiles", "OpenBatch", "CloseBatch", "NotifyFailure")
        ],
        *[
            (f"Executions{ending}", {(f"Executions{ending}", "WorkflowTablePipeline")}, 0)
            for ending in ("Failed", "TimedOut", "Aborted")
        ],
    ],
)
def test_an_alarm_rises_once_there_is_any_of_what_should_not_be(
    resources: Resources, name: str, metrics: set[tuple[str, str]], above: int
) -> None:
    alarm = resources.one("AWS::CloudWatch::Alarm", f"Alarms{name}")
    assert watched(alarm) == metrics
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("GreaterThanThreshold", above)
    assert (alarm["EvaluationPeriods"], alarm["TreatMissingData"]) == (1, "notBreaching")
    ids = sorted(one["Id"] for one in alarm.get("Metrics", []) if "MetricStat" in one)
    sums = [one["Expression"] for one in alarm.get("Metrics", []) if "Expression" in one]
    assert sums == ([" + ".join(f"FILL({one}, 0)" for one in ids)] if ids else [])


def test_mails_go_to_whom_the_setting_names(resources: Resources) -> None:
    topic = {"Ref": resources.logical_id("AWS::SNS::Topic", "Notifications")}
    [subscription] = resources.of_type("AWS::SNS::Subscription").values()
    assert subscription == {"Endpoint": "ops@example.com", "Protocol": "email", "TopicArn": topic}


def test_what_nobody_has_handled_is_kept_for_as_long_as_a_queue_keeps_anything(resources: Resources) -> None:
    kept = {name: queue["MessageRetentionPeriod"] for name, queue in resources.of_type("AWS::SQS::Queue").items()}
    assert len(kept) == 2 and set(kept.values()) == {DAYS_14}
