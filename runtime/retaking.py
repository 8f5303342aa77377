"""The operator's command for a consumer that stopped with TakenOtherwise: what was taken is not what its source has."""

import asyncio
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from runtime.parked import Consumes

USAGE = "retake <source>:<index>"


@runtime_checkable
class Retakes(Protocol):
    """`eventlog.consumer.Consumer`, as far as this command uses it."""

    name: str

    async def retake(self, source: str, index: int) -> int: ...


def place_of(words: Sequence[str]) -> tuple[str, int]:
    """The source and the index that the command's words name. Raises ``ValueError``."""
    source, _, index = words[0].rpartition(":") if len(words) == 1 else ("", "", "")
    if not source or not index.isdigit():
        raise ValueError(USAGE)
    return source, int(index)


def run(service: Consumes, words: Sequence[str]) -> None:
    """Does ``retake <words>`` for a service that is not served here. Raises ``ValueError`` for words that it does not
    know.
    """
    source, index = place_of(words)

    async def retake() -> None:
        try:
            for consumer in await service.consumers():
                if isinstance(consumer, Retakes):
                    taken = await consumer.retake(source, index)
                    print(f"{consumer.name}: {taken} of {source} had been taken, and are taken again")
        finally:
            await service.close()

    asyncio.run(retake())
