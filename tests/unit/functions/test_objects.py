"""What lies in the raw bucket is told as its events would tell of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from functions.shared.landings import Landing, landing_id
from functions.shared.objects import RawFiles

SECOND = datetime(2013, 1, 2, 5, tzinfo=UTC)


class S3:
    """Lists two pages: of each object the newest version first."""

    def __init__(self, *pages: list[tuple[str, str]]) -> None:
        self.pages, self.asked = pages, dict[str, Any]()

    def get_paginator(self, _: str) -> S3:
        return self

    def paginate(self, **asked: Any) -> list[dict[str, Any]]:
        self.asked = asked
        facts = {"LastModified": SECOND, "ETag": '"e"', "Size": 9}
        return [{"Versions": [{"Key": key, "VersionId": v, **facts} for key, v in page]} for page in self.pages] + [{}]


def test_versions_of_one_second_are_in_the_order_in_which_they_were_written() -> None:
    s3 = S3([("a/x.csv", "v3"), ("a/x.csv", "v2")], [("a/x.csv", "v1"), ("a/y.csv", "v1")])
    found = list(RawFiles(s3, "raw").versions("a/"))
    assert s3.asked == {"Bucket": "raw", "Prefix": "a/"}
    assert found[0] == Landing(
        id=landing_id("a/x.csv", "v3"),
        bucket="raw",
        key="a/x.csv",
        version_id="v3",
        sequencer="0050E3BED0FFFF",
        event_time="2013-01-02T05:00:00.000000Z",
        etag="e",
        size=9,
    )
    assert [(one.key, one.version_id, one.sequencer[-4:]) for one in found] == [
        ("a/x.csv", "v3", "FFFF"),
        ("a/x.csv", "v2", "FFFE"),
        ("a/x.csv", "v1", "FFFD"),
        ("a/y.csv", "v1", "FFFF"),
    ]
    many = list(RawFiles(S3([("a/x.csv", str(n)) for n in range(0x10001)]), "raw").versions("a/"))
    assert [one.sequencer[-4:] for one in many[-2:]] == ["0000", "0000"]
