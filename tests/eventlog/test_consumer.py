"""Taking a source's records, each once and in order, from a real Kafka into a real PostgreSQL."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import text

from amparo.record.v1 import record_pb2
from eventlog.consumer import Delivered, GapFound, HashMismatch
from eventlog.faults import TryAgain
from eventlog.sequencer import frame
from local import postgres
from tests.eventlog.conftest import Log, note_taken
from tests.eventually import eventually


def made(log: Log, count: int, *, first: int = 0) -> list[bytes]:
    """Records of a source that has no sequencer."""
    events = [record_pb2.Event(stream="request/1", version=n + 1, type="amparo.sample.v1.Noted") for n in range(count)]
    return [frame(log.source, first + n, event.SerializeToString()) for n, event in enumerate(events)]


def reader_of(records: Sequence[bytes], asked: list[tuple[int, int]] | None = None) -> Any:
    """The read API of a source that holds these records."""

    async def fetch(source: str, after: int, limit: int) -> Sequence[bytes]:
        if asked is not None:
            asked.append((after, limit))
        return records[after + 1 : after + 1 + limit]

    return fetch


async def publish(log: Log, *values: bytes) -> None:
    await asyncio.to_thread(log.create_topic)
    await asyncio.to_thread(log.publish, *values)


async def test_a_record_comes_with_all_that_is_known_of_it(log: Log) -> None:
    """Its place, its event, its bytes, their hash, Kafka's headers."""
    seen: list[Delivered] = []

    async def keep(session: Any, record: Delivered) -> None:
        seen.append(record)

    log.start(log.sequencer())
    log.start(log.consumer(keep))
    appended = await log.append()
    (delivered,) = await eventually(lambda: tuple(seen))
    assert (delivered.source, delivered.index) == (log.source, 0)
    assert delivered.event.id == appended.recorded[0].id
    assert [delivered.record] == await log.records()
    assert delivered.headers["ce_subject"] == delivered.event.stream == "request/1"


async def test_a_topic_that_does_not_exist_is_waited_for(log: Log) -> None:
    """A service may start before the one it listens to."""
    log.start(consumer := log.consumer())
    await asyncio.wait_for(consumer.up(), 30)
    log.start(log.sequencer())
    await log.append_many(3)
    assert await log.took(3) == [0, 1, 2]


async def test_a_consumer_goes_on_where_it_ended(log: Log) -> None:
    """Its position is in the database, with what it wrote."""
    log.start(log.sequencer())
    await log.append_many(10)
    first = log.start(log.consumer())
    await log.took(10)
    await log.stop(first)
    await log.append_many(10)
    log.start(again := log.consumer())
    assert await log.took(20) == list(range(20))
    assert again.positions == {log.source: 19}


async def test_what_a_failed_transaction_wrote_is_taken_again(log: Log) -> None:
    """Effect and position are one: a connection that is lost in between loses both."""
    lost: list[int] = []

    async def cut_once(session: Any, record: Delivered) -> None:
        await note_taken(session, record)
        if record.index == 3 and not lost:
            lost.append(record.index)
            pid = (await session.execute(text("SELECT pg_backend_pid()"))).scalar()
            with postgres.connect(log.databases.admin_url) as admin:
                admin.execute("SELECT pg_terminate_backend(%s)", [pid])
            await session.execute(text("SELECT 1"))

    await publish(log, *made(log, 6))
    log.start(consumer := log.consumer(cut_once))
    assert await log.took(6) == list(range(6))
    assert lost == [3]
    assert consumer.counts["parked"] == 0


async def test_a_projection_that_asks_for_time_gets_it(log: Log) -> None:
    """It is handed the same record until it can take it."""
    tries = []

    async def busy(session: Any, record: Delivered) -> None:
        tries.append(record.index)
        if len(tries) < 4:
            raise TryAgain
        await note_taken(session, record)

    await publish(log, *made(log, 2))
    log.start(consumer := log.consumer(busy))
    assert await log.took(2) == [0, 1]
    assert tries == [0, 0, 0, 0, 1]
    assert consumer.counts["parked"] == 0


async def test_duplicates_are_passed_over(log: Log) -> None:
    """As a zombie relay leaves them: late, in bunches, across batches."""
    records = made(log, 10)
    order = [0, 1, 2, 1, 2, 3, 4, 0, 5, 6, 7, 8, 5, 6, 9, 9]
    await publish(log, *(records[n] for n in order))
    log.start(consumer := log.consumer())
    assert await log.took(10) == list(range(10))
    await eventually(lambda: consumer.counts["duplicate"] == 6)


async def test_a_record_that_came_with_other_bytes_stops_everything(log: Log) -> None:
    """A forked log is not repaired by a reader."""
    records = made(log, 3)
    forged = frame(log.source, 1, b"something else")
    await publish(log, *records, forged, *made(log, 1, first=3))
    with pytest.raises(HashMismatch) as alarm:
        await asyncio.wait_for(log.consumer().run(), 60)
    assert (alarm.value.source, alarm.value.index) == (log.source, 1)
    assert len(await log.taken()) <= 3


