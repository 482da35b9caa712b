"""Views in the Glue catalog. They are kept; the laptop's Spark reads tables, not Athena's views."""

from __future__ import annotations

from contextlib import suppress

from orchestration.embedded.resources.teaching import Client, Made, Properties
from orchestration.embedded.resources.teaching import teach as teach_type


def teach() -> None:
    """Teach AWS::Glue::Table."""
    teach_type("AWS::Glue::Table", _make, _drop)


def _make(_name: str, properties: Properties, client: Client) -> Made:
    database, table = properties["DatabaseName"], properties["TableInput"]
    client("glue").create_table(DatabaseName=database, TableInput=table)
    return Made(table["Name"])


def _drop(name: str, properties: Properties, client: Client) -> None:
    glue = client("glue")
    with suppress(glue.exceptions.EntityNotFoundException):  # it goes with its database, and moto keeps no order
        glue.delete_table(DatabaseName=properties["DatabaseName"], Name=name)
