"""``python -m services.protection`` serves; ``… migrate`` migrates; ``… rebuild`` makes cases and measures anew."""

import asyncio

from runtime.service import main
from runtime.settings import Settings
from services.protection import projections
from services.protection.app import create_parts, create_service


def rebuild(settings: Settings) -> None:
    """Replays every stream into the read tables, in one transaction."""

    async def replay() -> None:
        parts = create_parts(settings)
        async with parts.engine.begin() as session:
            await projections.rebuild(session, parts.store)
        await parts.close()

    asyncio.run(replay())


if __name__ == "__main__":
    main(build=create_service, package="services.protection", commands={"rebuild": rebuild})
