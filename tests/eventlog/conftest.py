"""One source of a test's own: its store in a real PostgreSQL, its topic in a real Kafka."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import AsyncAdaptedQueuePool

from amparo.record.v1 import record_pb2
from eventlog import schema
from eventlog.consumer import Consumer, Fetch, Projection
from eventlog.kafka import open_admin
from eventlog.origin import HEADER, KEY_BYTES, Origin
from eventlog.sequencer import Sequencer
from eventlog.store import ActKey, Actor, Appended, EventStore
from eventlog.transparency.note import NoteSigner
from local import postgres
from tests.eventlog.sample import CODEC, Noted
from tests.eventually import eventually
from tests.stack import Databases

# kafka-python leaves the socket of a refused connection to the garbage collector, which finds it in some later test.
LEFT_SOCKETS = "ignore:unclosed <socket:ResourceWarning"
TRANSPORT_KEY = b64encode(bytes(range(KEY_BYTES))).decode()
NOW = datetime(2026, 3, 2, 9, 30, 0, 250_000, tzinfo=UTC)
WAIT_S = 60
FILER = Actor(id="filer-1", role="filer", unit="ngo-1")


class Owner:
    """What Alembic's ``op`` is to a migration."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def execute(self, sqltext: str) -> None:
        self._connection.execute(sqltext.encode())


