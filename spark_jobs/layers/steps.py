"""The steps of a job, on its log: where one that died or hangs had come to."""

from __future__ import annotations

import json
import sys


def reached(step: str, **facts: object) -> None:
    """Write the step as one JSON line to the job's log, before it is taken: `{"step": "publish", "table": …}`."""
    print(json.dumps({"step": step, **facts}), file=sys.stderr, flush=True)
