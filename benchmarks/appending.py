"""Owns the second measurement: append and sequence against an unsafe insert, and against `eventsourcing`.

*Ours* is `EventStore.append` on a connection in autocommit mode, as a filing has it (building, hashing, the idempotency
key and the signed receipt included), with the source's sequencer in the same process: the time ends when the last event
has its gapless index. *Unsafe* inserts as many bytes into a table with a bigserial, in an explicit transaction on the
same driver; its readers miss events. *eventsourcing* saves an aggregate with one event by its application class, which
orders events by a lock on the table. The broker is away, since publishing is no part of this; what it adds is shown
besides.
"""

import asyncio
import secrets
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine

from amparo.intake.v1 import events_pb2
from benchmarks.ground import BENCH, Ground
from benchmarks.harness import Figure, Target, ratio, turns
from benchmarks.load import Load
from eventlog.codec import Codec
from eventlog.origin import KEY_BYTES, Origin
from eventlog.sequencer import Sequencer
from eventlog.store import ActKey, Actor, EventStore, Ring
from eventlog.transparency.note import NoteSigner
from local import ports
from runtime import database
from runtime.clock import system_clock
from services.intake.events import EVENTS, EvidenceAdded

ORIGIN = Origin(secrets.token_bytes(KEY_BYTES))
GROUP = "Append and sequence ÷ unsafe bigserial insert"
GROUP_PEER = "Append and sequence ÷ eventsourcing's Application.save"
EVENT_BYTES = 600
BATCH = 100
"""Events of one transaction in the batched forms."""
WRITERS = 8
"""Writers at once in the concurrent forms: tasks of one process, threads where the peer blocks."""
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
_INSERT_BATCH = (  # the quickest form that was found
    "INSERT INTO unsafe (stream, version, event)"
    " SELECT %s, n, event FROM unnest(%b::bytea[]) WITH ORDINALITY AS given (event, n)"
)
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
        self.engine = database.engine(urls["app"], name="bench", statement_by_statement=True)
        self.source = source
        self._store = EventStore(
            source=source,
            codec=Codec.of(EVENTS, module=events_pb2),
            signer=NoteSigner.generate(source),
            clock=system_clock,
        )
        self._ring = Ring(self.engine)
        self._stamped, self._acknowledged = asyncio.Event(), asyncio.Event()
        self.sequencer = Sequencer(
            source=source,
            topic=f"amparo.{source}",
            kafka=kafka,
            database=urls["sequencer"],
            origin=ORIGIN,
            step=self._step,
        )
        self._appended = 0

    def _step(self, name: str) -> None:
        done = {"committed": self._stamped, "acknowledged": self._acknowledged}.get(name)
        if done is not None:
            asyncio.get_running_loop().call_soon(done.set)

    async def append(self, events: Sequence[object], *, stream: str) -> None:
        """One act: one statement, then the bell."""
        async with self.engine.connect() as session:
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

    async def published(self) -> None:
        """Returns once everything numbered is known to be in Kafka."""
        while self.sequencer.behind != 0:
            self._acknowledged.clear()
            await self._acknowledged.wait()

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


class Saved(Aggregate):
    """One event with as many bytes in its state."""

    @event("Added")
    def __init__(self, digest: str) -> None:
        self.digest = digest


def evidence() -> EvidenceAdded:
    """An event of 600 bytes with its surroundings, without personal data: sealing is a filing's cost."""
    return EvidenceAdded(evidence_id=str(uuid.uuid4()), digest=bytes(EVENT_BYTES - 183))