@dataclass
class Log:
    """A source with its store. What is started here ends with the test."""

    databases: Databases
    kafka: str
    origin: Origin = field(default_factory=lambda: Origin.load(TRANSPORT_KEY))
    signer: NoteSigner = field(default_factory=lambda: NoteSigner.generate("sample"))
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    engines: list[AsyncEngine] = field(default_factory=list)
    acts: int = 0

    def __post_init__(self) -> None:
        self.source = f"{self.databases.mechanism}.intake"
        self.topic = f"amparo.{self.source}"
        self.database = f"{self.databases.mechanism}_intake"
        with postgres.connect(self.databases.url("intake", "owner")) as connection, connection.transaction():
            schema.upgrade(Owner(connection), database=self.database)
            connection.execute("CREATE TABLE taken (n bigint GENERATED ALWAYS AS IDENTITY, source text, index bigint)")
            connection.execute(f'GRANT SELECT, INSERT ON taken TO "{self.database}_app"'.encode())
        self.engine = self.connect("app")
        self.store = EventStore(source=self.source, codec=CODEC, signer=self.signer, clock=lambda: NOW)

    def connect(self, role: str) -> AsyncEngine:
        """An engine of one of the database's roles."""
        url = self.databases.url("intake", role)
        engine = create_async_engine(url, poolclass=AsyncAdaptedQueuePool, pool_size=10)
        self.engines.append(engine)
        return engine

    async def append(self, *events: object, stream: str = "request/1", expected: int | None = None) -> Appended:
        """One act in its own transaction, after whatever the stream holds."""
        self.acts += 1
        act = ActKey(client="test", key=f"act-{self.acts}")
        given = events or (Noted(text=f"act {self.acts}"),)
        async with self.engine.begin() as session:
            at = (await self.store.load(session, stream)).version if expected is None else expected
            return await self.store.append(
                session, stream=stream, expected=at, events=given, actor=FILER, act=act, correlation="case-1"
            )

    async def append_many(self, count: int, *, streams: int = 5) -> None:
        """One act after the other, in turns over some streams."""
        for n in range(count):
            await self.append(stream=f"request/{n % streams}")

    def sequencer(self, **given: Any) -> Sequencer:
        """A sequencer that does not run yet."""
        url = self.databases.url("intake", "sequencer")
        own = {"source": self.source, "topic": self.topic, "kafka": self.kafka, "database": url, "origin": self.origin}
        return Sequencer(**{**own, **given})

    def consumer(self, apply: Projection | None = None, fetch: Fetch | None = None, **given: Any) -> Consumer:
        """A consumer that does not run yet; by default it notes what it took in the table ``taken``."""
        return Consumer(
            name=given.pop("name", "reader"),
            sources=(self.source,),
            kafka=given.pop("kafka", self.kafka),
            engine=self.engine,
            apply=apply or note_taken,
            clock=lambda: NOW,
            origin=self.origin,
            fetch=fetch,
            **given,
        )

    def start(self, runs: Sequencer | Consumer) -> "asyncio.Task[None]":
        """Runs it until the test ends."""
        task = asyncio.create_task(runs.run())
        self.tasks.append(task)
        return task

    async def stop(self, *tasks: "asyncio.Task[None]") -> None:
        """Ends what `start` started, all of it by default."""
        for task in tasks or self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task

    async def rows(self, statement: str) -> list[Any]:
        """What a query finds, as the application's role."""
        async with self.engine.connect() as session:
            return [tuple(row) for row in await session.execute(text(statement))]

    def pending(self) -> int:
        """How many events wait for their number; only the sequencer's role may look."""
        with postgres.connect(self.databases.url("intake", "sequencer")) as connection:
            (count,) = connection.execute("SELECT count(*) FROM pending").fetchone() or (0,)
        return int(count)

    async def records(self) -> list[bytes]:
        """The source's records in order. Fails where an index is missing."""
        found = await self.rows("SELECT index, record FROM records ORDER BY index")
        assert [index for index, _ in found] == list(range(len(found)))
        return [bytes(record) for _, record in found]

    async def numbered(self, count: int) -> list[bytes]:
        """The records once there are so many."""
        return await eventually(self.records, accept=lambda found: len(found) >= count, timeout=WAIT_S)

    async def taken(self) -> list[int]:
        """The indexes that `note_taken` wrote, in the order in which it did."""
        return [index for (index,) in await self.rows("SELECT index FROM taken ORDER BY n")]

    async def took(self, count: int) -> list[int]:
        """What was taken once it is so many."""
        return await eventually(self.taken, accept=lambda found: len(found) >= count, timeout=WAIT_S)

    def messages(self) -> list[Any]:
        """All messages of the topic as they are."""
        reader = KafkaConsumer(bootstrap_servers=self.kafka, auto_offset_reset="earliest", enable_auto_commit=False)
        partition = TopicPartition(self.topic, 0)
        try:
            reader.assign([partition])
            end = reader.end_offsets([partition], 2_000)[partition]
            reader.seek_to_beginning(partition)
            found: list[Any] = []
            while reader.position(partition) < end:
                found += reader.poll(1_000).get(partition, [])
            return found
        except KafkaError:
            return []  # the topic is being made
        finally:
            reader.close()

    async def published(self, count: int) -> list[Any]:
        """The topic's messages once there are so many."""
        return await eventually(
            lambda: asyncio.to_thread(self.messages), accept=lambda found: len(found) >= count, timeout=WAIT_S
        )

    def publish(self, *values: bytes) -> None:
        """Writes to the topic past the sequencer, with the source's tag, as another relay would."""
        self._send([(value, {HEADER: self.origin.tag(self.source, value)}) for value in values])

    def forge(self, *values: bytes, headers: Mapping[str, str] | None = None) -> None:
        """Writes to the topic as somebody does who reaches the broker and holds no key."""
        self._send([(value, headers or {}) for value in values])

    def _send(self, messages: list[tuple[bytes, Mapping[str, str]]]) -> None:
        producer = KafkaProducer(bootstrap_servers=self.kafka, acks="all")
        for value, headers in messages:
            given = [(name, text.encode()) for name, text in headers.items()]
            producer.send(self.topic, value, b"key", given, 0).get(10)
        producer.close()

    def delete_topic(self) -> None:
        """The broker loses the source's topic."""
        with open_admin(self.kafka) as admin:
            admin.delete_topics([self.topic])

    def create_topic(self) -> None:
        """An empty topic of the source, with no sequencer."""
        with open_admin(self.kafka) as admin:
            admin.create_topics({self.topic: {"num_partitions": 1, "replication_factor": 1}})
            admin.wait_for_topics([self.topic])


async def note_taken(session: Any, record: Any) -> None:
    """Writes each record's index down."""
    given = {"source": record.source, "index": record.index}
    await session.execute(text("INSERT INTO taken (source, index) VALUES (:source, :index)"), given)


def event_in(record: bytes) -> record_pb2.Event:
    """The event that a record frames."""
    return record_pb2.Event.FromString(record_pb2.Record.FromString(record).event)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(LEFT_SOCKETS))


@pytest.fixture
async def log(databases: Databases, kafka: str) -> AsyncIterator[Log]:
    """A store without events, and no topic."""
    made = Log(databases, kafka)
    yield made
    await made.stop()
    for engine in made.engines:
        await engine.dispose()
    with suppress(Exception):
        await asyncio.to_thread(made.delete_topic)


@pytest.fixture
async def store(databases: Databases) -> AsyncIterator[Log]:
    """As ``log``, for tests that need no Kafka: nothing listens where it should be."""
    made = Log(databases, "127.0.0.1:1")
    yield made
    await made.stop()
    for engine in made.engines:
        await engine.dispose()


__all__ = ["FILER", "NOW", "TRANSPORT_KEY", "WAIT_S", "Log", "event_in", "note_taken"]
