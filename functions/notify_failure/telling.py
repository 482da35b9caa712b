"""Tell each failure once, whoever tries again meanwhile, and remember that a table fails until it succeeds again."""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from functions.notify_failure.message import attributes, body, subject
from functions.notify_failure.report import Report
from functions.shared.errors import ConditionFailedError
from functions.shared.ledger import Action, Ledger, lease_key

_DAY = 24 * 3600
_REMEMBERED_SECONDS = 30 * _DAY
_BY_THE_NEXT = {"stage", "mart"}  # whoever comes next for the table tries it again
_OF_ONE_CALL = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def tell(report: Report, ledger: Ledger, sns: Any, topic_arn: str) -> Mapping[str, Any]:
    """Publish the message unless it has been told; return what the console shows of it.

    Notes are written after the message: a crash between the two tells twice rather than never.
    """
    if _is_told(report, ledger):
        return {"told": False, "because": "this execution has been told already"}
    if report.extracts and report.is_good and not _has_failed_before(report, ledger):
        return {"told": False, "because": "the extraction before it succeeded too"}
    if _is_retry(report, ledger):
        _remember(report, ledger)
        return {"told": False, "because": "it failed again as it was told within the last day"} | _shown(report)
    told = subject(report)
    sns.publish(TopicArn=topic_arn, Subject=told, Message=body(report), MessageAttributes=attributes(report))
    _remember(report, ledger)
    _remember_why(report, ledger)
    return {"told": True, "subject": told} | _shown(report)


def _shown(report: Report) -> dict[str, Any]:
    return {"failures": report.failures, "batches": report.summaries}


def _is_told(report: Report, ledger: Ledger) -> bool:
    """Tell whether the execution has been told since it was redriven; its mere end counts as told by what led to it.

    What cut it off before it was redriven led to nothing of what came then.
    """
    if ledger.get(_note_key(report, report.redrives)):
        return True
    earlier = reversed(range(report.redrives if report.is_end else 0))
    last = next(filter(None, (ledger.get(_note_key(report, redrives)) for redrives in earlier)), None)
    return last is not None and not last.get("cut_off")


def _note_key(report: Report, redrives: int) -> dict[str, str]:
    name = f"{report.kind if report.is_good else 'failed'}#{report.execution}"
    return {"pk": "TOLD", "sk": f"{name}#{redrives}" if redrives else name}


def _work_key(report: Report) -> dict[str, str]:
    return {"pk": "TOLD", "sk": f"{'extraction' if report.extracts else 'table'}#{report.table}"}


def _has_failed_before(report: Report, ledger: Ledger) -> bool:
    note = ledger.get(_work_key(report))
    return bool(note and note.get("why"))


def _is_retry(report: Report, ledger: Ledger) -> bool:
    """Tell whether work that is tried again has failed as it did before; a file that fails for good is news."""
    why = _why(report) if _is_tried_again(report) else ""
    note = ledger.get(_work_key(report)) if why else None
    return bool(note and note.get("why") == why and note["told_at"] > int(time.time()) - _DAY)


def _is_tried_again(report: Report) -> bool:
    """Tell whether nobody need ask for it: the table's next work does it too, or landings and clocks ask for no more.

    Who redrives an execution, or aborts it, is there.
    """
    kinds = {failure["kind"] for failure in report.failures}
    is_plain = report.request == {"table": report.table} and "aborted" not in kinds
    return not report.redrives and (kinds <= _BY_THE_NEXT or is_plain)


def _why(report: Report) -> str:
    """Return what tells one failure from another, whatever call it was; nothing of files that are given up."""
    if report.is_good or any(summary.get("failed_files") for summary in report.summaries):
        return ""
    told = [[failure[word] for word in ("kind", "name", "error", "cause")] for failure in report.failures]
    words = _OF_ONE_CALL.sub("", json.dumps(told, sort_keys=True))
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


def _remember_why(report: Report, ledger: Ledger) -> None:
    if report.table and not (report.extracts and report.is_refusal):
        now = int(time.time())
        note = {"why": _why(report), "told_at": now, "expires_at": now + _REMEMBERED_SECONDS}
        ledger.write(Action("Put", _work_key(report), note))


def _remember(report: Report, ledger: Ledger) -> None:
    expires_at = int(time.time()) + _REMEMBERED_SECONDS
    note = {"subject": subject(report), "expires_at": expires_at} | ({"cut_off": True} if report.is_cut_off else {})
    ledger.write(Action("Put", _note_key(report, report.redrives), note))
    if not report.table or not report.broke_off:
        return  # whoever closed its batch has said how the table is
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
