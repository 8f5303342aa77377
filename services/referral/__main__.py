"""`python -m services.referral` serves, `… migrate` migrates the database, `… seed` registers the agencies that a fresh
system knows, `… rebuild` makes the read tables anew while nothing else runs.
"""

import asyncio
from collections.abc import Awaitable, Callable

from runtime.service import main
from runtime.settings import Settings
from services.referral import projections, seed
from services.referral.app import create_parts, create_service
from services.referral.handlers import Parts


async def _rebuild(parts: Parts) -> None:
    async with parts.engine.begin() as session:
        await projections.rebuild(session, parts.store)


def _with_parts(work: Callable[[Parts], Awaitable[None]]) -> Callable[[Settings], None]:
    async def run(settings: Settings) -> None:
        parts = create_parts(settings)
        await work(parts)
        await parts.close()

    return lambda settings: asyncio.run(run(settings))


if __name__ == "__main__":
    commands = {"seed": _with_parts(seed.seed), "rebuild": _with_parts(_rebuild)}
    main(build=create_service, package="services.referral", commands=commands)
