"""What is synthesized once is taken again as long as nothing that it depends on has changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestration.embedded.report import CloudError
from orchestration.embedded.synth import ROOT, fingerprint


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ROOT / "contracts" / "nycflights", tmp_path / "nycflights"))


def test_a_lake_in_the_folder_of_its_pipeline_and_a_remark_need_no_new_template(pipeline: Path) -> None:
    before = fingerprint(pipeline)
    (pipeline / "lake" / "metadata").mkdir(parents=True)
    (pipeline / "lake" / "metadata" / "v1.metadata.json").write_text("{}")
    (pipeline / "notes.txt").write_text("not a contract")
    with (pipeline / "tables" / "planes.yaml").open("a") as contract:
        contract.write("\n# a remark\n")
    assert fingerprint(pipeline) == before


def test_another_contract_and_another_query_need_a_new_template(pipeline: Path) -> None:
    seen = [fingerprint(pipeline)]
    query = pipeline / "marts" / "daily_delays.sql"
    query.write_text(query.read_text().rstrip().rstrip(";") + "\nLIMIT 7\n")
    seen.append(fingerprint(pipeline))
    planes = pipeline / "tables" / "planes.yaml"
    planes.write_text(planes.read_text().replace("name: seats, type: int", "name: seats, type: bigint"))
    seen.append(fingerprint(pipeline))
    assert len(set(seen)) == 3


def test_mistakes_in_contracts_are_told_at_once(pipeline: Path) -> None:
    (pipeline / "tables" / "planes.yaml").write_text("table: planes\nload: sometimes\n")
    with pytest.raises(CloudError, match=r"planes.yaml.*load"):
        fingerprint(pipeline)
