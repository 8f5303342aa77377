"""`python -m services.intake` serves the registry, `… migrate` migrates its database, `… rebuild` makes its read tables
anew.
"""

import asyncio
import sys

from eventlog.replay import NotReplayed
from runtime import gaps
from runtime.service import main
from runtime.settings import Settings
from services.intake.app import CONSUMER, HEARS, NAME, create_parts, create_service
from services.intake.rebuild import rebuild


def rebuild_now(settings: Settings) -> None:
    """All read tables from the streams and the register's records, in one transaction: readers see the old until the
    new are whole."""

    async def run() -> None:
        parts = create_parts(settings)
        source, fetch = settings.source(HEARS), gaps.when_needed(settings)
        try:
            done = await rebuild(parts, consumer=CONSUMER, source=source, fetch=fetch)
        except NotReplayed as refused:
            sys.exit(f"{NAME}: {refused}")
        finally:
            await parts.close()
        print(f"{done[0]} streams and {done[1]} records replayed")

    asyncio.run(run())


if __name__ == "__main__":
    main(build=create_service, package="services.intake", commands={"rebuild": rebuild_now})
