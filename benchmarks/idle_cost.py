"""What a deployed pipeline costs in a month in which no file lands, from its synthesized template.

    make synth ENV=prod && .venv/bin/python -m benchmarks.idle_cost

Prices are list prices in us-east-1, in US dollars, without the free tier. Not counted: what is stored (S3,
DynamoDB, logs), which grows with use, and custom metrics, 0.30 a month each, by the hours in which they come.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestration.embedded.synth import Assembly

ALARM_METRIC = 0.10
DASHBOARD = 3.00
KMS_KEY = 1.00
SQS_REQUEST = 0.40 / 1_000_000
POLLERS, POLL_SECONDS = 5, 20  # Lambda's event source mapping long-polls an empty queue with five pollers
MONTH_SECONDS = 30 * 24 * 3_600

Resources = Mapping[str, Any]


def costs(resources: Resources) -> Iterator[tuple[str, int, float]]:
    """Yield what costs money while nothing happens, how many there are, and dollars a month."""
    metrics = sum(alarm_metrics(alarm) for alarm in of_type(resources, "AWS::CloudWatch::Alarm"))
    yield "metrics watched by alarms", metrics, metrics * ALARM_METRIC
    for noun, kind, price in (
        ("dashboards", "AWS::CloudWatch::Dashboard", DASHBOARD),
        ("KMS keys", "AWS::KMS::Key", KMS_KEY),
    ):
        count = len(list(of_type(resources, kind)))
        yield noun, count, count * price
    polls = len(list(of_type(resources, "AWS::Lambda::EventSourceMapping"))) * POLLERS * MONTH_SECONDS // POLL_SECONDS
    yield "polls of the empty queue", polls, polls * SQS_REQUEST


def of_type(resources: Resources, kind: str) -> Iterator[Mapping[str, Any]]:
    """Yield the properties of the resources of one type."""
    for resource in resources.values():
        if resource["Type"] == kind:
            yield resource.get("Properties", {})


def alarm_metrics(alarm: Mapping[str, Any]) -> int:
    """Return how many metrics an alarm is charged for: one, or all that its expression reads."""
    return sum("MetricStat" in entry for entry in alarm.get("Metrics", ())) or 1


def main() -> None:
    """Print the costs of every stack in cdk.out, those nested in it included."""
    stacks = sorted(path.name.removesuffix(".assets.json") for path in Path("cdk.out").glob("*.assets.json"))
    if not stacks:
        sys.exit("cdk.out holds no stack: run make synth first.")
    for name in stacks:
        found = list(costs(Assembly(Path("cdk.out"), name).resources))
        print(name)
        for noun, count, dollars in found:
            print(f"  {count:>8,} {noun:<28} {dollars:6.2f}")
        print(f"  {'':>8} {'US dollars a month':<28} {sum(dollars for _, _, dollars in found):6.2f}")


if __name__ == "__main__":
    main()
