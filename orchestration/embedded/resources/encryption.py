"""KMS keys."""

from __future__ import annotations

import json

from orchestration.embedded.resources.teaching import Client, Made, Properties
from orchestration.embedded.resources.teaching import teach as teach_type

_SHORTEST_WINDOW_DAYS = 7


def teach() -> None:
    """Teach AWS::KMS::Key: moto stumbles over its tags."""
    teach_type("AWS::KMS::Key", _make, _drop, attributes=("Arn", "KeyId"))


def _make(_name: str, properties: Properties, client: Client) -> Made:
    kms = client("kms")
    key = kms.create_key(
        Policy=json.dumps(properties["KeyPolicy"]),
        Description=properties.get("Description", ""),
        Tags=[{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags", ())],
    )["KeyMetadata"]
    if properties.get("EnableKeyRotation"):
        kms.enable_key_rotation(KeyId=key["KeyId"])
    return Made(key["KeyId"], {"Arn": key["Arn"], "KeyId": key["KeyId"]})


def _drop(name: str, _properties: Properties, client: Client) -> None:
    client("kms").schedule_key_deletion(KeyId=name, PendingWindowInDays=_SHORTEST_WINDOW_DAYS)
