"""The S3 calls that the staging job makes, on folders: no network and no server in the measurement."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any


class FolderS3:
    """Object versions lie in `<root>/<bucket>/versions/<version>/<key>`, copies in `<root>/<bucket>/<key>`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, bucket: str, key: str, version: str) -> Path:
        return self.root / bucket / "versions" / version / key

    def get_object(self, Bucket: str, Key: str, VersionId: str = "") -> dict[str, Any]:  # noqa: N803 (boto3's names)
        path = self.path(Bucket, Key, VersionId) if VersionId else self.root / Bucket / Key
        return {"Body": path.open("rb")}

    def copy(self, source: dict[str, str], bucket: str, key: str) -> None:
        target = self.root / bucket / key
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.path(source["Bucket"], source["Key"], source["VersionId"]), target)
