"""The registry on a real PostgreSQL, with real keys, and clients with real tokens."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from runtime import agencies
from runtime.clock import system_clock
from runtime.service import Service
from runtime.settings import Settings
from services.intake.app import create_service
from services.intake.handlers import Parts
from tests.services.people import Issuer, Referrals, door, migrated, rows

AGENCIES = (
    *("police-test", "prosecutor-test", "mayor-test", "agency-0", "agency-1", "agency-2", "a", "b", "c"),
    *("agency-scopes", "mayor-scopes", "agency-decided", "office-left-out", "office-later"),
)
"""What the register holds."""
STORED = ("events", "pending", "acts", "requests", "incidents", "openings")


@pytest.fixture(scope="session")
def registry_settings(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A migrated registry and vault, with keys of their own."""
    with migrated(postgres, tmp_path_factory.mktemp("keys"), service="intake") as (settings, _):
        yield settings


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The registry in one test: its parts, whose clock can be moved, and who may be let in."""

    service: Service
    parts: Parts
    clock: "MovedClock"
    owner: AsyncEngine
    vault_owner: AsyncEngine
    issuer: Issuer
    referrals: Referrals

    async def stored(self) -> dict[str, int]:
        """How many rows each table has."""
        return await rows(self.owner, *STORED)


class MovedClock:
    """The present, moved on by so much: for what runs out, while tokens and proofs are of the present."""

    def __init__(self) -> None:
        self._by = timedelta()

    def __call__(self) -> datetime:
        return system_clock() + self._by

    def tick(self, **by: float) -> None:
        """Moves on by so many ``minutes=``, ``hours=`` …"""
        self._by += timedelta(**by)


@pytest.fixture
async def registry(registry_settings: Settings, postgres: str) -> AsyncIterator[Registry]:
    """The registry's process, without its loops."""
    issuer = Issuer()
    referrals = Referrals(registry_settings.mechanism)
    service = create_service(registry_settings, verifier=issuer.verifier, fetch=referrals.fetch)
    clock = MovedClock()
    service.parts = replace(service.parts, clock=clock)
    async with service.parts.engine.begin() as session:
        for record in referrals.register(*AGENCIES):
            await agencies.keep(session, record)
    owner = create_async_engine(registry_settings.owner_database, poolclass=NullPool)
    vault = f"{postgres.rsplit('/', 1)[0]}/{registry_settings.mechanism}_vault"
    yield Registry(
        service=service,
        parts=service.parts,
        clock=clock,
        owner=owner,
        vault_owner=create_async_engine(vault, poolclass=NullPool),
        issuer=issuer,
        referrals=referrals,
    )
    await service.parts.close()


Enter = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def enter(registry: Registry) -> AsyncIterator[Enter]:
    """``enter(role, unit=…)``: a client of the registry's API with a token of that role."""
    async with door(registry.service, registry.issuer) as opened:

        def client(role: str = "filer", *, unit: str = "ngo-test", sub: str = "", **said: Any) -> httpx.AsyncClient:
            return opened.enter(role=role, unit=unit, sub=sub, **said)

        yield client
