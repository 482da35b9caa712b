"""Archives and encodings, from bytes to UTF-8: whole, or refused by name."""

from __future__ import annotations

import bz2
import gzip
import io
import random

import pytest

from spark_jobs.layers.staging.readers.plain import (
    BZIP2,
    GZIP,
    NONE,
    UnreadableError,
    as_utf8,
    chunks_of,
    compression_of,
    unpacked,
)

TEXT = b"".join(b"%d,%x\n" % (i, i * i * 7919) for i in range(3000))
PACK = {GZIP: gzip.compress, BZIP2: bz2.compress}


def pieces(body: bytes, size: int):
    return (body[i : i + size] for i in range(0, len(body), size))


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("size", [1, 7, 4096, 1 << 20])
def test_archives_of_several_members_are_unpacked_to_the_end(kind, size):
    pack = PACK[kind]
    body = pack(TEXT) + pack(b"") + pack(b"x" * 3_000_000) + pack(b"end")
    plain = b"".join(unpacked(pieces(body, size if len(body) < 50_000 or size > 1 else 64), kind))
    assert plain == TEXT + b"x" * 3_000_000 + b"end"


def test_pieces_of_a_bomb_are_small():
    body = gzip.compress(b"\0" * 50_000_000)
    sizes = [len(piece) for piece in unpacked(iter([body]), GZIP)]
    assert (sum(sizes), max(sizes)) == (50_000_000, 1024 * 1024)


@pytest.mark.parametrize("kind", PACK)
def test_an_archive_that_is_cut_off_anywhere_is_refused(kind):
    body = PACK[kind](TEXT[:2000])
    for end in range(1, len(body)):
        with pytest.raises(UnreadableError, match="cannot be unpacked to its end"):
            list(unpacked(pieces(body[:end], 100), kind))


@pytest.mark.parametrize("kind", PACK)
def test_an_archive_with_a_flipped_bit_gives_the_same_text_or_is_refused(kind):
    body, chance = PACK[kind](TEXT), random.Random(1)
    refused = 0
    for _ in range(400):
        place = chance.randrange(len(body))
        broken = bytearray(body)
        broken[place] ^= 1 << chance.randrange(8)
        try:
            assert b"".join(unpacked(pieces(bytes(broken), 4096), kind)) == TEXT
        except UnreadableError:
            refused += 1
    assert refused > 380


@pytest.mark.parametrize("kind", PACK)
def test_what_follows_an_archive_is_another_one_or_padding(kind):
    body = PACK[kind](TEXT)
    assert b"".join(unpacked(iter([body + b"\0" * 512, b"\0" * 512]), kind)) == TEXT
    with pytest.raises(UnreadableError):
        list(unpacked(iter([body + b"garbage"]), kind))
    with pytest.raises(UnreadableError):
        list(unpacked(iter([body, b"\0\0garbage"]), kind))


def test_compression_is_what_the_bytes_say_unless_the_contract_does():
    assert compression_of(gzip.compress(TEXT), "auto") == GZIP
    assert compression_of(bz2.compress(TEXT), "auto") == compression_of(bz2.compress(b""), "auto") == BZIP2
    assert compression_of(b"BZh,a\n", "auto") == compression_of(b"", "auto") == NONE
    assert compression_of(gzip.compress(TEXT), "none") == NONE
    assert compression_of(b"", "gzip") == GZIP
    for word in PACK:
        with pytest.raises(UnreadableError, match=f"is no {word} archive, which compression: {word} promises"):
            compression_of(b"a,b\n", word)
    for head, name in ((b"PK\x03\x04", "zip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\x00", "xz")):
        with pytest.raises(UnreadableError, match=f"is a {name} archive; allowed: none, gzip, bzip2"):
            compression_of(head, "auto")


def test_a_body_is_read_in_pieces_and_closed():
    body = io.BytesIO(b"x" * 2_500_000)
    assert [len(piece) for piece in chunks_of(body)] == [1_048_576, 1_048_576, 402_848]
    assert body.closed


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp1252", "gb18030"])
def test_text_becomes_utf8_however_it_is_cut(encoding):
    text = "a,é€\r\nß,x\n" if encoding == "cp1252" else "a,é€\r\n😀,ਅĀ\n"
    body = text.encode(encoding)
    for size in (1, 3, 1000):
        assert b"".join(as_utf8(pieces(body, size), encoding)).decode() == text


@pytest.mark.parametrize("encoding", ["utf-16", "UTF_32"])
def test_utf16_and_utf32_without_a_byte_order_mark_are_refused(encoding):
    name = encoding.lower().replace("_", "-")
    with pytest.raises(UnreadableError) as raised:
        list(as_utf8(pieces("a,b\n".encode(f"{name}-le"), 3), encoding))
    assert str(raised.value) == (
        f"has no byte order mark, by which {name} is read; declare encoding: {name}-le or {name}-be, or send it again "
        "with one"
    )


def test_a_byte_order_mark_that_an_encoding_leaves_is_taken_off():
    assert b"".join(as_utf8(iter(["\ufeffa\ufeff".encode("utf-16-le")]), "utf-16-le")) == "a\ufeff".encode()


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"a\x81b", "cp1252"), (b"a\0\0\xd8b\0", "utf-16-le"), (b"a\0b", "utf-16-le"), (b"\xff", "ascii")],
)
def test_bytes_without_a_meaning_become_no_text(body, encoding):
    plain = b"".join(as_utf8(iter([body]), encoding))
    with pytest.raises(UnicodeDecodeError):
        plain.decode("utf-8")
    assert plain.replace("\udcff".encode("utf-8", "surrogatepass"), b"?").decode() in ("a?b", "a?", "?")
