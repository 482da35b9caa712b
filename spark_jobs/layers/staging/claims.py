"""Claims: a batch reads its own copies of the object versions it claimed, whatever lands meanwhile."""

from __future__ import annotations

import bz2
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from contracts.model import Source
from spark_jobs.layers.errors import ContractViolationError
from spark_jobs.layers.staging.landings import Landing

HEAD_BYTES = 65_536
_MAGIC = ((b"\x1f\x8b", ".gz"), (b"BZh", ".bz2"))
_SUFFIX = {"gzip": ".gz", "bzip2": ".bz2", "none": ""}


@dataclass(frozen=True)
class Claim:
    """A landing, its number in the batch, the URI of the batch's copy, and its first bytes, decompressed."""

    number: int
    landing: Landing
    uri: str
    head: bytes


def claim_all(
    s3: Any, numbered: Sequence[tuple[int, Landing]], bucket: str, batch_id: str, source: Source
) -> tuple[list[Claim], list[ContractViolationError]]:
    """Copy each claimed version to `claims/<batch>/<n>.<format>[.gz|.bz2]` and read its first 64 KiB.

    The copy's suffix tells what the content is, by its magic bytes (`auto`) or by the contract's word, so that
    a suffix that lies does no harm. Returns the claims, and the errors of landings that cannot be unpacked.
    """

    def one(numbered: tuple[int, Landing]) -> Claim | ContractViolationError:
        number, landing = numbered
        try:
            suffix, head = _read_head(s3, landing, source.compression)
        except ContractViolationError as error:
            return error
        key = f"claims/{batch_id}/{number:06d}.{source.format}{suffix}"
        origin = {"Bucket": landing.bucket, "Key": landing.key, "VersionId": landing.version_id}
        s3.copy(origin, bucket, key)
        return Claim(number, landing, f"s3://{bucket}/{key}", head)

    with ThreadPoolExecutor(max_workers=8) as pool:
        done = list(pool.map(one, numbered))
    claims = [claim for claim in done if isinstance(claim, Claim)]
    return claims, [error for error in done if isinstance(error, ContractViolationError)]


def _read_head(s3: Any, landing: Landing, compression: str) -> tuple[str, bytes]:
    """Return the suffix of the content's compression and up to HEAD_BYTES of the plain content."""
    body = s3.get_object(Bucket=landing.bucket, Key=landing.key, VersionId=landing.version_id)["Body"]
    try:
        chunk = body.read(HEAD_BYTES)
        suffix = _suffix(chunk) if compression == "auto" else _SUFFIX[compression]
        unpack = _UNPACK[suffix]() if suffix else None
        head = b""
        while chunk and len(head) < HEAD_BYTES:
            head += unpack.decompress(chunk) if unpack else chunk
            chunk = b"" if unpack and unpack.eof else body.read(HEAD_BYTES)
    except (zlib.error, OSError) as error:
        reason = f"is no readable archive ({error})"
        raise ContractViolationError(f"file {landing.key}: {reason}", {landing.id: (reason, None)}) from error
    finally:
        body.close()
    return suffix, head[:HEAD_BYTES]


def unpack_error(s3: Any, claim: Claim, bucket: str) -> str | None:
    """Return why a claim's archive does not unpack to its end; None when it does, or is no archive."""
    suffix = next((suffix for _, suffix in _MAGIC if claim.uri.endswith(suffix)), "")
    if not suffix:
        return None
    body = s3.get_object(Bucket=bucket, Key=claim.uri.removeprefix(f"s3://{bucket}/"))["Body"]
    unpack = _UNPACK[suffix]()
    try:
        while chunk := body.read(1024 * 1024):
            while chunk:
                unpack.decompress(chunk)
                chunk = unpack.unused_data
                if unpack.eof and chunk:
                    unpack = _UNPACK[suffix]()
    except (zlib.error, OSError) as error:
        return str(error)
    finally:
        body.close()
    return None if unpack.eof else "the archive is cut off"


def _suffix(head: bytes) -> str:
    return next((suffix for magic, suffix in _MAGIC if head.startswith(magic)), "")


def _gunzip() -> Any:
    return zlib.decompressobj(wbits=31)


_UNPACK: dict[str, Callable[[], Any]] = {".gz": _gunzip, ".bz2": bz2.BZ2Decompressor}
