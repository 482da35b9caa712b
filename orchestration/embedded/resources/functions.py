"""Lambda functions and their event source mappings."""

from __future__ import annotations

from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.sqs.models import sqs_backends

from orchestration.embedded.resources.teaching import Client, Made, Properties, extend, picked, tag_map
from orchestration.embedded.resources.teaching import teach as teach_type

_MAPPED = (
    "BatchSize",
    "Enabled",
    "EventSourceArn",
    "FunctionName",
    "FunctionResponseTypes",
    "MaximumBatchingWindowInSeconds",
    "ScalingConfig",
)


def teach() -> None:
    """Teach the properties that moto drops of AWS::Lambda::Function, and AWS::Lambda::EventSourceMapping."""
    extend(LambdaFunction, _configure)
    teach_type("AWS::Lambda::EventSourceMapping", _make_mapping, _drop_mapping, attributes=("Id",))


def _configure(function: Any, properties: Properties, _client: Client) -> None:
    """Set them on the model itself: moto's UpdateFunctionConfiguration passes over most."""
    function.layers = [{"Arn": arn, "CodeSize": 0} for arn in properties.get("Layers", ())]
    function.tracing_config = properties.get("TracingConfig", function.tracing_config)
    function.architectures = properties.get("Architectures", function.architectures)
    function.logs_group_name = properties.get("LoggingConfig", {}).get("LogGroup", function.logs_group_name)
    function.tags = tag_map(properties)


def _make_mapping(_name: str, properties: Properties, client: Client) -> Made:
    made = client("lambda").create_event_source_mapping(**picked(properties, *_MAPPED))
    _leave_queues_alone()
    return Made(made["UUID"], {"Id": made["UUID"]})


def _leave_queues_alone() -> None:
    """Keep moto from calling functions in Docker, which swallows the messages; the poller calls them."""
    for regions in sqs_backends.values():
        for backend in regions.values():
            for queue in backend.queues.values():
                queue.lambda_event_source_mappings.clear()


def _drop_mapping(name: str, _properties: Properties, client: Client) -> None:
    client("lambda").delete_event_source_mapping(UUID=name)
