"""``python -m services.protection`` serves; ``… migrate`` migrates; ``… rebuild`` makes cases and measures anew."""

import asyncio

from eventlog.replay import hold
from runtime.service import main
from runtime.settings import Settings
from services.protection import projections
from services.protection.app import CONSUMER, HEARS, create_parts, create_service


def rebuild(settings: Settings) -> None:
    """Replays every stream into the read tables, in one transaction; the consumer and acts wait meanwhile."""

    async def replay() -> None:
        parts = create_parts(settings)
        sources = [settings.source(service) for service in HEARS]
        async with parts.engine.begin() as session:
            await hold(session, consumer=CONSUMER, sources=sources, tables=("cases", "clocks", "measures"))
            await projections.rebuild(session, parts.store)
        await parts.close()

    asyncio.run(replay())


if __name__ == "__main__":
    main(build=create_service, package="services.protection", commands={"rebuild": rebuild})
