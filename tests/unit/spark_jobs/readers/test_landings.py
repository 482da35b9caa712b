"""What lands: archives whatever their names say, odd keys, empty objects; one that is broken stops no other."""

from __future__ import annotations

import bz2
import gzip
import re

import pytest

from contracts.model import Column
from tests.unit.spark_jobs.readers.conftest import Read, table

AB = ("a string", "b string")
TEXT = "a,b\n1,é\n2,y\n"
BODY = TEXT.encode()
ROWS = Read([("1", "é"), ("2", "y")])


def test_archives_are_known_by_their_bytes(files):
    half = len(BODY) // 2
    landed = {
        "t/plain.csv": BODY,
        "t/one.csv.gz": gzip.compress(BODY),
        "t/one.csv.bz2": bz2.compress(BODY),
        "t/members.csv.gz": gzip.compress(BODY[:half]) + gzip.compress(b"") + gzip.compress(BODY[half:]),
        "t/streams.csv.bz2": bz2.compress(BODY[:half]) + bz2.compress(BODY[half:]),
        "t/lies.csv.gz": BODY,
        "t/lies.csv": bz2.compress(BODY),
        "t/lies.bz2": gzip.compress(BODY),
        "t/with spaces/and+plus/100%/%20/ключ.csv": BODY,
        "t/no-suffix": gzip.compress(BODY),
    }
    found = files.read_all(table(*AB), list(landed.values()), list(landed))
    assert dict(zip(landed, found, strict=True)) == dict.fromkeys(landed, ROWS)


def test_a_contract_may_insist_on_an_archive(files):
    insisting = table(*AB, compression="gzip")
    found = files.read_all(insisting, [gzip.compress(BODY), BODY, b""])
    assert [found[0], found[2]] == [ROWS, Read()]
    assert found[1].failed == (
        "is no gzip archive, which compression: gzip promises; declare compression: auto, or send it packed"
    )
    assert files.read(table(*AB, compression="none", extra_columns="ignore"), gzip.compress(BODY)).failed


def test_broken_files_are_all_named_at_once_and_the_others_are_read(files):
    packed = gzip.compress(BODY)
    broken = bytearray(packed)
    broken[len(packed) // 2] ^= 0xFF
    bodies = [packed[:-3], bytes(broken), bz2.compress(BODY)[:-5], b"PK\x03\x04zip", gzip.compress(packed),
              gzip.compress(TEXT.encode("utf-16")), b"a,c\n1,2\n", BODY, packed]  # fmt: skip
    found = files.read_all(table(*AB), bodies)
    assert [read.failed and read.failed.split(" (")[0] for read in found] == [
        "cannot be unpacked to its end",
        "cannot be unpacked to its end",
        "cannot be unpacked to its end",
        "is a zip archive; allowed: none, gzip, bzip2",
        "is an archive inside an archive; send it packed once",
        "begins with the byte order mark of UTF-16; declare encoding: utf-16",
        "column b is missing",
        None,
        None,
    ]
    assert found[7:] == [ROWS, ROWS]


def test_a_file_that_somebody_deleted_fails_by_name_and_the_others_are_read(files):
    for form, body in (("csv", BODY), ("json", '[{"a": "1", "b": "é"}, {"a": "2", "b": "y"}]')):
        gone, found = files.read_all(table(*AB, form=form), [None, body])
        assert (re.sub(r"version \S+", "version …", gone.failed), found) == (
            "is gone: somebody deleted its version … from the raw bucket; send it again as it was, under the same key",
            ROWS,
        )


def test_empty_objects_hold_no_records_or_are_no_document(files):
    text = {"csv": {}, "jsonl": {}, "fixed_width": {}}
    columns = (Column("a", "string", start=1, width=1),)
    assert [files.read(table(*columns, form=form, options=options), b"") for form, options in text.items()] == [
        Read()
    ] * 3
    documents = {
        "json": ({}, "is empty, which is no json document"),
        "xml": ({"row_tag": "r"}, "is empty, which is no xml document"),
        "parquet": (
            {},
            "cannot be read as Parquet (it is not a Parquet file (length is too low: 0))",
        ),
    }
    for form, (options, reason) in documents.items():
        assert files.read(table(*columns, form=form, options=options), b"").failed == reason


@pytest.mark.long(little=True)
def test_encodings_are_declared(files):
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252", "utf-8-sig"):
        declared = table(*AB, options={"encoding": encoding})
        assert files.read(declared, TEXT.encode(encoding)) == ROWS
        assert files.read(declared, gzip.compress(TEXT.encode(encoding))) == ROWS
    spoiled = files.read(table(*AB, options={"encoding": "cp1252"}), b"a,b\n1,x\n2,\x81\n3,\x80\n")
    assert spoiled.rows == [("1", "x"), ("3", "€")]
    assert spoiled.refused[0][:4] == (2, "", "record", "holds bytes that are no text in the declared encoding")


def test_an_archive_is_read_in_parallel_like_plain_text(files):
    rows = "".join(f"{i},{'x' * (i % 40)}\n" for i in range(3000))
    files.spark.conf.set("spark.sql.files.maxPartitionBytes", "8192")
    files.spark.conf.set("spark.sql.files.openCostInBytes", "8192")
    try:
        found = files.read(table("a int", "b string"), gzip.compress(f"a,b\n{rows}".encode()))
    finally:
        files.spark.conf.unset("spark.sql.files.maxPartitionBytes")
        files.spark.conf.unset("spark.sql.files.openCostInBytes")
    assert found == Read([(i, "x" * (i % 40) or None) for i in range(3000)])


def test_the_raw_text_of_a_refused_record_is_bounded(files):
    found = files.read(table("a int", "b string"), f"a,b\nx,{'y' * 9000}\n")
    assert found.refused == [(1, "a", "type", "'x' is no int", f"x,{'y' * 3998}")]
