"""How a record gets into the timeline: its place in the log and its rows in the projections, in the consumer's one
transaction.
"""

from hashlib import sha256

from sqlalchemy.ext.asyncio import AsyncConnection

from amparo.record.v1 import record_pb2
from eventlog.delivered import Delivered
from services.timeline import log, projections
from services.timeline.reading import Line, read


async def apply(session: AsyncConnection, record: Delivered) -> None:
    """What the consumer calls for each record."""
    await take(session, record.record)


async def take(session: AsyncConnection, record: bytes) -> int:
    """Takes in a record that was not taken in before; returns its position in the log.

    The place comes first: its lock makes all that follows in the transaction one consumer's at a time.
    """
    line = parse(record)
    position = await log.place(session, source=line.source, index=line.index, record=record)
    await projections.project(session, line)
    return position


def parse(record: bytes) -> Line:
    """The line of a record's bytes. Raises ``google.protobuf.message.DecodeError`` where they are no record."""
    framed = record_pb2.Record.FromString(record)
    event = record_pb2.Event.FromString(framed.event)
    return read(source=framed.source, index=framed.index, event=event, event_hash=sha256(framed.event).digest())
