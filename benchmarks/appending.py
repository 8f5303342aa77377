"""Owns the second measurement: append and sequence against an unsafe insert, and against `eventsourcing`.

*Ours* is `EventStore.append` in a transaction, and the source's sequencer and relay in the same process: the time ends
when the last event has its gapless index. *Unsafe* inserts the same bytes into a table with a bigserial, which loses
events to its readers. *eventsourcing* is its application recorder, which orders events by locking the table.
"""

import asyncio
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from sqlalchemy import bindparam, make_url, text
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA
from sqlalchemy.ext.asyncio import AsyncEngine

from amparo.intake.v1 import events_pb2
from benchmarks.ground import BENCH, Ground
from benchmarks.harness import Figure, Target, ratio, turns
from benchmarks.load import Load
from eventlog.codec import Codec
from eventlog.sequencer import Sequencer
from eventlog.store import ActKey, Actor, EventStore, Ring
from eventlog.transparency.note import NoteSigner
from runtime import database
from runtime.clock import system_clock
from services.intake.events import EVENTS, EvidenceAdded

GROUP = "Append and sequence ÷ unsafe bigserial insert"
GROUP_PEER = "Append and sequence ÷ eventsourcing's recorder"
EVENT_BYTES = 600
BATCH = 100
"""Events of one transaction in the batched forms."""
ONE_BY_ONE = Target(goal=0.75, aim=0.9, at_most=False)
BATCHED = Target(goal=0.5, aim=0.9, at_most=False)
PEER = Target(goal=2.0, at_most=False)

UNSAFE = (
    "CREATE TABLE unsafe (pos bigserial PRIMARY KEY, stream text NOT NULL, version bigint NOT NULL,"
    " event bytea NOT NULL)",
    f'GRANT SELECT, INSERT ON unsafe TO "{BENCH}_append_app"',
    f'GRANT USAGE ON SEQUENCE unsafe_pos_seq TO "{BENCH}_append_app"',
)
_INSERT = text("INSERT INTO unsafe (stream, version, event) VALUES (:stream, :version, :event)")
_INSERT_BATCH = text(
    "INSERT INTO unsafe (stream, version, event)"
    " SELECT :stream, n, event FROM unnest(:events) WITH ORDINALITY AS given (event, n)"
).bindparams(bindparam("events", type_=ARRAY(BYTEA)))
_NUMBERED = text("SELECT coalesce(max(index) + 1, 0) FROM records")


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is measured: rounds, events one by one and batches of 100 in a round of each form."""

    rounds: int
    events: int
    batches: int


FULL = Size(rounds=9, events=1000, batches=60)
QUICK = Size(rounds=3, events=300, batches=20)

Form = Callable[[], Any]


class Sequenced:
    """An event store with its sequencer and relay in this process."""

    def __init__(self, urls: Mapping[str, str], *, source: str, kafka: str) -> None:
        self.engine = database.engine(urls["app"], name="bench")
        self.source = source
        self._store = EventStore(
            source=source,
            codec=Codec.of(EVENTS, module=events_pb2),
            signer=NoteSigner.generate(source),
            clock=system_clock,
        )
        self._ring = Ring(self.engine)
        self._stamped = asyncio.Event()
        self.sequencer = Sequencer(
            source=source,
            topic=f"amparo.{source}",
            kafka=kafka,
            database=urls["sequencer"],
            step=lambda name: self._stamped.set() if name == "committed" else None,
        )
        self._appended = 0

    async def append(self, events: Sequence[object], *, stream: str) -> None:
        """One act: one transaction, then the bell."""
        async with self.engine.begin() as session:
            await self._store.append(
                session,
                stream=stream,
                expected=0,
                events=events,
                actor=Actor(id="bench", role="service"),
                act=ActKey(client="bench", key=stream),
            )
        self._ring.ring()
        self._appended += len(events)

    async def numbered(self) -> None:
        """Returns once everything appended here has its index."""
        while True:
            self._stamped.clear()
            async with self.engine.connect() as session:
                if (await session.execute(_NUMBERED)).scalar_one() >= self._appended:
                    return
            await self._stamped.wait()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Sequenced"]:
        """With the loop running, up to its end."""
        loop = asyncio.create_task(self.sequencer.run())
        try:
            await self.sequencer.up()
            yield self
        finally:
            loop.cancel()
            await asyncio.gather(loop, return_exceptions=True)
            await self.engine.dispose()


def event() -> EvidenceAdded:
    """An event of about 600 bytes with its surroundings, without personal data: sealing is a filing's cost."""
    return EvidenceAdded(evidence_id=str(uuid.uuid4()), digest=bytes(EVENT_BYTES - 206))


