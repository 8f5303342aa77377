"""Owns the records that a consumer could not take: kept with their reason and in order, taken again on demand.

A stream with a dead letter is blocked: its later records queue behind, so that no projection sees the end of a story
before its beginning. Nothing is ever dropped here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from amparo.record.v1 import record_pb2
from eventlog import positions
from eventlog.delivered import Delivered, Projection, hand_over
from eventlog.faults import passes_by, reason_of
from eventlog.tracing import NoTracing, Tracing

BEHIND = "behind"
"""The reason of a record that only waits for an earlier one of its stream."""

_log = structlog.get_logger("eventlog.dead_letters")
_PARK = text(
    "INSERT INTO dead_letters (consumer, source, index, stream, record, headers, reason, parked_at)"
    " VALUES (:consumer, :source, :index, :stream, :record, :headers, :reason, :parked_at)"
).bindparams(bindparam("headers", type_=JSONB))
_BLOCKED = text(
    "SELECT DISTINCT source, stream FROM dead_letters WHERE consumer = :consumer AND source = ANY(:sources)"
).bindparams(bindparam("sources", type_=ARRAY(TEXT)))
_LISTING = text(
    "SELECT consumer, source, index, stream, reason, parked_at FROM dead_letters"
    " WHERE :consumer = '' OR consumer = :consumer ORDER BY consumer, source, index LIMIT :limit"
)
_HEADS = text(
    "SELECT source, stream FROM dead_letters WHERE consumer = :consumer"
    " GROUP BY source, stream ORDER BY source, min(index)"
)
_HEAD = text(
    "SELECT index, record, headers FROM dead_letters"
    " WHERE consumer = :consumer AND source = :source AND stream = :stream ORDER BY index LIMIT 1"
)
_DROP = text("DELETE FROM dead_letters WHERE consumer = :consumer AND source = :source AND index >= :index")
_TAKEN = text("DELETE FROM dead_letters WHERE consumer = :consumer AND source = :source AND index = :index")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A parked record. ``reason`` is an exception's type and code, or "behind"."""

    consumer: str
    source: str
    index: int
    stream: str
    reason: str
    parked_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Retried:
    """How many were taken, and the streams that are still blocked, with what the first of each failed by."""

    taken: int
    blocked: Mapping[tuple[str, str], str]


async def park(session: AsyncConnection, record: Delivered, *, consumer: str, reason: str, parked_at: datetime) -> None:
    """Keeps a record for later, in the transaction that moves the position past it."""
    given = {
        "consumer": consumer,
        "source": record.source,
        "index": record.index,
        "stream": record.event.stream,
        "record": record.record,
        "headers": dict(record.headers),
        "reason": reason,
        "parked_at": parked_at,
    }
    await session.execute(_PARK, given)


async def drop(session: AsyncConnection, *, consumer: str, source: str, first: int) -> None:
    """Forgets what is parked of a source from index ``first`` on: those records are taken again from their source."""
    await session.execute(_DROP, {"consumer": consumer, "source": source, "index": first})


async def blocked(session: AsyncConnection, consumer: str, sources: list[str]) -> set[tuple[str, str]]:
    """The streams that wait, as (source, stream). Ask only while the positions are held."""
    found = await session.execute(_BLOCKED, {"consumer": consumer, "sources": sources})
    return {(row.source, row.stream) for row in found}


async def listing(engine: AsyncEngine, *, consumer: str = "", limit: int = 1_000) -> tuple[DeadLetter, ...]:
    """What is parked, of one consumer or of all in the database, in the order in which it will be taken."""
    async with engine.connect() as session:
        found = await session.execute(_LISTING, {"consumer": consumer, "limit": limit})
        return tuple(DeadLetter(**row._asdict()) for row in found)


async def retry(
    engine: AsyncEngine,
    apply: Projection,
    *,
    consumer: str,
    topic: str = "dead letters",
    tracing: Tracing | None = None,
    only: tuple[str, str] | None = None,
) -> Retried:
    """Takes a consumer's parked records again, each stream in its order, until it is empty or its first fails again.
    ``only`` one stream, as (source, stream), where it is named.

    Safe while the consumer runs. Raises what passes by on its own (a lost database); what was taken stays taken.
    """
    async with engine.connect() as session:
        heads = [(row.source, row.stream) for row in await session.execute(_HEADS, {"consumer": consumer})]
    taken, still = 0, {}
    for source, stream in [head for head in heads if only in (None, head)]:
        while True:
            try:
                found = await _retry_first(engine, apply, consumer, source, stream, topic, tracing or NoTracing())
            except Exception as error:
                if passes_by(error):
                    raise
                still[source, stream] = reason_of(error)
                break
            if not found:
                break
            taken += 1
    _log.info("dead letters were taken again", consumer=consumer, taken=taken, blocked=len(still))
    return Retried(taken=taken, blocked=still)


async def _retry_first(
    engine: AsyncEngine, apply: Projection, consumer: str, source: str, stream: str, topic: str, tracing: Tracing
) -> bool:
    """One transaction: the first parked record of a stream is applied and let go. Whether there was one."""
    async with engine.begin() as session:
        await positions.wait_for(session, consumer, source)  # else a record could be parked behind nothing
        given = {"consumer": consumer, "source": source, "stream": stream}
        row = (await session.execute(_HEAD, given)).one_or_none()
        if row is None:
            return False
        index, value, headers = row  # by place: `index` is also a method of a row
        record = Delivered.of(record_pb2.Record.FromString(value), bytes(value), headers)
        await hand_over(record, apply, session=session, topic=topic, tracing=tracing)
        await session.execute(_TAKEN, {"consumer": consumer, "source": source, "index": index})
    return True
