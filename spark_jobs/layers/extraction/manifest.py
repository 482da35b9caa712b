"""The manifest that closes an extraction of several parts: the one object that lands for all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

SUFFIX = ".manifest.json"
PARTS_FOLDER = ".parts/"  # receive_files passes over hidden folders
LONGEST = 64 * 1024 * 1024
_KIND = "landfall extraction"
_VERSION = 1
_IS_NONE = f"is no manifest of an extraction (kind {_KIND!r}, version {_VERSION})"


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


def parts_folder(prefix: str, time: str) -> str:
    """Return where the parts of an extraction lie, seen from the prefix of its table."""
    return f"{prefix}{PARTS_FOLDER}{time}/"


def read_manifest(content: bytes, key: str) -> Manifest:
    """Read the manifest that landed at a key; ValueError when it is none, or names what is no part of it.

    Jobs read every table's files: who may write under one prefix must not have them stage what lies under another.
    """
    if len(content) > LONGEST:
        raise ValueError(f"is longer than a manifest may be ({LONGEST // 1024 // 1024} MiB)")
    try:
        raw: Any = json.loads(content)
        if not isinstance(raw, dict) or raw.get("kind") != _KIND or raw.get("version") != _VERSION:
            raise ValueError(_IS_NONE)
        manifest = Manifest(raw["table"], raw["extraction"], raw["effective_at"], [Part(**one) for one in raw["parts"]])
        folder = parts_folder(key.removesuffix(SUFFIX).removesuffix(manifest.effective_at), manifest.effective_at)
        for part in manifest.parts:
            if not part.key.startswith(folder):
                raise ValueError(f"names {part.key}, which is no part of it: they lie under {folder}")
            if not (isinstance(part.version_id, str) and isinstance(part.rows, int) and part.rows >= 0):
                raise ValueError(f"names {part.key} without its version or its rows")
    except (AttributeError, KeyError, RecursionError, TypeError) as error:
        raise ValueError(_IS_NONE) from error
    return manifest
