"""Kafka is transport only: what its source did not publish changes nothing, whoever reaches the brokers."""

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from structlog.testing import capture_logs

from amparo.record.v1 import record_pb2
from eventlog.consumer import Delivered, TakenOtherwise
from eventlog.kafka import TAIL_RECORDS
from eventlog.origin import HEADER, KEY_BYTES, TELL_EVERY_S, BadTransportKey, Origin, PassedOver
from eventlog.sequencer import frame
from eventlog.tracing import NoTracing
from tests.eventlog.conftest import TRANSPORT_KEY, Log, note_taken
from tests.eventually import eventually

CONSENT = record_pb2.Event(stream="request/1", version=9, type="amparo.intake.v1.ConsentGiven").SerializeToString()
OURS = Origin.load(TRANSPORT_KEY)
THEIRS = Origin(bytes(KEY_BYTES))


def tagged(source: str, record: bytes, *, by: Origin = OURS) -> dict[str, str]:
    return {HEADER: by.tag(source, record)}


def test_a_tag_is_of_one_key_one_source_and_these_bytes() -> None:
    """Nothing else verifies, and neither does no tag."""
    headers = tagged("pe.intake", b"record")
    assert OURS.vouches("pe.intake", b"record", headers)
    assert not OURS.vouches("pe.referral", b"record", headers)
    assert not OURS.vouches("pe.intake", b"recorD", headers)
    assert not THEIRS.vouches("pe.intake", b"record", headers)
    for given in ({}, {HEADER: ""}, {HEADER: "\ufffd"}, {HEADER: headers[HEADER][:-1]}):
        assert not OURS.vouches("pe.intake", b"record", given)


def test_a_tag_does_not_change_with_a_version_of_the_code() -> None:
    """Old and new processes, and topics that are years old, understand each other."""
    golden = "14abed9a51e6a129a8eccd6a930d426bea470a346a8759ba00c5c0a1d0fb308c"
    assert OURS.tag("pe.intake", b"record") == golden


@pytest.mark.parametrize("text", ["", "no base64!", b64encode(bytes(31)).decode(), b64encode(bytes(33)).decode()])
def test_what_is_no_key_is_refused(text: str) -> None:
    """And nothing of it is said; nor does a key show."""
    with pytest.raises(BadTransportKey) as refused:
        Origin.load(text)
    assert not text or text not in str(refused.value)
    assert "\\x" not in repr(OURS)


def test_a_flood_of_forgeries_is_one_line_a_minute_for_each_source() -> None:
    """With how many there were since the last: a log that is full tells nobody anything."""
    now = [0.0]
    passed = PassedOver(reader="bridge", tracing=NoTracing(), clock=lambda: now[0])
    with capture_logs() as lines:
        for source in ("pe.intake", "pe.intake", "pe.referral", "pe.intake"):
            passed.note(source=source, topic=f"amparo.{source}")
        now[0] += TELL_EVERY_S
        passed.note(source="pe.intake", topic="amparo.pe.intake")
    assert [(line["source"], line["count"]) for line in lines] == [
        ("pe.intake", 1),
        ("pe.referral", 1),
        ("pe.intake", 3),
    ]
    assert {line["log_level"] for line in lines} == {"warning"}


async def test_a_forged_next_record_is_taken_by_nobody(log: Log) -> None:
    """It would have been a consent that nobody gave, and have stood where the next honest record comes."""
    log.start(log.sequencer())
    log.start(consumer := log.consumer())
    await log.append_many(3)
    await log.took(3)
    forged = frame(log.source, 3, CONSENT)
    await asyncio.to_thread(log.forge, forged)
    await asyncio.to_thread(log.forge, forged, headers=tagged(log.source, forged, by=THEIRS))
    await eventually(lambda: consumer.counts["foreign"] == 2)
    await log.append_many(3)
    assert await log.took(6) == list(range(6))
    assert forged not in await log.records()


async def test_a_forged_far_record_asks_no_source_for_anything(log: Log) -> None:
    """A gap that nobody made is none."""

    async def fetch(source: str, after: int, limit: int) -> Sequence[bytes]:
        raise AssertionError("nothing is missing")

    log.start(log.sequencer())
    log.start(consumer := log.consumer(fetch=fetch))
    await log.append()
    await log.took(1)
    await asyncio.to_thread(log.forge, frame(log.source, 10**6, CONSENT))
    await eventually(lambda: consumer.counts["foreign"] == 1)
    await log.append()
    assert await log.took(2) == [0, 1]


@pytest.mark.parametrize("count", [1, 3 * TAIL_RECORDS])
async def test_a_relay_starts_over_forgeries(log: Log, count: int) -> None:
    """It goes on after its own last record, however many others lie above it, and publishes nothing twice."""
    first = log.start(sequencer := log.sequencer())
    await log.append_many(5)
    await log.published(5)
    await eventually(lambda: sequencer.behind == 0)
    await log.stop(first)
    await asyncio.to_thread(log.forge, *(frame(log.source, 10**6 + n, CONSENT) for n in range(count)))
    log.start(log.sequencer())
    await log.append()
    records = await log.numbered(6)
    messages = [message.value for message in await log.published(6 + count)]
    assert [*messages[:5], *messages[5 + count :]] == records


async def test_a_record_of_another_source_is_none_of_this_one(log: Log) -> None:
    """Honest, tagged by its own source, and copied into another topic; or given this source's name."""
    other = f"{log.databases.mechanism}.referral"
    copied, renamed = frame(other, 1, CONSENT), frame(log.source, 1, CONSENT)
    log.start(log.sequencer())
    log.start(consumer := log.consumer())
    await log.append()
    await log.took(1)
    await asyncio.to_thread(log.forge, copied, headers=tagged(other, copied))
    await asyncio.to_thread(log.forge, renamed, headers=tagged(other, copied))
    await asyncio.to_thread(log.forge, renamed, headers=tagged(other, renamed))
    await eventually(lambda: consumer.counts["foreign"] == 3)
    await log.append()
    assert await log.took(2) == [0, 1]


