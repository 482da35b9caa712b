"""The documents of batches: the first that is written counts, whoever comes later."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError

from functions.shared.batches import BatchFiles
from tests.unit.functions.conftest import ARTIFACTS, Pipeline


class S3:
    """Refuses what it is asked for so many times, for a reason."""

    def __init__(self, code: str, times: int) -> None:
        self.code, self.left, self.calls = code, times, 0

    def put_object(self, **_: Any) -> None:
        self.calls += 1
        if self.left:
            self.left -= 1
            raise ClientError({"Error": {"Code": self.code}}, "S3")

    def get_object(self, **asked: Any) -> dict[str, Any]:
        self.put_object(**asked)
        return {"Body": BytesIO(b"{}")}


def test_the_first_document_counts(pipeline: Pipeline) -> None:
    files = pipeline.world.files
    assert files.read("planes", "b", "manifest") is None
    assert files.write_once("planes", "b", "manifest", {"token": 1}) == {"token": 1}
    assert files.write_once("planes", "b", "manifest", {"token": 2}) == {"token": 1}
    assert files.read("planes", "b", "manifest") == {"token": 1}
    assert files.uri("planes", "b", "manifest") == f"s3://{ARTIFACTS}/batches/planes/b/manifest.json"


@pytest.mark.parametrize(("times", "calls"), [(0, 1), (4, 5)])
def test_two_that_write_at_once_are_told_to_try_again(times: int, calls: int) -> None:
    s3 = S3("ConditionalRequestConflict", times)
    assert BatchFiles(s3, ARTIFACTS).write_once("planes", "b", "manifest", {"token": 1}) == {"token": 1}
    assert s3.calls == calls


@pytest.mark.parametrize(("code", "calls"), [("ConditionalRequestConflict", 5), ("AccessDenied", 1)])
def test_what_cannot_be_written_is_told(code: str, calls: int) -> None:
    s3 = S3(code, 9)
    with pytest.raises(ClientError, match=code):
        BatchFiles(s3, ARTIFACTS).write_once("planes", "b", "manifest", {})
    assert s3.calls == calls


def test_a_document_that_may_not_be_read_is_not_taken_for_none() -> None:
    assert BatchFiles(S3("404", 1), ARTIFACTS).read("planes", "b", "stage") is None
    with pytest.raises(ClientError, match="AccessDenied"):
        BatchFiles(S3("AccessDenied", 1), ARTIFACTS).read("planes", "b", "stage")
