"""What files hold, told by plain Python that shares no code with the product."""

from __future__ import annotations

import json
import re
from typing import Any

Fields = list[str | None]


def csv_records(body: bytes, delimiter: str, quote: str, escape: str) -> tuple[list[str], list[Fields | None]] | None:
    """Return header and records of CSV (None: a broken one), or None when the file cannot be read to its end."""
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    if not text.strip("\r\n"):
        return [], []
    end = _line_end(text, quote, delimiter, escape)
    if re.sub(r"^[\r\n]+", "", text) != text:
        text = re.sub(r"^[\r\n]+", "", text)
    spans = _may_span(body.decode("utf-8", "surrogateescape"), end, quote, escape)
    raws: list[str] = []
    place = 0
    while place < len(text):
        if not spans:
            stop = text.find(end, place)
            raw, place = (text[place:], len(text)) if stop < 0 else (text[place:stop], stop + 1)
        else:
            found = _raw_record(text, place, end, delimiter, quote, escape)
            if found is None:
                return None
            raw, place = found
        raws.append(raw[:-1] if end == "\n" and raw.endswith("\r") and not _is_escaped(raw, escape) else raw)
    header = _fields(raws[0], delimiter, quote, escape)
    if header is None:
        return None
    records = [_fields(raw, delimiter, quote, escape) for raw in raws[1:] if raw]
    return [(name or "").strip().lower() for name in header], records


def csv_texts(text: str, delimiter: str, quote: str, escape: str) -> list[tuple[int, str, bool]]:
    """Return each record's first line, its text, and whether it is open at the end."""
    texts: list[tuple[int, str, bool]] = []
    place = 0
    while place < len(text):
        found = _raw_record(text, place, "\n", delimiter, quote, escape)
        raw, behind = found or (text[place:].removesuffix("\n"), len(text))
        texts.append((1 + text[:place].count("\n"), raw, found is None))
        place = behind
    return texts


def _line_end(text: str, quote: str, delimiter: str, escape: str) -> str:
    """Return the first line break outside quotes, as far as the first record can be read; else the first of all."""
    place, inside, begins = 0, False, True
    while place < len(text):
        one = text[place]
        if inside:
            if one == escape or (one == quote and text[place + 1 : place + 2] == quote):
                place += 1
            elif one == quote:
                inside = False
                if text[place + 1 : place + 2] not in ("", delimiter, "\r", "\n"):
                    break
        elif one in "\r\n":
            return "\r" if one == "\r" and text[place + 1 : place + 2] != "\n" else "\n"
        elif one == quote and begins:
            inside = True
        elif one == escape:
            place += 1
        begins = one == delimiter and not inside
        place += 1
    match = re.search(r"\r\n|\n|\r", text)
    return "\r" if match and match[0] == "\r" else "\n"


def _may_span(text: str, end: str, quote: str, escape: str) -> bool:
    if escape:
        text = text.replace(escape * 2, "")
        if escape + end in text:
            return True
        text = text.replace(escape + quote, "") if quote else text
    return bool(quote) and any(line.count(quote) % 2 for line in text.split(end))


def _raw_record(text: str, place: int, end: str, delimiter: str, quote: str, escape: str) -> tuple[str, int] | None:
    start, state = place, "begins"
    while place < len(text):
        one = text[place]
        if state == "inside":
            if one == escape or (one == quote and text[place + 1 : place + 2] == quote):
                place += 1
            elif one == quote:
                state = "plain"
        elif one == end:
            return text[start:place], place + 1
        elif one == quote and state == "begins":
            state = "inside"
        elif one == escape:
            place, state = place + 1, "plain"
        else:
            state = "begins" if one == delimiter else "plain"
        place += 1
    # An escaped break at the very end cannot be told from an escape at the very end.
    ends_in_escape = bool(escape) and (place > len(text) or _is_escaped(text[start:].removesuffix(end) + " ", escape))
    return None if state == "inside" or ends_in_escape else (text[start:], len(text))


def _is_escaped(raw: str, escape: str) -> bool:
    before = raw[:-1]
    return bool(escape) and (len(before) - len(before.rstrip(escape))) % 2 == 1


def _fields(raw: str, delimiter: str, quote: str, escape: str) -> Fields | None:
    """Return the fields of a record, None when its quotes or bytes are broken."""
    if any("\udc80" <= one <= "\udcff" for one in raw):
        return None
    fields: Fields = []
    place = 0
    while True:
        value, is_quoted = "", raw[place : place + 1] == quote != ""
        place += is_quoted
        while place < len(raw):
            one = raw[place]
            if one == escape and place + 1 < len(raw):
                value, place = value + raw[place + 1], place + 2
            elif is_quoted and one == quote:
                if raw[place + 1 : place + 2] != quote:
                    break
                value, place = value + quote, place + 2
            elif not is_quoted and one == delimiter:
                break
            else:
                value, place = value + one, place + 1
        if is_quoted:
            if raw[place : place + 1] != quote:
                return None
            place += 1
        fields.append(value if value or is_quoted else None)
        if place == len(raw):
            return fields
        if raw[place] != delimiter:
            return None
        place += 1


def json_lines(body: bytes) -> list[Any]:
    """Return the values of JSON Lines; Ellipsis for a line that is none."""
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    match = re.search(r"\r\n|\n|\r", text)
    lines = text.split("\r" if match and match[0] == "\r" else "\n")
    return [_json(line) for line in lines if line.strip(" \t\n\x0b\f\r")]


def _json(line: str) -> Any:
    try:
        if any("\udc80" <= one <= "\udcff" for one in line):
            return ...
        return json.loads(line, object_pairs_hook=_object)
    except (ValueError, RecursionError):
        return ...


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a field twice")
    return dict(pairs)
