"""`python -m services.intake` serves the registry, `… migrate` migrates its database, `… rebuild` makes its read tables
anew.
"""

import asyncio

from runtime.service import main
from runtime.settings import Settings
from services.intake import projections
from services.intake.app import create_parts, create_service


def rebuild(settings: Settings) -> None:
    """Both read tables from the streams, in one transaction: readers see the old until the new are whole."""

    async def run() -> None:
        parts = create_parts(settings)
        async with parts.engine.begin() as session:
            await projections.rebuild(session, parts.store)
        await parts.close()

    asyncio.run(run())


if __name__ == "__main__":
    main(build=create_service, package="services.intake", commands={"rebuild": rebuild})
