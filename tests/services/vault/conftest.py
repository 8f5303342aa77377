"""The vault's process on a migrated database, and a door to it as a service that reads has one."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from access import vault
from access.keyring import FileKeyring
from runtime import database
from runtime.clock import system_clock
from runtime.service import Service
from runtime.settings import Settings
from services.vault.app import create_service
from tests.services.people import Issuer, migrated
from tests.stack import Databases

Vaulted = tuple[Settings, Databases]


@pytest.fixture(scope="module")
def vaulted(postgres: str, kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vaulted]:
    """A migrated vault, with keys of its own."""
    with migrated(postgres, tmp_path_factory.mktemp("keys"), service="vault") as (settings, databases):
        yield settings.model_copy(update={"kafka": kafka}), databases


@pytest.fixture
def issuer() -> Issuer:
    """Gives tokens."""
    return Issuer()


@pytest.fixture
async def service(vaulted: Vaulted, issuer: Issuer) -> AsyncIterator[Service]:
    """The process; its loops do not run yet."""
    made = create_service(vaulted[0], verifier=issuer.verifier)
    yield made
    await made.parts.close()


@pytest.fixture
async def owner(vaulted: Vaulted) -> AsyncIterator[AsyncEngine]:
    """The only role that sees all."""
    engine = create_async_engine(vaulted[1].url("vault", "owner"), poolclass=NullPool)
    yield engine
    await engine.dispose()


@pytest.fixture
async def referral(vaulted: Vaulted) -> AsyncIterator[vault.Vault]:
    """Referral's door."""
    settings, databases = vaulted
    assert settings.keyring is not None
    engine = database.engine(databases.url("vault", "referral"), pool_size=2)
    door = vault.Vault(engine, FileKeyring.open(settings.keyring, environment="embedded"), clock=system_clock)
    yield door
    await door.close()
    await engine.dispose()
