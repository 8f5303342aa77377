"""Signed notes, https://c2sp.org/signed-note: text, a blank line, and one line per signature. Ed25519 only."""

import base64
import binascii
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ED25519 = b"\x01"
_DASH = "— "
MOST_SIGNATURES = 100
_CONTROLS = frozenset(map(chr, range(32))) - {"\n"}


class BadNote(ValueError):
    """The note is malformed, or a signature under a known key does not hold."""


def _check_name(name: str) -> str:
    if not name or "+" in name or any(c.isspace() for c in name):
        raise BadNote("a key's name is not empty and has no space or plus sign")
    return name


def _key_id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + ED25519 + public).digest()[:4]


@dataclass(frozen=True, slots=True)
class NoteVerifier:
    """A key that notes are checked with."""

    name: str
    public: bytes

    @classmethod
    def load(cls, text: str) -> "NoteVerifier":
        """Reads ``name+hex(key id)+base64(type ‖ public key)``. Raises `BadNote`."""
        try:
            name, key_id, key = text.strip().split("+", 2)
            decoded, claimed = base64.b64decode(key, validate=True), bytes.fromhex(key_id)
        except (ValueError, binascii.Error):
            raise BadNote("not a verifier key") from None
        if decoded[:1] != ED25519 or len(decoded) != 33 or claimed != _key_id(_check_name(name), decoded[1:]):
            raise BadNote("not an Ed25519 verifier key, or its id does not fit")
        return cls(name, decoded[1:])

    def __str__(self) -> str:
        return f"{self.name}+{self.key_id.hex()}+{base64.b64encode(ED25519 + self.public).decode()}"

    @property
    def key_id(self) -> bytes:
        """First four bytes of SHA-256 over name, algorithm and key."""
        return _key_id(self.name, self.public)

    def holds(self, text: str, signature: bytes) -> bool:
        """Whether the signature is this key's over the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except InvalidSignature:
            return False
        return True


class NoteSigner:
    """A key that notes are signed with."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.verifier = NoteVerifier(_check_name(name), private.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> "NoteSigner":
        """A new key."""
        return cls(name, Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, text: str) -> "NoteSigner":
        """Reads ``PRIVATE+KEY+name+hex(key id)+base64(type ‖ seed)``. Raises `BadNote`."""
        try:
            private, key, name, key_id, seed = text.strip().split("+", 4)
            decoded = base64.b64decode(seed, validate=True)
        except (ValueError, binascii.Error):
            raise BadNote("not a signer key") from None
        if (private, key) != ("PRIVATE", "KEY") or decoded[:1] != ED25519 or len(decoded) != 33:
            raise BadNote("not an Ed25519 signer key")
        signer = cls(name, Ed25519PrivateKey.from_private_bytes(decoded[1:]))
        if signer.verifier.key_id.hex() != key_id:
            raise BadNote("the signer key's id does not fit")
        return signer

    @property
    def key_text(self) -> str:
        """The private form that `load` reads."""
        seed = base64.b64encode(ED25519 + self._private.private_bytes_raw()).decode()
        return f"PRIVATE+KEY+{self.verifier.name}+{self.verifier.key_id.hex()}+{seed}"

    @property
    def verifier_text(self) -> str:
        """The public form that `NoteVerifier.load` reads."""
        return str(self.verifier)

    def sign(self, text: str) -> str:
        """The whole note. Raises `BadNote` for a text that does not end in a line feed."""
        if not text.endswith("\n") or _CONTROLS & set(text):
            raise BadNote("a note's text ends in a line feed and has no other control character")
        signature = base64.b64encode(self.verifier.key_id + self._private.sign(text.encode())).decode()
        return f"{text}\n{_DASH}{self.verifier.name} {signature}\n"


def open_note(note: str, verifiers: Sequence[NoteVerifier]) -> tuple[str, tuple[NoteVerifier, ...]]:
    """The text and the keys whose signatures hold: at least one. Unknown keys are passed over. Raises `BadNote`."""
    split = note.rfind("\n\n")
    if split < 0 or not note.endswith("\n"):
        raise BadNote("a note has a text, a blank line and signatures")
    if _CONTROLS & set(note):
        raise BadNote("a note has no control character but line feeds")
    text, lines = note[: split + 1], note[split + 2 : -1].split("\n")
    if len(lines) > MOST_SIGNATURES:
        raise BadNote(f"a note has at most {MOST_SIGNATURES} signatures")
    known = {(v.name, v.key_id): v for v in verifiers}
    held = []
    for line in lines:
        name, signature = _signature(line)
        verifier = known.get((name, signature[:4]))
        if verifier is None:
            continue
        if not verifier.holds(text, signature[4:]):
            raise BadNote(f"the signature of {name} does not hold")
        if verifier not in held:
            held.append(verifier)
    if not held:
        raise BadNote("no signature by a known key")
    return text, tuple(held)


def _signature(line: str) -> tuple[str, bytes]:
    try:
        dash, name, encoded = line.split(" ")
        decoded = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error):
        raise BadNote("malformed signature line") from None
    if dash != _DASH.strip() or not name or len(decoded) < struct.calcsize(">I") + 1:
        raise BadNote("malformed signature line")
    return name, decoded
