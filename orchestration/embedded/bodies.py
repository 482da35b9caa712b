"""Bodies of S3 objects: files that are written once, read in pieces and never changed."""

from __future__ import annotations

import hashlib
import shutil
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import RawIOBase
from pathlib import Path
from typing import Any, BinaryIO

CHUNK_BYTES = 1024 * 1024
IN_MEMORY_BYTES = 8 * CHUNK_BYTES
_JOINED = ".joined"


@dataclass(frozen=True)
class Slice:
    """Bytes of a file that nobody has read yet; moto hands it on like the bytes themselves."""

    path: Path
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __getitem__(self, part: slice) -> Slice:
        begin, end, _ = part.indices(len(self))
        return Slice(self.path, self.start + begin, self.start + max(begin, end))

    def __iter__(self) -> Iterator[bytes]:
        with self.open() as reader:
            while chunk := reader.read(CHUNK_BYTES):
                yield chunk

    def __bytes__(self) -> bytes:
        return b"".join(self)

    def open(self) -> SliceReader:
        return SliceReader(self)


class SliceReader(RawIOBase):
    """Reads a slice like an HTTP response's body."""

    def __init__(self, part: Slice) -> None:
        self._file = part.path.open("rb")
        self._file.seek(part.start)
        self._left = len(part)

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        wanted = self._left if size is None or size < 0 else min(size, self._left)
        chunk = self._file.read(wanted)
        self._left -= len(chunk)
        return chunk

    def stream(self, **_: Any) -> Iterator[bytes]:
        while chunk := self.read(CHUNK_BYTES):
            yield chunk

    def close(self) -> None:
        self._file.close()
        super().close()


class Bodies:
    """The folder of all bodies of a lake."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def new(self, bucket: str) -> Path:
        """Return the path of a body to be written."""
        folder = self._folder / bucket
        folder.mkdir(parents=True, exist_ok=True)
        return folder / uuid.uuid4().hex

    def path(self, name: str) -> Path:
        """Return the path of a body by the name that `name` gave it."""
        return self._folder / name

    def name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def join(self, parts: Iterable[BinaryIO]) -> Slice:
        """Write the parts of an upload one behind the other; what the slice's first user takes is gone."""
        path = self.new(_JOINED)
        with path.open("wb") as out:
            for part in parts:
                part.seek(0)
                shutil.copyfileobj(part, out, CHUNK_BYTES)
        return Slice(path, 0, path.stat().st_size)

    def write(self, bucket: str, value: bytes | Slice) -> Path:
        """Write a body."""
        path = self.new(bucket)
        if isinstance(value, Slice) and self._is_joined(value):
            value.path.rename(path)
            return path
        with path.open("wb") as out:
            out.writelines([value] if isinstance(value, bytes) else value)
        return path

    def taken(self, value: Slice) -> bytes:
        """Return the content of a slice; a joined upload's file goes."""
        content = bytes(value)
        if self._is_joined(value):
            value.path.unlink()
        return content

    def _is_joined(self, value: Slice) -> bool:
        return value.path.parent == self._folder / _JOINED


def read(path: Path) -> bytes | Slice:
    """Return a small body's bytes, a large one's slice."""
    size = path.stat().st_size
    return Slice(path, 0, size) if size > IN_MEMORY_BYTES else path.read_bytes()


def md5(path: Path) -> str:
    with path.open("rb") as body:
        return hashlib.file_digest(body, "md5").hexdigest()
