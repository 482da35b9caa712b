"""CloudWatch alarms."""

from __future__ import annotations

from orchestration.embedded.resources.teaching import Client, Made, Properties
from orchestration.embedded.resources.teaching import teach as teach_type


def teach() -> None:
    """Teach AWS::CloudWatch::Alarm."""
    teach_type("AWS::CloudWatch::Alarm", _make, _drop, name_property="AlarmName", attributes=("Arn",))


def _make(name: str, properties: Properties, client: Client) -> Made:
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_alarm(**{**properties, "AlarmName": name})
    [alarm] = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return Made(name, {"Arn": alarm["AlarmArn"]})


def _drop(name: str, _properties: Properties, client: Client) -> None:
    client("cloudwatch").delete_alarms(AlarmNames=[name])
