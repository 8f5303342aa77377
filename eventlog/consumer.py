"""Owns taking the records of several sources, each once and in its source's order, into one database.

By a record's index (`eventlog.contiguity`): the one after the last is taken, one that was taken already has to be the
same, and before one too far ahead, what is missing is fetched from the source. The position moves in the transaction of
what is done with the record, so Kafka's offsets are hints only.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from hashlib import sha256

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from eventlog import dead_letters, positions
from eventlog.backoff import Backoff
from eventlog.contiguity import Contiguity, GapFound, HashMismatch, TakenOtherwise, Verdict
from eventlog.delivered import Delivered, Projection, Remembering, hand_over
from eventlog.faults import passes_by, reason_of
from eventlog.kafka import Message, Reader, record_in, record_of
from eventlog.origin import Origin, PassedOver
from eventlog.positions import Position
from eventlog.tracing import NoTracing, Tracing

__all__ = ["Consumer", "Delivered", "Fetch", "GapFound", "HashMismatch", "Projection", "TakenOtherwise"]

BATCH_RECORDS = 100
"""Taken in one transaction; one by one where one of them fails."""
FETCH_RECORDS = 500

Fetch = Callable[[str, int, int], Awaitable[Sequence[bytes]]]
"""``fetch(source, after, limit)``: the records of the source's read API that follow index ``after``, in order."""

_log = structlog.get_logger("eventlog.consumer")


