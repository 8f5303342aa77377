"""Owns taking apart what lies packed inside a file: whatever a server, a client or a library may have compressed there.

Found by their first bytes, at any place of a file: gzip, zlib, zstd, LZ4 frames, Snappy (framed, and as Kafka's clients
frame it); by their form: PostgreSQL's compressed values (pglz and LZ4, in the row or in its TOAST table, whose parts
are joined), Kafka's batches, SQLite's rows. A stream that stops short gives what it has.
"""

import re
import sqlite3
import struct
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import zstandard

PAGE = 8192
MOST = 64 * 1024 * 1024
"""Bytes that one stream may unpack to: far more than anything that can be filed."""
SQLITE = b"SQLite format 3\0"
PIECE = 16
"""Bytes of a packed stream that are given at once."""
KAFKA_HEADER = 61
KAFKA_SNAPPY = 2

Unpacked = tuple[str, bytes]
"""The kind of packing, and what was in it."""

_ZLIB = re.compile(rb"[\x08\x18\x28\x38\x48\x58\x68\x78][\x01\x5e\x9c\xda]")
_GZIP = re.compile(rb"\x1f\x8b\x08[\x00-\x1f]")
_ZSTD = re.compile(rb"\x28\xb5\x2f\xfd")
_LZ4 = re.compile(rb"\x04\x22\x4d\x18[\x40-\x7f]")
_SNAPPY = re.compile(rb"\xff\x06\x00\x00sNaPpY")
_XERIAL = re.compile(rb"\x82SNAPPY\0")
# A compressed value in a row: its length and the mark for "compressed" (32 bits), then the length of what is in it and
# the method (0 pglz, 1 LZ4).
_COMPRESSED = b"".join(re.escape(bytes([low])) for low in range(2, 256, 4))
_VALUE = re.compile(rb"(?=([" + _COMPRESSED + rb"][\x00-\x80]\0\0)...[\x00\x40])", re.DOTALL)


def unpacked(content: bytes, *, path: Path | None = None) -> Iterator[Unpacked]:
    """What lies packed in these bytes; with ``path`` also what only a file of its kind has."""
    for kind, mark, opened in _STREAMS:
        for found in mark.finditer(content):
            if inner := opened(content, found.start()):
                yield kind, inner
    if content.startswith(SQLITE) and path is not None:
        yield from _rows(path)
    if path is not None and path.suffix == ".log":
        yield from _batches(content)
    if _is_pages(content):
        yield from _values(content)


def _zlib(content: bytes, start: int, *, bits: int = zlib.MAX_WBITS) -> bytes:
    stream, out = zlib.decompressobj(bits), bytearray()
    return _fed(content, start, stream, out, zlib.error)


def _gzip(content: bytes, start: int) -> bytes:
    return _zlib(content, start, bits=16 + zlib.MAX_WBITS)


def _zstd(content: bytes, start: int) -> bytes:
    stream, out = zstandard.ZstdDecompressor(max_window_size=MOST).decompressobj(), bytearray()
    return _fed(content, start, stream, out, zstandard.ZstdError)


def _fed(content: bytes, start: int, stream: Any, out: bytearray, broken: type[Exception]) -> bytes:
    """What a stream gives until it ends or breaks. Fed in small pieces: the one in which it breaks gives nothing."""
    at, size = start, PIECE
    while at < len(content) and not stream.eof and len(out) <= MOST:
        try:
            out += stream.decompress(content[at : at + size])
        except broken:
            break
        at += size
    return bytes(out)


def _lz4(content: bytes, start: int) -> bytes:
    flags = content[start + 4]
    at = start + 7 + (8 if flags & 0x08 else 0) + (4 if flags & 0x01 else 0)
    out = bytearray()
    while at + 4 <= len(content) and len(out) < MOST:
        (size,) = struct.unpack_from("<I", content, at)
        at += 4
        if size == 0:
            break
        stored, size = size >> 31, size & 0x7FFFFFFF
        block = content[at : at + size]
        out += block if stored else b""
        if not stored and not lz4_block(block, out):
            break
        at += size + (4 if flags & 0x10 else 0)
    return bytes(out)