async def test_a_record_that_is_published_again_changes_nothing(log: Log) -> None:
    """Who copies a message with its tag has a duplicate."""
    log.start(log.sequencer())
    log.start(consumer := log.consumer())
    await log.append_many(3)
    await log.took(3)
    record = (await log.records())[1]
    await asyncio.to_thread(log.publish, record)
    await eventually(lambda: consumer.counts["duplicate"] == 1)
    await log.append()
    assert await log.took(4) == [0, 1, 2, 3]


async def test_what_the_topic_has_under_another_key_is_published_again(log: Log) -> None:
    """After the key was replaced consumers that are behind take it all, and nobody has to do anything."""
    first = log.start(log.sequencer(origin=THEIRS))
    await log.append_many(4)
    await log.published(4)
    await log.stop(first)
    log.start(log.sequencer())
    log.start(log.consumer())
    assert await log.took(4) == [0, 1, 2, 3]


async def test_the_source_decides_which_of_two_records_is_its_own(log: Log) -> None:
    """Where somebody holds the key: what comes from Kafka and is not the source's is passed over."""
    log.start(log.sequencer())
    await log.append_many(3)
    records = await log.numbered(3)
    asked: list[tuple[int, int]] = []

    async def fetch(source: str, after: int, limit: int) -> Sequence[bytes]:
        asked.append((after, limit))
        if len(asked) == 1:
            raise ConnectionError
        return records[after + 1 : after + 1 + limit]

    log.start(consumer := log.consumer(fetch=fetch))
    await log.took(3)
    await asyncio.to_thread(log.publish, frame(log.source, 1, CONSENT))
    await eventually(lambda: consumer.counts["foreign"] == 1)
    await log.append()
    assert await log.took(4) == [0, 1, 2, 3]
    assert asked == [(0, 1), (0, 1)]


@pytest.mark.parametrize("source_has_it", [True, False])
async def test_a_reader_that_took_what_is_not_its_sources_stops_and_names_the_repair(
    log: Log, source_has_it: bool
) -> None:
    """The source has that record otherwise, or not at all: nothing more is believed until somebody has looked."""
    false, true = frame(log.source, 0, CONSENT), frame(log.source, 0, b"event")

    async def fetch(source: str, after: int, limit: int) -> Sequence[bytes]:
        return [true] if source_has_it else []

    await asyncio.to_thread(log.create_topic)
    await asyncio.to_thread(log.publish, false)
    first = log.start(log.consumer(fetch=fetch))
    await log.took(1)
    await log.stop(first)
    await asyncio.to_thread(log.publish, true)
    with capture_logs() as lines, pytest.raises(TakenOtherwise) as alarm:
        await asyncio.wait_for(log.consumer(fetch=fetch).run(), 30)
    assert alarm.value.repair == f"retake {log.source}:0"
    assert [(line["alarm"], line["command"]) for line in lines if "alarm" in line] == [
        ("TakenOtherwise", f"retake {log.source}:0")
    ]
    assert await log.taken() == [0]


async def test_a_false_record_is_replaced_and_the_reader_goes_on(log: Log) -> None:
    """By the command that the alarm names: the source's own record is taken in its place, while the topic still has
    both. A projection that remembers what it was handed is told to forget."""

    @dataclass
    class Projected:
        forgot: list[str] = field(default_factory=list)

        async def __call__(self, session: Any, record: Delivered, /) -> None:
            await note_taken(session, record)

        async def forget(self, session: Any, source: str, /) -> None:
            self.forgot.append(source)

    true = [frame(log.source, n, record_pb2.Event(type="true").SerializeToString()) for n in range(4)]

    async def fetch(source: str, after: int, limit: int) -> Sequence[bytes]:
        return true[after + 1 : after + 1 + limit]

    await asyncio.to_thread(log.create_topic)
    await asyncio.to_thread(log.publish, *true[:2], frame(log.source, 2, CONSENT))
    first = log.start(log.consumer(fetch=fetch))
    await log.took(3)
    await log.stop(first)
    await asyncio.to_thread(log.publish, *true[2:])
    with pytest.raises(TakenOtherwise) as alarm:
        await asyncio.wait_for(log.consumer(fetch=fetch).run(), 30)
    projected = Projected()
    assert await log.consumer(projected, fetch=fetch).retake(alarm.value.source, alarm.value.index) == 1
    assert projected.forgot == [log.source]
    assert await log.taken() == [0, 1, 2, 2]
    log.start(log.consumer(projected, fetch=fetch))
    assert await log.took(5) == [0, 1, 2, 2, 3]


async def test_a_record_that_the_source_never_had_is_let_go(log: Log) -> None:
    """What it gives there later is taken then."""

    async def fetch(source: str, after: int, limit: int) -> Sequence[bytes]:
        return ()

    await asyncio.to_thread(log.create_topic)
    await asyncio.to_thread(log.publish, frame(log.source, 0, CONSENT))
    first = log.start(log.consumer(fetch=fetch))
    await log.took(1)
    await log.stop(first)
    repairing = log.consumer(fetch=fetch)
    assert await repairing.retake("another.source", 0) == 0
    assert await repairing.retake(log.source, 1) == 0
    assert await repairing.retake(log.source, 0) == 1
    assert await log.rows("SELECT source, index FROM positions") == [(log.source, -1)]