class Consumer:
    """One named reader of several sources. Two processes may run the same: each record is still taken once."""

    def __init__(
        self,
        *,
        name: str,
        sources: Sequence[str],
        kafka: str,
        engine: AsyncEngine,
        apply: Projection,
        clock: Callable[[], datetime],
        origin: Origin,
        topic: Callable[[str], str] = "amparo.{}".format,
        fetch: Fetch | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """``engine`` connects as the application role, ``kafka`` are the bootstrap servers, ``origin`` tells what each
        source published, ``topic`` names a source's topic."""
        self.name = name
        self.counts: Counter[str] = Counter()
        """Since the start: taken, duplicate, fetched, parked, foreign (messages that their source did not publish)."""
        self._kafka = kafka
        self._engine = engine
        self._apply = apply
        self._clock = clock
        self._topics = {source: topic(source) for source in sources}
        self._sources = {topic: source for source, topic in self._topics.items()}
        self._fetch = fetch
        self._tracing = tracing or NoTracing()
        self._origin = origin
        self._passed_over = PassedOver(reader=name, tracing=self._tracing)
        self._reached: dict[str, Position] = {}
        self._seen: dict[str, Contiguity] = {}
        self._rewound_at: dict[str, int] = {}
        self._backoff = Backoff()
        self._up = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """Whether its database and the broker answered last time."""
        return self._up.is_set()

    @property
    def positions(self) -> Mapping[str, int]:
        """Index of the last record taken of each source, -1 for none."""
        return {source: position.index for source, position in self._reached.items()}

    async def up(self) -> None:
        """Returns once it reads."""
        await self._up.wait()

    async def run(self) -> None:
        """Takes records until cancelled, through every loss of Kafka or of the database.

        Raises `HashMismatch` and `GapFound`: somebody has to look before anything more is believed.
        """
        while True:
            try:
                await self._read()
            except positions.Moved:
                _log.info("another process took records meanwhile", consumer=self.name)
            except TakenOtherwise as alarm:
                about = {"source": alarm.source, "index": alarm.index, "alarm": "TakenOtherwise"}
                told = "nothing more is taken: a record that was taken is not its source's, see the operator's guide"
                _log.error(told, consumer=self.name, **about, command=alarm.repair)
                raise
            except (HashMismatch, GapFound) as alarm:
                _log.error("nothing more is taken", consumer=self.name, source=alarm.source, alarm=type(alarm).__name__)
                raise
            except Exception as error:
                if not passes_by(error):
                    raise
                await self._wait(error)
            finally:
                self._up.clear()

    async def retry_parked(self, *, only: tuple[str, str] | None = None) -> dead_letters.Retried:
        """Takes its parked records again, also while it runs, here or elsewhere: see `dead_letters.retry`."""
        return await dead_letters.retry(self._engine, self._apply, consumer=self.name, tracing=self._tracing, only=only)

    async def retake(self, source: str, index: int) -> int:
        """Takes a record as its source has it, in place of what was taken; the later ones come again. Also while it
        runs, here or elsewhere. How many had been taken from it on: 0 where nothing is to be done.

        What a false record has done elsewhere, such as an act of this service, stays done. Raises `positions.Moved`,
        and whatever the source's read API raises.
        """
        if self._fetch is None or source not in self._topics:
            return 0
        self._reached = await positions.begin(self._engine, self.name, (source,))
        taken = self._reached[source].index - index + 1
        if taken <= 0:
            return 0
        before = await self._fetch(source, index - 2, 1) if index else ()
        values = await self._fetch(source, index - 1, 1)
        found = record_in(source, values[0]) if values else None
        async with self._engine.begin() as session:
            await positions.hold(session, self.name, self._reached)
            await dead_letters.drop(session, consumer=self.name, source=source, first=index)
            if isinstance(self._apply, Remembering):
                await self._apply.forget(session, source)
            back = Position(index - 1, sha256(before[0]).digest() if before else b"")
            if found is None:
                await positions.move(session, self.name, {source: back})
        if found is not None:
            await self._take_alone(Delivered.of(found, values[0], {}))
        return taken

    async def _read(self) -> None:
        self._reached = await positions.begin(self._engine, self.name, tuple(self._topics))
        self._seen = {s: Contiguity(s, last=p.index, last_hash=p.hash) for s, p in self._reached.items()}
        # The last record is read again, to see that it is still the same.
        offsets = {topic: max(0, self._reached[source].index) for topic, source in self._sources.items()}
        async with Reader(bootstrap=self._kafka, offsets=offsets) as reader:
            while True:
                messages = await reader.poll()
                self._backoff.reset()
                self._up.set()
                if messages:
                    await self._take(reader, messages)

    async def _take(self, reader: Reader, messages: Sequence[Message]) -> None:
        """Sorts messages by the rule and takes the next ones in batches."""
        batch: list[Delivered] = []
        rewound: set[str] = set()  # what else came of these sources comes again
        for message in messages:
            source = self._sources[message.topic]
            record = record_of(source, message.value, message.headers, origin=self._origin)
            if record is None:
                self._foreign(message)
                continue
            if source in rewound:
                continue
            delivered = Delivered.of(record, message.value, message.headers)
            try:
                verdict = self._seen[source].judge(delivered.index, delivered.hash)
            except HashMismatch as mismatch:
                await self._settle(mismatch)
                self._foreign(message)
                continue
            if verdict is Verdict.GAP:
                await self._commit(batch)
                batch = []
                if not await self._fill(reader, source, delivered.index):
                    rewound.add(source)
                    continue
                verdict = self._seen[source].judge(delivered.index, delivered.hash)
            if verdict is Verdict.DUPLICATE:
                self.counts["duplicate"] += 1
                continue
            batch.append(delivered)
            if len(batch) == BATCH_RECORDS:
                await self._commit(batch)
                batch = []
        await self._commit(batch)

    def _foreign(self, message: Message) -> None:
        """Nothing is missed by passing over it: a record that should stand here leaves a gap."""
        self.counts["foreign"] += 1
        self._passed_over.note(source=self._sources[message.topic], topic=message.topic)

    async def _settle(self, mismatch: HashMismatch) -> None:
        """Returns where the source has the record as it was taken, so that what came now is not the source's. Raises
        `TakenOtherwise`, and the mismatch itself where the source cannot be asked at all."""
        if self._fetch is None:
            raise mismatch
        source, index = mismatch.source, mismatch.index
        while True:
            try:
                values = await self._fetch(source, index - 1, 1)
                break
            except Exception as error:  # whatever it is, nobody else knows
                await self._wait(error)
        if not any(sha256(value).digest() == mismatch.taken for value in values):
            raise TakenOtherwise(source, index, taken=mismatch.taken) from mismatch

    async def _fill(self, reader: Reader, source: str, index: int) -> bool:
        """Takes what is missing before ``index`` from the source itself. Raises `GapFound`.

        Where the source cannot be asked, the topic is read from its beginning once, and the answer is no.
        """
        seen = self._seen[source]
        _log.warning("records are missing", consumer=self.name, source=source, expected=seen.next, found=index)
        if self._fetch is None:
            if self._rewound_at.get(source) == seen.next:
                raise GapFound(source, seen.next, index)
            self._rewound_at[source] = seen.next
            await reader.seek(self._topics[source], 0)
            return False
        while seen.next < index:
            try:
                values = await self._fetch(source, seen.next - 1, min(FETCH_RECORDS, index - seen.next))
            except Exception as error:  # whatever it is, there is no other way on
                await self._wait(error)
                continue
            records = [(record_in(source, value), value) for value in values]
            batch = [Delivered.of(record, value, {}) for record, value in records if record is not None]
            for each in batch:
                if seen.judge(each.index, each.hash) is not Verdict.NEXT:
                    raise GapFound(source, seen.next, each.index)
            if not batch:
                raise GapFound(source, seen.next, index)
            self.counts["fetched"] += len(batch)
            for start in range(0, len(batch), BATCH_RECORDS):
                await self._commit(batch[start : start + BATCH_RECORDS])
        return True

    async def _commit(self, batch: Sequence[Delivered]) -> None:
        """Takes a batch, however long that needs. Raises `positions.Moved`."""
        while left := [each for each in batch if each.index > self._reached[each.source].index]:
            try:
                try:
                    await self._take_together(left)
                except positions.Moved:
                    raise
                except Exception as error:
                    if passes_by(error):
                        raise
                    for each in left:
                        await self._take_alone(each)
            except Exception as error:
                if not passes_by(error):
                    raise
                await self._wait(error)

    async def _take_together(self, batch: Sequence[Delivered]) -> None:
        reached = {each.source: Position(each.index, each.hash) for each in batch}
        parked = 0
        async with self._engine.begin() as session:
            blocked = await self._hold(session, reached)
            for each in batch:
                if (each.source, each.event.stream) in blocked:
                    await self._park(session, each, dead_letters.BEHIND)
                    parked += 1
                else:
                    await self._hand_over(session, each)
            await positions.move(session, self.name, reached)
        self._took(reached, len(batch), parked)

    async def _take_alone(self, record: Delivered) -> None:
        reached = {record.source: Position(record.index, record.hash)}
        reason = ""
        async with self._engine.begin() as session:
            if (record.source, record.event.stream) in await self._hold(session, reached):
                reason = dead_letters.BEHIND
            else:
                try:
                    async with session.begin_nested():
                        await self._hand_over(session, record)
                except Exception as error:
                    if passes_by(error):
                        raise
                    reason = reason_of(error)
                    _log.error("a record is parked", **self._about(record), reason=reason)
            if reason:
                await self._park(session, record, reason)
            await positions.move(session, self.name, reached)
        self._took(reached, 1, 1 if reason else 0)

    async def _hold(self, session: AsyncConnection, reached: Mapping[str, Position]) -> set[tuple[str, str]]:
        await positions.hold(session, self.name, {source: self._reached[source] for source in reached})
        return await dead_letters.blocked(session, self.name, sorted(reached))

    async def _hand_over(self, session: AsyncConnection, record: Delivered) -> None:
        topic = self._topics[record.source]
        await hand_over(record, self._apply, session=session, topic=topic, tracing=self._tracing)

    async def _park(self, session: AsyncConnection, record: Delivered, reason: str) -> None:
        await dead_letters.park(session, record, consumer=self.name, reason=reason, parked_at=self._clock())

    def _took(self, reached: Mapping[str, Position], count: int, parked: int) -> None:
        self._reached |= reached
        self._backoff.reset()
        self._up.set()
        self.counts["taken"] += count - parked
        self.counts["parked"] += parked

    def _about(self, record: Delivered) -> dict[str, object]:
        return {"consumer": self.name, "source": record.source, "index": record.index, "type": record.event.type}

    async def _wait(self, error: Exception) -> None:
        self._up.clear()
        await self._backoff.wait(_log, "taking records waits", consumer=self.name, error=reason_of(error))