def _snappy(content: bytes, start: int) -> bytes:
    at, out = start + 10, bytearray()
    while at + 8 <= len(content) and content[at] in (0, 1):
        size = int.from_bytes(content[at + 1 : at + 4], "little")
        block = content[at + 8 : at + 4 + size]
        out += snappy_block(block) if content[at] == 0 else block
        at += 4 + size
    return bytes(out)


def _xerial(content: bytes, start: int) -> bytes:
    at, out = start + 16, bytearray()
    while at + 4 <= len(content):
        (size,) = struct.unpack_from(">I", content, at)
        if not 0 < size <= len(content) - at - 4:
            break
        out += snappy_block(content[at + 4 : at + 4 + size])
        at += 4 + size
    return bytes(out)


_STREAMS: tuple[tuple[str, re.Pattern[bytes], Callable[[bytes, int], bytes]], ...] = (
    ("gzip", _GZIP, _gzip),
    ("zlib", _ZLIB, _zlib),
    ("zstd", _ZSTD, _zstd),
    ("lz4", _LZ4, _lz4),
    ("snappy", _SNAPPY, _snappy),
    ("snappy", _XERIAL, _xerial),
)


def _copy(out: bytearray, offset: int, length: int) -> bool:
    """Repeats what stands ``offset`` bytes before the end; a copy may reach into itself."""
    if not 0 < offset <= len(out):
        return False
    for _ in range(length):
        out.append(out[-offset])
    return True


def snappy_block(block: bytes) -> bytes:
    """Snappy's raw format."""
    at = 0
    while at < len(block) and block[at] & 0x80:
        at += 1
    at, out = at + 1, bytearray()
    while at < len(block) and len(out) < MOST:
        tag, kind = block[at], block[at] & 3
        at += 1
        if kind == 0:
            length = tag >> 2
            if length >= 60:
                width = length - 59
                length = int.from_bytes(block[at : at + width], "little")
                at += width
            out += block[at : at + length + 1]
            at += length + 1
            continue
        width = (0, 1, 2, 4)[kind]
        offset = int.from_bytes(block[at : at + width], "little")
        length = (tag >> 2) + 1
        if kind == 1:
            offset, length = offset | (tag >> 5) << 8, ((tag >> 2) & 7) + 4
        at += width
        if not _copy(out, offset, length):
            break
    return bytes(out)


def lz4_block(block: bytes, out: bytearray) -> bool:
    """LZ4's block format, added to ``out``, to whose end it may refer; whether it was one."""

    def length(short: int, at: int) -> tuple[int, int]:
        more = 255 if short == 15 else 0
        while more == 255 and at < len(block):
            more = block[at]
            short, at = short + more, at + 1
        return short, at

    at = 0
    while at < len(block) and len(out) < MOST:
        token = block[at]
        literals, at = length(token >> 4, at + 1)
        if at + literals > len(block):
            return False
        out += block[at : at + literals]
        at += literals
        if at == len(block):
            return True
        offset = int.from_bytes(block[at : at + 2], "little")
        repeated, at = length(token & 15, at + 2)
        if not _copy(out, offset, repeated + 4):
            return False
    return False


def pglz(packed: bytes, size: int) -> bytes:
    """PostgreSQL's own compression; empty where these bytes do not unpack to exactly ``size``."""
    out, at = bytearray(), 0
    while at < len(packed) and len(out) < size:
        control, at = packed[at], at + 1
        for bit in range(8):
            if at >= len(packed) or len(out) >= size:
                break
            if not control >> bit & 1:
                out.append(packed[at])
                at += 1
                continue
            if at + 2 > len(packed):
                return b""
            length, offset = (packed[at] & 0x0F) + 3, (packed[at] & 0xF0) << 4 | packed[at + 1]
            at += 2
            if length == 18 and at < len(packed):
                length, at = length + packed[at], at + 1
            if not _copy(out, offset, min(length, size - len(out))):
                return b""
    return bytes(out) if len(out) == size and at == len(packed) else b""


