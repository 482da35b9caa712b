"""What a Lambda is told by its environment variables, and the compiled plan that is shipped with it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from contracts.model import Plan


@dataclass(frozen=True)
class Environment:
    """The environment variables that orchestration/functions.py sets."""

    ledger_table: str
    artifacts_bucket: str
    state_machine_arn: str
    plan_file: str
    pipeline: str
    environment: str
    stage_job_prefix: str
    mart_job_prefix: str
    max_landings: int
    max_bytes: int
    max_attempts: int
    raw_bucket: str = ""
    topic_arn: str = ""

    @classmethod
    def read(cls, variables: Mapping[str, str] | None = None) -> Environment:
        """Read the variables; KeyError names the one that is missing."""
        told = os.environ if variables is None else variables
        return cls(
            ledger_table=told["LEDGER_TABLE"],
            artifacts_bucket=told["ARTIFACTS_BUCKET"],
            state_machine_arn=told["STATE_MACHINE_ARN"],
            plan_file=str(Path(told.get("LAMBDA_TASK_ROOT", ""), told["PLAN_FILE"])),
            pipeline=told["PIPELINE"],
            environment=told["ENVIRONMENT"],
            stage_job_prefix=told["STAGE_JOB_PREFIX"],
            mart_job_prefix=told["MART_JOB_PREFIX"],
            max_landings=int(told["MAX_LANDINGS_PER_BATCH"]),
            max_bytes=int(told["MAX_BYTES_PER_BATCH"]),
            max_attempts=int(told["MAX_ATTEMPTS"]),
            raw_bucket=told.get("RAW_BUCKET", ""),
            topic_arn=told.get("TOPIC_ARN", ""),
        )

    @property
    def plan(self) -> Plan:
        path = Path(self.plan_file)
        return _plan(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=4)
def _plan(path: Path, _changed: int) -> Plan:
    return Plan.from_json(path.read_text(encoding="utf-8"))
