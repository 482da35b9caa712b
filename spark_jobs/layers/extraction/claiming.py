"""Staging claims an extraction of several parts as one landing: all parts, and each as the manifest names it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from botocore.exceptions import ClientError

from spark_jobs.layers.extraction.manifest import LONGEST, Part, read_manifest

_COPIES_AT_ONCE = 8
_GONE = ("404", "NoSuchKey", "NoSuchVersion")
_NO_REASON, _NO_VERSION = "400", "InvalidArgument"


def copy_parts(s3: Any, origin: Mapping[str, str], bucket: str, folder: str) -> None:
    """Copy the parts of the manifest at `origin` to `<folder>/<n>.<rows before it>.parquet`, `<n>` the folder's number.

    ValueError when the manifest is none, or a part is not as it names it.
    """
    manifest = read_manifest(s3.get_object(**origin)["Body"].read(LONGEST + 1), origin["Key"])
    number = folder.rpartition("/")[2].partition(".")[0]

    def copy(numbered: tuple[int, Part]) -> None:
        before, part = numbered
        source = {"Bucket": origin["Bucket"], "Key": part.key, "VersionId": part.version_id}
        try:
            s3.copy(source, bucket, f"{folder}/{number}.{before:012d}.parquet")
        except ClientError as error:
            code = _code(s3, source, error)
            if code not in (*_GONE, _NO_VERSION):
                raise
            why = "that is gone" if code in _GONE else "whose version S3 takes for none"
            named = f"{part.key}, version {part.version_id}"
            raise ValueError(f"names a part {why}: {named}; extract the table again") from error

    offsets = [sum(part.rows for part in manifest.parts[:index]) for index in range(len(manifest.parts))]
    with ThreadPoolExecutor(max_workers=_COPIES_AT_ONCE) as pool:
        list(pool.map(copy, zip(offsets, manifest.parts, strict=True)))


def _code(s3: Any, source: Mapping[str, str], error: ClientError) -> str:
    """Return the code of a copy's error; what a look at an object answers has no body that would tell it of a 400."""
    code: str = error.response["Error"]["Code"]
    if code == _NO_REASON:
        try:
            s3.get_object(**source)["Body"].close()
        except ClientError as told:
            code = told.response["Error"]["Code"]
    return code
