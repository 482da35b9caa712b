"""Tell each ended execution once, and remember that a table fails until it succeeds again."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from functions.notify_failure.message import attributes, body, subject
from functions.notify_failure.report import Report
from functions.shared.errors import ConditionFailedError
from functions.shared.ledger import Action, Ledger, lease_key

_REMEMBERED_SECONDS = 30 * 24 * 3600


def tell(report: Report, ledger: Ledger, sns: Any, topic_arn: str) -> Mapping[str, Any]:
    """Publish the message unless this execution has been told; return what the console shows of it.

    The note is written after the message: a crash between the two tells twice rather than never.
    """
    if ledger.get(_note_key(report)):
        return {"told": False, "because": "this execution has been told already"}
    told = subject(report)
    sns.publish(TopicArn=topic_arn, Subject=told, Message=body(report), MessageAttributes=attributes(report))
    _remember(report, ledger)
    return {"told": True, "subject": told, "failures": report.failures, "batches": report.summaries}


def _note_key(report: Report) -> dict[str, str]:
    return {"pk": "TOLD", "sk": f"{report.kind if report.is_good else 'failed'}#{report.execution}"}


def _remember(report: Report, ledger: Ledger) -> None:
    note = {"subject": subject(report), "expires_at": int(time.time()) + _REMEMBERED_SECONDS}
    ledger.write(Action("Put", _note_key(report), note))
    if report.is_good or not report.table or report.kind == "open":
        return
    try:
        ledger.write(
            Action(
                "Update",
                lease_key(report.table),
                update="SET failing = :yes",
                condition="attribute_exists(pk)",
                values={":yes": True},
            )
        )
    except ConditionFailedError:
        return  # nothing ever landed for such a table
