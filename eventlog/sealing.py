"""Owns the form in which personal data is stored: sealed under its subject's key, with a commitment that the filer
can open.

A ciphertext is one format byte, the key's commitment, the nonce, and AES-256-GCM over ``opener ‖ length ‖ text ‖
padding``. GCM does not commit to its key, so the commitment (half of an HKDF output whose other half is the
encryption key) is compared before anything is decrypted. The padding brings the length to a size class, so that the
length of a name or a story tells little.
"""

import hmac
import os
import struct
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from amparo.record.v1.record_pb2 import SealedField
from eventlog.decider import Sealed

FORMAT = b"\x01"
OPENER_BYTES = 32
NONCE_BYTES = 12
COMMITMENT_BYTES = 32
TAG_BYTES = 16
SIZE_CLASSES = (64, 256, 1024, 4096, 16_384, 49_152)
"""Padded lengths in bytes, opener and length included. What is longer than the last is a document, not a field."""


class TooLong(ValueError):
    """The text does not fit the largest size class: it has to be filed as a document."""


class WrongKey(ValueError):
    """The ciphertext was not made with this key, for this event and path, or it was altered."""


def seal(text: str, *, secret: bytes, key_id: str, event_id: bytes, path: str) -> tuple[SealedField, bytes]:
    """Seals ``text`` under a subject's 32-byte ``secret``. Answers with the field and its 32-byte opener. Raises
    `TooLong`."""
    opener = os.urandom(OPENER_BYTES)
    plaintext = text.encode()
    padded = _pad(opener + struct.pack(">I", len(plaintext)) + plaintext)
    bound = _bound(event_id, path, key_id)
    key, commitment = _derive(secret, bound)
    nonce = os.urandom(NONCE_BYTES)
    ciphertext = FORMAT + commitment + nonce + AESGCM(key).encrypt(nonce, padded, bound)
    return SealedField(path=path, key_id=key_id, ciphertext=ciphertext, commitment=commit(opener, plaintext)), opener


def unseal(field: Sealed, *, secret: bytes) -> tuple[str, bytes]:
    """The text and its opener. Raises `WrongKey`, also when the commitment does not hold."""
    sealed, bound = field.ciphertext, _bound(field.event_id, field.path, field.key_id)
    if sealed[:1] != FORMAT:
        raise WrongKey("unknown format of a sealed field")
    key, commitment = _derive(secret, bound)
    header, nonce_end = 1 + COMMITMENT_BYTES, 1 + COMMITMENT_BYTES + NONCE_BYTES
    if len(sealed) < nonce_end + TAG_BYTES + SIZE_CLASSES[0]:
        raise WrongKey("the sealed field was cut short")
    if not hmac.compare_digest(sealed[1:header], commitment):
        raise WrongKey("sealed under another key, event or path")
    try:
        padded = AESGCM(key).decrypt(sealed[header:nonce_end], sealed[nonce_end:], bound)
    except InvalidTag:
        raise WrongKey("the sealed field was altered") from None
    opener, rest = padded[:OPENER_BYTES], padded[OPENER_BYTES:]
    (length,) = struct.unpack(">I", rest[:4])
    plaintext = rest[4 : 4 + length]
    if not hmac.compare_digest(commit(opener, plaintext), field.commitment):
        raise WrongKey("the commitment does not hold")
    return plaintext.decode(), opener


def commit(opener: bytes, plaintext: bytes) -> bytes:
    """HMAC-SHA-256 of the plaintext under the opener: shows nothing without the opener, and proves the text with it."""
    return hmac.digest(opener, plaintext, sha256)


def _bound(event_id: bytes, path: str, key_id: str) -> bytes:
    parts = (b"amparo/sealed/v1", event_id, path.encode(), key_id.encode())
    return b"".join(struct.pack(">H", len(part)) + part for part in parts)


def _derive(secret: bytes, bound: bytes) -> tuple[bytes, bytes]:
    derived = HKDF(algorithm=SHA256(), length=64, salt=None, info=bound).derive(secret)
    return derived[:32], derived[32:]


def _pad(content: bytes) -> bytes:
    for size in SIZE_CLASSES:
        if len(content) <= size:
            return content.ljust(size, b"\0")
    raise TooLong(f"a sealed field holds at most {SIZE_CLASSES[-1] - OPENER_BYTES - 4} bytes")
