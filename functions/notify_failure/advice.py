"""What an operator should know and do, failure by failure; the sections are those of docs/runbook.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from contracts.model import MISSING_FILES
from functions.shared.causes import input_to_start, limits_to_allow


@dataclass(frozen=True)
class Advice:
    """What happened, what is safe, what to do, the input to start again with, the runbook's section."""

    what: str
    safe: str
    todo: str
    rerun: Mapping[str, Any]
    section: str


def advise(failure: Mapping[str, Any], table: str, request: Mapping[str, Any]) -> Advice:
    """Return the advice for one failure."""
    kind, error = failure["kind"], failure["error"]
    if error == "TableRemovedError":
        return _removed(table)
    if kind == "mart":
        return _mart(failure, table)
    if kind == "open":
        return _refused(error, table, request)
    if kind == "stage":
        return _anew(_stage(failure, table), failure, request)
    if kind == "extract":
        return _extract(failure, table, request)
    if kind == "maintain":
        return _maintain(error)
    how = {"aborted": "was aborted", "timed_out": "ran out of time"}.get(kind, "broke off")
    return Advice(
        what=f"The execution {how} before its work on {table or 'its table'} was done.",
        safe="Nothing is lost: files stay in the raw bucket, claimed ones go back, and tables show a whole state.",
        todo="Start the table again; the next landing or sweep does so too. It puts right what this one left.",
        rerun={"table": table} if table else {},
        section="an-execution-ended-without-closing-its-batch",
    )


def _stage(failure: Mapping[str, Any], table: str) -> Advice:
    error, cause = failure["error"], str(failure["cause"])
    replay = {"table": table, "mode": "replay", "batch_id": failure.get("batch_id")}
    holds, in_parts = failure.get("holds"), failure.get("in_parts")
    key = "the same key, for which later files wait" if holds else "the same key" if in_parts else "any key"
    others = f"{'Other snapshots' if in_parts else 'Files that fit'} are staged without it"
    if holds:
        others = "Later files wait for it (on_failed_file: hold)"
    safe = f"staging.{table} and its marts are as they were before the batch; the files stay in the raw bucket."
    if error == "LimitExceededError":
        return Advice(
            what=f"A limit of the contract of {table} stopped the batch before anything was published.",
            safe=safe,
            todo="Look at the figures. If they are right, let it through once; if the file is wrong, send it again "
            f"as it should be, under {key}{', and replay the other parts of its snapshot' if in_parts else ''}.",
            rerun={"table": table, "allow": limits_to_allow(cause)},
            section="a-limit-stopped-a-batch",
        )
    if error == "OverwriteRefusedError":
        return Advice(
            what=f"A key of {table} landed again with other content, which on_overwrite refuses.",
            safe=f"staging.{table} and its marts hold what the key held first; both stay in the raw bucket.",
            todo="Send the new content under a key of its own; or change on_overwrite, deploy, and replay by prefix.",
            rerun={},
            section="a-file-does-not-fit-its-contract",
        )
    if error == "ContractViolationError":
        return Advice(
            what=f"A file of {table} does not fit its contract and was not staged.",
            safe=f"{safe} {others}.",
            todo=f"Send the part again as it should be, under {key}, or correct the contract and deploy; then replay: "
            "all parts of its snapshot failed with it."
            if in_parts
            else f"Send the file again as it should be, under {key}; or correct the contract, deploy, and replay.",
            rerun=replay,
            section="a-file-does-not-fit-its-contract",
        )
    if error == "SchemaChangeError":
        return Advice(
            what=f"The staging table of {table} cannot follow its contract.",
            safe=safe,
            todo="Correct the contract and deploy, or do what the sentence above says; then take the files up again.",
            rerun=replay,
            section="a-contract-that-its-table-cannot-follow",
        )
    if failure.get("gave_up"):
        return Advice(
            what=f"The staging job of {table} failed, and files that it stages are given up.",
            safe=safe,
            todo="They are tried no more: remove the cause, then replay them.",
            rerun=replay,
            section="a-staging-job-fails",
        )
    return Advice(
        what=f"The staging job of {table} failed, also when it was tried again.",
        safe=safe,
        todo="The files are tried again with the next landing or the next sweep; or remove the cause and start now.",
        rerun={"table": table},
        section="a-staging-job-fails",
    )


