"""Claims: a batch reads its own copies of the object versions it claimed, whatever lands meanwhile.

A copy is what the format's reader wants to read: of text, plain UTF-8 without compression; of documents that one
task must read in order, the bytes in lines of base64; of Parquet, the object itself. Each text passes the driver once,
in pieces, so that an archive that is cut off, or bytes that are no text, are known before any row is read.
"""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from botocore.exceptions import ClientError

from contracts.model import Source
from spark_jobs.layers.errors import ContractViolationError, FileGoneError
from spark_jobs.layers.extraction.claiming import copy_parts
from spark_jobs.layers.extraction.manifest import is_manifest
from spark_jobs.layers.staging.landings import Landing
from spark_jobs.layers.staging.readers.dialect import Dialect, dialect_of
from spark_jobs.layers.staging.readers.plain import (
    NONE,
    UTF8,
    UnreadableError,
    as_utf8,
    chunks_of,
    compression_of,
    is_utf8,
    refuse_utf16,
    unpacked,
)
from spark_jobs.layers.staging.readers.scan import Content, Scan

_GONE = ("404", "NoSuchKey", "NoSuchVersion")
_LINE_BYTES = 192 * 1024  # a multiple of three, so that base64 needs no padding inside a document


@dataclass(frozen=True)
class Claim:
    """A landing, its number in the batch, the URI of the batch's copy, and what the copy was found to hold."""

    number: int
    landing: Landing
    uri: str
    content: Content = field(default_factory=Content)


@dataclass(frozen=True)
class Target:
    """Where a landing is copied to, and how its contract says it is written."""

    bucket: str
    key: str
    source: Source
    split_bytes: int

    @property
    def encoding(self) -> str:
        return str(self.source.options.get("encoding", UTF8))


def claim_all(
    s3: Any, numbered: Sequence[tuple[int, Landing]], bucket: str, batch_id: str, source: Source, split_bytes: int
) -> tuple[list[Claim], list[ContractViolationError]]:
    """Copy each claimed version to `claims/<batch>/<n>.<format>`.

    Returns the claims, and the errors of landings that cannot be read to their end.
    """

    def one(numbered: tuple[int, Landing]) -> Claim | ContractViolationError:
        number, landing = numbered
        key = f"claims/{batch_id}/{number:06d}.{source.format}{_SUFFIXES.get(source.format, '')}"
        try:
            content = _copied(s3, landing, Target(bucket, key, source, split_bytes))
        except UnreadableError as error:
            return ContractViolationError(f"file {landing.key}: {error}", {landing.id: (str(error), None)})
        except ClientError as error:
            if not _tells_of_gone(error):
                raise
            gone = (
                f"is gone: somebody deleted its version {landing.version_id} from the raw bucket; "
                "send it again as it was, under the same key"
            )
            return FileGoneError(f"file {landing.key}: {gone}", {landing.id: (gone, None)})
        return Claim(number, landing, f"s3://{bucket}/{key}", content)

    with ThreadPoolExecutor(max_workers=8) as pool:
        done = list(pool.map(one, numbered))
    claims = [claim for claim in done if isinstance(claim, Claim)]
    return claims, [error for error in done if isinstance(error, ContractViolationError)]


def _copied(s3: Any, landing: Landing, target: Target) -> Content:
    """Copy a version; where somebody deleted it, the object of its key if that was sent again as it was.

    To the ledger what was sent again is a duplicate, so that nobody else reads it.
    """
    copy = _COPIES.get(target.source.format, _copy_text)
    try:
        return copy(s3, landing, target)
    except ClientError as error:
        again = _sent_again(s3, landing) if _tells_of_gone(error) else None
        if again is None:
            raise
    return copy(s3, replace(landing, version_id=again), target)


def _sent_again(s3: Any, landing: Landing) -> str | None:
    """Return the version that lies at a landing's key now, where its content is the landing's."""
    try:
        now = s3.head_object(Bucket=landing.bucket, Key=landing.key)
    except ClientError as error:
        if not _tells_of_gone(error):
            raise
        return None
    return str(now["VersionId"]) if now["ETag"].strip('"') == landing.etag else None


