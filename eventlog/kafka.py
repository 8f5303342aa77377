"""Owns how topics are made, written and read: the settings of the Kafka clients, the last record of a topic, the
message of a record.

A topic belongs to one source: one partition, endless retention, no compaction. The clients of kafka-python block and
are bound to one thread, so everything of one owner runs on one thread of its own (`Lane`) and the event loop stays
free.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from google.protobuf.message import DecodeError
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import KafkaError, KafkaTimeoutError, TopicAlreadyExistsError
from kafka.net.compat import KafkaNetClient

from amparo.record.v1 import record_pb2
from eventlog.origin import Origin

CONNECT_MS = 5_000
REQUEST_MS = 10_000
END_MS = 2_000
"""A topic that does not exist gives no other answer than silence."""
DELIVERY_MS = 15_000
"""After this long without an acknowledgement the relay asks the topic where it stands and begins anew."""
BATCH_BYTES = 900_000
"""Of one request to the broker, below its limit of 1 MiB. kafka-python spends its time per request, and wakes its
sender for each record while a full one waits: the default of 16 KiB costs half of the rate."""
FETCH_WAIT_MS = 500
POLL_MS = 250
POLL_RECORDS = 500
TAIL_RECORDS = 64
"""How many messages at a topic's end are read for its last record: another relay's late duplicates may lie above it."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")


class TopicUnfit(Exception):
    """The topic exists, but is not one that a source can be published to; an administrator has to look at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replication:
    """How many brokers hold a topic, and how many of them have to have a message before it counts."""

    factor: int = 1
    min_insync: int = 1

    @classmethod
    def of(cls, factor: int) -> "Replication":
        """All but one replica must have a message: one broker may be missing."""
        return cls(factor=factor, min_insync=max(1, factor - 1))


@dataclass(frozen=True, slots=True)
class Message:
    """What came from a topic. Nothing of it has been checked."""

    topic: str
    offset: int
    value: bytes
    headers: Mapping[str, str]


class Lane:
    """One thread, on which calls run one after the other."""

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)

    async def call(self, function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs the function on the thread. When the caller is cancelled the function still ends there, unheard."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(function, *args, **kwargs))

    def leave(self, function: Callable[[], object]) -> None:
        """Runs a last function and ends the thread; nobody waits."""
        self._thread.submit(function)
        self._thread.shutdown(wait=False)


def headers_of(source: str, event: record_pb2.Event) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0 attributes in Kafka's binary form: a copy for routers, no part of what is hashed."""
    at = event.occurred_at
    time = _EPOCH + timedelta(seconds=at.seconds, microseconds=at.nanos // 1000)
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", event.id.hex().encode()),
        ("ce_source", source.encode()),
        ("ce_type", event.type.encode()),
        ("ce_time", time.isoformat().encode()),
        ("ce_subject", event.stream.encode()),
    ]


def record_in(source: str, value: bytes) -> record_pb2.Record | None:
    """The record in these bytes; ``None`` where they hold none of this source. Says nothing of who wrote them."""
    try:
        record = record_pb2.Record.FromString(value)
    except DecodeError:
        return None
    return record if record.source == source else None


def record_of(source: str, value: bytes, headers: Mapping[str, str], *, origin: Origin) -> record_pb2.Record | None:
    """The record in a message of the source's topic; ``None`` where it holds none that the source published."""
    return record_in(source, value) if origin.vouches(source, value, headers) else None


def _open(client: Callable[..., C], **settings: Any) -> C:
    """Makes a client. Unlike kafka-python's constructors it leaves no thread and no socket where no broker answered:
    a process that waits out a lost cluster opens thousands."""
    networks: list[KafkaNetClient] = []

    def network(**settings: Any) -> KafkaNetClient:
        networks.append(KafkaNetClient(**settings))
        return networks[-1]

    try:
        return client(kafka_client=network, **settings)
    except BaseException:
        for opened in networks:
            opened.close()
        raise


def open_producer(bootstrap: str) -> KafkaProducer:
    """An idempotent producer without transactions: in order, and every replica that is in sync has it. Blocks. Raises
    ``KafkaError``."""
    return _open(
        KafkaProducer,
        bootstrap_servers=bootstrap,
        enable_idempotence=True,
        acks="all",
        batch_size=BATCH_BYTES,
        metrics_enabled=False,
        allow_auto_create_topics=False,
        bootstrap_timeout_ms=CONNECT_MS,
        max_block_ms=CONNECT_MS,
        request_timeout_ms=REQUEST_MS,
        delivery_timeout_ms=DELIVERY_MS,
        reconnect_backoff_max_ms=1_000,
    )


def drop_producer(producer: KafkaProducer) -> None:
    """Closes at once: what was not acknowledged may or may not arrive, and is asked of the topic next time."""
    try:
        producer.close(timeout=0)
    except KafkaTimeoutError:  # it refuses to close over unsent messages, and its thread would live on
        producer._sender.force_close()


def open_consumer(bootstrap: str) -> KafkaConsumer:
    """A consumer outside any group, which keeps no offsets. Blocks. Raises ``KafkaError``."""
    return _open(
        KafkaConsumer,
        bootstrap_servers=bootstrap,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        allow_auto_create_topics=False,
        bootstrap_timeout_ms=CONNECT_MS,
        request_timeout_ms=REQUEST_MS,
        fetch_max_wait_ms=FETCH_WAIT_MS,
        fetch_min_bytes=1,
        max_poll_records=POLL_RECORDS,
        reconnect_backoff_max_ms=1_000,
    )


