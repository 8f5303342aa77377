"""``python -m services.protection`` serves; ``… migrate`` migrates; ``… rebuild`` makes its read tables anew."""

import asyncio
import sys

from eventlog.replay import NotReplayed
from runtime import gaps
from runtime.service import main
from runtime.settings import Settings
from services.protection.app import CONSUMER, HEARS, NAME, create_parts, create_service
from services.protection.rebuild import rebuild


def rebuild_now(settings: Settings) -> None:
    """Replays every stream, and what was heard of referrals, into the read tables, in one transaction."""

    async def replay() -> None:
        parts = create_parts(settings)
        sources = [settings.source(service) for service in HEARS]
        try:
            done = await rebuild(parts, consumer=CONSUMER, sources=sources, fetch=gaps.fetcher(settings))
        except NotReplayed as refused:
            sys.exit(f"{NAME}: {refused}")
        finally:
            await parts.close()
        print(f"{done[0]} streams and {done[1]} records replayed")

    asyncio.run(replay())


if __name__ == "__main__":
    main(build=create_service, package="services.protection", commands={"rebuild": rebuild_now})
