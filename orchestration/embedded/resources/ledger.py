"""DynamoDB tables: point-in-time recovery."""

from __future__ import annotations

from typing import Any

from moto.dynamodb.models.table import Table

from orchestration.embedded.resources.teaching import Client, Properties, extend


def teach() -> None:
    """Teach the properties that moto drops of AWS::DynamoDB::Table."""
    extend(Table, _configure)


def _configure(table: Any, properties: Properties, client: Client) -> None:
    if recovery := properties.get("PointInTimeRecoverySpecification"):
        client("dynamodb").update_continuous_backups(TableName=table.name, PointInTimeRecoverySpecification=recovery)
