"""Owns what the vault's process does by itself: it tells of refusals once their minute is over."""

import asyncio
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from amparo.vault.v1 import events_pb2
from eventlog.codec import Codec
from eventlog.store import EventStore, Ring
from runtime.clock import Clock
from services.vault.domain import EVENTS

CODEC = Codec.of(EVENTS, module=events_pb2)
TELL_EVERY_S = 5.0

_TELL = text("SELECT tell_refusals()")
_FORGET = text("SELECT forget_releases()")


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """What the vault's process needs; joined in `services.vault.app`."""

    engine: AsyncEngine
    store: EventStore
    ring: Ring
    clock: Clock

    async def close(self) -> None:
        """Ends its connections."""
        await self.ring.close()
        await self.engine.dispose()


async def tell_refusals(parts: Parts) -> int:
    """Makes events of the refusals of minutes that are over, and forgets releases that are of no use any more. Answers
    with the number of events.
    """
    async with parts.engine.begin() as session:
        told = int((await session.execute(_TELL)).scalar_one())
        await session.execute(_FORGET)
    if told:
        parts.ring.ring()
    return told


async def keep_telling(parts: Parts) -> None:
    """`tell_refusals`, for ever. Raises the database's error; whoever watches over it starts it again."""
    while True:
        await tell_refusals(parts)
        await asyncio.sleep(TELL_EVERY_S)
