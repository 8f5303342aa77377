"""The operator's command for records that a consumer could not take: shows them, and has them taken again.

What is shown is where a record stands and why it was parked: never what it holds, nor the stream, which names a case.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol, runtime_checkable

from sqlalchemy.ext.asyncio import AsyncEngine

from eventlog import dead_letters
from eventlog.dead_letters import Retried

USAGE = "dead-letters [list | replay [<source>:<index>]]"


class NoSuchLetter(ValueError):
    """Nothing is parked under this source and index."""


@runtime_checkable
class Replays(Protocol):
    """`eventlog.consumer.Consumer`, as far as its parked records go."""

    name: str

    async def retry_parked(self, *, only: tuple[str, str] | None = None) -> Retried: ...


class Consumes(Protocol):
    """`runtime.service.Service`, as far as this command uses it."""

    @property
    def engine(self) -> AsyncEngine: ...

    async def consumers(self) -> Sequence[object]: ...

    async def close(self) -> None: ...


def run(service: Consumes, words: Sequence[str]) -> int:
    """Does ``dead-letters <words>`` for a service that is not served here; the exit status, 1 where something stays
    parked. Raises ``ValueError`` for words that it does not know, and `NoSuchLetter`.
    """
    match list(words):
        case [] | ["list"]:
            return asyncio.run(_closing(service, listed(service.engine)))
        case ["replay"]:
            return asyncio.run(_closing(service, replayed(service, None)))
        case ["replay", place] if _is_place(place):
            source, _, index = place.rpartition(":")
            return asyncio.run(_closing(service, replayed(service, (source, int(index)))))
        case _:
            raise ValueError(USAGE)


async def listed(engine: AsyncEngine) -> int:
    """Prints each parked record: consumer, source and index, reason, time."""
    found = await dead_letters.listing(engine)
    for letter in found:
        print(f"{letter.consumer} {letter.source}:{letter.index} {letter.reason} {letter.parked_at.isoformat()}")
    print(f"{len(found)} parked")
    return 1 if found else 0


async def replayed(service: Consumes, place: tuple[str, int] | None) -> int:
    """Takes parked records again, each stream in its order; with ``place``, only the stream that the record at this
    source and index belongs to, from its first.
    """
    only = None
    if place is not None:
        parked = await dead_letters.listing(service.engine)
        only = next(((p.source, p.stream) for p in parked if (p.source, p.index) == place), None)
        if only is None:
            raise NoSuchLetter(f"nothing is parked at {place[0]}:{place[1]}")
    blocked = 0
    for consumer in await service.consumers():
        if not isinstance(consumer, Replays):
            continue
        done = await consumer.retry_parked(only=only)
        blocked += len(done.blocked)
        print(f"{consumer.name}: {done.taken} taken, {len(done.blocked)} streams still blocked")
        for (source, _), reason in done.blocked.items():
            print(f"  {source}: {reason}")
    return 1 if blocked else 0


def _is_place(word: str) -> bool:
    source, colon, index = word.rpartition(":")
    return bool(source and colon and index.isdigit())


async def _closing(service: Consumes, work: Coroutine[Any, Any, int]) -> int:
    try:
        return await work
    finally:
        await service.close()
