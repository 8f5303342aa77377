"""Records that a consumer cannot take are parked, in order and with their reason, and taken later. None is dropped."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from amparo.record.v1 import record_pb2
from eventlog import dead_letters
from eventlog.consumer import Delivered
from eventlog.decider import Refused
from eventlog.sequencer import frame
from tests.eventlog.conftest import NOW, Log, note_taken
from tests.eventually import eventually

POISON = "request/poison"


def made(log: Log, *streams: str) -> list[bytes]:
    """One record of each stream given, in order."""
    events = [record_pb2.Event(stream=stream, version=1, type="amparo.sample.v1.Noted") for stream in streams]
    return [frame(log.source, index, event.SerializeToString()) for index, event in enumerate(events)]


async def publish(log: Log, *values: bytes) -> None:
    await asyncio.to_thread(log.create_topic)
    await asyncio.to_thread(log.publish, *values)


async def choke(session: Any, record: Delivered) -> None:
    """Writes, and then cannot take what belongs to the poisoned stream."""
    await note_taken(session, record)
    if record.event.stream == POISON:
        raise Refused("wrong-stage", "Ana's story, which no reason may tell")


async def test_a_record_that_cannot_be_taken_is_parked_and_others_go_on(log: Log) -> None:
    """What it wrote is undone; its reason is a type and a code, never a text."""
    await publish(log, *made(log, "a", POISON, "b", "a"))
    log.start(consumer := log.consumer(choke))
    assert await log.took(3) == [0, 2, 3]
    (parked,) = await dead_letters.listing(log.engine, consumer="reader")
    assert parked == dead_letters.DeadLetter(
        consumer="reader", source=log.source, index=1, stream=POISON, reason="Refused:wrong-stage", parked_at=NOW
    )
    assert consumer.counts["parked"] == 1
    assert consumer.positions == {log.source: 3}


async def test_later_records_of_its_stream_queue_behind(log: Log) -> None:
    """Also those that could be taken, also after a restart: nobody sees an end before its beginning."""
    records = made(log, POISON, "a", POISON, POISON, "b", POISON)
    await publish(log, *records[:3])
    first = log.start(log.consumer(choke))
    assert await log.took(1) == [1]
    await eventually(lambda: dead_letters.listing(log.engine), accept=lambda found: len(found) == 2)
    await log.stop(first)
    await asyncio.to_thread(log.publish, *records[3:])
    log.start(log.consumer())  # would take them all
    assert await log.took(2) == [1, 4]
    found = await eventually(lambda: dead_letters.listing(log.engine), accept=lambda found: len(found) == 4)
    assert [(each.index, each.reason) for each in found] == [
        (0, "Refused:wrong-stage"),
        (2, "behind"),
        (3, "behind"),
        (5, "behind"),
    ]


async def test_what_was_parked_is_taken_in_order(log: Log) -> None:
    """With the same bytes, each in a transaction of its own, and the stream is open again."""
    records = made(log, POISON, "a", POISON, "b", POISON)
    await publish(log, *records[:3])
    log.start(log.consumer(choke))
    await eventually(lambda: dead_letters.listing(log.engine), accept=lambda found: len(found) == 2)
    seen: list[bytes] = []

    async def heal(session: Any, record: Delivered) -> None:
        seen.append(record.record)
        await note_taken(session, record)

    retried = await dead_letters.retry(log.engine, heal, consumer="reader")
    assert retried == dead_letters.Retried(taken=2, blocked={})
    assert seen == [records[0], records[2]]
    assert await log.taken() == [1, 0, 2]
    assert await dead_letters.listing(log.engine) == ()
    await log.stop()
    log.start(log.consumer())
    await asyncio.to_thread(log.publish, *records[3:])
    assert await log.took(5) == [1, 0, 2, 3, 4]


async def test_what_fails_again_stays_with_all_behind_it(log: Log) -> None:
    """Other streams are taken."""

    async def refuse_all(session: Any, record: Delivered) -> None:
        raise KeyError(record.index)

    await publish(log, *made(log, POISON, "a", POISON, "a"))
    log.start(log.consumer(refuse_all))
    await eventually(lambda: dead_letters.listing(log.engine), accept=lambda found: len(found) == 4)
    retried = await dead_letters.retry(log.engine, choke, consumer="reader")
    assert retried.taken == 2
    assert retried.blocked == {(log.source, POISON): "Refused:wrong-stage"}
    assert await log.taken() == [1, 3]
    assert [each.index for each in await dead_letters.listing(log.engine)] == [0, 2]


async def test_taking_again_while_the_consumer_runs_keeps_the_order(log: Log) -> None:
    """Records of the stream that come meanwhile are neither overtaken nor parked behind nothing."""
    healed = asyncio.Event()
    order: list[int] = []

    async def choke_until_healed(session: Any, record: Delivered) -> None:
        if not healed.is_set():
            raise Refused("wrong-stage")
        await note_taken(session, record)
        order.append(record.index)

    records = made(log, *[POISON] * 60)
    await publish(log, *records[:20])
    log.start(log.consumer(choke_until_healed))
    await eventually(lambda: dead_letters.listing(log.engine), accept=lambda found: len(found) == 20)
    healed.set()
    publishing = asyncio.create_task(asyncio.to_thread(log.publish, *records[20:]))

    async def nothing_left() -> bool:
        await dead_letters.retry(log.engine, choke_until_healed, consumer="reader")
        return publishing.done() and len(await log.taken()) == 60

    await eventually(nothing_left, timeout=60)
    assert await log.taken() == list(range(60))
    assert await dead_letters.listing(log.engine) == ()


async def test_a_record_without_a_readable_event_is_parked(log: Log) -> None:
    """It counts in the source's order, so it is kept and not passed over."""
    first, last = made(log, "a", "b")
    unreadable = frame(log.source, 1, b"\xff\xff\xff")
    await publish(log, first, unreadable, last.replace(b"\x10\x01", b"\x10\x02", 1))
    log.start(log.consumer())
    assert await log.took(2) == [0, 2]
    (parked,) = await dead_letters.listing(log.engine)
    assert (parked.index, parked.stream, parked.reason) == (1, "", "Unreadable")


async def test_a_databases_refusal_names_its_code(log: Log) -> None:
    """So that an operator finds the rule that was broken, without what broke it."""

    async def break_a_rule(session: Any, record: Delivered) -> None:
        await session.execute(text("SELECT 1 / 0"))

    await publish(log, *made(log, "a"))
    log.start(log.consumer(break_a_rule))
    (parked,) = await eventually(lambda: dead_letters.listing(log.engine))
    assert parked.reason == "DivisionByZero:22012"


async def test_what_passes_by_is_not_left_blocked_by_taking_again(log: Log) -> None:
    """A lost database is told to the caller; nothing was taken or let go."""

    async def lose(session: Any, record: Delivered) -> None:
        raise OperationalError("", {}, Exception("the connection was lost"))

    await publish(log, *made(log, POISON))
    log.start(log.consumer(choke))
    await eventually(lambda: dead_letters.listing(log.engine))
    with pytest.raises(OperationalError):
        await dead_letters.retry(log.engine, lose, consumer="reader")
    assert len(await dead_letters.listing(log.engine)) == 1
