"""Making the projections anew from the sources' records, while the timeline serves.

One transaction: readers see the old tables until the new ones are whole, and consumers wait meanwhile. Only records
that are in the log are replayed, and each must be the one that was taken in: the log decides, not Kafka.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import structlog
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from amparo.record.v1 import record_pb2
from eventlog.kafka import KafkaError, Reader, record_of
from eventlog.origin import Origin
from services.timeline import log, projections
from services.timeline.taking import parse

FETCH_RECORDS = 500
QUIET_POLLS = 8
"""A topic that gives nothing for two seconds has nothing more."""
PLACES_READ = 1000

Fetch = Callable[[str, int, int], Awaitable[Sequence[bytes]]]
"""``fetch(source, after, limit)``: records of the source's read API that follow index ``after``, in order."""
Replay = Callable[[str, int], AsyncIterator[bytes]]
"""``replay(source, last)``: the source's records from index 0 to ``last``, each once and in order."""

_log = structlog.get_logger("timeline.rebuild")


class RecordMissing(Exception):
    """Neither Kafka nor the source gives a record that was taken in. Nothing was changed."""

    def __init__(self, source: str, index: int) -> None:
        super().__init__(f"{source}:{index} was taken in, but neither its topic nor its source gives it now")
        self.source = source
        self.index = index


class RecordAltered(Exception):
    """A record is not the one that was taken in: the source's log was altered. Nothing was changed."""

    def __init__(self, source: str, index: int) -> None:
        super().__init__(f"{source}:{index} has other bytes than when it was taken in")
        self.source = source
        self.index = index


async def rebuild(engine: AsyncEngine, *, replay: Replay) -> int:
    """Empties the projections and fills them from the records of the log; returns how many there were.

    Raises `RecordMissing` and `RecordAltered`, with nothing changed.
    """
    async with engine.begin() as session:
        size = await log.hold(session)
        await projections.empty(session)
        for source, last in await _taken(session):
            await _rebuild_source(session, source, last, replay)
    return size


async def _taken(session: AsyncConnection) -> Sequence[tuple[str, int]]:
    """Each source in the log, with its highest index."""
    places = log.places.c
    found = select(places.source, places.index).distinct(places.source).order_by(places.source, places.index.desc())
    return [(row[0], row[1]) for row in (await session.execute(found)).all()]


async def _rebuild_source(session: AsyncConnection, source: str, last: int, replay: Replay) -> None:
    records = replay(source, last)
    reached = -1
    async for index, leaf in _places(session, source):
        while reached < index:
            record = await anext(records, None)
            if record is None:
                raise RecordMissing(source, reached + 1)
            reached += 1  # one that is not in the log waits among the dead letters
        assert record is not None
        if log.leaf(record) != leaf:
            raise RecordAltered(source, index)
        await projections.project(session, parse(record))
    _log.info("source_replayed", source=source, records=reached + 1)


async def _places(session: AsyncConnection, source: str) -> AsyncIterator[tuple[int, bytes]]:
    places = log.places.c
    after = -1
    while True:
        page = select(places.index, places.leaf).where(places.source == source, places.index > after)
        rows = (await session.execute(page.order_by(places.index).limit(PLACES_READ))).all()
        for row in rows:
            after = row[0]
            yield after, bytes(row[1])
        if len(rows) < PLACES_READ:
            return


class Replaying:
    """Records from Kafka, and from the sources' read APIs where Kafka does not have them."""

    def __init__(self, *, kafka: str, topic: Callable[[str], str], fetch: Fetch, origin: Origin) -> None:
        self._kafka = kafka
        self._topic = topic
        self._fetch = fetch
        self._origin = origin

    async def __call__(self, source: str, last: int) -> AsyncIterator[bytes]:
        """See `Replay`. Ends early where nobody has the next record."""
        reached = -1
        try:
            async for index, record in self._of_topic(source):
                if index <= reached:
                    continue
                if index > reached + 1:
                    break
                yield record
                reached = index
                if reached >= last:
                    return
        except KafkaError as error:
            _log.warning("topic_not_read", source=source, error=type(error).__name__)
        _log.info("source_asked", source=source, after=reached)
        while reached < last:
            page = await self._fetch(source, reached, FETCH_RECORDS)
            if not page:
                return
            for record in page:
                if record_pb2.Record.FromString(record).index != reached + 1:
                    return
                yield record
                reached += 1
                if reached >= last:
                    return

    async def _of_topic(self, source: str) -> AsyncIterator[tuple[int, bytes]]:
        topic = self._topic(source)
        quiet = 0
        async with Reader(bootstrap=self._kafka, offsets={topic: 0}) as reader:
            while quiet < QUIET_POLLS:
                messages = await reader.poll()
                quiet = 0 if messages else quiet + 1
                for message in messages:
                    found = record_of(source, message.value, message.headers, origin=self._origin)
                    if found is not None:
                        yield found.index, message.value