async def test_a_fork_is_noticed_after_a_restart(log: Log) -> None:
    """The last record taken is read again and compared."""
    records = made(log, 3)
    await publish(log, *records)
    first = log.start(log.consumer())
    await log.took(3)
    await log.stop(first)
    await asyncio.to_thread(log.delete_topic)
    await publish(log, *records[:2], frame(log.source, 2, b"something else"), *made(log, 1, first=3))
    with pytest.raises(HashMismatch):
        await asyncio.wait_for(log.consumer().run(), 60)
    assert await log.taken() == [0, 1, 2]


async def test_a_gap_is_filled_by_the_source(log: Log) -> None:
    """It is asked for what is missing and no more, and again when it does not answer."""
    records = made(log, 12)
    asked: list[tuple[int, int]] = []
    answer = reader_of(records, asked)

    async def fetch(source: str, after: int, limit: int) -> Sequence[bytes]:
        if not asked:
            asked.append((-9, 0))
            raise ConnectionError
        found: Sequence[bytes] = await answer(source, after, limit)
        return found

    await publish(log, *records[:2], *records[8:])
    log.start(consumer := log.consumer(fetch=fetch))
    assert await log.took(12) == list(range(12))
    assert asked == [(-9, 0), (1, 6)]
    assert consumer.counts["fetched"] == 6


async def test_a_gap_that_nobody_can_fill_stops_loudly(log: Log) -> None:
    """What is missing is named; what came before it was taken, what comes after it is not."""
    records = made(log, 6)
    await publish(log, *records[:2], *records[4:])
    for fetch in (None, reader_of(records[:2])):
        with pytest.raises(GapFound) as gap:
            await asyncio.wait_for(log.consumer(fetch=fetch).run(), 60)
        assert (gap.value.expected, gap.value.found) == (2, 4)
    assert await log.taken() == [0, 1]


async def test_a_topic_that_is_shorter_than_the_position_is_read_from_its_beginning(log: Log) -> None:
    """Offsets are hints: here the topic begins anew, and what comes is sorted by index."""
    records = made(log, 10)
    await publish(log, *records[:8])
    first = log.start(log.consumer())
    await log.took(8)
    await log.stop(first)
    await asyncio.to_thread(log.delete_topic)
    await publish(log, *records[5:])
    log.start(log.consumer())
    assert await log.took(10) == list(range(10))


async def test_a_refilled_topic_changes_nothing_for_a_running_reader(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kafka loses all it has; the store fills it again; each record is still taken once."""
    monkeypatch.setattr("eventlog.relay.IDLE_CHECK_S", 0.2)
    log.start(log.sequencer())
    log.start(consumer := log.consumer())
    await log.append_many(15)
    await log.took(15)
    await asyncio.to_thread(log.delete_topic)
    await log.published(15)
    await log.append_many(5)
    assert await log.took(20) == list(range(20))
    assert consumer.counts["parked"] == 0


async def test_two_processes_of_one_consumer_take_each_record_once(log: Log) -> None:
    """Whoever comes second finds the position moved, and goes on from there."""
    log.start(log.sequencer())
    log.start(log.consumer())
    log.start(log.consumer())
    for _ in range(5):
        await log.append_many(20)
    await log.numbered(100)
    assert await log.took(100) == list(range(100))


async def test_consumers_of_different_names_take_the_same_records(log: Log) -> None:
    """Each has its own position."""
    await publish(log, *made(log, 3))
    log.start(log.consumer(name="one"))
    log.start(log.consumer(name="two"))
    assert sorted(await log.took(6)) == [0, 0, 1, 1, 2, 2]


async def test_what_is_no_record_is_passed_over_and_counted(log: Log) -> None:
    """Somebody wrote into the topic. If a record is missing because of it, the rule shows it."""
    first, second = made(log, 2)
    await publish(log, first, b"\xff", frame("another.source", 1, b"event"), second)
    log.start(consumer := log.consumer())
    assert await log.took(2) == [0, 1]
    assert consumer.counts["foreign"] == 2


async def test_a_consumer_without_broker_or_database_waits(log: Log) -> None:
    """It says that it is not up, and ends neither way."""
    no_broker = log.consumer(kafka="127.0.0.1:1", name="no-broker")
    task = log.start(no_broker)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(no_broker.up(), 1)
    assert not task.done()
    assert not no_broker.is_up


async def test_a_position_says_how_far_a_consumer_is(log: Log) -> None:
    """To anyone who may read the table."""
    await publish(log, *made(log, 3))
    log.start(log.consumer(name="reader"))
    await log.took(3)
    assert await log.rows("SELECT consumer, source, index FROM positions") == [("reader", log.source, 2)]