def open_admin(bootstrap: str) -> KafkaAdminClient:
    """For topics; a context manager, which closes it. Blocks. Raises ``KafkaError``."""
    return _open(
        KafkaAdminClient,
        bootstrap_servers=bootstrap,
        bootstrap_timeout_ms=CONNECT_MS,
        request_timeout_ms=REQUEST_MS,
    )


def ensure_topic(bootstrap: str, topic: str, replication: Replication) -> None:
    """Makes the topic unless it is there. Blocks. Raises ``KafkaError``, and `TopicUnfit` where it has more than one
    partition."""
    configuration = {
        "cleanup.policy": "delete",
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "min.insync.replicas": str(replication.min_insync),
    }
    new = NewTopic(topic, num_partitions=1, replication_factor=replication.factor, topic_configs=configuration)
    with open_admin(bootstrap) as admin:
        try:
            admin.create_topics([new], wait_for_metadata=True)
        except TopicAlreadyExistsError:
            (found,) = admin.describe_topics([topic])
            if len(found["partitions"]) > 1:
                raise TopicUnfit(
                    f"{topic} has {len(found['partitions'])} partitions; a source's order needs exactly one"
                ) from None


@dataclass(frozen=True, slots=True)
class Tail:
    """Where a topic ends: the offset of the next message, and the record with the highest index among the last
    messages that the source published, if any. ``foreign``: how many messages were passed over to find it."""

    end: int
    record: record_pb2.Record | None
    value: bytes
    foreign: int


def read_tail(consumer: KafkaConsumer, *, source: str, topic: str, origin: Origin) -> Tail:
    """Reads a topic's last messages, and so many before them that one is the source's own. Blocks. Raises
    ``KafkaError``."""
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    end = end_of(consumer, topic)
    beginning = consumer.beginning_offsets([partition], REQUEST_MS)[partition]
    found, value = None, b""
    foreign, before, window = 0, end, TAIL_RECORDS
    while found is None and before > beginning:
        start = max(beginning, before - window)
        for message in _between(consumer, partition, start, before):
            record = record_of(source, message.value or b"", texts_of(message.headers), origin=origin)
            if record is None:
                foreign += 1
            elif found is None or record.index > found.index:
                found, value = record, message.value
        before, window = start, 4 * window
    return Tail(end, found, value, foreign)


def _between(consumer: KafkaConsumer, partition: TopicPartition, start: int, end: int) -> Iterator[Any]:
    consumer.seek(partition, start)
    quiet = 0
    while consumer.position(partition, REQUEST_MS) < end:
        messages = consumer.poll(POLL_MS).get(partition, [])
        quiet = 0 if messages else quiet + POLL_MS
        if quiet > REQUEST_MS:
            raise KafkaTimeoutError(f"the last messages of {partition.topic} did not come")
        yield from (message for message in messages if message.offset < end)


def texts_of(headers: Iterable[tuple[str, bytes | None]]) -> Mapping[str, str]:
    """Kafka's headers as texts; of several with one name the last."""
    return {name: (value or b"").decode(errors="replace") for name, value in headers}


def end_of(consumer: KafkaConsumer, topic: str) -> int:
    """The offset that a topic's next message will have. Blocks. Raises ``KafkaError``."""
    partition = TopicPartition(topic, 0)
    end: int = consumer.end_offsets([partition], END_MS)[partition]
    return end


class Reader:
    """Reads several topics from given offsets on, outside any group. An async context manager; every method may raise
    ``KafkaError``.

    A topic that does not exist is waited for. An offset that a topic does not have is taken as its first.
    """

    def __init__(self, *, bootstrap: str, offsets: Mapping[str, int]) -> None:
        self._bootstrap = bootstrap
        self._offsets = offsets
        self._lane = Lane("kafka-reader")
        self._consumer: Any = None

    async def __aenter__(self) -> "Reader":
        try:
            await self._lane.call(self._open)
        except BaseException:
            self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    async def poll(self) -> Sequence[Message]:
        """The next messages, in order within each topic; none after 250 ms without any."""
        return await self._lane.call(self._poll)

    async def seek(self, topic: str, offset: int) -> None:
        """Goes on from another offset."""
        await self._lane.call(self._consumer.seek, TopicPartition(topic, 0), offset)

    def _open(self) -> None:
        self._consumer = open_consumer(self._bootstrap)
        self._consumer.bootstrap(CONNECT_MS)
        self._consumer.assign([TopicPartition(topic, 0) for topic in self._offsets])
        for topic, offset in self._offsets.items():
            self._consumer.seek(TopicPartition(topic, 0), offset)

    def _poll(self) -> list[Message]:
        found = self._consumer.poll(POLL_MS)
        return [
            Message(
                partition.topic,
                message.offset,
                message.value or b"",
                texts_of(message.headers),
            )
            for partition, messages in found.items()
            for message in messages
        ]

    def _close(self) -> None:
        def close() -> None:
            if self._consumer is not None:
                self._consumer.close(timeout_ms=0)

        self._lane.leave(close)


__all__ = [
    "KafkaError",
    "Lane",
    "Message",
    "Reader",
    "Replication",
    "Tail",
    "TopicUnfit",
    "drop_producer",
    "end_of",
    "ensure_topic",
    "headers_of",
    "open_admin",
    "open_consumer",
    "open_producer",
    "read_tail",
    "record_in",
    "record_of",
]
