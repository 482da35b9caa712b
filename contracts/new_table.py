"""A first contract, drawn from a sample file, as YAML that a person reads and goes on with."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.documents import SCHEMAS
from contracts.inference import Inferred, infer, is_unique, key_candidates
from contracts.samples import Sample

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*")
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "~"}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_NAME, _LONGEST_NAME = re.compile(r"[a-z][a-z0-9_]*"), 63
_SHOWN = 3


class NoNameError(ValueError):
    """A name that no table can have."""


class NoKeyError(ValueError):
    """A key that the sample contradicts."""


@dataclass(frozen=True)
class Draft:
    """A contract in the making: its table, columns by source with what they are, and the key by source.

    `dated` is the end of the file's path from the folder or name on that holds a date; '' where none does.
    """

    table: str
    sample: Sample
    columns: Mapping[str, Inferred]
    names: Mapping[str, str]
    key: tuple[str, ...]
    candidates: tuple[tuple[str, ...], ...]
    prefix: str
    dated: str


def draft(sample: Sample, file: Path, table: str = "", prefix: str = "", key: Sequence[str] = ()) -> Draft:
    """Draw a contract from a sample; NoNameError and NoKeyError where the given table or key cannot be."""
    if table and (not _NAME.fullmatch(table) or len(table) > _LONGEST_NAME):
        raise NoNameError(f"{table!r} must be at most {_LONGEST_NAME} small letters, digits and _, a letter first")
    found = {name: infer(record.get(name) for record in sample.records) for name in sample.columns}
    found |= {name: Inferred(kind) for name, kind in sample.types.items() if not _is_unknown(kind, found[name])}
    names = _names(sample.columns)
    candidates = key_candidates(sample.records, {name: column.type for name, column in found.items()})
    chosen = _given_key(sample, names, key) if key else (candidates[0] if candidates else ())
    table = table or _table_name(file)
    return Draft(table, sample, found, names, chosen, tuple(candidates), prefix or f"{table}/", _dated(file))


def _is_unknown(kind: str, found: Inferred) -> bool:
    """Tell whether a file's type may say nothing: Parquet stores a column without type as integers, all NULL."""
    return kind == "int" and bool(found.note)


def _names(sources: Sequence[str]) -> dict[str, str]:
    """Return a column name for each source, without what contracts do not take in names, each once."""
    names: dict[str, str] = {}
    for source in sources:
        name = re.sub(r"\W+", "_", source, flags=re.ASCII).strip("_").lower()
        name = name if re.match(r"[a-z]", name) else f"c_{name}".rstrip("_")
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", source):
            name = source
        taken = {other.lower() for other in names.values()}
        while name.lower() in taken:
            name += "_2"
        names[source] = name
    return names


def _given_key(sample: Sample, names: Mapping[str, str], key: Sequence[str]) -> tuple[str, ...]:
    """Return the sources that a key names, by their names in the file or in the table."""
    by_name = {**{name.lower(): source for source, name in names.items()}, **{s.lower(): s for s in names}}
    unknown = [word for word in key if word.lower() not in by_name]
    if unknown:
        raise NoKeyError(f"no such column: {unknown[0]}; the file has {', '.join(names.values())}")
    chosen = tuple(by_name[word.lower()] for word in key)
    lacking = [source for source in chosen if any(record.get(source) is None for record in sample.records)]
    if lacking:
        raise NoKeyError(f"{names[lacking[0]]} is no key: records of the sample have no value there")
    if not is_unique(sample.records, chosen):
        raise NoKeyError(f"{', '.join(names[s] for s in chosen)} is no key: records of the sample share its values")
    return chosen


def _table_name(file: Path) -> str:
    """Return a table name from a file's: customers_2020-01-01.csv.gz is of customers."""
    stem = file.name.partition(".")[0].lower()
    name = re.sub(r"[^a-z]+$", "", re.sub(r"[^a-z0-9]+", "_", stem).strip("_")[:_LONGEST_NAME])
    return name if re.match(r"[a-z]", name) else "new_table"


def _dated(file: Path) -> str:
    places = [place for place, part in enumerate(file.parts) if _DATE.search(part)]
    return "/".join(file.parts[places[-1] :]) if places else ""


def to_yaml(found: Draft, folder: Path) -> str:
    """Return the contract of a draft as YAML for the folder that it will lie in."""
    schema = os.path.relpath(SCHEMAS / "table.schema.json", folder)
    lines = [
        f"# yaml-language-server: $schema={Path(schema).as_posix()}",
        f"# Drawn from a sample of {len(found.sample.records):,} records. Read it before it is deployed.",
        f"table: {found.table}",
        "source:",
        f"  prefix: {_text(found.prefix)}",
        f"  format: {found.sample.format}",
    ]
    if options := _options(found):
        lines.append(f"  options: {_flow(options)}")
    if found.key:
        lines.append("load: upsert  # snapshot: each file holds all rows; changes: each row says what it does")
        lines.append(f"key: {_list([found.names[source] for source in found.key])}{_other_keys(found)}")
    else:
        lines.append("load: append  # no column or few of them are unique in the sample: no key was found")
    if found.dated:
        lines.append(r"effective_at: {from_key: '(?P<date>\d{4}-\d{2}-\d{2})'}")
    lines += ["schema:", "  columns:"]
    lines += [_column(found, source) for source in found.sample.columns]
    if found.sample.is_unnamed:
        lines.append("  extra_columns: ignore  # the sample has a column without a name")
    if found.sample.left_out:
        names = ", ".join(" ".join(name.split()) for name in found.sample.left_out)
        lines.append(f"  extra_columns: ignore  # left out, since jobs cannot read their types: {names}")
    if found.sample.has_gaps:
        lines.append("  missing_columns: null  # records of the sample lack some")
    return "\n".join(lines) + "\n"


def _options(found: Draft) -> dict[str, Any]:
    words = sorted({word for column in found.columns.values() for word in column.null_words})
    if found.sample.quotes_nothing and any(_may_be_quoted_in_vain(found, source) for source in found.columns):
        words = ["", *words]
    options = dict(found.sample.options)
    if words:
        options["null_value"] = words[0] if len(words) == 1 else words
    return options


def _may_be_quoted_in_vain(found: Draft, source: str) -> bool:
    """Tell whether a column that is no text has records without a value, which a quoted empty text may stand for."""
    return found.columns[source].type != "string" and any(r.get(source) is None for r in found.sample.records)


def _other_keys(found: Draft) -> str:
    others = [keys for keys in found.candidates if keys != found.key][:_SHOWN]
    told = " or ".join(_list([found.names[source] for source in keys]) for keys in others)
    return f"  # unique in the sample too: {told}" if told else ""


def _column(found: Draft, source: str) -> str:
    column, name = found.columns[source], found.names[source]
    fields: dict[str, Any] = {"name": name, "type": column.type}
    if source != name:
        fields["from"] = source
    if column.format:
        fields["format"] = column.format
    note = f"  # {column.note}" if column.note else ""
    return f"    - {_flow(fields)}{note}"


def _flow(fields: Mapping[str, Any]) -> str:
    return "{" + ", ".join(f"{name}: {_value(value)}" for name, value in fields.items()) + "}"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return _list(value)
    return str(value).lower() if isinstance(value, bool) else _text(value)


def _list(values: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def _text(text: str) -> str:
    """Write text without quotes where YAML reads it back as the same text."""
    return text if _PLAIN.fullmatch(text) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)
