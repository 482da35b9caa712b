"""EventBridge Scheduler: schedules are kept; on a laptop no clock starts them."""

from __future__ import annotations

from orchestration.embedded.resources.teaching import Client, Made, Properties, picked
from orchestration.embedded.resources.teaching import teach as teach_type

_SCHEDULE = ("Description", "FlexibleTimeWindow", "ScheduleExpression", "ScheduleExpressionTimezone", "State", "Target")


def teach() -> None:
    """Teach AWS::Scheduler::Schedule."""
    teach_type("AWS::Scheduler::Schedule", _make, _drop, name_property="Name", attributes=("Arn",))


def _make(name: str, properties: Properties, client: Client) -> Made:
    name = properties.get("Name", name)
    wanted = _with_numbers(picked(properties, *_SCHEDULE))
    return Made(name, {"Arn": client("scheduler").create_schedule(Name=name, **wanted)["ScheduleArn"]})


def _with_numbers(properties: Properties) -> Properties:
    """Return properties whose whole numbers are numbers: CloudFormation takes both."""
    made: Properties = {}
    for name, value in properties.items():
        is_number = isinstance(value, str) and value.isdecimal()
        made[name] = _with_numbers(value) if isinstance(value, dict) else int(value) if is_number else value
    return made


def _drop(name: str, _properties: Properties, client: Client) -> None:
    client("scheduler").delete_schedule(Name=name)
