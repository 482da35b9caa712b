"""State machines, with their definition's substitutions, logging and tracing."""

from __future__ import annotations

import json
import re
from typing import Any

from orchestration.embedded.resources.teaching import Client, Made, Properties
from orchestration.embedded.resources.teaching import teach as teach_type


def teach() -> None:
    """Teach AWS::StepFunctions::StateMachine: moto makes it in a backend that executes nothing."""
    teach_type(
        "AWS::StepFunctions::StateMachine",
        _make,
        _drop,
        name_property="StateMachineName",
        attributes=("Arn", "Name"),
    )


def _make(name: str, properties: Properties, client: Client) -> Made:
    name = properties.get("StateMachineName", name)  # moto looks for another property
    arn = client("stepfunctions").create_state_machine(
        name=name,
        definition=substituted(_definition(properties, client), properties.get("DefinitionSubstitutions", {})),
        roleArn=properties["RoleArn"],
        type=properties.get("StateMachineType", "STANDARD"),
        loggingConfiguration=_api_words(properties.get("LoggingConfiguration", {"Level": "OFF"})),
        tracingConfiguration=_api_words(properties.get("TracingConfiguration", {"Enabled": False})),
        tags=[{"key": tag["Key"], "value": tag["Value"]} for tag in properties.get("Tags", ())],
    )["stateMachineArn"]
    return Made(arn, {"Arn": arn, "Name": name})


def _definition(properties: Properties, client: Client) -> str:
    if "DefinitionS3Location" in properties:
        place = properties["DefinitionS3Location"]
        body = client("s3").get_object(Bucket=place["Bucket"], Key=place["Key"])["Body"]
        return str(body.read().decode("utf-8"))
    definition = properties["DefinitionString"]
    return definition if isinstance(definition, str) else json.dumps(definition)


def substituted(definition: str, values: Properties) -> str:
    """Return the definition with each `${Name}` replaced by its value; KeyError names one that has none."""
    return re.sub(r"\$\{([A-Za-z0-9]+)\}", lambda found: str(values[found[1]]), definition)


def _api_words(value: Any) -> Any:
    """Return a property as the API writes it: names begin with a small letter."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: _api_words(item) for name, item in value.items()}
    return [_api_words(item) for item in value] if isinstance(value, list) else value


def _drop(name: str, _properties: Properties, client: Client) -> None:
    client("stepfunctions").delete_state_machine(stateMachineArn=name)
