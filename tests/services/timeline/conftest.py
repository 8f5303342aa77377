"""A migrated timeline database as its application role sees it, and its API with people who hold tokens for it."""

from collections.abc import AsyncIterator, Callable, Iterator

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from access.tokens import Verifier
from runtime.clock import system_clock
from runtime.database import engine, migrate
from runtime.service import Service
from runtime.settings import Settings
from services.timeline.app import create_service
from services.timeline.projections import TABLES
from services.timeline.taking import take
from tests.services.timeline.records import Story, at, whole_story
from tests.stack import Databases

ISSUER, AUDIENCE, KEY_ID = "https://issuer.test", "amparo:test", "k1"

Enter = Callable[..., httpx.AsyncClient]


class Issuer:
    """Signs access tokens for the tests' verifier."""

    def __init__(self) -> None:
        self._key = ECKey.generate_key("P-256")
        self.verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=self, clock=system_clock)

    async def find(self, kid: str) -> ECKey | None:
        return self._key if kid == KEY_ID else None

    def header(self, role: str, unit: str) -> dict[str, str]:
        """The header of somebody who acts in a role, for a unit."""
        now = int(system_clock().timestamp())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": f"{role}-1", "iat": now, "exp": now + 300}
        claims |= {"amparo_role": role, "amparo_unit": unit}
        header = {"alg": "ES256", "kid": KEY_ID, "typ": "at+jwt"}
        return {"Authorization": f"Bearer {jwt.encode(header, claims, self._key)}"}


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture(scope="module")
def timeline_databases(postgres: str) -> Iterator[Databases]:
    """One database for the tests of a module: each begins with empty tables."""
    fresh = Databases(postgres)
    migrate("services.timeline", fresh.url("timeline", "owner"))
    yield fresh
    fresh.drop()


@pytest.fixture
async def database(timeline_databases: Databases) -> AsyncIterator[AsyncEngine]:
    """An engine of the application role on empty tables."""
    owner = engine(timeline_databases.url("timeline", "owner"))
    emptied = ", ".join(["log", "positions", "dead_letters", *(table.name for table in TABLES)])
    async with owner.begin() as session:
        await session.execute(text(f"TRUNCATE {emptied}"))
        await session.execute(text("UPDATE log_size SET size = 0"))
    await owner.dispose()
    app = engine(timeline_databases.url("timeline"))
    yield app
    await app.dispose()


@pytest.fixture
async def told(database: AsyncEngine) -> Story:
    """The whole story, taken in."""
    story = whole_story()
    async with database.begin() as session:
        for record in story.told:
            await take(session, record)
    return story


@pytest.fixture
async def service(timeline_databases: Databases, database: AsyncEngine, issuer: Issuer) -> AsyncIterator[Service]:
    """The timeline's process a minute after noon, without its loops; no Kafka answers it."""
    settings = Settings(
        environment="embedded",
        mechanism=timeline_databases.mechanism,
        database=timeline_databases.url("timeline"),
        kafka="127.0.0.1:1",
    )
    made = create_service(settings, clock=lambda: at(60), verifier=issuer.verifier)
    yield made
    await made.engine.dispose()


@pytest.fixture
async def enter(service: Service, issuer: Issuer) -> AsyncIterator[Enter]:
    """``enter(role, unit)``: a client of the timeline's API with a token of that role and unit."""
    transport = httpx.ASGITransport(app=service.app(), raise_app_exceptions=False)
    clients: list[httpx.AsyncClient] = []

    def client(role: str = "coordinator", unit: str = "dgdh") -> httpx.AsyncClient:
        headers = issuer.header(role, unit)
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://timeline.test", headers=headers))
        return clients[-1]

    yield client
    for made in clients:
        await made.aclose()
