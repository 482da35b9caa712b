"""Glue databases, connections and jobs."""

from __future__ import annotations

from moto.glue.models import glue_backends

from orchestration.embedded.resources.teaching import Client, Made, Properties, picked, tag_map
from orchestration.embedded.resources.teaching import teach as teach_type

_JOB = (
    "Command",
    "Connections",
    "DefaultArguments",
    "Description",
    "ExecutionClass",
    "ExecutionProperty",
    "GlueVersion",
    "MaxRetries",
    "NonOverridableArguments",
    "NumberOfWorkers",
    "Role",
    "Timeout",
    "WorkerType",
)


def teach() -> None:
    """Teach AWS::Glue::Database, AWS::Glue::Connection and AWS::Glue::Job."""
    teach_type("AWS::Glue::Database", _make_database, _drop_database)
    teach_type("AWS::Glue::Connection", _make_connection, _drop_connection)
    teach_type("AWS::Glue::Job", _make_job, _drop_job, name_property="Name")


def _make_database(_name: str, properties: Properties, client: Client) -> Made:
    client("glue").create_database(DatabaseInput=properties["DatabaseInput"], Tags=tag_map(properties))
    return Made(properties["DatabaseInput"]["Name"])


def _drop_database(name: str, _properties: Properties, client: Client) -> None:
    client("glue").delete_database(Name=name)


def _make_connection(_name: str, properties: Properties, client: Client) -> Made:
    client("glue").create_connection(ConnectionInput=properties["ConnectionInput"], Tags=tag_map(properties))
    return Made(properties["ConnectionInput"]["Name"])


def _drop_connection(name: str, _properties: Properties, _client: Client) -> None:
    """Drop it from the backend: moto has no DeleteConnection."""
    for regions in glue_backends.values():
        for backend in regions.values():
            backend.connections.pop(name, None)


def _make_job(name: str, properties: Properties, client: Client) -> Made:
    client("glue").create_job(Name=name, Tags=tag_map(properties), **picked(properties, *_JOB))
    return Made(name)


def _drop_job(name: str, _properties: Properties, client: Client) -> None:
    client("glue").delete_job(JobName=name)
