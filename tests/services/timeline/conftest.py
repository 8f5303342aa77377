"""A migrated timeline database as its application role sees it, and its API with people who hold tokens for it."""

from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from access import private_files
from eventlog.origin import KEY_BYTES
from runtime.database import engine, migrate
from runtime.service import Service
from runtime.settings import Settings
from services.timeline.app import create_service
from services.timeline.projections import TABLES
from services.timeline.taking import take
from tests.services.people import Issuer, door
from tests.services.timeline.records import Story, at, whole_story
from tests.stack import Databases

Enter = Callable[..., httpx.AsyncClient]


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
def transport_key(tmp_path: Path) -> Path:
    """The file of the key that every process of the mechanism holds."""
    file = tmp_path / "transport"
    private_files.write(file, b64encode(bytes(range(KEY_BYTES))).decode())
    return file


@pytest.fixture
async def service(
    timeline_databases: Databases, database: AsyncEngine, issuer: Issuer, transport_key: Path
) -> AsyncIterator[Service]:
    """The timeline's process a minute after noon, without its loops; no Kafka answers it."""
    settings = Settings(
        environment="embedded",
        mechanism=timeline_databases.mechanism,
        database=timeline_databases.url("timeline"),
        kafka="127.0.0.1:1",
        transport_key=transport_key,
        public_urls="http://timeline.test",
    )
    made = create_service(settings, clock=lambda: at(60), verifier=issuer.verifier)
    yield made
    await made.engine.dispose()


@pytest.fixture
async def enter(service: Service, issuer: Issuer) -> AsyncIterator[Enter]:
    """``enter(role, unit)``: a client of the timeline's API with a token of that role and unit."""
    async with door(service, issuer) as opened:

        def client(role: str = "coordinator", unit: str = "dgdh", **said: Any) -> httpx.AsyncClient:
            return opened.enter(role=role, unit=unit, **said)

        yield client