def _removed(table: str) -> Advice:
    return Advice(
        what=f"{table} was removed from the pipeline while an execution worked on it.",
        safe="Nothing is lost: files stay in the raw bucket, and the tables that are left are whole.",
        todo="Nothing, if it was meant. To go on with it, bring its contract back, deploy, and start "
        f'{{"table": "{table}"}}.',
        rerun={},
        section="an-execution-ended-without-closing-its-batch",
    )


def _anew(advice: Advice, failure: Mapping[str, Any], request: Mapping[str, Any]) -> Advice:
    """Return the advice for staging a table anew: it leaves no file pending or failed, so that it starts as it did.

    Later batches of the execution stage what landed meanwhile as those of any other do.
    """
    if failure.get("mode") != "rebuild":
        return advice
    allowed = sorted({*request.get("allow", ()), *advice.rerun.get("allow", ())})
    rerun = {**request, **({"allow": allowed} if allowed else {})}
    if advice.section != "a-file-does-not-fit-its-contract":
        return replace(advice, rerun=rerun)
    why = "does not fit its contract"
    todo = (
        "Correct the contract so that it takes the file too, deploy, and start the rebuild again; one that was never "
        "staged is left out then."
    )
    if ": is gone: " in str(failure["cause"]):
        why = "is in the raw bucket no more"
        todo = "Send it again as it was, under the same key, and start the rebuild again"
        if failure.get("in_parts"):
            todo += ": no snapshot in parts is staged without one of them."
        else:
            todo += "; where its rows may leave the table with it, this input goes without such files."
            rerun["allow"] = sorted({*allowed, MISSING_FILES})
    what, safe = f"A file of {request['table']} {why}: nothing is staged anew.", advice.safe.partition("; ")[0] + "."
    return replace(advice, what=what, safe=safe, todo=todo, rerun=rerun)


def _extract(failure: Mapping[str, Any], table: str, request: Mapping[str, Any]) -> Advice:
    error, named = failure["error"], input_to_start(str(failure["cause"]))
    todo = "Remove the cause and start the extraction again; the next by schedule reads all that is missing."
    if error == "InvalidRequestError":
        return _refused(error, table, request)
    again = ", also when it was tried again" if error == "SourceUnavailableError" else ""
    return Advice(
        what=f"{table} could not be extracted from its database{again}.",
        safe=f"Nothing half-written lands: staging.{table} and its marts are as they were, and so is the watermark.",
        todo="Start the input that the sentence above names; where it says <…>, put the value." if named else todo,
        rerun=named or dict(request),
        section="an-extraction-fails",
    )


def _maintain(error: str) -> Advice:
    if error == "InvalidRequestError":
        return _refused(error, "", {})
    return Advice(
        what="The maintenance left tables as they were.",
        safe="Every table is whole and shows all its rows: what was not done costs storage and speed, no data.",
        todo="Remove the cause; the next maintenance does what this one left, and so does one that is started now.",
        rerun={},
        section="a-maintenance-fails",
    )


def _mart(failure: Mapping[str, Any], table: str) -> Advice:
    """Return the advice for a mart; of one that was to be built anew the next batch only adds what is new."""
    advice = Advice(
        what=f"The mart {failure['name']} could not be built.",
        safe=f"staging.{table} holds the new rows; the mart shows its last good state and stays due.",
        todo="It is built again with the next batch of the table; or remove the cause and start now.",
        rerun={"table": table},
        section="a-mart-fails",
    )
    if failure.get("mode") != "rebuild":
        if failure["error"] != "MartSchemaError" or not (named := input_to_start(str(failure["cause"]))):
            return advice
        todo = "Correct the contract and deploy it; or do what the sentence above says, and the column begins anew."
        return replace(advice, todo=todo, rerun=named)
    marts = sorted({failure["name"], *failure["skipped"]})
    todo = "Remove the cause and start the rebuild of what it left: the next batch of the table builds nothing anew."
    return replace(advice, todo=todo, rerun={"table": table, "mode": "rebuild", "marts": marts})


def _refused(error: str, table: str, request: Mapping[str, Any]) -> Advice:
    if error == "InvalidRequestError":
        return Advice(
            what="The execution's input was refused; nothing was done.",
            safe="Nothing was touched.",
            todo="Start again with an input that the sentence above allows.",
            rerun={},
            section="an-input-was-refused",
        )
    return Advice(
        what=f"The execution did not open a batch of {table or 'its table'}; nothing was done.",
        safe="Nothing was published; what is pending stays pending.",
        todo="Start again with the same input.",
        rerun=dict(request),
        section="an-execution-could-not-begin",
    )
