"""Owns publishing a source's records to its topic, in order. The topic itself says what was published last; nothing
else keeps it.

What is lost where a relay dies: nothing. Records are in the store before they are sent; what was sent and not
acknowledged is asked of the topic by the next relay. What was on its way then may arrive twice, which consumers notice
by its index.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from kafka.errors import KafkaError

from amparo.record.v1 import record_pb2
from eventlog.backoff import Backoff
from eventlog.kafka import (
    Lane,
    Replication,
    Tail,
    drop_producer,
    end_of,
    ensure_topic,
    headers_of,
    open_consumer,
    open_producer,
    read_tail,
)
from eventlog.origin import HEADER, Origin, PassedOver
from eventlog.tracing import Tracing, as_kafka_headers

BATCH_RECORDS = 500
WINDOW_BATCHES = 3
"""Batches on their way at once: the producer itself has no bound, and slows down where it holds more than a request."""
FRESH_RECORDS = 10_000
"""Stamped records that are kept in memory for publishing; what is more is read from the table again."""
IDLE_CHECK_S = 5.0
"""How often an idle relay asks whether its topic still ends where it left it: a broker may have lost its data."""

Step = Callable[[str], None]
"""Called between the steps of stamping and publishing, with the name of the step just done. For fault tests."""

_log = structlog.get_logger("eventlog.relay")
_READ = "SELECT index, record, headers::text FROM records WHERE index >= %s ORDER BY index LIMIT %s"


class Diverged(Exception):
    """The topic holds a record that the store does not have, or has otherwise.

    The database was restored from an old backup, or another installation with the same transport key writes to the
    topic. Nothing more may be numbered or published: the indexes that would be given were given before. A person has to
    decide, see "When a source says Diverged" in docs/guides/operator.md.
    """

    def __init__(self, topic: str, index: int) -> None:
        super().__init__(
            f"{topic} has a record {index} that the store does not have: was the database restored from a backup?"
            " See docs/guides/operator.md, When a source says Diverged"
        )
        self.topic = topic
        self.index = index


class TopicShrank(KafkaError):  # type: ignore[misc]  # the package has no types
    """The topic ends before what was acknowledged: the broker lost it, and it is filled again."""


@dataclass(frozen=True, slots=True)
class Framed:
    """A record as it is stored and published, the event in it, and the trace headers of its append."""

    index: int
    record: bytes
    event: bytes
    headers: Mapping[str, str]


class Relay:
    """Publishes what `offer` hands over and, where it fell behind, what the table holds. Lives as long as one
    leadership."""

    def __init__(
        self,
        *,
        source: str,
        topic: str,
        kafka: str,
        store: psycopg.AsyncConnection[Any],
        origin: Origin,
        tracing: Tracing,
        replication: Replication,
        step: Step,
    ) -> None:
        self.source = source
        self.topic = topic
        self.published: int | None = None
        """Highest index up to which the topic is known to hold everything, -1 for nothing, ``None`` before it was
        asked."""
        self.reachable = False
        self.looked = asyncio.Event()
        """Set once the topic was compared with the store, or could not be reached."""
        self._kafka = kafka
        self._store = store
        self._origin = origin
        self._passed_over = PassedOver(reader="relay", tracing=tracing)
        self._tracing = tracing
        self._replication = replication
        self._step = step
        self._stamped = -1
        self._fresh: deque[Framed] = deque()
        self._wake = asyncio.Event()

    def start_after(self, index: int) -> None:
        """Tells which record was stamped last, -1 for none."""
        self._stamped = index

    def offer(self, batch: Sequence[Framed]) -> None:
        """Takes records that have just been committed, in order and without a gap. Never waits."""
        if len(self._fresh) + len(batch) > FRESH_RECORDS:
            self._fresh.clear()
        self._fresh.extend(batch)
        self._stamped = batch[-1].index
        self._wake.set()

    async def run(self) -> None:
        """Publishes until cancelled; waits for a broker that is away. Raises `Diverged`, `TopicUnfit` and
        ``psycopg.OperationalError``."""
        backoff = Backoff()
        while True:
            lane = Lane("kafka-relay")
            publishing = _Publishing(self, lane)
            try:
                await publishing.run(self._store, backoff)
            except KafkaError as error:
                self.reachable = False
                self.looked.set()
                about = {"topic": self.topic, "error": type(error).__name__}
                await backoff.wait(_log, "the broker is away, publishing waits", **about)
            finally:
                lane.leave(publishing.close)


class _Publishing:
    """One producer's life: from asking the topic where it ends to the first failure."""

    def __init__(self, relay: Relay, lane: Lane) -> None:
        self._relay = relay
        self._lane = lane
        self._producer: Any = None
        self._consumer: Any = None
        self._next = 0
        self._end = 0
        self._window: deque[_Sent] = deque()

    async def run(self, store: psycopg.AsyncConnection[Any], backoff: Backoff) -> None:
        relay, call = self._relay, self._lane.call
        tail = await call(self._open)
        await self._compare(store, tail)
        relay.looked.set()
        relay.reachable = True
        backoff.reset()
        while True:
            relay._wake.clear()
            while self._window and self._window[0].done.is_set():
                self._settle(self._window.popleft())
            batch = await self._batch(store) if len(self._window) < WINDOW_BATCHES else ()
            if batch:
                self._window.append(await self._send(batch))
                continue
            try:
                async with asyncio.timeout(IDLE_CHECK_S):
                    await relay._wake.wait()
            except TimeoutError:
                if not self._window and await call(end_of, self._consumer, relay.topic) < self._end:
                    raise TopicShrank(f"{relay.topic} ends before {self._end}") from None

    def _open(self) -> Tail:
        relay = self._relay
        ensure_topic(relay._kafka, relay.topic, relay._replication)
        self._consumer = open_consumer(relay._kafka)
        tail = read_tail(self._consumer, source=relay.source, topic=relay.topic, origin=relay._origin)
        if tail.foreign:
            relay._passed_over.note(source=relay.source, topic=relay.topic, count=tail.foreign)
        self._producer = open_producer(relay._kafka)
        return tail

    def close(self) -> None:
        """Runs on the lane, as its last call."""
        if self._producer is not None:
            drop_producer(self._producer)
        if self._consumer is not None:
            self._consumer.close(timeout_ms=0)

    async def _compare(self, store: psycopg.AsyncConnection[Any], tail: Tail) -> None:
        relay = self._relay
        self._end = tail.end
        index = -1
        if tail.record is not None:
            index = tail.record.index
            rows = await store.execute("SELECT record FROM records WHERE index = %s", [index], binary=True)
            row = await rows.fetchone()
            if row is None or row[0] != tail.value:
                raise Diverged(relay.topic, index)
        if relay.published is not None:  # a batch that failed may have been overtaken by one that did not
            index = min(index, relay.published)
        self._next, relay.published = index + 1, index
        relay._step("compared")

    async def _batch(self, store: psycopg.AsyncConnection[Any]) -> Sequence[Framed]:
        fresh, wanted = self._relay._fresh, self._next
        while fresh and fresh[0].index < wanted:
            fresh.popleft()
        if fresh and fresh[0].index == wanted:
            return [fresh.popleft() for _ in range(min(len(fresh), BATCH_RECORDS))]
        if wanted > self._relay._stamped:
            return ()
        async with store.cursor(binary=True) as cursor:
            await cursor.execute(_READ, [wanted, BATCH_RECORDS])
            return [_stored(*row) for row in await cursor.fetchall()]

    async def _send(self, batch: Sequence[Framed]) -> "_Sent":
        loop = asyncio.get_running_loop()
        sent = _Sent(batch[-1].index, await self._lane.call(self._send_all, batch), asyncio.Event())
        self._relay._step("sent")
        self._next = sent.index + 1

        def tell(_: object) -> None:  # on the producer's thread, when the last is done; the earlier ones are by then
            if not loop.is_closed():
                loop.call_soon_threadsafe(sent.done.set)
                loop.call_soon_threadsafe(self._relay._wake.set)

        sent.futures[-1].add_both(tell)
        return sent

    def _settle(self, sent: "_Sent") -> None:
        for future in sent.futures:
            if not future.succeeded():
                raise future.exception or TopicShrank("an acknowledgement is missing")
        self._relay.published = sent.index
        self._end = sent.futures[-1].value.offset + 1
        self._relay._step("acknowledged")

    def _send_all(self, batch: Sequence[Framed]) -> list[Any]:
        relay = self._relay
        source, topic, sending, send = relay.source, relay.topic, relay._tracing.sending, self._producer.send
        tag = relay._origin.tag
        sent = []
        for framed in batch:
            event = record_pb2.Event.FromString(framed.event)
            headers = headers_of(source, event)
            headers.append((HEADER, tag(source, framed.record).encode()))
            with sending(topic, framed.headers) as traced:
                headers += as_kafka_headers(traced)
                sent.append(send(topic, framed.record, event.stream.encode(), headers, 0))
        return sent


@dataclass(frozen=True, slots=True)
class _Sent:
    """A batch on its way, by its last index."""

    index: int
    futures: Sequence[Any]
    done: asyncio.Event


def _stored(index: int, record: bytes, headers: str) -> Framed:
    return Framed(index, record, record_pb2.Record.FromString(record).event, read_headers(headers))


def read_headers(text: str) -> Mapping[str, str]:
    """The stored trace headers, mostly none."""
    found: Mapping[str, str] = {} if text == "{}" else json.loads(text)
    return found
