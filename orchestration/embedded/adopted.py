"""What Spark writes into a bucket's folder is an object too: boto3 finds it when it lists a prefix."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from moto.s3 import models

from orchestration.embedded.objects import Objects

_SCRATCH = re.compile(r"/_temporary/|(?:^|/)[.][^/]*$")
_plain_list = models.S3Backend.list_objects


@contextmanager
def attached(objects: Objects, lake: Path) -> Iterator[None]:
    """Let listings take up the files that lie under their prefix and are no objects yet."""
    with mock.patch.object(models.S3Backend, "list_objects", _list_of(objects, lake)):
        yield


def _list_of(objects: Objects, lake: Path) -> Callable[..., Any]:
    def list_objects(self: Any, bucket: Any, prefix: str | None, *more: Any, **options: Any) -> Any:
        if prefix and objects.keeps_bucket(bucket.name):
            for key, file in _unknown(lake / bucket.name, bucket, prefix):
                objects.adopt(bucket, key, _linked(file, objects.bodies.new(bucket.name)))
        return _plain_list(self, bucket, prefix, *more, **options)

    return list_objects


def _unknown(root: Path, bucket: Any, prefix: str) -> list[tuple[str, Path]]:
    """Return the files below a prefix that no object shows; hidden ones are scratch of whoever writes."""
    folder = root / prefix.rpartition("/")[0]
    files = {path.relative_to(root).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    new = {key: path for key, path in files.items() if key.startswith(prefix) and key not in bucket.keys}
    return sorted(
        (key, path) for key, path in new.items() if not path.name.startswith(".") and "/_temporary/" not in key
    )


def _linked(file: Path, body: Path) -> Path:
    try:
        os.link(file, body)
    except OSError:
        shutil.copyfile(file, body)
    return body
