"""Shows the current version of every object as a file under `<lake>/<bucket>/<key>`, where Spark and people look."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path


class Mirror:
    """Keeps files in step with objects.

    A key that no file can have (it leaves the folder, ends with /, is too long, or another key lies below it) has no
    file: boto3 alone reads it.
    """

    def __init__(self, lake: Path) -> None:
        self._lake = lake

    def show(self, bucket: str, key: str, body: Path) -> None:
        """Let the key's file be this body."""
        if (target := self._path(bucket, key)) is None:
            return
        scratch = self._lake / bucket / f".{uuid.uuid4().hex}"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(body, scratch)
            scratch.replace(target)
        except OSError:
            scratch.unlink(missing_ok=True)

    def hide(self, bucket: str, key: str) -> None:
        """Remove the key's file."""
        target = self._path(bucket, key)
        if target is not None and target.is_file():
            target.unlink()

    def _path(self, bucket: str, key: str) -> Path | None:
        parts = key.split("/")
        if not all(parts) or {".", ".."} & set(parts) or "\0" in key:
            return None
        return self._lake.joinpath(bucket, *parts)


def _link(body: Path, target: Path) -> None:
    try:
        os.link(body, target)
    except OSError:
        shutil.copyfile(body, target)
