"""What the Lambdas that work under a lease work with."""

from __future__ import annotations

from dataclasses import dataclass

import boto3
from botocore.config import Config

from contracts.model import Plan
from functions.shared.batches import BatchFiles
from functions.shared.choosing import Limits
from functions.shared.environment import Environment
from functions.shared.errors import TableRemovedError
from functions.shared.executions import Executions
from functions.shared.ledger import Ledger
from functions.shared.objects import RawFiles

_PATIENT = Config(retries={"mode": "standard", "max_attempts": 6}, connect_timeout=5, read_timeout=20)


@dataclass(frozen=True)
class World:
    """The plan, the environment and the clients of one pipeline."""

    environment: Environment
    plan: Plan
    ledger: Ledger
    files: BatchFiles
    executions: Executions
    raw: RawFiles

    def check_table(self, name: str) -> None:
        """Raise TableRemovedError where no contract is called so any more."""
        if name not in self.plan.tables:
            raise TableRemovedError(
                f"{name}: a deployment removed its contract while its files were being staged; they stay in the raw "
                "bucket, and what was published stays in the tables"
            )

    @property
    def limits(self) -> Limits:
        told = self.environment
        return Limits(told.max_landings, told.max_bytes, told.max_attempts)


def the_world(environment: Environment) -> World:
    """Return the world of an environment, with clients of this account."""
    s3 = boto3.client("s3", config=_PATIENT)
    return World(
        environment,
        environment.plan,
        Ledger(boto3.client("dynamodb", config=_PATIENT), environment.ledger_table),
        BatchFiles(s3, environment.artifacts_bucket),
        Executions(boto3.client("stepfunctions", config=_PATIENT), environment.state_machine_arn),
        RawFiles(s3, environment.raw_bucket),
    )
