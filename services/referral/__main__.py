"""`python -m services.referral` serves, `… migrate` migrates the database, `… seed` registers the agencies that a fresh
system knows, `… rebuild` makes the read tables and the case files anew, while the service runs.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable

from eventlog.replay import NotReplayed
from runtime import gaps
from runtime.service import main
from runtime.settings import Settings
from services.referral import seed
from services.referral.app import CONSUMER, FOLLOWS, NAME, create_parts, create_service
from services.referral.handlers import Parts
from services.referral.rebuild import rebuild


async def _rebuild(parts: Parts, settings: Settings) -> None:
    sources = [settings.source(service) for service in FOLLOWS]
    try:
        replayed = await rebuild(parts, consumer=CONSUMER, sources=sources, fetch=gaps.fetcher(settings))
    except NotReplayed as refused:
        sys.exit(f"{NAME}: {refused}")
    print(f"{replayed} records replayed")


async def _seed(parts: Parts, _: Settings) -> None:
    await seed.seed(parts)


def _with_parts(work: Callable[[Parts, Settings], Awaitable[None]]) -> Callable[[Settings], None]:
    async def run(settings: Settings) -> None:
        parts = create_parts(settings)
        try:
            await work(parts, settings)
        finally:
            await parts.close()

    return lambda settings: asyncio.run(run(settings))


if __name__ == "__main__":
    commands = {"seed": _with_parts(_seed), "rebuild": _with_parts(_rebuild)}
    main(build=create_service, package="services.referral", commands=commands)
