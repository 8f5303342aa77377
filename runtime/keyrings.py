"""Which keyring a process has: the local file in the embedded stack."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from access.keyring import FileKeyring, Keyring, KeyringKeeper
from runtime.settings import Settings


def keyring(settings: Settings) -> Keyring:
    """The keyring with which a process seals and unseals. Raises `SettingMissing`, `UnsafeKeyFile`."""
    return FileKeyring.open(settings.need("keyring"), environment=settings.environment)


@asynccontextmanager
async def keeper(settings: Settings) -> AsyncIterator[KeyringKeeper]:
    """The keyring for whoever changes its versions. Raises as `keyring`."""
    yield FileKeyring.open(settings.need("keyring"), environment=settings.environment)
