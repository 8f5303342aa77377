"""The registry on a real PostgreSQL, with real keys, and clients with real tokens."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from access import keys
from access.tokens import Verifier
from runtime.clock import system_clock
from runtime.service import Service
from runtime.settings import Settings
from services.intake.app import create_service
from services.intake.handlers import Parts
from tests.stack import Databases

ISSUER, AUDIENCE = "https://issuer.test", "amparo:test"
STORED = ("events", "pending", "acts", "requests", "incidents")


class OneKey:
    """An issuer's key set of one key."""

    def __init__(self, key: ECKey) -> None:
        self.key = key

    async def find(self, kid: str) -> ECKey | None:
        return self.key if kid == self.key.kid else None


@pytest.fixture(scope="session")
def registry_settings(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A migrated registry and vault, with keys of their own."""
    databases = Databases(postgres).migrate("intake", "vault")
    folder = tmp_path_factory.mktemp("keys")
    keys.init(folder, mechanism=databases.mechanism)
    yield Settings(
        environment="embedded",
        mechanism=databases.mechanism,
        database=databases.url("intake"),
        sequencer_database=databases.url("intake", "sequencer"),
        owner_database=databases.url("intake", "owner"),
        vault_database=databases.url("vault", "intake"),
        keyring=folder / "keyring",
        receipt_key=Path(folder / "receipts" / f"{databases.mechanism}.intake"),
        issuer=ISSUER,
        audience=AUDIENCE,
        jwks=f"{ISSUER}/jwks",
    )
    databases.drop()


@dataclass(frozen=True, kw_only=True)
class Registry:
    """The registry in one test: its parts, and who may be let in."""

    service: Service
    parts: Parts
    owner: AsyncEngine
    issuer_key: ECKey

    def token(self, *, sub: str, role: str, unit: str) -> str:
        now = int(system_clock().timestamp())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": sub, "iat": now, "exp": now + 300}
        claims |= {"amparo_role": role, "amparo_unit": unit}
        header = {"alg": "ES256", "typ": "at+jwt", "kid": self.issuer_key.kid}
        return jwt.encode(header, claims, self.issuer_key)

    async def stored(self) -> dict[str, int]:
        """How many rows each table has."""
        async with self.owner.connect() as connection:  # the only role that sees all of them
            return {
                table: (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
                for table in STORED
            }


@pytest.fixture
async def registry(registry_settings: Settings) -> AsyncIterator[Registry]:
    """The registry's process, without its loops."""
    key = ECKey.generate_key("P-256", parameters={"kid": "test"})
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=OneKey(key), clock=system_clock)
    service = create_service(registry_settings, verifier=verifier)
    owner = create_async_engine(registry_settings.owner_database, poolclass=NullPool)
    yield Registry(service=service, parts=service.parts, owner=owner, issuer_key=key)
    rings = [task for task in asyncio.all_tasks() if "Ring" in repr(task.get_coro())]
    await asyncio.gather(*rings)
    await service.parts.close()


Enter = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def enter(registry: Registry) -> AsyncIterator[Enter]:
    """``enter(role, unit=…)``: a client of the registry's API with a token of that role."""
    transport = httpx.ASGITransport(app=registry.service.app(), raise_app_exceptions=False)
    clients: list[httpx.AsyncClient] = []

    def client(role: str = "filer", *, unit: str = "ngo-test", sub: str = "") -> httpx.AsyncClient:
        token = registry.token(sub=sub or f"{role}-{unit or 'alone'}", role=role, unit=unit)
        headers = {"Authorization": f"Bearer {token}"}
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://registry.test", headers=headers))
        return clients[-1]

    yield client
    for each in clients:
        await each.aclose()
