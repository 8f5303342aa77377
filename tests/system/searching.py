"""Finding what somebody filed in files of any format, as it stands there or in the usual disguises."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path

SHORTEST = 7
"""Of what is looked for, in characters: shorter ones are found anywhere."""

PRINTABLE = re.compile(rb"[ -~]{%d,}" % SHORTEST)
WIDE = (re.compile(rb"(?:[ -~]\0){%d,}" % SHORTEST), re.compile(rb"(?:\0[ -~]){%d,}" % SHORTEST))


def fragments(text: str) -> Iterator[str]:
    """ASCII parts of a text that say something: its beginning, middle and end, two or three words each."""
    for part in re.split(r"[^ -~]+", text):
        words = part.split()
        for start in sorted({0, max(0, len(words) // 2 - 1), max(0, len(words) - 3)}):
            found = " ".join(words[start : start + 3])
            if len(found) >= SHORTEST and found in text:
                yield found


def disguises(text: str) -> Iterator[bytes]:
    """The bytes by which a text may stand in a file: plain, UTF-16, hexadecimal, base64 at each of its offsets."""
    plain = text.encode()
    yield plain
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")
    yield plain.hex().encode()
    for offset in range(3):
        # The first and last characters also depend on what stands before and behind.
        whole = base64.b64encode(b"\0" * offset + plain + b"\0\0")
        inner = whole[(offset * 8 + 5) // 6 : (offset + len(plain)) * 8 // 6]
        yield inner
        if (url_safe := inner.translate(bytes.maketrans(b"+/", b"-_"))) != inner:
            yield url_safe


def files_below(*folders: Path) -> Iterator[Path]:
    """Every ordinary file, the largest included."""
    for folder in folders:
        yield from sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def search(files: Iterable[Path], texts: Iterable[str]) -> Mapping[str, list[str]]:
    """Which texts are in which files: the file's name → the texts found there. Texts are ASCII."""
    needles = [(text, disguise) for text in texts for disguise in disguises(text)]
    found: dict[str, list[str]] = {}
    searched: dict[bytes, list[str]] = {}  # a database is a copy of a template: most of its files are the same
    for file in files:
        try:
            content = file.read_bytes()
        except FileNotFoundError:
            continue  # a server removed it meanwhile
        digest = sha256(content).digest()
        if digest not in searched:
            readable = _readable(content)
            searched[digest] = sorted({text for text, needle in needles if needle in readable})
        if searched[digest]:
            found[str(file)] = searched[digest]
    return found


def _readable(content: bytes) -> bytes:
    """Every stretch of a file in which a disguise could stand: a small part of it, and each once."""
    content = content.replace(bytes(16), bytes(1))  # half of a database's files is empty
    stretches = {match for pattern in (PRINTABLE, *WIDE) for match in pattern.findall(content)}
    return b"\n".join(stretches)
