"""How moto's CloudFormation learns: a resource type is a pair of functions that call boto3."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import boto3
from moto.core.common_models import CloudFormationModel

Properties = dict[str, Any]
Client = Callable[[str], Any]


@dataclass(frozen=True)
class Made:
    """A resource that exists: its physical id, and the attributes that Fn::GetAtt may ask for."""

    id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)


Maker = Callable[[str, Properties, Client], Made]
Dropper = Callable[[str, Properties, Client], None]
After = Callable[[Any, Properties, Client], None]
_taught: list[type] = []  # moto finds its models as subclasses, which Python forgets when nothing else holds them


def clients(region: str) -> Client:
    """Return what gives the boto3 clients of a region."""
    return functools.partial(_client, region, os.environ.get("AWS_ENDPOINT_URL"))


@functools.cache
def _client(region: str, endpoint: str | None, service: str) -> Any:
    return boto3.client(service, region_name=region, endpoint_url=endpoint)  # type: ignore[call-overload]


def teach(kind: str, make: Maker, drop: Dropper, name_property: str = "", attributes: tuple[str, ...] = ()) -> None:
    """Teach a type that moto passes over; a changed resource is dropped and made anew."""

    class Taught(CloudFormationModel):
        def __init__(self, made: Made) -> None:
            self.physical_resource_id = made.id
            self._attributes = made.attributes

        @staticmethod
        def cloudformation_type() -> str:
            return kind

        @staticmethod
        def cloudformation_name_type() -> str:
            return name_property

        @classmethod
        def has_cfn_attr(cls, attr: str) -> bool:
            return attr in attributes

        def get_cfn_attribute(self, attribute_name: str) -> Any:
            return self._attributes[attribute_name]

        @classmethod
        def create_from_cloudformation_json(
            cls,
            resource_name: str,
            cloudformation_json: Any,
            account_id: str,  # noqa: ARG003 (the parameters are moto's)
            region_name: str,
            **_: Any,
        ) -> Any:
            return cls(make(resource_name, cloudformation_json["Properties"], clients(region_name)))

        @classmethod
        def update_from_cloudformation_json(
            cls,
            original_resource: Any,
            new_resource_name: str,
            cloudformation_json: Any,
            account_id: str,  # noqa: ARG003
            region_name: str,
        ) -> Any:
            properties, client = cloudformation_json["Properties"], clients(region_name)
            drop(original_resource.physical_resource_id, properties, client)
            return cls(make(properties.get(name_property, new_resource_name), properties, client))

        @classmethod
        def delete_from_cloudformation_json(
            cls,
            resource_name: str,
            cloudformation_json: Any,
            account_id: str,  # noqa: ARG003
            region_name: str,
        ) -> None:
            drop(resource_name, cloudformation_json["Properties"], clients(region_name))

    _taught.append(Taught)


def extend(model: Any, after: After) -> None:
    """Let `after` set the properties that moto drops of a type that it knows."""

    class Extended(CloudFormationModel):
        cloudformation_type = staticmethod(model.cloudformation_type)
        cloudformation_name_type = staticmethod(model.cloudformation_name_type)
        has_cfn_attr = model.has_cfn_attr
        delete_from_cloudformation_json = model.delete_from_cloudformation_json

        @classmethod
        def create_from_cloudformation_json(
            cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **more: Any
        ) -> Any:
            made = model.create_from_cloudformation_json(
                resource_name, cloudformation_json, account_id, region_name, **more
            )
            after(made, cloudformation_json["Properties"], clients(region_name))
            return made

        @classmethod
        def update_from_cloudformation_json(
            cls,
            original_resource: Any,
            new_resource_name: str,
            cloudformation_json: Any,
            account_id: str,
            region_name: str,
        ) -> Any:
            made = model.update_from_cloudformation_json(
                original_resource, new_resource_name, cloudformation_json, account_id, region_name
            )
            after(made, cloudformation_json["Properties"], clients(region_name))
            return made

    _taught.append(Extended)


def tag_map(properties: Properties) -> dict[str, str]:
    """Return a resource's tags as most APIs take them."""
    tags = properties.get("Tags") or {}
    return dict(tags) if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}


def picked(properties: Properties, *names: str) -> Properties:
    """Return those of the named properties that are given."""
    return {name: properties[name] for name in names if name in properties}
