"""By which columns a SELECT may be recomputed in part: those that its driving table hands on as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sqlglot
from sqlglot import exp

from contracts.sql import DIALECT, is_fickle

_ACROSS_ROWS = (exp.Window, exp.Limit, exp.Offset, exp.Fetch, exp.Pivot, exp.TableSample)
_INNER = {("", ""), ("", "INNER"), ("", "CROSS")}


def recomputes_by(text: str, driver: str, columns: Sequence[str]) -> bool:
    """Tell whether the rows with given values of `columns` are made of the driver's rows with these values alone.

    False too where the SELECT is of a form that does not show it.
    """
    tree = sqlglot.parse_one(text, dialect=DIALECT)
    return (
        isinstance(tree, exp.Select)
        and tree.find(*_ACROSS_ROWS) is None
        and not is_fickle(text)
        and _keeps_to(tree, driver)
        and all(_is_grouped_by(tree, driver, name) and _hands_on(tree, driver, name, _named(tree)) for name in columns)
    )


def hands_on(text: str, driver: str, column: str) -> bool:
    """Tell whether a SELECT returns a column of its driver under its name, as it is, through CTEs and subqueries."""
    tree = sqlglot.parse_one(text, dialect=DIALECT)
    return _hands_on(tree, driver, column, _named(tree))


def _named(tree: exp.Expr) -> dict[str, exp.Expr]:
    return {cte.alias.lower(): cte.this for cte in tree.find_all(exp.CTE)}


def _keeps_to(tree: exp.Select, driver: str) -> bool:
    """Tell whether the driver is read once, by the outermost SELECT, and no join adds rows of other tables."""
    read = [table for table in tree.find_all(exp.Table) if _is(table.name, driver)]
    if len(read) != 1:
        return False
    place = read[0].parent
    if place is None or place.parent is not tree:
        return False
    joins = [(join.side, join.kind) for join in tree.args.get("joins") or ()]
    if isinstance(place, exp.From):
        return not any(side in ("RIGHT", "FULL") for side, _ in joins)
    return set(joins) <= _INNER


def _is_grouped_by(tree: exp.Select, driver: str, name: str) -> bool:
    group = tree.args.get("group")
    if group is None or group.args.get("all"):
        return True
    if any(value for word, value in group.args.items() if word != "expressions"):
        return False  # grouping sets: their rows have NULL for what they do not group by
    numbered = {str(number): one.unalias() for number, one in enumerate(tree.selects, start=1)}
    found = [numbered.get(one.name) if one.is_int else one for one in group.expressions]
    return any(isinstance(one, exp.Column) and _is(one.name, name) and _of(tree, one, driver) for one in found)


def _hands_on(tree: exp.Expr, driver: str, name: str, named: Mapping[str, exp.Expr], inside: str = "") -> bool:
    """Follow the output column `inside` (without it, `name`) down to the driver's column `name`."""
    wanted = inside or name
    if isinstance(tree, exp.SetOperation):
        return all(_hands_on(side, driver, name, named, wanted) for side in (tree.left, tree.right))
    if isinstance(tree, exp.Subquery):
        return _hands_on(tree.this, driver, name, named, wanted)
    if not isinstance(tree, exp.Select):
        return False
    column = _selected(tree, wanted)
    return column is not None and any(
        _comes_from(source, driver, name, named, column.name) for source in _sources(tree, column.table)
    )


def _comes_from(source: exp.Expr, driver: str, name: str, named: Mapping[str, exp.Expr], column: str) -> bool:
    if not isinstance(source, exp.Table):
        return _hands_on(source, driver, name, named, column)
    if source.name.lower() in named:
        others = {alias: query for alias, query in named.items() if alias != source.name.lower()}
        return _hands_on(named[source.name.lower()], driver, name, others, column)
    return _is(source.name, driver) and _is(column, name)


def _selected(tree: exp.Select, name: str) -> exp.Column | None:
    """Return the column that stands for an output column as it is, of a star too."""
    for one in tree.selects:
        inner = one.unalias()
        if one.is_star:
            star = inner.this if isinstance(inner, exp.Column) else inner
            changed = [e.alias_or_name for word, es in star.args.items() if isinstance(es, list) for e in es]
            if not any(_is(other, name) for other in changed):
                return exp.column(name, table=inner.table if isinstance(inner, exp.Column) else None)
        elif _is(one.alias_or_name, name):
            return inner if isinstance(inner, exp.Column) else None
    return None


def _sources(tree: exp.Select, alias: str) -> list[exp.Expr]:
    """Return what a SELECT reads; with an alias, what goes by it."""
    places = (node for node in tree.find_all(exp.From, exp.Join) if node.parent is tree)
    return [node.this for node in places if not alias or _is(node.this.alias_or_name, alias)]


def _of(tree: exp.Select, column: exp.Column, driver: str) -> bool:
    """Tell whether a column may be the driver's."""
    return any(isinstance(one, exp.Table) and _is(one.name, driver) for one in _sources(tree, column.table))


def _is(name: str, other: str) -> bool:
    return name.lower() == other.lower()
