"""Owns the form in which a record reaches a projection, and handing it over."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol, runtime_checkable

from google.protobuf.message import DecodeError
from sqlalchemy.ext.asyncio import AsyncConnection

from amparo.record.v1 import record_pb2
from eventlog.tracing import Tracing


class Unreadable(Exception):
    """The record holds no event."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A record on its way into a projection. ``hash`` is the SHA-256 of the record's bytes, ``headers`` are Kafka's."""

    source: str
    index: int
    event: record_pb2.Event
    record: bytes
    hash: bytes
    headers: Mapping[str, str]

    @classmethod
    def of(cls, record: record_pb2.Record, value: bytes, headers: Mapping[str, str]) -> "Delivered":
        """``value`` are the bytes that ``record`` was parsed from. An event that cannot be read is left empty."""
        try:
            event = record_pb2.Event.FromString(record.event)
        except DecodeError:
            event = record_pb2.Event()
        return cls(record.source, record.index, event, value, sha256(value).digest(), headers)


class Projection(Protocol):
    """Writes what a record means, in the session it is given. Raises for a record that it cannot take."""

    async def __call__(self, session: AsyncConnection, record: Delivered, /) -> None: ...


@runtime_checkable
class Remembering(Protocol):
    """A projection that knows by itself what it was handed, and has to let go of that before it takes it again."""

    async def forget(self, session: AsyncConnection, source: str, /) -> None: ...


async def hand_over(
    record: Delivered, apply: Projection, *, session: AsyncConnection, topic: str, tracing: Tracing
) -> None:
    """Applies a record within its trace. Raises `Unreadable`, and whatever the projection raises."""
    if not record.event.type:
        raise Unreadable
    with tracing.processing(topic, record.headers, offset=record.index):
        await apply(session, record)
