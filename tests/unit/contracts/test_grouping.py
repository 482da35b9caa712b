"""By which columns a SELECT may be recomputed in part, and which columns it hands on."""

from __future__ import annotations

import pytest

from contracts.grouping import hands_on, recomputes_by

RIGHT = [
    "SELECT id, note FROM orders WHERE note > 'a' ORDER BY note",
    "SELECT o.id AS id FROM orders AS o",
    "SELECT Orders.ID FROM Orders",
    "SELECT *, 1 AS one FROM orders",
    "SELECT o.*, c.name FROM orders o LEFT JOIN customers c ON o.note = c.name",
    "SELECT id FROM customers JOIN orders USING (id)",
    "SELECT id FROM customers INNER JOIN orders USING (id)",
    "SELECT o.id FROM customers CROSS JOIN orders o",
    "SELECT id, count(*) AS n FROM orders LEFT JOIN customers ON name = note GROUP BY id",
    "SELECT id, sum(at) AS n FROM orders GROUP BY id, note HAVING sum(at) > 1",
    "SELECT sum(at) AS n, id FROM orders GROUP BY 2",
    "SELECT id, sum(at) AS n FROM orders GROUP BY ALL",
    "SELECT DISTINCT id FROM orders LEFT ANTI JOIN customers USING (id)",
    "SELECT id FROM orders WHERE note IN (SELECT name FROM customers)",
    "WITH c AS (SELECT name FROM customers) SELECT id FROM orders JOIN c ON c.name = note",
    "SELECT id, now FROM orders WHERE version > 1",
    "SELECT id, x FROM orders LATERAL VIEW explode(split(note, ',')) AS x",
]
WRONG = [
    "SELECT driver_id AS id, count(*) AS n FROM orders GROUP BY driver_id",
    "SELECT upper(id) AS id FROM orders",
    "SELECT id, row_number() OVER (PARTITION BY note ORDER BY id) AS nth FROM orders",
    "SELECT id, sum(at) AS n FROM orders GROUP BY 3",
    "SELECT sum(at) AS n, id FROM orders GROUP BY 0",
    "SELECT id FROM orders LIMIT 10",
    "SELECT id FROM orders WHERE at > current_date - 30",
    "SELECT id, datediff(now(), at) AS age FROM orders",
    "SELECT id FROM orders ORDER BY id LIMIT 10 OFFSET 5",
    "SELECT id FROM orders ORDER BY id OFFSET 5",
    "SELECT id FROM orders ORDER BY id FETCH FIRST 5 ROWS ONLY",
    "SELECT * FROM orders PIVOT (sum(at) FOR note IN ('a', 'b'))",
    "SELECT id FROM orders o JOIN orders p USING (id)",
    "SELECT id FROM orders WHERE at = (SELECT max(at) FROM orders)",
    "SELECT c.id FROM orders o JOIN customers c ON o.id = c.id",
    "SELECT id FROM orders FULL JOIN customers USING (id)",
    "SELECT o.id FROM orders o RIGHT JOIN customers c ON o.id = c.id",
    "SELECT o.id FROM customers c LEFT JOIN orders o ON o.id = c.id",
    "SELECT id FROM customers ANTI JOIN orders USING (id)",
    "SELECT any_value(id) AS id, note FROM orders GROUP BY note",
    "SELECT o.id, count(*) FROM orders o JOIN customers c ON true GROUP BY c.id",
    "SELECT id, sum(at) AS n FROM orders GROUP BY id, note WITH ROLLUP",
    "SELECT id, sum(at) AS n FROM orders GROUP BY GROUPING SETS ((id), ())",
    "SELECT id FROM orders UNION ALL SELECT id FROM customers",
    "WITH o AS (SELECT id FROM orders) SELECT id FROM o",
    "WITH orders AS (SELECT id FROM customers) SELECT id FROM orders",
    "SELECT id FROM (SELECT id FROM orders)",
    "SELECT * EXCEPT (id), note AS id FROM orders",
    "SELECT id FROM orders TABLESAMPLE (10 PERCENT)",
]


@pytest.mark.parametrize("sql", RIGHT)
def test_a_select_is_recomputed_by_columns_that_its_driver_hands_on(sql):
    assert recomputes_by(sql, "orders", ("id",))


def test_a_select_is_recomputed_by_several_columns_if_by_each():
    assert recomputes_by("SELECT id, note FROM orders", "orders", ("id", "note"))
    assert not recomputes_by("SELECT id, upper(note) AS note FROM orders", "orders", ("id", "note"))


@pytest.mark.parametrize("sql", WRONG)
def test_a_select_that_does_not_show_it_is_recomputed_whole(sql):
    assert not recomputes_by(sql, "orders", ("id",))


HANDED_ON = {
    "SELECT id, row_number() OVER (PARTITION BY id ORDER BY at) AS nth FROM orders": True,
    "WITH o AS (SELECT id AS no FROM orders) SELECT no AS id FROM o JOIN customers USING (no)": True,
    "SELECT id FROM (SELECT * EXCEPT (note) FROM orders) AS x": True,
    "SELECT id FROM orders UNION ALL SELECT id FROM orders": True,
    "WITH O AS (SELECT id FROM orders) SELECT id FROM o": True,
    "WITH Orders AS (SELECT id FROM orders) SELECT id FROM orders": True,
    "WITH Orders AS (SELECT upper(id) AS id FROM orders) SELECT id FROM orders": False,
    "WITH Orders AS (SELECT id FROM customers) SELECT id FROM orders": False,
    "WITH o AS (SELECT upper(id) AS id FROM orders) SELECT id FROM o": False,
    "SELECT id FROM orders UNION ALL SELECT id FROM customers": False,
    "SELECT id FROM customers UNION ALL SELECT id FROM orders": False,
    "SELECT c.* FROM orders o JOIN customers c ON o.id = c.id": False,
    "SELECT o.* EXCEPT (id), c.id FROM orders o JOIN customers c ON o.id = c.id": False,
    "SELECT x.id FROM orders CROSS JOIN (VALUES (1)) AS x(id)": False,
    "SELECT date(id) AS id FROM orders": False,
    "SELECT at AS id FROM orders": False,
    "SELECT c.id FROM orders o JOIN customers c ON o.id = c.id": False,
}


@pytest.mark.parametrize("sql", HANDED_ON)
def test_a_column_is_handed_on_as_it_is_through_every_select(sql):
    assert hands_on(sql, "orders", "id") == HANDED_ON[sql]
