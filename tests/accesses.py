"""What the vault recorded, as its events say it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from amparo.record.v1 import record_pb2
from amparo.vault.v1 import events_pb2


@dataclass(frozen=True, slots=True)
class Access:
    """One event: its name without the package, its envelope, its payload, its bytes."""

    kind: str
    event: record_pb2.Event
    payload: Any
    stored: bytes


async def accesses(owner: AsyncEngine) -> Sequence[Access]:
    """Every event of the vault in the order of the appends. ``owner`` reaches the vault's database as one who may."""
    async with owner.connect() as connection:
        found = (await connection.execute(text("SELECT event FROM events ORDER BY pos"))).scalars().all()
    return [_read(bytes(stored)) for stored in found]


def _read(stored: bytes) -> Access:
    event = record_pb2.Event.FromString(stored)
    kind = event.type.removeprefix("amparo.vault.v1.")
    return Access(kind, event, getattr(events_pb2, kind).FromString(event.payload), stored)
