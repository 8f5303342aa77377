"""`python -m access.vault migrate`: brings the vault's database to the newest form, as its owner (AMPARO_OWNER_DATABASE
or the file of that name, in small letters, below ``/run/secrets``).
"""

import os
import sys
from pathlib import Path
from typing import Any

MIGRATIONS = Path(__file__).with_name("migrations")
SECRET = Path("/run/secrets/amparo_owner_database")
LOCK = 0x7661756C  # held while migrating, so that two runs come one after the other; any constant serves


def migrate(url: str) -> list[str]:
    """Apply what is missing, in one transaction; the answer names the revisions."""
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from sqlalchemy import create_engine, pool, text

    script = ScriptDirectory(str(MIGRATIONS), version_locations=[str(MIGRATIONS)])
    applied: list[str] = []

    def steps(current: Any, _: object) -> Any:
        found = script._upgrade_revs("head", current)  # what alembic's own `upgrade` command calls
        applied.extend(step.revision.revision for step in found)
        return found

    owner = create_engine(url, poolclass=pool.NullPool)
    with owner.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        with EnvironmentContext(Config(), script, fn=steps) as context:
            context.configure(connection=connection, transactional_ddl=True)
            context.run_migrations()
    owner.dispose()
    return applied


def main(arguments: list[str]) -> int:
    """The command line."""
    if arguments != ["migrate"]:
        print("usage: python -m access.vault migrate", file=sys.stderr)
        return 2
    url = os.environ.get("AMPARO_OWNER_DATABASE") or (SECRET.read_text().strip() if SECRET.exists() else "")
    if not url:
        print("AMPARO_OWNER_DATABASE is not set, and the migration needs it", file=sys.stderr)
        return 2
    applied = migrate(url)
    print(f"vault: {', '.join(applied)}" if applied else "vault: nothing to do")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
