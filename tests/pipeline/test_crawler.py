"""A table whose columns a crawler keeps, from the files to a mart, in the laptop's cloud."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.embedded.cloud import Cloud, open_cloud

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("alone")]
TABLE = """\
table: customers
source: {prefix: crm/customers/}
load: snapshot
key: [customer_id]
effective_at: {from_key: '(?P<date>\\d{4}-\\d{2}-\\d{2})'}
schema: crawler
"""
MART = "mart: dim_customers\nkind: scd2\nsource: customers\n"


def land(cloud: Cloud, day: str, text: str) -> list[tuple[str, str | None]]:
    at = datetime.fromisoformat(day).replace(tzinfo=UTC)
    cloud.land(text.encode(), f"crm/customers/{day}/customers.csv", at=at)
    return [(one.status, one.cause) for one in cloud.run()]


def test_a_column_more_in_a_file_is_a_column_more_in_the_tables(tmp_path: Path) -> None:
    for name, text in {"tables/customers.yaml": TABLE, "marts/dim_customers.yaml": MART}.items():
        path = tmp_path / "shop" / name
        path.parent.mkdir(parents=True)
        path.write_text(text)
    with open_cloud(tmp_path / "shop", tmp_path / "lake") as cloud:
        assert land(cloud, "2024-03-04", "customer_id,Name\n1,Ada\n2,Alan\n") == [("SUCCEEDED", None)]
        assert land(cloud, "2024-03-05", "customer_id,Name,Credit Limit\n1,Ada,9.5\n2,Alan,\n") == [("SUCCEEDED", None)]
        crawler = cloud.client("glue").get_crawler(Name="shop-dev-crawl-customers")["Crawler"]
        assert crawler["State"] == "READY"
        changes = (
            "SELECT customer_id, name, credit_limit, _op FROM staging.customers ORDER BY customer_id, _effective_from"
        )
        assert cloud.query(changes)[1] == [(1, "Ada", None, "I"), (1, "Ada", 9.5, "U"), (2, "Alan", None, "I")]
        versions = "SELECT name, credit_limit, is_current FROM mart.dim_customers ORDER BY customer_id, valid_from"
        assert cloud.query(versions)[1] == [("Ada", None, False), ("Ada", 9.5, True), ("Alan", None, True)]
