"""Small JSON documents in S3: the plan, manifests and results."""

from __future__ import annotations

import json
from typing import Any


def read_text(uri: str, s3: Any) -> str:
    """Return the text of an object, e.g. `s3://bucket/key`."""
    bucket, key = _split(uri)
    text: str = s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode("utf-8")
    return text


def read_json(uri: str, s3: Any) -> Any:
    """Return the value of a JSON object in S3."""
    return json.loads(read_text(uri, s3))


def write_json(uri: str, value: Any, s3: Any) -> None:
    """Write a value as JSON."""
    bucket, key = _split(uri)
    body = json.dumps(value, sort_keys=True, indent=1).encode("utf-8")
    s3.put_object(Bucket=bucket, Key=key, Body=body, ContentType="application/json")


def _split(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
