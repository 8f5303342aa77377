"""Database engines and migrations.

A service's migrations are Alembic revision files in ``<package>/migrations/`` (or ``…/migrations/versions/``), and
nothing else: no ``env.py`` and no ``alembic.ini``, for this module is their environment. They run as the database's
owner.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from runtime import telemetry

if TYPE_CHECKING:
    from sqlalchemy import Connection

POOL_SIZE = 10
POOL_WAIT_SECONDS = 5
CONNECT_SECONDS = 5
# Held while migrating, so that replicas that start together migrate one after the other; any constant serves.
MIGRATION_LOCK = 0x616D7061


def engine(
    url: str, *, pool_size: int = POOL_SIZE, name: str = "amparo", statement_by_statement: bool = False
) -> AsyncEngine:
    """An engine on psycopg 3 with a pool of ``pool_size`` connections, in UTC.

    A connection lost with its server fails the transaction that used it and empties the pool, so the next one
    connects anew: no ping before each transaction. A checkout waits 5 s for a free connection, then raises
    ``sqlalchemy.exc.TimeoutError``. ``name`` shows in ``pg_stat_activity``. With ``statement_by_statement`` each
    statement is a transaction of its own, without round trips for beginning and end. Raises ``ValueError`` on an empty
    URL.
    """
    if not url:
        raise ValueError("no database URL: set AMPARO_DATABASE (or the one of the role that is meant)")
    of_transactions: dict[str, Any] = (
        {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None} if statement_by_statement else {}
    )
    made = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_WAIT_SECONDS,
        pool_use_lifo=True,
        connect_args={"connect_timeout": CONNECT_SECONDS, "application_name": name, "options": "-c timezone=UTC"},
        **of_transactions,
    )
    telemetry.trace_statements(made)
    return made


def migrate(package: str, url: str, *, revision: str = "head") -> tuple[str, ...]:
    """Bring the database to ``revision`` of ``<package>/migrations``; returns the revisions applied now, none where
    it was there.

    One transaction: a migration that fails leaves the database as it was. ``url`` is the owner's.
    """
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine, pool, text

    folder = migrations(package)
    script = ScriptDirectory(str(folder), version_locations=[str(folder)])
    applied: list[str] = []

    owner = create_engine(
        url, poolclass=pool.NullPool, connect_args={"connect_timeout": CONNECT_SECONDS, "options": "-c timezone=UTC"}
    )
    with owner.connect() as connection:

        def steps(current: Any, _: object) -> Any:
            found = script._upgrade_revs(revision, current)  # what alembic's own `upgrade` command calls
            applied.extend(step.revision.revision for step in found)
            return found

        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        context = EnvironmentContext(Config(), script, fn=steps)
        with context:
            context.configure(connection=connection, transactional_ddl=True)
            context.run_migrations()
        connection.commit()
    owner.dispose()
    return tuple(applied)


def migrations(package: str) -> Path:
    """The folder of a package's revision files. Raises ``LookupError`` where it has none."""
    spec = find_spec(package)
    roots = [Path(place) for place in (spec.submodule_search_locations or [])] if spec else []
    for root in roots:
        for folder in (root / "migrations" / "versions", root / "migrations"):
            if any(file.suffix == ".py" and file.name != "__init__.py" for file in folder.glob("*.py")):
                return folder
    raise LookupError(f"{package} has no migrations folder with revisions")


def role(connection: "Connection", kind: str) -> str:
    """Name of a database's role, for grants in migrations: ``pe_intake`` and ``app`` give ``pe_intake_app``."""
    return f"{connection.engine.url.database}_{kind}"
