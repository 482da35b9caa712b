"""Who calls AWS, and what IAM would ask of the call: functions, jobs and state machines of the laptop's cloud."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import boto3
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from orchestration.embedded import lambdas
from orchestration.embedded.job_runs import JobRun
from orchestration.embedded.lambdas import Lambdas
from orchestration.embedded.warm import WarmRunner
from tests.pipeline.policies import Need

_STEP_FUNCTIONS = "moto.stepfunctions.parser.asl.component.state.exec"
_GET, _GET_VERSION = ("s3:GetObject", "s3:GetObjectTagging"), ("s3:GetObjectVersion", "s3:GetObjectVersionTagging")
_PLAIN = {
    "GetObjectTagging": "s3:GetObjectTagging",
    "GetObject": "s3:GetObject",
    "HeadObject": "s3:GetObject",
    "PutObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "AbortMultipartUpload": "s3:AbortMultipartUpload",
    "DeleteObject": "s3:DeleteObject",
}
_LISTING = {
    **dict.fromkeys(("ListObjectsV2", "ListObjects", "HeadBucket"), "s3:ListBucket"),
    "ListObjectVersions": "s3:ListBucketVersions",
}
_OTHERS = {
    ("stepfunctions", "StartExecution"): ("states:StartExecution", "stateMachineArn"),
    ("stepfunctions", "DescribeExecution"): ("states:DescribeExecution", "executionArn"),
    ("sns", "Publish"): ("sns:Publish", "TopicArn"),
    ("lambda", "Invoke"): ("lambda:InvokeFunction", "FunctionName"),
}
Call = tuple[str, str, Mapping[str, Any]]


class Recorder:
    """The calls of each principal: a function's or job's name, or the ARN of a state machine."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Call]] = []
        self._now = threading.local()
        self._owners: dict[int, tuple[Any, str]] = {}

    @contextmanager
    def recording(self) -> Iterator[Recorder]:
        """Note the calls that are made meanwhile."""
        patches: tuple[tuple[Any, str, Any], ...] = (
            (BaseClient, "_make_api_call", self._noting(BaseClient._make_api_call)),
            (boto3, "client", self._owning(boto3.client)),
            (Lambdas, "_load", self._as_nobody(Lambdas._load)),
            (lambdas, "_call", self._handling(lambdas._call)),
            (WarmRunner, "run", self._running(WarmRunner.run)),
        )
        with ExitStack() as stack:
            for owner, name, replacement in patches:
                stack.enter_context(mock.patch.object(owner, name, replacement))
            yield self

    def _principal(self, client: Any = None) -> str | None:
        """Return who calls in this thread; of a thread that belongs to nobody, who has made the client."""
        own = getattr(self._now, "principals", ())
        if own:
            return own[-1] or None
        return _machine() or (self._owners.get(id(client), (None, ""))[1] or None)

    @contextmanager
    def _as(self, principal: str) -> Iterator[None]:
        before = getattr(self._now, "principals", ())
        self._now.principals = (*before, principal)
        try:
            yield
        finally:
            self._now.principals = before

    def _noting(self, plain: Any) -> Callable[..., Any]:
        def call(client: Any, operation: str, parameters: Mapping[str, Any]) -> Any:
            principal, service = self._principal(client), client.meta.service_model.service_name
            if principal:
                self.calls.append((principal, (service, operation, dict(parameters))))
            try:
                return plain(client, operation, parameters)
            except ClientError as error:  # S3 tells only who may list that there is no such key
                if principal and error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                    self.calls.append((principal, (service, "ListObjectsV2", {"Bucket": parameters["Bucket"]})))
                raise

        return call

    def _owning(self, plain: Any) -> Callable[..., Any]:
        def client(*args: Any, **options: Any) -> Any:
            made = plain(*args, **options)
            if principal := self._principal():
                self._owners[id(made)] = (made, principal)  # held, so that no other client gets its id
            return made

        return client

    def _as_nobody(self, plain: Any) -> Callable[..., Any]:
        """Let a part of the laptop's cloud call for itself."""

        def call(*args: Any) -> Any:
            with self._as(""):
                return plain(*args)

        return call

    def _handling(self, plain: Any) -> Callable[..., Any]:
        def call(function: Any, event: Any) -> Any:
            if machine := _machine():
                called = {"FunctionName": function.configuration["FunctionArn"]}
                self.calls.append((machine, ("lambda", "Invoke", called)))
            with self._as(f"function {function.configuration['FunctionName']}"):
                return plain(function, event)

        return call

    def _running(self, plain: Any) -> Callable[..., Any]:
        def run(runner: Any, job: JobRun) -> Any:
            with self._as(f"job {job.job_name}"):
                return plain(runner, job)

        return run


def _machine() -> str | None:
    """Return the ARN of the state machine whose task calls in this thread."""
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]
        if frame.f_globals.get("__name__", "").startswith(_STEP_FUNCTIONS) and "env" in frame.f_locals:
            return str(frame.f_locals["env"].states.context_object.context_object_data["StateMachine"]["Id"])
    return None


def needs(call: Call, table_arn: Callable[[str], str], glue_job_arn: Callable[[str], str]) -> Iterator[Need]:
    """Yield what IAM asks for a call; of one that is not written down here, something that nobody may do."""
    service, operation, parameters = call
    if service == "s3":
        yield from _s3(operation, parameters)
    elif service == "dynamodb":
        yield from _dynamodb(operation, parameters, table_arn)
    elif service == "glue" and "JobName" in parameters:
        yield Need(f"glue:{operation}", glue_job_arn(parameters["JobName"]))
    else:
        action, name = _OTHERS.get((service, operation), (f"unknown:{service}-{operation}", ""))
        yield Need(action, parameters.get(name, "?"))


def _s3(operation: str, parameters: Mapping[str, Any]) -> Iterator[Need]:
    bucket = f"arn:aws:s3:::{parameters['Bucket']}"
    if operation in _LISTING:
        yield Need(_LISTING[operation], bucket)
        return
    place = f"{bucket}/{parameters['Key']}"
    if operation in ("CopyObject", "UploadPartCopy"):
        yield Need("s3:PutObject", place)
        source = parameters["CopySource"]
        actions = _GET_VERSION if "VersionId" in source else _GET
        yield from (Need(action, f"arn:aws:s3:::{source['Bucket']}/{source['Key']}") for action in actions)
    elif operation in ("GetObject", "HeadObject") and "VersionId" in parameters:
        yield Need("s3:GetObjectVersion", place)
    else:
        yield Need(_PLAIN.get(operation, f"unknown:s3-{operation}"), place)


def _dynamodb(operation: str, parameters: Mapping[str, Any], arn: Callable[[str], str]) -> Iterator[Need]:
    if operation == "TransactWriteItems":
        for item in parameters["TransactItems"]:
            [(kind, one)] = item.items()
            name = {"ConditionCheck": "ConditionCheckItem"}.get(kind, f"{kind}Item")
            yield Need(f"dynamodb:{name}", arn(one["TableName"]), _leading(one.get("Key") or one["Item"]))
    elif operation == "BatchGetItem":
        for table, one in parameters["RequestItems"].items():
            yield from (Need("dynamodb:BatchGetItem", arn(table), _leading(key)) for key in one["Keys"])
    elif operation == "Query":
        yield Need("dynamodb:Query", arn(parameters["TableName"]))
    else:
        key = parameters.get("Key") or parameters["Item"]
        yield Need(f"dynamodb:{operation}", arn(parameters["TableName"]), _leading(key))


def _leading(key: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    return {"dynamodb:LeadingKeys": (key["pk"]["S"],)}
