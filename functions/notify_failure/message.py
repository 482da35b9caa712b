"""The message about an execution that failed: what, why, what is safe, what was skipped, what to do."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from typing import Any

from functions.notify_failure.advice import Advice, advise
from functions.notify_failure.report import Report
from functions.shared.causes import limit_in

_LONGEST_SUBJECT = 100
_LONGEST, _LONGEST_DETAIL = 250_000, 50_000  # bytes; SNS takes 256 KiB, attributes included
_DETAILED = 10
_SKIPPED = 20
_KINDS = {
    "stage": "not staged",
    "open": "refused",
    "next": "broken off",
    "extract": "not extracted",
    "maintain": "failed",
    "aborted": "aborted",
    "timed_out": "timed out",
    "hand_over": "not handed over",
}
_KNOWN = {
    "ContractViolationError": "a file breaks its contract",
    "OverwriteRefusedError": "a file that landed again was refused",
    "LimitExceededError": "stopped by limit",
    "SchemaChangeError": "its table cannot follow its contract",
    "JobTimeoutError": "the staging job ran out of time",
}


def subject(report: Report) -> str:
    """Return a subject that fits a phone and that SNS takes: ASCII, one line, at most 100 characters."""
    if report.is_good:
        what = "extracted again" if report.extracts else "recovered"
        return _ascii(f"[{report.name}] {report.table}: {what}")[:_LONGEST_SUBJECT]
    more = f" (+{len(report.failures) - 1} more)" if len(report.failures) > 1 else ""
    text = f"[{report.name}] {_about(report)}: {_what(report.failures[0])}"
    return _ascii(text)[: _LONGEST_SUBJECT - len(more)] + more


def _about(report: Report) -> str:
    """Return the table, or what else an execution works on."""
    return "maintenance" if report.kind == "maintain" else report.table or "unknown table"


def _what(failure: Mapping[str, Any]) -> str:
    """Say in a few words what failed; known errors have words of their own."""
    if failure["kind"] == "stage" and failure["error"] in _KNOWN:
        limit = limit_in(str(failure["cause"])) if failure["error"] == "LimitExceededError" else ""
        return f"{_KNOWN[failure['error']]} {limit}".strip()
    what = {"mart": f"mart {failure['name']} failed", **_KINDS}.get(str(failure["kind"]), "failed")
    return f"{what}: {failure['error']}" if failure["error"] else what


def body(report: Report) -> str:
    """Return the mail's text, as much of it as the attributes leave room for."""
    parts = [
        _heading(report),
        *(_failure(report, failure) for failure in report.failures),
        _batches(report),
        _links(report),
    ]
    text = "\n\n".join(part for part in parts if part)
    return text.encode("utf-8", "replace")[: _LONGEST - len(_detail(report))].decode("utf-8", "ignore")


def attributes(report: Report) -> dict[str, dict[str, str]]:
    """Return the same for chat tools and subscription filters, as SNS takes it."""
    facts = {
        "severity": report.severity,
        "kind": report.kind,
        "table": report.table or "unknown",
        "pipeline": report.pipeline,
        "environment": report.environment,
    }
    told = {name: {"DataType": "String", "StringValue": value} for name, value in facts.items()}
    return told | {"report": {"DataType": "String", "StringValue": _detail(report)}}


def _detail(report: Report) -> str:
    """Return the first failures as JSON, without inputs that are too long: the body has them."""
    shown = report.failures[:_DETAILED]
    told = {"execution": report.execution, "failures": [_short(failure) for failure in shown]}
    inputs = {"input": report.request, "rerun": [_advice(report, failure).rerun for failure in shown]}
    whole = json.dumps({**told, **inputs}, sort_keys=True)
    return whole if len(whole) <= _LONGEST_DETAIL else json.dumps(told, sort_keys=True)


def _short(failure: Mapping[str, Any]) -> dict[str, Any]:
    return {**failure, "cause": str(failure["cause"])[:500], "skipped": list(failure.get("skipped", ()))[:_SKIPPED]}


def _heading(report: Report) -> str:
    if report.is_good and report.extracts:
        return f"Pipeline {report.name}, table {report.table}: it is extracted again; what was missing has landed."
    if report.is_good:
        return (
            f"Pipeline {report.name}, table {report.table}: recovered. What is tried again by itself was done, and no "
            "mart is due. Files that were refused stay so until they are sent again or replayed."
        )
    if report.kind == "maintain":
        return f"Pipeline {report.name}: the maintenance of its tables failed."
    table = report.table or "unknown"
    if report.kind == "open":
        return f"Pipeline {report.name}, table {table}: the execution did not begin."
    names = ", ".join(dict.fromkeys(str(failure["name"]) for failure in report.failures))
    return f"Pipeline {report.name}, table {table}: {names} failed."


def _failure(report: Report, failure: Mapping[str, Any]) -> str:
    advice = _advice(report, failure)
    skipped = sorted(set(failure.get("skipped", ())) - report.built)
    lines = [
        f"WHAT     {advice.what}",
        f"WHY      {failure['error']}: {failure['cause']}",
        f"SAFE     {advice.safe}",
    ]
    if skipped:
        lines.append(f"SKIPPED  {', '.join(skipped)}, because of {failure['name']}; they show their last good state")
    lines.append(f"TO DO    {advice.todo}")
    if advice.rerun:
        lines.append(f"RERUN    {json.dumps(advice.rerun)}")
    lines.append(f"RUNBOOK  docs/runbook.md#{advice.section}")
    return "\n".join(lines)


def _advice(report: Report, failure: Mapping[str, Any]) -> Advice:
    return advise(failure, report.table, report.request)


def _batches(report: Report) -> str:
    lines = []
    for summary in report.summaries:
        states = ", ".join(f"{count} {state}" for state, count in summary.get("states", {}).items())
        marts = ", ".join(sorted(summary.get("marts", {})))
        built = f"; marts built: {marts}" if marts else ""
        lines.append(f"  {summary.get('batch_id')}: landings {states or 'none'}{built}")
        files = (*summary.get("failed_files", ()), *summary.get("quarantined_files", ()))
        lines += [f"    {file['key']}: {file['reason']}" for file in files]
        if refused := [_refused(one) for one in summary.get("refused_records", [])]:
            rows = summary["rows"]
            lines.append(f"    in quarantine {rows['rejected']} of {rows['read']} records: {'; '.join(refused)}")
    return "Batches of this execution:\n" + "\n".join(lines) if lines else ""


def _refused(one: Mapping[str, Any]) -> str:
    column = f"column {one['column']}: " if one["column"] else ""
    return f"{one['file']} record {one['row']}: {column}{one['reason']}"


def _links(report: Report) -> str:
    region = report.execution.split(":")[3] if report.execution.count(":") > 3 else ""
    console = f"https://{region}.console.aws.amazon.com/states/home?region={region}"
    logs = f"https://{region}.console.aws.amazon.com/cloudwatch/home?region={region}#logsV2:log-groups/log-group"
    return (
        f"Execution: {console}#/v2/executions/details/{report.execution}\n"
        f"Its input: {json.dumps(report.request)}\n"
        f"Logs of its jobs: {logs}/$252Flandfall$252F{report.name}$252Fjobs$252Foutput\n"
        f"To start one: {console}#/statemachines/view/{_machine(report.execution)}, New execution"
    )


def _machine(execution: str) -> str:
    return execution.replace(":execution:", ":stateMachine:").rpartition(":")[0]


def _ascii(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return " ".join(plain.split())
