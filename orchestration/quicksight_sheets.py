"""The first dashboard: for each mart a sheet with its number of rows, their number over time, and the rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestration.athena_sql import Output

ROWS = "_batch_id"  # every row of every mart has it
_MOST_COLUMNS = 20


def definition(marts: Mapping[str, tuple[str, Sequence[Output]]]) -> dict[str, Any]:
    """Return the definition of an analysis or a dashboard; `marts` holds each dataset's ARN and columns."""
    return {
        "DataSetIdentifierDeclarations": [
            {"Identifier": name, "DataSetArn": arn} for name, (arn, _columns) in marts.items()
        ],
        "Sheets": [_sheet(name, columns) for name, (_arn, columns) in marts.items()],
    }


def _sheet(mart: str, columns: Sequence[Output]) -> dict[str, Any]:
    own = [one for one in columns if one.name != ROWS]
    return {"SheetId": _id(mart, "sheet"), "Name": mart, "Visuals": list(_visuals(mart, own))}


def _visuals(mart: str, columns: Sequence[Output]) -> Iterator[dict[str, Any]]:
    yield {"KPIVisual": _visual(mart, "count", "Rows", {"FieldWells": {"Values": [_count(mart, "count")]}})}
    if time := next((one for one in columns if one.is_time and one.name != "_built_at"), None):
        wells = {"Category": [_day(mart, time)], "Values": [_count(mart, "line")]}
        chart = {"FieldWells": {"LineChartAggregatedFieldWells": wells}}
        yield {"LineChartVisual": _visual(mart, "line", f"Rows by {time.name}", chart)}
    fields = [
        {"FieldId": _id(mart, "table", one.name), "Column": _column(mart, one.name)} for one in columns[:_MOST_COLUMNS]
    ]
    yield {
        "TableVisual": _visual(mart, "table", mart, {"FieldWells": {"TableUnaggregatedFieldWells": {"Values": fields}}})
    }


def _visual(mart: str, kind: str, title: str, chart: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "VisualId": _id(mart, kind),
        "Title": {"Visibility": "VISIBLE", "FormatText": {"PlainText": title}},
        "ChartConfiguration": chart,
    }


def _count(mart: str, place: str) -> dict[str, Any]:
    field = {"FieldId": _id(mart, place, ROWS), "Column": _column(mart, ROWS), "AggregationFunction": "COUNT"}
    return {"CategoricalMeasureField": field}


def _day(mart: str, column: Output) -> dict[str, Any]:
    field = {"FieldId": _id(mart, "line", column.name), "Column": _column(mart, column.name), "DateGranularity": "DAY"}
    return {"DateDimensionField": field}


def _column(mart: str, name: str) -> dict[str, str]:
    return {"DataSetIdentifier": mart, "ColumnName": name}


def _id(*parts: str) -> str:
    """Return an id of letters, digits and dashes."""
    return "-".join("".join(c if c.isalnum() else "-" for c in part) for part in parts)
