"""Migrations run once, as the owner, all or nothing."""

import threading
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from runtime.database import engine, migrate, migrations
from tests.stack import Databases

PACKAGE = "tests.runtime.parcels"
BROKEN = """
from alembic import op

revision = "{revision}"
down_revision = {down}


def upgrade() -> None:
    op.execute("{statement}")
"""


@pytest.fixture
def two_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A package whose second revision fails."""
    folder = tmp_path / "failing_package" / "migrations"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    first = BROKEN.format(revision="1", down=None, statement="CREATE TABLE first_step ()")
    (folder / "1_first.py").write_text(first)
    (folder / "2_second.py").write_text(BROKEN.format(revision="2", down="'1'", statement="SELECT 1 / 0"))
    monkeypatch.syspath_prepend(str(tmp_path))
    return "failing_package"


def test_a_database_is_migrated_once(databases: Databases) -> None:
    """The second time finds nothing to do."""
    owner = databases.url("intake", "owner")
    assert migrate(PACKAGE, owner) == ("0001",)
    assert migrate(PACKAGE, owner) == ()


def test_replicas_that_start_together_migrate_one_after_the_other(databases: Databases) -> None:
    """One does the work, the others find it done; none fails."""
    owner = databases.url("intake", "owner")
    done: list[tuple[str, ...]] = []
    threads = [threading.Thread(target=lambda: done.append(migrate(PACKAGE, owner))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [(), (), ("0001",)]


def test_a_migration_that_fails_leaves_the_database_as_it_was(databases: Databases, two_steps: str) -> None:
    """Also the revisions before it, applied in the same run."""
    owner = databases.url("intake", "owner")
    with pytest.raises(Exception, match="division by zero"):
        migrate(two_steps, owner)
    plain = make_url(owner).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection:
        assert connection.execute("SELECT to_regclass('first_step')").fetchone() == (None,)


def test_a_package_without_migrations_is_refused() -> None:
    """Rather than reported as up to date."""
    with pytest.raises(LookupError, match="runtime has no migrations"):
        migrations("runtime")


async def test_connections_speak_utc(databases: Databases) -> None:
    """Whatever the server's own zone is."""
    made = engine(databases.url("intake"))
    async with made.connect() as connection:
        assert (await connection.execute(text("SHOW timezone"))).scalar_one() == "UTC"
    await made.dispose()


def test_an_empty_url_is_refused() -> None:
    """With the variable that is missing."""
    with pytest.raises(ValueError, match="AMPARO_DATABASE"):
        engine("")
