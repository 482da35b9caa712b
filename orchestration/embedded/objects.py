"""The bridge between S3 and the lake's folder: what boto3 puts lies on disk, versions and all, and outlives moto."""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

from moto.core import botocore_stubber
from moto.s3 import models
from moto.s3.exceptions import InvalidPart, MalformedXML
from moto.utilities.utils import md5_hash

from orchestration.embedded import bodies
from orchestration.embedded.bodies import Bodies, Slice
from orchestration.embedded.journal import Journal, Line
from orchestration.embedded.mirror import Mirror

_FakeKey: Any = models.FakeKey
_FakeMultipart: Any = models.FakeMultipart
_S3Backend: Any = models.S3Backend
_plain_value = _FakeKey.value
_plain_etag = _FakeKey.etag
_plain_init = _FakeKey.__init__
_plain_dispose = _FakeKey.dispose
_plain_delete = _S3Backend.delete_object
_plain_response = botocore_stubber.MockRawResponse


class Objects:
    """Keeps the objects of the lake's buckets as files; those of other buckets stay in moto's memory."""

    def __init__(self, lake: Path, state: Path) -> None:
        self.journal = Journal(state / "objects.jsonl")
        self.bodies = Bodies(state / "bodies")
        self._mirror = Mirror(lake)
        self._buckets: frozenset[str] = frozenset()

    def keep(self, buckets: frozenset[str]) -> None:
        """Keep what is put into these buckets from now on."""
        self._buckets = buckets

    @contextmanager
    def attached(self) -> Iterator[None]:
        """Let moto's S3 keep bodies here."""
        with ExitStack() as stack:
            for owner, name, replacement in (
                (_FakeKey, "__init__", _init_of(self)),
                (_FakeKey, "value", _value_of(self)),
                (_FakeKey, "etag", property(_etag)),
                (_FakeKey, "dispose", _dispose_of(self)),
                (_FakeMultipart, "complete", _complete_of(self)),
                (_S3Backend, "upload_part_copy", _upload_part_copy),
                (_S3Backend, "delete_object", _delete_of(self)),
                (botocore_stubber, "MockRawResponse", _response),
            ):
                stack.enter_context(mock.patch.object(owner, name, replacement))
            yield
            self._buckets = frozenset()  # what moto disposes of from now on, it only forgets

    def keeps(self, key: Any) -> bool:
        return getattr(key, "bucket_name", None) in self._buckets

    def keeps_bucket(self, name: str) -> bool:
        return name in self._buckets

    def adopt(self, bucket: Any, key: str, body: Path) -> None:
        """Make an object of a body that Spark wrote, as if it had been put."""
        line = {
            "key": key,
            "version": str(uuid4()),
            "body": self.bodies.name(body),
            "etag": bodies.md5(body),
            "modified": datetime.now(UTC).isoformat(),
            "metadata": {},
            "encryption": None,
            "is_versioned": bucket.is_versioned,
        }
        _restore_put(self.bodies, bucket, line)
        self.journal.append({"op": "put", "bucket": bucket.name, **line})

    def write(self, key: Any, value: bytes | Slice) -> None:
        """Write the body of a new version and show it in the lake."""
        if not hasattr(key, "body"):
            key.body = self.bodies.write(key.bucket_name, value)
            self._mirror.show(key.bucket_name, key.name, key.body)
        key.contentsize = key.body.stat().st_size

    def forget(self, key: Any) -> None:
        """Remove the body of a version that is deleted for good."""
        if self.keeps(key) and hasattr(key, "body"):
            key.body.unlink(missing_ok=True)

    def note_put(self, key: Any) -> None:
        if self.keeps(key) and not hasattr(key, "is_known"):
            self.journal.append(self._put_line(key))

    def note_delete(self, bucket: Any, key_name: str, version_id: str | None) -> None:
        """Write down what a deletion left, and show the version that is current now."""
        if bucket.name not in self._buckets:
            return
        current = bucket.keys.get(key_name)
        if version_id is None and isinstance(current, models.FakeDeleteMarker):
            self.journal.append(_marker_line(bucket.name, current))
        else:
            self.journal.append(
                {"op": "delete", "bucket": bucket.name, "key": key_name, "version": version_id or "null"}
            )
        if isinstance(current, _FakeKey):
            self._mirror.show(bucket.name, key_name, current.body)
        else:
            self._mirror.hide(bucket.name, key_name)

    def restore(self, buckets: Mapping[str, Any]) -> None:
        """Put the journal's objects back into moto's buckets."""
        self.journal.mend()
        for line in self.journal.lines():
            if line["op"] in _RESTORE and line["bucket"] in buckets:
                _RESTORE[line["op"]](self.bodies, buckets[line["bucket"]], line)

    def compact(self, buckets: Mapping[str, Any], events: list[Line]) -> None:
        """Write the journal anew: what exists now, with its metadata, and the events."""
        lines: list[Line] = []
        for name in sorted(self._buckets & set(buckets)):
            for versions in buckets[name].keys._self_iterable().values():
                lines += [self._put_line(one) if isinstance(one, _FakeKey) else _marker_line(name, one)
                          for one in versions]  # fmt: skip
        self.journal.rewrite([*lines, *events])

    def _put_line(self, key: Any) -> Line:
        return {
            "op": "put",
            "bucket": key.bucket_name,
            "key": key.name,
            "version": key.version_id,
            "body": self.bodies.name(key.body),
            "etag": key.etag.strip('"'),
            "modified": key.last_modified.isoformat(),
            "metadata": dict(key.metadata),
            "encryption": key.encryption,
            "is_versioned": key._is_versioned,
        }