def _tells_of_gone(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in _GONE


def _copy_text(s3: Any, landing: Landing, target: Target) -> Content:
    compression, plain = _opened(s3, landing, target)
    scan = Scan(_dialect(target.source), target.split_bytes)
    text = scan.through(as_utf8(plain, target.encoding))
    if compression == NONE and is_utf8(target.encoding):
        with ThreadPoolExecutor(max_workers=1) as beside:
            copied = beside.submit(_copy_object, s3, landing, target)
            for _ in text:
                pass
        copied.result()
    else:
        s3.upload_fileobj(_Stream(text), target.bucket, target.key)
    return scan.content()


def _copy_document(s3: Any, landing: Landing, target: Target) -> Content:
    _, plain = _opened(s3, landing, target)
    sizes: list[int] = []
    text = as_utf8(plain, target.encoding) if "encoding" in target.source.options else plain
    s3.upload_fileobj(_Stream(_in_lines(text, sizes)), target.bucket, target.key)
    return Content(size=sum(sizes))


def _copy_object(s3: Any, landing: Landing, target: Target) -> Content:
    origin = {"Bucket": landing.bucket, "Key": landing.key, "VersionId": landing.version_id}
    s3.copy(origin, target.bucket, target.key)
    return Content()


def _copy_parquet(s3: Any, landing: Landing, target: Target) -> Content:
    """Copy a file, or all parts of an extraction, which its manifest names, to a folder of the file's name."""
    if not is_manifest(landing.key):
        return _copy_object(s3, landing, target)
    origin = {"Bucket": landing.bucket, "Key": landing.key, "VersionId": landing.version_id}
    try:
        copy_parts(s3, origin, target.bucket, target.key)
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    return Content()


_COPIES: dict[str, Callable[[Any, Landing, Target], Content]] = {
    "json": _copy_document,
    "xml": _copy_document,
    "parquet": _copy_parquet,
}
_SUFFIXES = {"json": ".gz", "xml": ".gz"}  # Spark splits no gzip: one task reads a document from its beginning


def _opened(s3: Any, landing: Landing, target: Target) -> tuple[str, Iterator[bytes]]:
    """Return the object's compression and its content in pieces, unpacked."""
    body = s3.get_object(Bucket=landing.bucket, Key=landing.key, VersionId=landing.version_id)["Body"]
    chunks = chunks_of(body)
    first = next(chunks, b"")
    compression = compression_of(first, target.source.compression)
    plain = unpacked(_chained(first, chunks), compression)
    head = next(plain, b"")
    if compression != NONE and compression_of(head, "auto") != NONE:
        raise UnreadableError("is an archive inside an archive; send it packed once")
    if target.source.format != "xml":  # XML says itself how it is written
        refuse_utf16(head, target.encoding)
    return compression, _chained(head, plain)


def _chained(first: bytes, chunks: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from chunks


def _dialect(source: Source) -> Dialect | None:
    """Return the dialect of CSV whose records may hold line breaks."""
    if source.format != "csv" or not source.options.get("multiline", True):
        return None
    return dialect_of(source.options)


def _in_lines(chunks: Iterator[bytes], sizes: list[int]) -> Iterator[bytes]:
    """Yield a gzip member of lines of base64; it is stored, not packed, for it lives as long as the batch.

    The sizes of the pieces are added to `sizes`.
    """
    pack = zlib.compressobj(0, wbits=31)
    left = b""
    for chunk in chunks:
        sizes.append(len(chunk))
        left += chunk
        while len(left) >= _LINE_BYTES:
            yield pack.compress(base64.b64encode(left[:_LINE_BYTES]) + b"\n")
            left = left[_LINE_BYTES:]
    if left:
        yield pack.compress(base64.b64encode(left) + b"\n")
    yield pack.flush()


class _Stream(io.RawIOBase):
    """A file to read from, made of pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        wanted = -1 if size is None else size
        parts, have = [self._left], len(self._left)
        while wanted < 0 or have < wanted:
            piece = next(self._pieces, None)
            if piece is None:
                break
            parts.append(piece)
            have += len(piece)
        text = b"".join(parts)
        self._left = text[wanted:] if wanted >= 0 else b""
        return text[:wanted] if wanted >= 0 else text
