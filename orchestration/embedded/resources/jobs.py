"""Glue databases, connections and jobs."""

from __future__ import annotations

from moto.glue.models import glue_backends

from orchestration.embedded.resources.teaching import Client, Made, Properties, picked, tag_map
from orchestration.embedded.resources.teaching import teach as teach_type

_CRAWLER = (
    "Classifiers",
    "Configuration",
    "DatabaseName",
    "Description",
    "RecrawlPolicy",
    "Role",
    "SchemaChangePolicy",
    "TablePrefix",
    "Targets",
)
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
    """Teach AWS::Glue::Database, AWS::Glue::Connection, AWS::Glue::Job, AWS::Glue::Crawler and its classifiers."""
    teach_type("AWS::Glue::Database", _make_database, _drop_database)
    teach_type("AWS::Glue::Connection", _make_connection, _drop_connection)
    teach_type("AWS::Glue::Job", _make_job, _drop_job, name_property="Name")
    teach_type("AWS::Glue::Crawler", _make_crawler, _drop_crawler, name_property="Name")
    teach_type("AWS::Glue::Classifier", _make_classifier, _drop_classifier)


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


def _make_crawler(name: str, properties: Properties, client: Client) -> Made:
    client("glue").create_crawler(Name=name, Tags=tag_map(properties), **picked(properties, *_CRAWLER))
    return Made(name)


def _drop_crawler(name: str, _properties: Properties, client: Client) -> None:
    client("glue").delete_crawler(Name=name)


def _make_classifier(_name: str, properties: Properties, _client: Client) -> Made:
    """Keep the name alone: moto has no classifiers, and crawls on a laptop see for themselves how files are written."""
    return Made(next(one["Name"] for one in properties.values() if isinstance(one, dict) and "Name" in one))


def _drop_classifier(_name: str, _properties: Properties, _client: Client) -> None:
    """Drop nothing."""
