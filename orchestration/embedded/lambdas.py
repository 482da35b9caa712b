"""Runs the code of deployed Lambda functions in this process, one call at a time."""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import Any

from aws_lambda_powertools import Metrics

import contracts.model  # noqa: F401 (functions share it with this process)
from orchestration.embedded.logs import logging_to
from orchestration.embedded.network import KilledError, acting
from orchestration.embedded.synth import Assembly

_PACKAGE = "functions"
_MILLISECONDS = 1000


@dataclass(frozen=True)
class Context:
    """What Lambda tells a handler of its invocation."""

    function_name: str
    memory_limit_in_mb: int
    invoked_function_arn: str
    log_group_name: str
    deadline: float
    function_version: str = "$LATEST"
    aws_request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    log_stream_name: str = "laptop"

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.monotonic()) * _MILLISECONDS))


@dataclass
class _Function:
    """A function that was called before: its configuration, its code, and the modules it has imported."""

    configuration: Mapping[str, Any]
    folder: Path
    modules: dict[str, ModuleType] = field(default_factory=dict)
    handler: Callable[[Any, Context], Any] | None = None

    @property
    def name(self) -> str:
        """The word that its logs and metrics use, e.g. `open_batch`."""
        variables: Mapping[str, str] = self.configuration["Environment"]["Variables"]
        return variables.get("POWERTOOLS_SERVICE_NAME", str(self.configuration["FunctionName"]))

    def forget(self) -> None:
        """Begin with the next call as a new process does."""
        self.modules.clear()
        self.handler = None


class Lambdas:
    """The functions of one stack, with the environment, role and timeout that they were deployed with."""

    def __init__(self, client: Any, assembly: Assembly, logs: Path) -> None:
        self._client = client
        self._assets = {asset.key: asset.path for asset in assembly.assets("", "")}
        self._logs = logs
        self._functions: dict[str, _Function] = {}
        self._lock = RLock()

    def invoke(self, function: str, event: Any) -> dict[str, Any]:
        """Answer as Lambda's Invoke does, the payload parsed; a handler's exception is a FunctionError."""
        with self._lock:
            called = self._functions.get(function) or self._load(function)
            log = logging_to(self._logs / f"{called.name}.log")
            with log, acting(called.name), _overlaid(self._variables(called)):
                try:
                    return _call(called, json.loads(json.dumps(event)))
                finally:
                    _forget_dimensions()

    def _load(self, function: str) -> _Function:
        found = self._client.get_function(FunctionName=function)
        place = found["Code"]["Location"]
        [folder] = [path for key, path in self._assets.items() if place.endswith(f"/{key}")]
        loaded = self._functions[function] = _Function(found["Configuration"], folder)
        return loaded

    def _variables(self, called: _Function) -> dict[str, str]:
        told = called.configuration
        return {
            **told["Environment"]["Variables"],
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{told['Runtime']}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(told["MemorySize"]),
            "AWS_LAMBDA_FUNCTION_NAME": told["FunctionName"],
            "AWS_LAMBDA_FUNCTION_VERSION": told["Version"],
            "AWS_REGION": self._client.meta.region_name,
            "LAMBDA_TASK_ROOT": str(called.folder),
            "POWERTOOLS_TRACE_DISABLED": "true",
            "_HANDLER": told["Handler"],
        }


def _forget_dimensions() -> None:
    """Leave no metrics' dimensions to the next function: on AWS each has a process of its own."""
    metrics = Metrics()
    metrics.clear_default_dimensions()
    metrics.clear_metrics()


def _call(called: _Function, event: Any) -> dict[str, Any]:
    told = called.configuration
    began = time.monotonic()
    context = Context(
        function_name=told["FunctionName"],
        memory_limit_in_mb=int(told["MemorySize"]),
        invoked_function_arn=told["FunctionArn"],
        log_group_name=told.get("LoggingConfig", {}).get("LogGroup", ""),
        deadline=began + told["Timeout"],
    )
    try:
        with _own_modules(called):
            called.handler = called.handler or _import(told["Handler"])
            payload = json.loads(json.dumps(called.handler(event, context)))
    except KilledError as error:
        traceback.print_exc()
        called.forget()
        message = f"RequestId: {context.aws_request_id} Error: Runtime exited with error: signal: killed ({error})"
        return _failed("Runtime.ExitError", message, context)
    except Exception as error:
        traceback.print_exc()
        return _failed(type(error).__name__, str(error), context)
    if time.monotonic() > context.deadline:
        message = f"{context.aws_request_id} Task timed out after {told['Timeout']:.2f} seconds"
        return _failed("Sandbox.Timedout", message, context)
    return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": payload}


def _failed(kind: str, message: str, context: Context) -> dict[str, Any]:
    error = {"errorType": kind, "errorMessage": message, "requestId": context.aws_request_id}
    return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "FunctionError": "Unhandled", "Payload": error}


def _import(handler: str) -> Callable[[Any, Context], Any]:
    module, _, name = handler.rpartition(".")
    found: Callable[[Any, Context], Any] = getattr(importlib.import_module(module), name)
    return found


@contextmanager
def _own_modules(called: _Function) -> Iterator[None]:
    """Let `functions` be the function's own code, as in a Lambda's process of its own."""
    others = _take_modules()
    sys.modules.update(called.modules)
    sys.path.insert(0, str(called.folder))
    try:
        yield
    finally:
        sys.path.remove(str(called.folder))
        called.modules.update(_take_modules())
        sys.modules.update(others)


def _take_modules() -> dict[str, ModuleType]:
    loaded = list(sys.modules)  # at one blow: other threads import meanwhile
    names = [name for name in loaded if name == _PACKAGE or name.startswith(f"{_PACKAGE}.")]
    return {name: sys.modules.pop(name) for name in names}


@contextmanager
def _overlaid(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
