"""Athena: workgroups and named queries."""

from __future__ import annotations

from moto.athena.models import athena_backends

from orchestration.embedded.resources.teaching import Client, Made, Properties, picked
from orchestration.embedded.resources.teaching import teach as teach_type

_QUERY = ("Database", "Description", "Name", "QueryString", "WorkGroup")


def teach() -> None:
    """Teach AWS::Athena::WorkGroup and AWS::Athena::NamedQuery."""
    teach_type("AWS::Athena::WorkGroup", _make_workgroup, _drop_workgroup, name_property="Name")
    teach_type("AWS::Athena::NamedQuery", _make_query, _drop_query, attributes=("NamedQueryId",))


def _make_workgroup(name: str, properties: Properties, client: Client) -> Made:
    client("athena").create_work_group(
        Name=name,
        Configuration=properties.get("WorkGroupConfiguration", {}),
        Tags=properties.get("Tags", []),
        **picked(properties, "Description"),
    )
    return Made(name)


def _drop_workgroup(name: str, properties: Properties, client: Client) -> None:
    client("athena").delete_work_group(
        WorkGroup=name, RecursiveDeleteOption=properties.get("RecursiveDeleteOption", False)
    )


def _make_query(_name: str, properties: Properties, client: Client) -> Made:
    made = client("athena").create_named_query(**picked(properties, *_QUERY))["NamedQueryId"]
    return Made(made, {"NamedQueryId": made})


def _drop_query(name: str, _properties: Properties, _client: Client) -> None:
    """Drop it from the backend: moto has no DeleteNamedQuery."""
    for regions in athena_backends.values():
        for backend in regions.values():
            backend.named_queries.pop(name, None)
