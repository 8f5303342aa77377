"""The search for leaks finds a text in whatever way it stands in a file; its "nothing" is worth what these show."""

import base64
import gzip
import json
import secrets
import sqlite3
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
import zstandard

from local import postgres as server
from local.leak_stories import Words, stories
from local.leaks import disguises, search
from local.unpacking import unpacked
from tests.stack import Databases

LEAK = "Canaria Ulincopreta"
ACCENTED = "Canariañándúché"
SENTENCE = (
    f'{{"say":"{LEAK} was here, {LEAK} was here, and again {LEAK} was here; x{"abcdefghijklmnopqrstuvwxyz" * 3}"}}'
)
# SENTENCE as three other programs pack it.
LZ4 = bytes.fromhex(
    "04224d185440ae60000000ff177b22736179223a2243616e6172696120556c696e636f70726574612077617320686572652c201e000b9f616e64"
    "20616761696e28000aff0e3b20786162636465666768696a6b6c6d6e6f707172737475767778797a1a001e5078797a227dc3535720000000001e"
    "67a6b9"
)
SNAPPY = bytes.fromhex(
    "ff060000734e615070590062000009bac752bd01987b22736179223a2243616e6172696120556c696e636f70726574612077617320686572652c"
    "2043721e0020616e6420616761696e722800703b20786162636465666768696a6b6c6d6e6f707172737475767778797ace1a0004227d"
)
SNAPPY_RAW = SNAPPY[18:]
XERIAL = b"\x82SNAPPY\0" + struct.pack(">III", 1, 1, len(SNAPPY_RAW)) + SNAPPY_RAW

PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zlib": zlib.compress,
    "zstd": zstandard.compress,
    "gzip in gzip": lambda said: gzip.compress(gzip.compress(said)),
    "zstd in zlib": lambda said: zlib.compress(zstandard.compress(said)),
    "gzip cut short": lambda said: gzip.compress(said + secrets.token_bytes(4096))[:-2000],
    "zstd cut short": lambda said: zstandard.compress(said + secrets.token_bytes(300_000))[:-2000],
}


def written(folder: Path, content: bytes) -> Path:
    """A file that holds ``content`` among noise."""
    file = folder / "file"
    file.write_bytes(secrets.token_bytes(1001) + content + secrets.token_bytes(999))
    return file


@pytest.mark.parametrize(
    "disguise",
    [
        lambda text: text.encode(),
        lambda text: text.upper().encode(),
        lambda text: text.encode("utf-16-le"),
        lambda text: text.encode("utf-16-be"),
        lambda text: text.encode().hex().encode(),
        lambda text: base64.b64encode(f'{{"name":"{text}"}}'.encode()),
        lambda text: base64.b64encode(f'{{"name": "{text}"}}'.encode()),
        lambda text: base64.b64encode(f'{{"name" : "{text}"}}'.encode()),
        lambda text: base64.urlsafe_b64encode(f"¿{text}?".encode()),
        lambda text: quote(text).encode(),
        lambda text: "".join(f"%{byte:02X}" for byte in text.encode()).encode(),
        lambda text: json.dumps({"name": text}).encode(),
        lambda text: "".join(f"\\u{ord(character):04x}" for character in text).encode(),
        lambda text: "".join(f"\\u{ord(character):04X}" for character in text).encode(),
    ],
    ids=[
        *("plain", "upper", "utf-16-le", "utf-16-be", "hex", "base64-0", "base64-1", "base64-2", "base64-url"),
        *("percent", "percent-all", "json", "json-escapes", "json-escapes-upper"),
    ],
)
@pytest.mark.parametrize("text", [LEAK, ACCENTED])
def test_a_text_is_found_in_every_disguise(tmp_path: Path, text: str, disguise: Callable[[str], bytes]) -> None:
    """ASCII or not, packed once more or not."""
    file = written(tmp_path, disguise(text))
    assert search([file], [text]).hits == {str(file): [text]}
    file = written(tmp_path, gzip.compress(disguise(text)))
    assert search([file], [text]).hits == {str(file): [text]}


@pytest.mark.parametrize("packing", PACKED)
def test_a_text_is_found_in_what_was_compressed(tmp_path: Path, packing: str) -> None:
    """Twice, or cut short in its middle, too."""
    packed = PACKED[packing](SENTENCE.encode())
    file = written(tmp_path, packed)
    found = search([file], [f"again {LEAK}"])
    assert list(found.hits.values()) == [[f"again {LEAK}"]]
    assert sum(found.unpacked.values()) >= 1


