"""Owns handing a consumer's records over again, to make what it keeps anew: all that it has taken, and no more."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from amparo.record.v1 import record_pb2
from eventlog import positions
from eventlog.delivered import Delivered, Projection

FETCH_RECORDS = 500

Fetch = Callable[[str, int, int], Awaitable[Sequence[bytes]]]
"""``fetch(source, after, limit)``: the records of the source's read API that follow index ``after``, in order."""

_PARKED = text("SELECT index FROM dead_letters WHERE consumer = :consumer AND source = :source")


class NotReplayed(Exception):
    """The source does not give a record that was taken, or gives another than was taken. Roll back: nothing changes."""

    def __init__(self, source: str, index: int) -> None:
        super().__init__(f"{source}:{index} was taken, and its source does not give it as it was")
        self.source = source
        self.index = index


async def hold(session: AsyncConnection, *, consumer: str, sources: Collection[str], tables: Sequence[str]) -> None:
    """Keeps the consumer, and every act, from writing to ``tables`` until the transaction ends. Readers go on.

    The consumer's place comes first, as when it takes records. Name the tables in the order in which acts write them.
    """
    for source in sorted(sources):
        await positions.wait_for(session, consumer, source)
    await session.execute(text(f"LOCK TABLE {', '.join(tables)} IN EXCLUSIVE MODE"))


async def replay(
    session: AsyncConnection, *, consumer: str, sources: Collection[str], fetch: Fetch, apply: Projection
) -> int:
    """Hands over each record that the consumer has taken of ``sources``, from the first, and gives their number. Those
    that are parked stay parked. Hold the consumer meanwhile. Raises `NotReplayed`.
    """
    handed = 0
    for source, reached in (await positions.standing(session, consumer, sources)).items():
        parked = set((await session.execute(_PARKED, {"consumer": consumer, "source": source})).scalars())
        last, digest = -1, b""
        while last < reached.index:
            page = await fetch(source, last, min(FETCH_RECORDS, reached.index - last))
            if not page:
                raise NotReplayed(source, last + 1)
            for value in page:
                record = record_pb2.Record.FromString(value)
                if (record.source, record.index) != (source, last + 1):
                    raise NotReplayed(source, last + 1)
                last, digest = record.index, sha256(value).digest()
                if last not in parked:
                    await apply(session, Delivered.of(record, value, {}))
                    handed += 1
        if last >= 0 and digest != reached.hash:
            raise NotReplayed(source, last)
    return handed
