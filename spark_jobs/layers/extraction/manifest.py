"""The manifest that closes an extraction of several parts: the one object that lands for all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

SUFFIX = ".manifest.json"
PARTS_FOLDER = ".parts/"  # receive_files passes over hidden folders
_KIND = "landfall extraction"
_VERSION = 1


@dataclass(frozen=True)
class Part:
    """One Parquet object of an extraction, in the bucket of its manifest; `size` in bytes."""

    key: str
    version_id: str
    etag: str
    size: int
    rows: int


@dataclass(frozen=True)
class Manifest:
    """What an extraction brought: its parts in order."""

    table: str
    extraction: str
    effective_at: str
    parts: Sequence[Part]

    @property
    def rows(self) -> int:
        return sum(part.rows for part in self.parts)

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)

    def to_bytes(self) -> bytes:
        """Return the object's content, the same for the same parts."""
        content = {"kind": _KIND, "version": _VERSION, "rows": self.rows, **asdict(self)}
        return json.dumps(content, sort_keys=True, indent=1).encode("utf-8")


def is_manifest(key: str) -> bool:
    """Tell whether a landing is the manifest of an extraction, by its key."""
    return key.endswith(SUFFIX)


def read_manifest(content: bytes) -> Manifest:
    """Read a manifest; ValueError when it is none, or one of another version."""
    raw: Any = json.loads(content)
    if not isinstance(raw, dict) or raw.get("kind") != _KIND or raw.get("version") != _VERSION:
        raise ValueError(f"is no manifest of an extraction (kind {_KIND!r}, version {_VERSION})")
    parts = [Part(**part) for part in raw["parts"]]
    return Manifest(raw["table"], raw["extraction"], raw["effective_at"], parts)
