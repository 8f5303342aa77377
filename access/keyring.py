"""Owns the master keys that subjects' keys are wrapped under, behind one Protocol; here as a local file, for the
embedded stack only.

The vault's database holds wrapped keys and no master key; the keyring holds master keys and no wrapped key. Reading
personal data takes both.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from access import private_files
from access.private_files import UnsafeKeyFile

FILE = "keyring.json"
KEY_BYTES = 32
EMBEDDED = "embedded"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A 32-byte key under a master key, which ``master`` names. The ciphertext's form is the keyring's own."""

    master: str
    ciphertext: bytes


class CannotUnwrap(Exception):
    """The master key is not in this keyring, or the wrapped key was altered."""


class Keyring(Protocol):
    """Master keys, wherever they live. Calls take batches, since a key service charges by the call."""

    async def wrap(self, secrets: Sequence[bytes]) -> Sequence[Wrapped]:
        """Each 32-byte secret under the current master key, in order."""
        ...

    async def unwrap(self, wrapped: Sequence[Wrapped]) -> Sequence[bytes]:
        """The secrets, in order; also those under earlier master keys. Raises `CannotUnwrap`."""
        ...

    async def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose, the same for as long as the keyring lives, whatever master key is current."""
        ...


class FileKeyring:
    """Master keys in one local file, mode 0600. Whoever reads the file reads all, so it is refused outside the embedded
    stack.
    """

    def __init__(self, *, masters: Mapping[str, bytes], current: str, root: bytes) -> None:
        self._wrapping = {name: _derived(master, "amparo vault: wrapping") for name, master in masters.items()}
        self._current = current
        self._root = root

    @classmethod
    def open(cls, folder: Path, *, environment: str) -> "FileKeyring":
        """The keyring in ``folder``. Raises `UnsafeKeyFile`, also when ``environment`` is not ``embedded``."""
        if environment != EMBEDDED:
            raise UnsafeKeyFile("a local keyring serves the embedded stack only; set up a key service")
        file = folder / FILE
        try:
            held = json.loads(private_files.read(file))
            masters = {str(name): _key(text) for name, text in held["keys"].items()}
            current, root = str(held["current"]), _key(held["root"])
            if current not in masters:
                raise ValueError("no current key")
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            raise UnsafeKeyFile(f"{file} is not a keyring; restore it from your copy") from None
        return cls(masters=masters, current=current, root=root)

    async def wrap(self, secrets: Sequence[bytes]) -> Sequence[Wrapped]:
        """See `Keyring`; AES key wrap (RFC 3394), 40 bytes."""
        key = self._wrapping[self._current]
        return [Wrapped(self._current, aes_key_wrap(key, secret)) for secret in secrets]

    async def unwrap(self, wrapped: Sequence[Wrapped]) -> Sequence[bytes]:
        """See `Keyring`."""
        try:
            return [aes_key_unwrap(self._wrapping[one.master], one.ciphertext) for one in wrapped]
        except (KeyError, InvalidUnwrap, ValueError):
            raise CannotUnwrap from None

    async def derive(self, purpose: str) -> bytes:
        """See `Keyring`."""
        return _derived(self._root, f"amparo: {purpose}")


def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(key)


def _key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return key
