"""The ledger of extractions: what each came to, and the watermark that only a landing advances."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, fields
from datetime import UTC, datetime
from textwrap import shorten
from typing import Any

from contracts.databases import Extract
from spark_jobs.layers.extraction.marks import Mark

LANDING, LANDED, EMPTY = "landing", "landed", "empty"
_LONGEST_RELATION = 100


@dataclass(frozen=True)
class Record:
    """One extraction: `landing` is noted before its object is put, `landed` after; `empty` had nothing to land.

    `effective_at` is the time of the extraction, `watermark` what it reached ('' without one), of the `column` of a
    `relation` of a `connection`.
    """

    extraction: str
    state: str
    effective_at: str
    mode: str
    key: str = ""
    rows: int = 0
    parts: int = 0
    bytes: int = 0
    watermark: str = ""
    watermark_kind: str = ""
    column: str = ""
    relation: str = ""
    connection: str = ""


@dataclass(frozen=True)
class Origin:
    """What a watermark is of; '' what an old ledger does not tell."""

    column: str = ""
    relation: str = ""
    connection: str = ""

    @classmethod
    def of(cls, extract: Extract) -> Origin:
        return cls(extract.watermark, extract.relation, extract.connection)

    def is_same(self, other: Origin) -> bool:
        """Tell whether all that both tell is the same, as SQL reads it: whatever the spaces and the case of letters."""
        pairs = zip(astuple(self), astuple(other), strict=True)
        return all(mine.lower().split() == theirs.lower().split() for mine, theirs in pairs if mine and theirs)

    def __str__(self) -> str:
        relation = f" of {shorten(self.relation, _LONGEST_RELATION, placeholder='…')}" if self.relation else ""
        return self.column + relation + (f" in {self.connection}" if self.connection else "")


@dataclass(frozen=True)
class Watermark:
    """How far a table is extracted, and when the extraction that says so read the database."""

    mark: Mark
    read_at: datetime
    of: Origin


class ExtractionLedger:
    """The extractions and the watermark of one table, in the pipeline's ledger; `column` is '' without a watermark."""

    def __init__(self, dynamodb: Any, ledger: str, table: str, column: str) -> None:
        self._dynamodb, self._ledger, self._table, self._column = dynamodb, ledger, table, column

    def watermark(self) -> Watermark | None:
        """Return the stored watermark, whatever it is of."""
        item = self._get("WATERMARK") if self._column else {}
        if "value" not in item:
            return None
        origin = Origin(*(item.get(field.name, "") for field in fields(Origin)))
        return Watermark(Mark(item["kind"], item["value"]), datetime.fromisoformat(item["read_at"]), origin)

    def record(self, extraction: str) -> Record | None:
        """Return what an extraction came to, or None for one that has not begun to land."""
        item = self._get(f"EXTRACTION#{extraction}")
        if not item:
            return None
        values: dict[str, Any] = {field.name: item[field.name] for field in fields(Record) if field.name in item}
        values |= {name: int(values[name]) for name in ("rows", "parts", "bytes")}
        return Record(**values | {"extraction": extraction})

    def announced(self) -> Record | None:
        """Return the extraction that was about to land when it was last heard of, if any."""
        item = self._get("WATERMARK") if self._column else {}
        return self.record(item["announced"]) if "announced" in item else None

    def announce(self, record: Record) -> None:
        """Note an extraction that is about to land, so that whoever comes next knows where to look."""
        self._dynamodb.put_item(TableName=self._ledger, Item=self._item(record))
        if self._column:
            self._dynamodb.update_item(
                TableName=self._ledger,
                Key=self._keys("WATERMARK"),
                UpdateExpression="SET announced = :extraction",
                ExpressionAttributeValues=_texts({":extraction": record.extraction}),
            )

    def settle(self, record: Record, seen: Watermark | None) -> None:
        """Note in one step that an extraction landed and how far its watermark is.

        Where another extraction has moved the watermark from `seen` meanwhile, its watermark stays: what it passed
        over has landed too. A whole extraction that found no watermark leaves none.
        """
        writes: list[Mapping[str, Any]] = [{"Put": {"TableName": self._ledger, "Item": self._item(record)}}]
        if self._column and (record.watermark or record.mode == "full"):
            writes.append({"Put": self._advance(record, seen)})
        try:
            self._dynamodb.transact_write_items(TransactItems=writes)
        except self._dynamodb.exceptions.TransactionCanceledException as error:
            reasons = error.response.get("CancellationReasons", [])
            if not any(reason.get("Code") == "ConditionalCheckFailed" for reason in reasons):
                raise
            self._dynamodb.put_item(TableName=self._ledger, Item=self._item(record))

    def _advance(self, record: Record, seen: Watermark | None) -> Mapping[str, Any]:
        origin = {field.name: getattr(record, field.name) for field in fields(Origin)}
        item = {name: value for name, value in origin.items() if value} | {
            "extraction": record.extraction,
            "read_at": record.effective_at,
            "updated_at": _now(),
        }
        if record.watermark:
            item |= {"kind": record.watermark_kind, "value": record.watermark}
        put: dict[str, Any] = {
            "TableName": self._ledger,
            "Item": self._keys("WATERMARK") | _texts(item),
            "ExpressionAttributeNames": {"#value": "value"},
        }
        if record.mode == "full":
            return {name: value for name, value in put.items() if name != "ExpressionAttributeNames"}
        if seen is None:
            return put | {"ConditionExpression": "attribute_not_exists(#value)"}
        return put | {
            "ConditionExpression": "#value = :seen",
            "ExpressionAttributeValues": _texts({":seen": seen.mark.value}),
        }

    def _item(self, record: Record) -> dict[str, Any]:
        values = {name: value for name, value in asdict(record).items() if name != "extraction" and value != ""}
        numbers = {name: {"N": str(value)} for name, value in values.items() if isinstance(value, int)}
        texts = _texts({name: value for name, value in values.items() if isinstance(value, str)})
        return self._keys(f"EXTRACTION#{record.extraction}") | texts | numbers | _texts({"updated_at": _now()})

    def _keys(self, sort_key: str) -> dict[str, Any]:
        return _texts({"pk": f"TABLE#{self._table}", "sk": sort_key})

    def _get(self, sort_key: str) -> dict[str, str]:
        answer = self._dynamodb.get_item(TableName=self._ledger, Key=self._keys(sort_key), ConsistentRead=True)
        return {name: next(iter(value.values())) for name, value in answer.get("Item", {}).items()}


def _texts(values: Mapping[str, str]) -> dict[str, Any]:
    return {name: {"S": value} for name, value in values.items()}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
