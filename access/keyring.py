"""Owns the master keys that subjects' keys are wrapped under, behind one Protocol; here as a local file, for the
embedded stack only.

The vault's database holds wrapped keys and no master key; the keyring holds master keys and no wrapped key. Reading
personal data takes both.
"""

import asyncio
import base64
import binascii
import json
import os
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

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


class KeyringUnavailable(Exception):
    """The keyring cannot be asked now, or refuses this process. The text holds nothing of what was asked."""


class Keyring(Protocol):
    """Master keys, wherever they live. Calls take batches, since a key service charges by the call. All raise
    `KeyringUnavailable`.
    """

    async def wrap(self, secrets: Sequence[bytes]) -> Sequence[Wrapped]:
        """Each 32-byte secret under the current master key, in order."""
        ...

    async def unwrap(self, wrapped: Sequence[Wrapped]) -> Sequence[bytes]:
        """The secrets, in order; also those under earlier master keys. Raises `CannotUnwrap`."""
        ...

    async def derive(self, purpose: str) -> bytes:
        """32 bytes for one purpose, the same for as long as the keyring lives, whatever master key is current."""
        ...

    async def keep(self) -> None:
        """What has to be done all the while to be let in, for ever. Raises `KeyringUnavailable`; whoever watches over
        it starts it again.
        """
        ...

    async def close(self) -> None:
        """Ends what connections there are."""
        ...


class KeyringKeeper(Protocol):
    """What whoever keeps a keyring may do, and no process that seals or unseals: change its master keys. Raises
    `KeyringUnavailable`.
    """

    async def current(self) -> str:
        """The version that `Keyring.wrap` uses."""
        ...

    async def rotate(self) -> str:
        """Makes a new version, which is current from now on; the earlier ones still open. The answer names it."""
        ...

    async def rewrap(self, wrapped: Sequence[Wrapped]) -> Sequence[Wrapped]:
        """The same keys under the current version, in order. Raises `CannotUnwrap`."""
        ...

    async def retire(self, versions: Collection[str]) -> None:
        """Destroys earlier versions, for ever; those that are gone already do no harm. Raises ``ValueError`` for the
        current one.
        """
        ...

    async def close(self) -> None:
        """Ends what connections there are."""
        ...


class FileKeyring:
    """Master keys in one local file, mode 0600. Whoever reads the file reads all, so it is refused outside the embedded
    stack.

    The file is read again when it has changed, so that a process that runs knows a new master key at once. It is
    `Keyring` and `KeyringKeeper` in one: who can read the file can write it.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[int, ...] | None = None
        self._wrapping: Mapping[str, bytes] = {}
        self._current, self._root = "", b""
        self._read()

    @classmethod
    def open(cls, folder: Path, *, environment: str) -> "FileKeyring":
        """The keyring in ``folder``. Raises `UnsafeKeyFile`, also when ``environment`` is not ``embedded``."""
        if environment != EMBEDDED:
            raise UnsafeKeyFile("a local keyring serves the embedded stack only; set up a key service")
        return cls(folder / FILE)

    async def wrap(self, secrets: Sequence[bytes]) -> Sequence[Wrapped]:
        """See `Keyring`; AES key wrap (RFC 3394), 40 bytes."""
        self._read()
        key = self._wrapping[self._current]
        return [Wrapped(self._current, aes_key_wrap(key, secret)) for secret in secrets]

    async def unwrap(self, wrapped: Sequence[Wrapped]) -> Sequence[bytes]:
        """See `Keyring`."""
        self._read()
        try:
            return [aes_key_unwrap(self._wrapping[one.master], one.ciphertext) for one in wrapped]
        except (KeyError, InvalidUnwrap, ValueError):
            raise CannotUnwrap from None

    async def derive(self, purpose: str) -> bytes:
        """See `Keyring`."""
        return _derived(self._root, f"amparo: {purpose}")

    async def keep(self) -> None:
        """See `Keyring`: a file asks for nothing."""
        await asyncio.Event().wait()

    async def close(self) -> None:
        """See `Keyring`: there are none."""

    async def current(self) -> str:
        """See `KeyringKeeper`."""
        self._read()
        return self._current

    async def rotate(self) -> str:
        """See `KeyringKeeper`."""
        held = self._held()
        fresh = new_version()
        self._write({**held, "current": fresh, "keys": {**held["keys"], fresh: new_key()}})
        return fresh

    async def rewrap(self, wrapped: Sequence[Wrapped]) -> Sequence[Wrapped]:
        """See `KeyringKeeper`."""
        return await self.wrap(await self.unwrap(wrapped))

    async def retire(self, versions: Collection[str]) -> None:
        """See `KeyringKeeper`."""
        held = self._held()
        if held["current"] in versions:
            raise ValueError("the current version cannot be retired")
        kept = {name: key for name, key in held["keys"].items() if name not in versions}
        if kept != held["keys"]:
            self._write({**held, "keys": kept})

    def _read(self) -> None:
        seen: tuple[int, ...] | None
        try:
            found = os.stat(self._file)
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        except FileNotFoundError:
            seen = self._seen  # what was read serves until the process ends
        if seen == self._seen and seen is not None:
            return
        held = self._held()
        masters = {str(name): _key(text) for name, text in held["keys"].items()}
        self._wrapping = {name: _derived(master, "amparo vault: wrapping") for name, master in masters.items()}
        self._current, self._root = str(held["current"]), _key(held["root"])
        self._seen = seen

    def _held(self) -> dict[str, Any]:
        try:
            held: dict[str, Any] = json.loads(private_files.read(self._file))
            for text in (*held["keys"].values(), held["root"]):
                _key(text)
            if held["current"] not in held["keys"]:
                raise ValueError("no current key")
        except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            raise UnsafeKeyFile(f"{self._file} is not a keyring; restore it from your copy") from None
        return held

    def _write(self, held: Mapping[str, Any]) -> None:
        private_files.write(self._file, json.dumps(held, indent=1))


def new_version() -> str:
    """A random name for a master key of a file."""
    return f"k-{secrets.token_hex(4)}"


def new_key() -> str:
    """A random master key, as a file holds it."""
    return base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()


def _derived(key: bytes, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=purpose.encode()).derive(key)


def _key(text: str) -> bytes:
    key = base64.b64decode(text, validate=True)
    if len(key) != KEY_BYTES:
        raise ValueError("a key has 32 bytes")
    return key