def _value(held: bytes) -> bytes:
    """A compressed value: the length of what is in it and the method, then the packed bytes. Empty where it is none."""
    if len(held) < 5:
        return b""
    (head,) = struct.unpack_from("<I", held)
    size, method = head & 0x3FFFFFFF, head >> 30
    if not len(held) - 4 < size <= MOST:
        return b""
    if method == 0:
        return pglz(held[4:], size)
    out = bytearray()
    return bytes(out) if method == 1 and lz4_block(held[4:], out) and len(out) == size else b""


def _is_pages(content: bytes) -> bool:
    """Whether these are PostgreSQL's pages or its write-ahead log: both are whole pages."""
    return len(content) >= PAGE and len(content) % PAGE == 0


def _values(content: bytes) -> Iterator[Unpacked]:
    for found in _VALUE.finditer(content):
        size = int.from_bytes(found.group(1), "little") >> 2
        at = found.start()
        if 9 < size <= len(content) - at and (value := _value(content[at + 4 : at + size])):
            yield "pglz", value
    parts: dict[int, dict[int, bytes]] = {}
    for value_id, part, held in _toasted(content):
        parts.setdefault(value_id, {})[part] = held
    for found_parts in parts.values():
        joined = b"".join(found_parts[part] for part in sorted(found_parts))
        yield "toast", _value(joined) or joined


def _toasted(content: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The rows of a TOAST table: the value's number, the part's place in it, the part. Of other tables mostly none."""
    for start in range(0, len(content), PAGE):
        page = content[start : start + PAGE]
        lower, upper, special, version = struct.unpack_from("<HHHH", page, 12)
        if version & 0xFF00 != PAGE or not 24 <= lower <= upper <= special <= PAGE:
            continue
        for at in range(24, lower, 4):
            (item,) = struct.unpack_from("<I", page, at)
            offset, length = item & 0x7FFF, item >> 17
            row = page[offset : offset + length]
            if len(row) < 36 or row[22] != 24:
                continue
            value_id, part, head = struct.unpack_from("<IiI", row, 24)
            if 0 <= part < 10_000 and head & 3 == 0 and head >> 2 == len(row) - 32:
                yield value_id, part, row[36:]


def _rows(path: Path) -> Iterator[Unpacked]:
    """The values of every row: in the file a long one is cut by the links between its pages."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        for suffix in ("", "-wal"):
            if (source := path.with_name(path.name + suffix)).exists():
                copy.with_name(copy.name + suffix).write_bytes(source.read_bytes())
        connection = sqlite3.connect(copy)
        try:
            connection.text_factory = bytes
            tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            for (table,) in tables:
                for row in connection.execute(f'SELECT * FROM "{table.decode()}"'):  # noqa: S608 - its own names
                    yield "sqlite", b"\n".join(value for value in row if isinstance(value, bytes))
        except sqlite3.DatabaseError:
            return  # harmed, or copied while it was written: its bytes are searched all the same
        finally:
            connection.close()


def _batches(content: bytes) -> Iterator[Unpacked]:
    """Kafka's batches whose records are raw Snappy; the other codecs begin with marks of their own."""
    at = 0
    while at + KAFKA_HEADER <= len(content):
        length, magic = struct.unpack_from(">I", content, at + 8)[0], content[at + 16]
        if magic != 2 or length < KAFKA_HEADER - 12:
            return
        records = content[at + KAFKA_HEADER : at + 12 + length]
        if content[at + 22] & 7 == KAFKA_SNAPPY and not records.startswith(b"\x82SNAPPY"):
            yield "snappy", snappy_block(records)
        at += 12 + length