@pytest.mark.parametrize("packed", [LZ4, SNAPPY, XERIAL], ids=["lz4", "snappy", "xerial"])
def test_other_programs_streams_are_unpacked_exactly(packed: bytes) -> None:
    """Byte for byte, whatever follows."""
    assert [inner for _, inner in unpacked(b"before" + packed + b"behind" * 9)] == [SENTENCE.encode()]


def test_kafkas_raw_snappy_is_unpacked(tmp_path: Path) -> None:
    """A batch says in its attributes how its records are packed; some clients add no mark."""
    head = bytearray(61)
    struct.pack_into(">I", head, 8, 61 - 12 + len(SNAPPY_RAW))
    head[16], head[22] = 2, 2
    file = tmp_path / "00000000000000000000.log"
    file.write_bytes(bytes(head) + SNAPPY_RAW)
    assert search([file], [f"again {LEAK}"]).hits == {str(file): [f"again {LEAK}"]}


def test_a_long_value_in_sqlite_is_found_across_its_pages(tmp_path: Path) -> None:
    """Also while it is still in the write-ahead log."""
    file = tmp_path / "temporal.db"
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("PRAGMA page_size = 512")
    connection.execute("CREATE TABLE history (data BLOB)")
    text = "".join(chr(97 + at % 26) for at in range(6000))
    connection.execute("INSERT INTO history VALUES (?)", [text.encode()])
    connection.commit()
    assert str(file) in search([file], [text[:5000]]).hits
    connection.close()


def test_what_postgresql_compresses_or_cuts_is_found(databases: Databases) -> None:
    """In the row, in parts in another table, and in rows that were deleted."""
    databases.migrate("intake")
    leaks = {kind: f"Canaria {secrets.token_hex(8)}" for kind in ("row", "parts", "cut", "deleted")}
    values = {
        "row": f"{'once more ' * 300}{leaks['row']}{' once more' * 300}",
        "parts": f"{'once more ' * 900}{secrets.token_hex(4000)}{leaks['parts']}{secrets.token_hex(4000)}",
        "deleted": f"{'once more ' * 300}{leaks['deleted']}{' once more' * 300}",
    }
    with server.connect(databases.url("intake", "owner")) as connection:
        connection.execute("CREATE TABLE leak (kind text, said text COMPRESSION pglz, whole text STORAGE EXTERNAL)")
        for kind, value in values.items():
            connection.execute("INSERT INTO leak (kind, said) VALUES (%s, %s)", [kind, value])
        cut = secrets.token_hex(994) + leaks["cut"] + secrets.token_hex(2000)  # 1,996 bytes a part
        connection.execute("INSERT INTO leak (kind, whole) VALUES ('cut', %s)", [cut])
        connection.execute("DELETE FROM leak WHERE kind = 'deleted'")
        files = connection.execute(
            "SELECT pg_relation_filepath(oid), pg_relation_filepath(reltoastrelid) FROM pg_class WHERE relname = 'leak'"
        ).fetchone()
    with server.connect(databases.admin_url) as connection:
        connection.execute("CHECKPOINT")
        shown = connection.execute("SHOW data_directory").fetchone()
    assert files is not None
    assert shown is not None
    folder = str(shown[0])
    found = search([Path(folder) / name for name in files], leaks.values())
    assert {text for texts in found.hits.values() for text in texts} == set(leaks.values())
    plain = b"".join((Path(folder) / name).read_bytes() for name in files)
    assert not any(leaks[kind].encode() in plain for kind in ("row", "parts", "deleted")), "it was not compressed"


def test_no_disguise_is_found_by_chance() -> None:
    """Each is long enough to mean something."""
    assert min(len(disguise) for disguise in disguises("Lukarinto")) >= 9


def test_every_run_invents_people_of_its_own() -> None:
    """Words, telephones, places and narratives that no older file can hold; nothing of the drill's own people stays."""
    words, others = Words(), Words()
    told = json.dumps(stories(words), ensure_ascii=False)
    stories(others)
    assert not words.given.keys() & others.given.keys()
    assert len(words.given) > 120
    assert all(word in told for word in words.given)
    assert "Runcayo" not in told
