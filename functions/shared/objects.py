"""What lies in the raw bucket, version by version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from functions.shared.landings import Landing, landing_id, normal_time

_LATEST = 0xFFFF


@dataclass(frozen=True)
class RawFiles:
    """The raw bucket of a pipeline."""

    s3: Any
    bucket: str

    def versions(self, prefix: str) -> Iterator[Landing]:
        """Yield every version of every object under a prefix, as its event would tell of it.

        Of its time S3 lists the second, and of its sequencer nothing: those that S3 gives begin with that second. Of
        the versions of an object it lists the newest first, by which those of one second are told apart.
        """
        pages = self.s3.get_paginator("list_object_versions").paginate(Bucket=self.bucket, Prefix=prefix)
        key, place = "", 0
        for one in (version for page in pages for version in page.get("Versions", ())):
            key, place = one["Key"], place + 1 if one["Key"] == key else 0
            written: datetime = one["LastModified"].astimezone(UTC)
            yield Landing(
                id=landing_id(one["Key"], one["VersionId"]),
                bucket=self.bucket,
                key=one["Key"],
                version_id=one["VersionId"],
                sequencer=f"{int(written.timestamp()):010X}{max(_LATEST - place, 0):04X}",
                event_time=normal_time(written.isoformat()),
                etag=one["ETag"].strip('"'),
                size=one["Size"],
            )

    def is_there(self, key: str) -> bool:
        """Tell whether an object lies at a key, and the newest of its versions is no deletion."""
        answer = self.s3.list_object_versions(Bucket=self.bucket, Prefix=key, MaxKeys=1)
        return any(one["Key"] == key and one["IsLatest"] for one in answer.get("Versions", ()))