def _restore_put(store: Bodies, bucket: Any, line: Line) -> None:
    path = store.path(line["body"])
    if not path.exists():
        return
    key = _FakeKey.__new__(_FakeKey)
    key.body, key.is_known = path, True
    key.__init__(
        name=line["key"],
        value=b"",
        account_id=bucket.account_id,
        region_name=bucket.region_name,
        etag=line["etag"],
        is_versioned=line["is_versioned"],
        version_id=line["version"],
        bucket_name=bucket.name,
        encryption=line["encryption"],
    )
    key.last_modified = datetime.fromisoformat(line["modified"])
    key.set_metadata(dict(line["metadata"]))
    kept = bucket.keys.getlist(line["key"], []) if line["is_versioned"] else []
    bucket.keys.setlist(line["key"], [*kept, key])


def _restore_marker(_store: Bodies, bucket: Any, line: Line) -> None:
    marker = models.FakeDeleteMarker(key=bucket.keys.get(line["key"]) or _named(line["key"]))
    marker._version_id = line["version"]
    marker.last_modified = datetime.fromisoformat(line["modified"])
    bucket.keys.setlist(line["key"], [*bucket.keys.getlist(line["key"], []), marker])


def _restore_delete(_store: Bodies, bucket: Any, line: Line) -> None:
    left = [one for one in bucket.keys.getlist(line["key"], []) if str(one.version_id) != line["version"]]
    if left:
        bucket.keys.setlist(line["key"], left)
    elif line["key"] in bucket.keys:
        bucket.keys.pop(line["key"])


_RESTORE = {"put": _restore_put, "marker": _restore_marker, "delete": _restore_delete}


def _marker_line(bucket: str, marker: Any) -> Line:
    modified = marker.last_modified.isoformat()
    return {"op": "marker", "bucket": bucket, "key": marker.name, "version": marker.version_id, "modified": modified}


def _named(name: str) -> Any:
    return type("Key", (), {"name": name})()


def _init_of(objects: Objects) -> Any:
    def init(self: Any, *args: Any, **options: Any) -> None:
        _plain_init(self, *args, **options)
        objects.note_put(self)

    return init


def _value_of(objects: Objects) -> property:
    def read(self: Any) -> bytes | Slice:
        if hasattr(self, "body"):
            return bodies.read(self.body)
        plain: bytes = _plain_value.fget(self)
        return plain

    def write(self: Any, value: bytes | Slice) -> None:
        if objects.keeps(self) or hasattr(self, "body"):
            objects.write(self, value)
        else:
            _plain_value.fset(self, value if isinstance(value, bytes) else objects.bodies.taken(value))

    return property(read, write)


def _etag(self: Any) -> str:
    if hasattr(self, "body") and self._etag is None:
        self._etag = bodies.md5(self.body)
    tag: str = _plain_etag.fget(self)
    return tag


def _dispose_of(objects: Objects) -> Any:
    def dispose(self: Any, garbage: bool = False) -> None:
        if not garbage:
            objects.forget(self)
        _plain_dispose(self, garbage=False)

    return dispose


def _delete_of(objects: Objects) -> Any:
    def delete_object(self: Any, bucket_name: str, key_name: str, version_id: str | None = None, **more: Any) -> Any:
        done = _plain_delete(self, bucket_name, key_name, version_id=version_id, **more)
        if done[0]:
            objects.note_delete(self.get_bucket(bucket_name), key_name, version_id)
        return done

    return delete_object


def _complete_of(objects: Objects) -> Any:
    def complete(self: Any, body: Iterator[tuple[int, str]]) -> tuple[Slice, str, None]:
        """Join the parts of an upload on disk; moto would join them in memory."""
        parts = []
        for number, etag in body:
            part = self.parts.get(number)
            if part is None or part.etag.strip('"') != etag.strip('"'):
                raise InvalidPart
            parts.append(part)
        if not parts:
            raise MalformedXML
        joined = objects.bodies.join(part._value_buffer for part in parts)
        digests = b"".join(codecs.decode(part.etag.strip('"'), "hex") for part in parts)
        return joined, f"{md5_hash(digests).hexdigest()}-{len(parts)}", None

    return complete


def _upload_part_copy(
    self: Any,
    dest_bucket_name: str,
    multipart_id: str,
    part_id: int,
    src_bucket_name: str,
    src_key_name: str,
    src_version_id: str | None,
    start_byte: int | None,
    end_byte: int,
) -> Any:
    """Copy a range of an object, reading no more than it."""
    source = self.get_object(src_bucket_name, src_key_name, version_id=src_version_id).value
    if start_byte is not None:
        source = source[start_byte : end_byte + 1]
    return self.get_bucket(dest_bucket_name).multiparts[multipart_id].set_part(part_id, bytes(source))


def _response(body: Any) -> Any:
    return body.open() if isinstance(body, Slice) else _plain_response(body)
