"""Owns how far each consumer has come in each source. Moved in the transaction of what was done with the records."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY, TEXT
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine


class Moved(Exception):
    """Another process of the same consumer took records meanwhile; nothing was written."""


@dataclass(frozen=True, slots=True)
class Position:
    """The last record taken of a source: its index, -1 for none, and the SHA-256 of its bytes."""

    index: int
    hash: bytes


_SOURCES = bindparam("sources", type_=ARRAY(TEXT))
_BEGIN = text(
    "INSERT INTO positions (consumer, source, index, hash)"
    " SELECT :consumer, source, -1, '' FROM unnest(:sources) AS source ON CONFLICT DO NOTHING"
).bindparams(_SOURCES)
_READ = text(
    "SELECT source, index, hash FROM positions WHERE consumer = :consumer AND source = ANY(:sources) ORDER BY source"
).bindparams(_SOURCES)
_HOLD = text(f"{_READ.text} FOR UPDATE").bindparams(_SOURCES)
_MOVE = text("UPDATE positions SET index = :index, hash = :hash WHERE consumer = :consumer AND source = :source")


async def begin(engine: AsyncEngine, consumer: str, sources: Collection[str]) -> dict[str, Position]:
    """Where the consumer stands in each source; a source it never read stands at -1."""
    given = {"consumer": consumer, "sources": sorted(sources)}
    async with engine.begin() as session:
        await session.execute(_BEGIN, given)
        return _by_source(await session.execute(_READ, given))


async def hold(session: AsyncConnection, consumer: str, expected: Mapping[str, Position]) -> None:
    """Keeps others from taking records of these sources until the transaction ends. Raises `Moved`."""
    found = await session.execute(_HOLD, {"consumer": consumer, "sources": sorted(expected)})
    if _by_source(found) != expected:
        raise Moved


async def wait_for(session: AsyncConnection, consumer: str, source: str) -> None:
    """Keeps the consumer from taking records of a source until the transaction ends."""
    await session.execute(_HOLD, {"consumer": consumer, "sources": [source]})


async def standing(session: AsyncConnection, consumer: str, sources: Collection[str]) -> dict[str, Position]:
    """Where the consumer stands in each of the sources that it has begun."""
    return _by_source(await session.execute(_READ, {"consumer": consumer, "sources": sorted(sources)}))


async def move(session: AsyncConnection, consumer: str, reached: Mapping[str, Position]) -> None:
    """Says how far the consumer has come."""
    rows = [
        {"consumer": consumer, "source": source, "index": position.index, "hash": position.hash}
        for source, position in reached.items()
    ]
    await session.execute(_MOVE, rows if len(rows) > 1 else rows[0])


def _by_source(rows: Iterable[Sequence[Any]]) -> dict[str, Position]:
    return {source: Position(index, bytes(digest)) for source, index, digest in rows}