async def measure(ground: Ground, load: Load, size: Size) -> list[Figure]:
    """All forms take turns on the same server; only PostgreSQL and Kafka run besides."""
    await ground.keep_only("postgres", "kafka")
    urls = ground.store("append")
    ground.make(urls["owner"], lambda owner: [owner.execute(statement) for statement in UNSAFE])
    recorder = _recorder(ground.databases("peer")["owner"])
    ours = Sequenced(urls, source=f"{BENCH}.append", kafka=ground.value("AMPARO_KAFKA"))
    async with ours.running():
        one = {
            "ours": lambda: _ours(ours, acts=size.events, each=1),
            "unsafe": lambda: _unsafe(ours.engine, size.events),
            "peer": lambda: asyncio.to_thread(_peer, recorder, size.events),
        }
        batched = {
            "ours": lambda: _ours(ours, acts=size.batches, each=BATCH),
            "unsafe": lambda: _unsafe_batched(ours.engine, size.batches),
        }
        singly = await _rates(one, events=size.events, rounds=size.rounds)
        together = await _rates(batched, events=size.batches * BATCH, rounds=size.rounds)
    recorder.datastore.close()
    return [
        ratio(singly["ours"], singly["unsafe"], group=GROUP, name="one by one", unit="/s", target=ONE_BY_ONE),
        ratio(together["ours"], together["unsafe"], group=GROUP, name="100 at once", unit="/s", target=BATCHED),
        ratio(singly["ours"], singly["peer"], group=GROUP_PEER, name="one by one", unit="/s", target=PEER),
    ]


async def _rates(forms: Mapping[str, Form], *, events: int, rounds: int) -> Mapping[str, list[float]]:
    """Events per second of each form in each round, after one round that does not count."""
    rates: dict[str, list[float]] = defaultdict(list)
    for number, name in turns(list(forms), rounds=rounds + 1):
        began = time.perf_counter()
        await forms[name]()
        if number:
            rates[name].append(events / (time.perf_counter() - began))
    return rates


async def _ours(ours: Sequenced, *, acts: int, each: int) -> None:
    for _ in range(acts):
        await ours.append([event() for _ in range(each)], stream=f"evidence/{uuid.uuid4()}")
    await ours.numbered()


async def _unsafe(engine: AsyncEngine, events: int) -> None:
    for _ in range(events):
        async with engine.begin() as session:
            row = {"stream": f"evidence/{uuid.uuid4()}", "version": 1, "event": bytes(EVENT_BYTES)}
            await session.execute(_INSERT, row)


async def _unsafe_batched(engine: AsyncEngine, batches: int) -> None:
    for _ in range(batches):
        async with engine.begin() as session:
            rows = {"stream": f"evidence/{uuid.uuid4()}", "events": [bytes(EVENT_BYTES)] * BATCH}
            await session.execute(_INSERT_BATCH, rows)


def _recorder(owner: str) -> PostgresApplicationRecorder:
    url = make_url(owner)
    datastore = PostgresDatastore(
        dbname=url.database or "",
        host=url.host or "",
        port=str(url.port),
        user=url.username or "",
        password=url.password or "",
    )
    recorder = PostgresApplicationRecorder(datastore=datastore, events_table_name="stored_events")
    recorder.create_table()
    return recorder


def _peer(recorder: PostgresApplicationRecorder, events: int) -> None:
    for _ in range(events):
        stored = StoredEvent(
            originator_id=uuid.uuid4(), originator_version=1, topic="evidence", state=bytes(EVENT_BYTES)
        )
        recorder.insert_events([stored])
