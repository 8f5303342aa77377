"""Owns the search for what somebody filed: in files of any format, as it stands there, in usual disguises, or packed.

Used by the drill that looks for leaks (`local.leak_drill`) and by the tests, so that what the one calls clean is what
the others hold it to.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, quote_plus

from local.unpacking import unpacked

SHORTEST = 7
"""Of what is looked for, in characters: shorter ones are found anywhere."""
DEPTH = 3
"""How often something packed may be packed again: a compressed body in a compressed batch in a row."""

PRINTABLE = re.compile(rb"[ -~]{%d,}" % SHORTEST)
WIDE = (re.compile(rb"(?:[ -~]\0){%d,}" % SHORTEST), re.compile(rb"(?:\0[ -~]){%d,}" % SHORTEST))


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """What a search saw. ``hits``: a file's name → the texts found in it; ``unpacked``: kind → how many streams."""

    files: int
    read_bytes: int
    unpacked: Mapping[str, int]
    unpacked_bytes: int
    hits: Mapping[str, list[str]] = field(default_factory=dict)


def fragments(text: str) -> Iterator[str]:
    """ASCII parts of a text that say something: its beginning, middle and end, two or three words each."""
    for part in re.split(r"[^ -~]+", text):
        words = part.split()
        for start in sorted({0, max(0, len(words) // 2 - 1), max(0, len(words) - 3)}):
            found = " ".join(words[start : start + 3])
            if len(found) >= SHORTEST and found in text:
                yield found


def disguises(text: str) -> frozenset[bytes]:
    """The bytes by which a text may stand in a file: plain, in other case, UTF-16, hexadecimal, percent-encoded, with
    JSON's escapes, base64 at each of its offsets.
    """
    plain = text.encode()
    found = {plain, text.lower().encode(), text.upper().encode(), text.encode("utf-16-le"), text.encode("utf-16-be")}
    found |= {plain.hex().encode(), plain.hex().upper().encode()}
    found |= {quote(text, safe="").encode(), quote(text, safe="").lower().encode(), quote_plus(text).encode()}
    found |= {b"".join(b"%%%02x" % byte for byte in plain), b"".join(b"%%%02X" % byte for byte in plain)}
    found |= {
        json.dumps(text)[1:-1].encode(),
        _escaped(text).encode(),
        _escaped(text).upper().replace("U", "u").encode(),
    }
    for offset in range(3):
        # The first and last characters also depend on what stands before and behind.
        whole = base64.b64encode(b"\0" * offset + plain + b"\0\0")
        inner = whole[(offset * 8 + 5) // 6 : (offset + len(plain)) * 8 // 6]
        found |= {inner, inner.translate(bytes.maketrans(b"+/", b"-_"))}
    return frozenset(found)


def files_below(*folders: Path) -> Iterator[Path]:
    """Every ordinary file, the largest included."""
    for folder in folders:
        yield from sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def search(files: Iterable[Path], texts: Iterable[str]) -> Found:
    """Which texts are in which files. A text is best an unusual word: what is looked for must not occur by chance."""
    looking = _Search(texts)
    for file in files:
        looking.file(file)
    return looking.found()


class _Search:
    def __init__(self, texts: Iterable[str]) -> None:
        needles = [(text, disguise) for text in set(texts) for disguise in disguises(text)]
        self._needles = [needle for needle in needles if _is_printable(needle[1])]
        self._bare = [needle for needle in needles if not _is_printable(needle[1])]
        self._files = self._read = self._unpacked_bytes = 0
        self._unpacked: Counter[str] = Counter()
        self._known: dict[bytes, list[str]] = {}  # a database is a copy of a template: most of its files are the same
        self._hits: dict[str, list[str]] = {}

    def file(self, file: Path) -> None:
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            return  # a server removed it meanwhile
        self._files += 1
        self._read += len(content)
        digest = sha256(content).digest()
        if digest not in self._known or content.startswith(b"SQLite"):  # its newest rows are in a file beside it
            self._known[digest] = sorted(self._texts(self._pieces(content, file)))
        if self._known[digest]:
            self._hits[str(file)] = self._known[digest]

    def found(self) -> Found:
        return Found(
            files=self._files,
            read_bytes=self._read,
            unpacked=dict(self._unpacked),
            unpacked_bytes=self._unpacked_bytes,
            hits=self._hits,
        )

    def _pieces(self, content: bytes, path: Path | None, depth: int = 0) -> Iterator[bytes]:
        yield content
        if depth == DEPTH:
            return
        for kind, inner in unpacked(content, path=path):
            self._unpacked[kind] += 1
            self._unpacked_bytes += len(inner)
            yield from self._pieces(inner, None, depth + 1)

    def _texts(self, pieces: Iterator[bytes]) -> set[str]:
        found: set[str] = set()
        stretches: set[bytes] = set()
        for piece in pieces:
            content = piece.replace(bytes(16), bytes(1))  # half of a database's files is empty
            found |= {text for text, needle in self._bare if needle in content}
            stretches.update(match for pattern in (PRINTABLE, *WIDE) for match in pattern.findall(content))
        readable = b"\n".join(stretches)
        return found | {text for text, needle in self._needles if needle in readable}


def _is_printable(needle: bytes) -> bool:
    """Whether it can only stand in a stretch of printable characters, narrow or wide; each stretch is kept once."""
    return any(pattern.fullmatch(needle) for pattern in (PRINTABLE, *WIDE))


def _escaped(text: str) -> str:
    """Each character as JSON may escape it, the plain ones too."""
    units = text.encode("utf-16-be")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
