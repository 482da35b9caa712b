"""What a lake's state tells when nothing runs."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from orchestration.embedded.report import Execution, table_of

_FILE = "state.json"


def saved(folder: Path) -> tuple[list[dict[str, Any]], list[Execution], dict[str, list[dict[str, Any]]]]:
    """Return the ledger's items, the executions, and the messages of each queue, as they were saved last."""
    path = folder / _FILE
    if not path.exists():
        return [], [], {}
    state = json.loads(path.read_text(encoding="utf-8"))
    return state["items"], [_execution(one) for one in state["executions"]], state["messages"]


def _execution(values: dict[str, Any]) -> Execution:
    request = json.loads(values["input"])
    return Execution(
        name=values["name"],
        arn=values["arn"],
        table=table_of(request, values["machine"]),
        input=request,
        status=values["status"],
        output=json.loads(values["output"]) if values["output"] else None,
        error=values["error"],
        cause=values["cause"],
        started=datetime.fromisoformat(values["started"]),
        stopped=datetime.fromisoformat(values["stopped"]) if values["stopped"] else None,
    )
