"""What can be set on the laptop's cloud."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CloudSettings:
    """How patient and how parallel the cloud is.

    `longest_wait` (seconds) cuts the waits of the state machine short while no job is at work, `executions` run at
    once, of their jobs `job_slots` work at once. Jobs in processes of their own work one by one by default: a Hadoop
    catalog's lock holds within one JVM only.
    """

    longest_wait: float = 0.5
    executions: int = 2
    job_slots: int = 3
    process_slots: int = 1
    cores: str = "local[2]"
