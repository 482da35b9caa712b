"""What a command must know of the deployed stack without deploying it: names, written down in the lake."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_FILE = "deployment.json"


@dataclass(frozen=True)
class Deployment:
    """The stack's name, the lake's buckets, and the Spark options of its jobs as the template gives them."""

    stack_name: str
    buckets: tuple[str, ...]
    database_prefix: str
    spark_options: Mapping[str, str]

    def write(self, state: Path) -> None:
        """Write it down, atomically."""
        scratch = state / f"{_FILE}.new"
        scratch.write_text(json.dumps(dataclasses.asdict(self), indent=1), encoding="utf-8")
        scratch.replace(state / _FILE)

    @classmethod
    def read(cls, state: Path) -> Deployment | None:
        """Return what the last deployment wrote down, or None in a new lake."""
        path = state / _FILE
        if not path.exists():
            return None
        raw: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(raw["stack_name"], tuple(raw["buckets"]), raw["database_prefix"], raw["spark_options"])
