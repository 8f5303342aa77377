"""The order of a source: gapless, kept by one process at a time, in a real PostgreSQL and a real Kafka."""

import asyncio
import random
import secrets
from collections import defaultdict

import pytest

from amparo.record.v1 import record_pb2
from eventlog import relay
from eventlog.sequencer import Sequencer
from eventlog.store import ActKey, Ring, StreamMoved
from local import postgres
from tests.eventlog.conftest import FILER, WAIT_S, Log, event_in
from tests.eventlog.sample import Noted
from tests.eventually import eventually

WRITERS = 8
ACTS = 25
STREAMS = 6


async def test_what_was_appended_is_numbered_and_published(log: Log) -> None:
    """Without a gap from 0, the same bytes in the store and in the topic, in the order of appending."""
    log.start(log.sequencer())
    await log.append_many(20)
    records = await log.numbered(20)
    messages = await log.published(20)
    assert [message.value for message in messages] == records
    assert [message.offset for message in messages] == list(range(20))
    appended = [bytes(event) for (event,) in await log.rows("SELECT event FROM events ORDER BY pos")]
    assert [record_pb2.Record.FromString(record).event for record in records] == appended


async def test_many_writers_and_failures_leave_no_gap(log: Log) -> None:
    """Eight writers at once, half of whose transactions are rolled back: each committed event is numbered once, in its
    stream's order."""
    seed = secrets.randbits(32)
    chance = random.Random(seed)
    log.start(log.sequencer())

    async def write(writer: int) -> None:
        for n in range(ACTS):
            stream = f"request/{chance.randrange(STREAMS)}"
            act = ActKey(client=f"writer-{writer}", key=f"{n}")
            try:
                async with log.engine.begin() as session:
                    history = await log.store.load(session, stream)
                    events = [Noted(text=f"{writer}-{n}-{k}") for k in range(chance.randrange(1, 4))]
                    await log.store.append(
                        session, stream=stream, expected=history.version, events=events, actor=FILER, act=act
                    )
                    if chance.random() < 0.5:
                        raise ZeroDivisionError
            except (StreamMoved, ZeroDivisionError):
                continue

    await asyncio.gather(*(write(writer) for writer in range(WRITERS)))
    committed = [(s, v) for s, v in await log.rows("SELECT stream, version FROM events")]
    records = await log.numbered(len(committed))
    assert len(records) == len(committed), f"seed {seed}"
    versions = defaultdict(list)
    for record in records:
        event = event_in(record)
        versions[event.stream].append(event.version)
    assert {(stream, version) for stream, found in versions.items() for version in found} == set(committed)
    for stream, found in versions.items():
        assert found == list(range(1, len(found) + 1)), f"{stream}, seed {seed}"
    assert log.pending() == 0


async def test_numbering_does_not_wait_for_kafka(store: Log) -> None:
    """A broker that is away holds up nobody who files, and no order."""
    store.start(sequencer := store.sequencer())
    await store.append_many(5)
    await store.numbered(5)
    assert sequencer.is_up
    assert sequencer.behind is None


async def test_a_lost_wake_up_costs_a_quarter_of_a_second(log: Log) -> None:
    """Nobody rings here: the poll behind it finds what was appended."""
    log.start(log.sequencer())
    await log.append()
    await log.published(1)


async def test_a_ring_wakes_the_sequencer(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its poll it would sleep on."""
    monkeypatch.setattr("eventlog.sequencer.POLL_S", 3_600)
    log.start(log.sequencer())
    ring = Ring(log.engine)
    for count in range(1, 4):
        await log.append()

        async def rung(count: int = count) -> bool:
            ring.ring()
            return len(await log.records()) == count

        await eventually(rung)
    await ring.close()


async def test_a_ring_on_its_way_is_waited_for(store: Log) -> None:
    """A connection that is out while its engine is disposed of is closed by nobody."""
    engine = store.connect("app")
    ring = Ring(engine)
    ring.ring()
    await ring.close()
    assert "Connections in pool: 1 " in engine.pool.status()
    assert "Checked out connections: 0" in engine.pool.status()


async def test_a_second_sequencer_stands_by(log: Log) -> None:
    """One leads. When it stops, the other goes on where it ended."""
    first, second = log.sequencer(), log.sequencer()
    leading = log.start(first)
    await asyncio.wait_for(first.leads(), WAIT_S)
    log.start(second)
    await asyncio.wait_for(second.up(), WAIT_S)
    await log.append_many(10)
    await log.published(10)
    assert (first.role, second.role) == ("leader", "standby")
    await log.stop(leading)
    assert first.role == "contending"
    await asyncio.wait_for(second.leads(), WAIT_S)
    await log.append_many(10)
    assert [message.value for message in await log.published(20)] == await log.numbered(20)


async def test_who_loses_the_locks_connection_contends_again(log: Log) -> None:
    """It stops at once: without the lock there is no right of way. Then it goes on, or another does."""
    log.start(sequencer := log.sequencer())
    await log.append_many(5)
    await log.published(5)
    end = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        f" WHERE datname = '{log.database}' AND application_name LIKE 'sequencer%'"
    )
    relay_before = sequencer.relay
    with postgres.connect(log.databases.admin_url) as admin:
        admin.execute(end.encode())
    await eventually(lambda: sequencer.role == "leader" and sequencer.relay is not relay_before)
    await log.append_many(5)
    assert [message.value for message in await log.published(10)] == await log.numbered(10)


async def test_sources_in_one_database_server_do_not_wait_for_each_other(log: Log) -> None:
    """The lock is the source's."""
    other = log.sequencer(source=f"{log.source}.other", topic=f"{log.topic}.other")
    log.start(first := log.sequencer())
    log.start(other)
    await asyncio.wait_for(asyncio.gather(first.leads(), other.leads()), WAIT_S)


async def test_a_backlog_is_published_in_order(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """More than is kept in memory, in several batches, read back from the table."""
    monkeypatch.setattr(relay, "FRESH_RECORDS", 40)
    monkeypatch.setattr(relay, "BATCH_RECORDS", 30)
    monkeypatch.setattr("eventlog.sequencer.STAMP_EVENTS", 25)
    events = [Noted(text=f"event {n}") for n in range(100)]
    await log.append(*events, stream="request/1")
    await log.append(*events, stream="request/2")
    log.start(sequencer := log.sequencer())
    assert [message.value for message in await log.published(200)] == await log.numbered(200)
    await eventually(lambda: sequencer.behind == 0)


async def test_a_sequencer_without_its_database_waits(log: Log) -> None:
    """It is not up, says so, and does not give up."""
    away: Sequencer = log.sequencer(database="postgresql+psycopg://nobody@127.0.0.1:1/none")
    task = log.start(away)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(away.up(), 1)
    assert not away.is_up
    assert not task.done()
