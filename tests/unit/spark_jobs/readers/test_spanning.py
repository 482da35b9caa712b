"""Records that span lines: found in any text, whatever its quotes, and in parallel."""

from __future__ import annotations

from random import Random

import pytest

from spark_jobs.layers.staging.readers.dialect import Dialect
from spark_jobs.layers.staging.readers.lines import LINE, TEXT
from spark_jobs.layers.staging.readers.seam import LANDING
from spark_jobs.layers.staging.readers.spanning import _AT_ONCE, OPEN, joined_lines
from tests.cases import few
from tests.unit.spark_jobs.readers.references import csv_texts

SCHEMA = f"{LANDING} int, {LINE} bigint, {TEXT} string"


def joined(spark, texts: list[str], dialect: Dialect) -> list[tuple[int, int, str, bool]]:
    """Return landing (the text's place), first line, text and `_open` of all records, joined in one go."""
    lines = [
        (place, number, line)
        for place, text in enumerate(texts)
        for number, line in enumerate(text.removesuffix("\n").split("\n"), start=1)
    ]
    frame = spark.createDataFrame(lines, SCHEMA).repartition(3)
    records = joined_lines(frame, dialect, "\n").select(LANDING, LINE, TEXT, OPEN).collect()
    return sorted(tuple(record) for record in records if record[TEXT] or record[OPEN])


@pytest.mark.parametrize(
    ("dialect", "characters"),
    few(
        [
            (Dialect(), 'a",\n'),
            (Dialect(",", '"', "\\"), 'a",\n\\'),
            (Dialect(), 'a"",,\n\n'),
            (Dialect(";", "'"), "a';\n"),
            (Dialect(",", "", "\\"), "a,\n\\"),
        ],
        quick=2,
    ),
)
def test_records_of_any_text_are_found(spark, dialect, characters):
    random = Random(20261129)
    texts = ["".join(random.choices(characters, k=random.randint(0, 24))) for _ in range(2000)]
    expected = [
        (place, line, raw, is_open)
        for place, text in enumerate(texts)
        for line, raw, is_open in csv_texts(text, dialect.delimiter, dialect.quote, dialect.escape)
        if raw or is_open
    ]
    assert sum("\n" in raw and not is_open for _, _, raw, is_open in expected) > 200
    assert sum(is_open for *_, is_open in expected) > 200
    assert joined(spark, texts, dialect) == expected


def test_a_record_of_many_lines_is_one(spark):
    many = "\n".join(["b"] * (2 * _AT_ONCE + 5))
    text = f'1,a\n2,"{many}"\n3,c\n4,"{many}'
    last = 1 + text[: text.index("4,")].count("\n")
    assert joined(spark, [text], Dialect()) == [
        (0, 1, "1,a", False),
        (0, 2, f'2,"{many}"', False),
        (0, last - 1, "3,c", False),
        (0, last, f'4,"{many}', True),
    ]