async def measure(ground: Ground, load: Load, size: Size) -> list[Figure]:
    """All forms take turns on the same server; only PostgreSQL and Kafka run besides."""
    await ground.keep_only("postgres", "kafka")
    urls, published = ground.store("append"), ground.store("publish")
    ground.make(urls["owner"], *UNSAFE)
    peer = _peer(ground.databases("peer")["owner"])
    floor = database.engine(urls["app"], name="bench")
    nobody = f"{ports.LOOPBACK}:{ports.choose(['nobody'])['nobody']}"
    async with AsyncExitStack() as running:
        ours = await running.enter_async_context(Sequenced(urls, source=f"{BENCH}.append", kafka=nobody).running())
        whole = await running.enter_async_context(
            Sequenced(published, source=f"{BENCH}.publish", kafka=ground.value("AMPARO_KAFKA")).running()
        )
        running.push_async_callback(floor.dispose)
        one: Mapping[str, Form] = {
            "ours": lambda: _ours(ours, acts=size.events, each=1),
            "unsafe": lambda: _unsafe(floor, size.events),
            "peer": lambda: asyncio.to_thread(_saved, peer, size.events),
            "whole": lambda: _ours(whole, acts=size.events, each=1, publish=True),
        }
        batched: Mapping[str, Form] = {
            "ours": lambda: _ours(ours, acts=size.batches, each=BATCH),
            "unsafe": lambda: _unsafe_batched(floor, size.batches),
            "whole": lambda: _ours(whole, acts=size.batches, each=BATCH, publish=True),
        }
        crowd: Mapping[str, Form] = {
            "ours": lambda: _ours(ours, acts=size.events, each=1, writers=WRITERS),
            "unsafe": lambda: _unsafe(floor, size.events, writers=WRITERS),
            "peer": lambda: _saved_at_once(peer, size.events),
        }
        ground.settle()
        singly = await _rates(one, events=size.events, rounds=size.rounds)
        ground.settle()
        at_once = await _rates(crowd, events=size.events // WRITERS * WRITERS, rounds=size.rounds)
        ground.settle()
        together = await _rates(batched, events=size.batches * BATCH, rounds=size.rounds)
    peer.close()
    return [
        ratio(singly["ours"], singly["unsafe"], group=GROUP, name="one by one", unit="/s", target=ONE_BY_ONE),
        ratio(singly["whole"], singly["unsafe"], group=GROUP, name="one by one, and published", unit="/s"),
        ratio(at_once["ours"], at_once["unsafe"], group=GROUP, name=f"one by one, {WRITERS} writers", unit="/s"),
        ratio(together["ours"], together["unsafe"], group=GROUP, name="100 at once", unit="/s", target=BATCHED),
        ratio(together["whole"], together["unsafe"], group=GROUP, name="100 at once, and published", unit="/s"),
        ratio(singly["ours"], singly["peer"], group=GROUP_PEER, name="one by one", unit="/s", target=PEER),
        ratio(
            at_once["ours"],
            at_once["peer"],
            group=GROUP_PEER,
            name=f"one by one, {WRITERS} writers",
            unit="/s",
            target=PEER,
        ),
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


async def _ours(ours: Sequenced, *, acts: int, each: int, writers: int = 1, publish: bool = False) -> None:
    async def write() -> None:
        for _ in range(acts // writers):
            await ours.append([evidence() for _ in range(each)], stream=f"evidence/{uuid.uuid4()}")

    await asyncio.gather(*(write() for _ in range(writers)))
    await ours.numbered()
    if publish:
        await ours.published()


async def _unsafe(engine: AsyncEngine, events: int, *, writers: int = 1) -> None:
    async def write() -> None:
        for _ in range(events // writers):
            async with engine.begin() as session:
                row = {"stream": f"evidence/{uuid.uuid4()}", "version": 1, "event": bytes(EVENT_BYTES)}
                await session.execute(_INSERT, row)

    await asyncio.gather(*(write() for _ in range(writers)))


async def _unsafe_batched(engine: AsyncEngine, batches: int) -> None:
    for _ in range(batches):
        async with engine.begin() as session:
            given = (f"evidence/{uuid.uuid4()}", [bytes(EVENT_BYTES) for _ in range(BATCH)])
            await session.exec_driver_sql(_INSERT_BATCH, given)


def _peer(owner: str) -> Application[uuid.UUID]:
    url = make_url(owner)
    return Application(
        env={
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": url.database or "",
            "POSTGRES_HOST": url.host or "",
            "POSTGRES_PORT": str(url.port),
            "POSTGRES_USER": url.username or "",
            "POSTGRES_PASSWORD": url.password or "",
            "POSTGRES_POOL_SIZE": str(WRITERS),
        }
    )


def _saved(peer: Application[uuid.UUID], events: int) -> None:
    for _ in range(events):
        peer.save(Saved(digest="0" * (EVENT_BYTES - 130)))


async def _saved_at_once(peer: Application[uuid.UUID], events: int) -> None:
    with ThreadPoolExecutor(WRITERS) as threads:
        loop = asyncio.get_running_loop()
        each = events // WRITERS
        await asyncio.gather(*(loop.run_in_executor(threads, _saved, peer, each) for _ in range(WRITERS)))
