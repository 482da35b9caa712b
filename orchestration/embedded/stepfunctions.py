"""Step Functions: what moto's own executor of state machines lacks, so that it runs the real definition."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

import jsonata
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_dynamodb,
    state_task_service_glue,
    state_task_service_sfn,
)
from moto.stepfunctions.parser.asl.component.state.wait.wait_function import wait_function
from moto.stepfunctions.parser.asl.jsonata import jsonata as moto_jsonata
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.parse.preprocessor import Preprocessor
from moto.stepfunctions.parser.asl.utils.encoding import to_json_str

Invoke = Callable[[str, Any], Mapping[str, Any]]
Sleep = Callable[[float], None]
_Glue = state_task_service_glue.StateTaskServiceGlue
_DECLARING = (
    "moto.stepfunctions.parser.asl.eval.states.encode_jsonata_variable_declarations",
    "moto.stepfunctions.parser.asl.eval.variable_store.encode_jsonata_variable_declarations",
)
_ABNORMAL = frozenset({"FAILED", "TIMEOUT", "ERROR", "STOPPED"})  # a run that was stopped has not done its work


@dataclass(frozen=True)
class World:
    """What a state machine works with: functions, boto3 clients by service, and time.

    `rest` returns when a job may have ended.
    """

    invoke: Invoke
    client: Callable[[str], Any]
    sleep: Sleep
    rest: Callable[[], None]


@contextmanager
def executing(world: World) -> Iterator[None]:
    """Let moto execute JSONata machines whose tasks invoke functions and run Glue jobs to their end."""
    with ExitStack() as stack:
        for target in _DECLARING:
            stack.enter_context(mock.patch(target, _declare))
        patches: tuple[tuple[Any, str, Any], ...] = (
            (AmazonStateLanguageParser, "parse", staticmethod(_parsed)),
            (moto_jsonata, "_eval_jsonata", _evaluate),
            (lambda_eval_utils, "_invoke_lambda_function", functools.partial(_invoke, world)),
            (state_task_service_dynamodb, "boto_client_for", lambda service, **_: world.client(service)),
            (_Glue, "_get_glue_client", staticmethod(lambda **_: world.client("glue"))),
            (_Glue, "_eval_integration_pattern", _wait_of_job(world)),
            (state_task_service_sfn.StateTaskServiceSfn, "_normalise_parameters", _as_boto_names),
            (state_task_service_glue, "_JOB_RUN_STATE_ABNORMAL_TERMINAL_VALUE", _ABNORMAL),
            (retrier_decl, "time", type("time", (), {"sleep": staticmethod(world.sleep)})),
            (wait_function.WaitFunction, "_wait_interval", _wait_of(world)),
        )
        for owner, name, replacement in patches:
            stack.enter_context(mock.patch.object(owner, name, replacement))
        yield


def _parsed(definition: str) -> tuple[Any, Any]:
    """Return a machine's states and its syntax tree, which takes longest: moto parses it for each execution."""
    tree = _syntax_tree(definition)
    return Preprocessor().visit(tree), tree


@functools.lru_cache
def _syntax_tree(definition: str, parse: Callable[[str], Any] = AmazonStateLanguageParser.parse) -> Any:
    return parse(definition)[1]


def _evaluate(expression: str) -> Any:
    return jsonata.Jsonata(expression).evaluate(None)


def _declare(bindings: Mapping[str, Any]) -> str:
    """Declare variables, quotes and line ends of their strings escaped."""
    return "".join(f"{name}:={to_json_str(value)};" for name, value in bindings.items())


def _invoke(world: World, parameters: Mapping[str, Any], **_: Any) -> dict[str, Any]:
    return dict(world.invoke(parameters["FunctionName"], json.loads(parameters["Payload"])))


def _as_boto_names(_self: Any, parameters: dict[str, Any], **_: Any) -> None:
    """Name StartExecution's parameters as boto3 does; moto forgets to."""
    for name in list(parameters):
        value = parameters.pop(name)
        parameters[name[0].lower() + name[1:]] = value if isinstance(value, str) else to_json_str(value)


def _wait_of_job(world: World) -> Callable[..., None]:
    def wait_for_job(self: Any, env: Any, **parts: Any) -> None:
        """Look at the job run until it ends: Glue has no callback endpoint, which moto expects."""
        started = dict(env.stack[-1])
        resolve = self._build_sync_resolver(env=env, **parts)
        while (result := resolve()) is None:
            if not env.is_running():  # aborted, or out of time: Step Functions stops the run
                ids = [started["JobRunId"]]
                world.client("glue").batch_stop_job_run(JobName=started["JobName"], JobRunIds=ids)
                break
            world.rest()
        env.stack.append(result)

    return wait_for_job


def _wait_of(world: World) -> Callable[..., None]:
    def wait(_self: Any, *, wait_seconds: float, **_: Any) -> None:
        world.sleep(wait_seconds)

    return wait
