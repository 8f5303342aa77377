"""A migrated timeline database, as its application role sees it."""

from collections.abc import AsyncIterator, Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from runtime.database import engine, migrate
from services.timeline.projections import TABLES
from tests.stack import Databases


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
