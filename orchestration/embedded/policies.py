"""Bucket policies without their conditions, which moto does not read: a deny of plain HTTP would deny everything."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.s3.models import FakeBucket


@contextmanager
def attached() -> Iterator[None]:
    """Let moto's S3 pass over the conditional statements of bucket policies."""
    with mock.patch.object(FakeBucket, "get_permission", _permission):
        yield


def _permission(bucket: Any, action: str, resource: str) -> Any:
    policy = _unconditional(bucket.policy) if bucket.policy else None
    return policy.is_action_permitted(action, resource) if policy else PermissionResult.NEUTRAL


@functools.lru_cache(maxsize=64)
def _unconditional(document: bytes) -> Any:
    policy = json.loads(document)
    policy["Statement"] = [one for one in policy["Statement"] if "Condition" not in one]
    return IAMPolicy(policy) if policy["Statement"] else None
