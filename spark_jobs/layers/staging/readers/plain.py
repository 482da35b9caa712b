"""From an object's bytes to plain UTF-8 text: unpacked to its last byte, transcoded, in pieces."""

from __future__ import annotations

import bz2
import codecs
import zlib
from collections.abc import Callable, Iterator
from typing import Any

CHUNK_BYTES = 1024 * 1024
NONE, GZIP, BZIP2 = "none", "gzip", "bzip2"
UTF8 = "utf-8"
_MAGIC = {GZIP: b"\x1f\x8b", BZIP2: b"BZh"}
_ARCHIVES = {b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd", b"\xfd7zXZ\x00": "xz", b"7z\xbc\xaf": "7z"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BOM = "\ufeff"
_UNREADABLE = "landfall-unreadable"


class UnreadableError(Exception):
    """An object that cannot be read to its end; the message says why."""


def chunks_of(body: Any) -> Iterator[bytes]:
    """Yield an S3 body in pieces and close it."""
    try:
        while chunk := body.read(CHUNK_BYTES):
            yield chunk
    finally:
        body.close()


def compression_of(head: bytes, word: str) -> str:
    """Return how content is packed, by the contract's word or (auto) by its first bytes, whatever its suffix says."""
    if word != "auto":
        if head and not head.startswith(_MAGIC.get(word, b"")):
            reason = f"is no {word} archive, which compression: {word} promises"
            raise UnreadableError(f"{reason}; declare compression: auto, or send it packed")
        return word
    if head.startswith(b"\x1f\x8b\x08"):
        return GZIP
    if head.startswith(b"BZh") and head[4:10] in (b"1AY&SY", b"\x17rE8P\x90"):
        return BZIP2
    for magic, name in _ARCHIVES.items():
        if head.startswith(magic):
            raise UnreadableError(f"is a {name} archive; allowed: none, gzip, bzip2")
    return NONE


def unpacked(chunks: Iterator[bytes], compression: str) -> Iterator[bytes]:
    """Yield the plain content of all members; UnreadableError when the archive is broken or cut off."""
    if compression == NONE:
        yield from chunks
        return
    member = _MEMBERS[compression]()
    begun = False
    try:
        for chunk in chunks:
            rest = chunk
            while rest := rest.lstrip(b"\0") if member.eof else rest:  # tape drives pad archives with zeros
                member = _MEMBERS[compression]() if member.eof else member
                begun = True
                yield from member.feed(rest)
                rest = member.behind
    except (zlib.error, OSError, EOFError) as error:
        raise UnreadableError(f"cannot be unpacked to its end ({error}); send it again") from error
    if begun and not member.eof:
        raise UnreadableError("cannot be unpacked to its end (the archive is cut off); send it again")


class _Member:
    """One member of an archive: unpacks what it is fed in pieces of bounded size."""

    def __init__(self, pump: Callable[[bytes], bytes], engine: Any) -> None:
        self._pump, self._engine = pump, engine

    @property
    def eof(self) -> bool:
        return bool(self._engine.eof)

    @property
    def behind(self) -> bytes:
        """Return the bytes behind the member's end."""
        return bytes(self._engine.unused_data) if self.eof else b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        while True:
            piece = self._pump(data)
            data = b""
            if piece:
                yield piece
            if self.eof or (not piece and not self._pending()):
                return

    def _pending(self) -> bytes:
        return bytes(getattr(self._engine, "unconsumed_tail", b""))


def _gzip_member() -> _Member:
    engine = zlib.decompressobj(wbits=31)
    return _Member(lambda data: engine.decompress(data or engine.unconsumed_tail, CHUNK_BYTES), engine)


def _bzip2_member() -> _Member:
    engine = bz2.BZ2Decompressor()

    def pump(data: bytes) -> bytes:
        return b"" if engine.needs_input and not data else engine.decompress(data, CHUNK_BYTES)

    return _Member(pump, engine)


_MEMBERS: dict[str, Callable[[], _Member]] = {GZIP: _gzip_member, BZIP2: _bzip2_member}


def is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == UTF8


def as_utf8(chunks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Yield text as UTF-8; what the encoding cannot mean becomes bytes that are no UTF-8, for the readers to refuse."""
    if is_utf8(encoding):
        yield from chunks
        return
    decoder = codecs.getincrementaldecoder(encoding)(_UNREADABLE)
    begun = False
    try:
        for chunk in chunks:
            text = decoder.decode(chunk)
            if text:
                yield (text if begun else text.removeprefix(_BOM)).encode(UTF8, "surrogatepass")
                begun = True
        if text := decoder.decode(b"", True):
            yield text.encode(UTF8, "surrogatepass")
    except UnicodeError as error:  # of utf-16 and utf-32 alone: what means nothing else is marked
        name = codecs.lookup(encoding).name
        reason = f"has no byte order mark, by which {name} is read; declare encoding: {name}-le or {name}-be"
        raise UnreadableError(f"{reason}, or send it again with one") from error


def refuse_utf16(head: bytes, encoding: str) -> None:
    """Raise UnreadableError when text that should be UTF-8 begins with the byte order mark of UTF-16."""
    if is_utf8(encoding) and head.startswith(_UTF16):
        raise UnreadableError("begins with the byte order mark of UTF-16; declare encoding: utf-16")


def _unreadable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "\udcff", error.end


codecs.register_error(_UNREADABLE, _unreadable)
