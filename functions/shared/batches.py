"""Batches: the item in the ledger, and the documents in the artifacts bucket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

CLAIMING, OPEN, PUBLISHED, BATCH_FAILED, ABANDONED = "claiming", "open", "published", "failed", "abandoned"
CLOSED = (PUBLISHED, BATCH_FAILED, ABANDONED)
_TRIES = 5


@dataclass(frozen=True)
class BatchFiles:
    """The documents of a pipeline's batches: `batches/<table>/<batch id>/<name>.json`."""

    s3: Any
    bucket: str

    def uri(self, table: str, batch_id: str, name: str) -> str:
        return f"s3://{self.bucket}/{_key(table, batch_id, name)}"

    def write_once(self, table: str, batch_id: str, name: str, value: Mapping[str, Any]) -> Any:
        """Write a document that nobody wrote before; return it, or what somebody else wrote first."""
        body = json.dumps(value, sort_keys=True, indent=1).encode("utf-8")
        for attempt in range(_TRIES):
            try:
                self.s3.put_object(
                    Bucket=self.bucket,
                    Key=_key(table, batch_id, name),
                    Body=body,
                    ContentType="application/json",
                    IfNoneMatch="*",
                )
                return value
            except ClientError as error:
                code = error.response["Error"]["Code"]
                if code == "PreconditionFailed":
                    return self.read(table, batch_id, name)
                if code != "ConditionalRequestConflict" or attempt == _TRIES - 1:
                    raise
        raise AssertionError("the loop returns or raises")

    def read(self, table: str, batch_id: str, name: str) -> Any:
        """Return a document; None where there is none."""
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=_key(table, batch_id, name))
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                return None
            raise
        return json.loads(answer["Body"].read())


def _key(table: str, batch_id: str, name: str) -> str:
    return f"batches/{table}/{batch_id}/{name}.json"
