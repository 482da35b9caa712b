"""Tables on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestration.embedded.cli.values import Row, plain
from orchestration.embedded.cli.words import counted, harmless

_WIDTH_OF_A_PIPE = 10_000


class _Console(Console):
    """A console to whose terminal no text speaks: keys and values come with files."""

    def print(self, *objects: Any, **options: Any) -> None:
        super().print(*(harmless(one) if isinstance(one, str) else one for one in objects), **options)


def console(stderr: bool = False) -> Console:
    """Return a console that cuts nothing off when its output is no terminal."""
    stream = sys.stderr if stderr else sys.stdout
    return _Console(stderr=stderr, highlight=False, width=None if stream.isatty() else _WIDTH_OF_A_PIPE)


def print_result(columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Print a query's result and its number of rows."""
    kept = [tuple(row) for row in rows]
    console().print(result_table(columns, kept))
    console().print(counted(len(kept), "row"))


def result_table(columns: Sequence[str], rows: Sequence[Row], title: str | None = None, null: str = "NULL") -> Table:
    """Return a table whose numbers stand on the right; NULLs are told from empty text, unless `null` is given."""
    table = Table(title=title, title_justify="left", title_style="bold")
    for position, name in enumerate(columns):
        numeric = _is_numeric([row[position] for row in rows])
        table.add_column(Text(harmless(name)), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value, null) for value in row))
    return table


def _is_numeric(values: Iterable[Any]) -> bool:
    known = [value for value in values if value is not None]
    return bool(known) and all(isinstance(v, int | float | Decimal) and not isinstance(v, bool) for v in known)


def _cell(value: Any, null: str) -> Text:
    return Text(null, style="dim") if value is None else Text(harmless(plain(value)))
