"""The way into Kafka, which is transport and no evidence: it may lose everything and is filled again."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from eventlog import relay
from eventlog.codec import instant
from eventlog.kafka import Replication, TopicUnfit, open_admin
from eventlog.origin import HEADER
from eventlog.relay import Diverged
from eventlog.sequencer import frame
from eventlog.store import EventStore
from tests.eventlog.conftest import NOW, Log, event_in
from tests.eventlog.sample import CODEC
from tests.eventually import eventually


async def test_the_headers_agree_with_the_event(log: Log) -> None:
    """They are a copy for routers, under no hash: so nothing is in them that the event does not say, but the tag."""
    log.start(log.sequencer())
    await log.append_many(3)
    for message in await log.published(3):
        event, headers = event_in(message.value), {name: value.decode() for name, value in message.headers}
        assert headers == {
            "ce_specversion": "1.0",
            "ce_id": event.id.hex(),
            "ce_source": log.source,
            "ce_type": event.type,
            "ce_time": instant(event.occurred_at).isoformat(),
            "ce_subject": event.stream,
            HEADER: log.origin.tag(log.source, message.value),
        }
        assert datetime.fromisoformat(headers["ce_time"]) == NOW
        assert message.key.decode() == event.stream


class Traced:
    """A tracer that gives each append a trace, and each message a span of it."""

    def inject(self) -> Mapping[str, str]:
        return {"traceparent": "00-append-01"}

    @contextmanager
    def sending(self, topic: str, headers: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
        yield {**headers, "tracestate": f"sent={topic}"}

    @contextmanager
    def processing(self, topic: str, headers: Mapping[str, str], *, offset: int) -> Iterator[None]:
        yield

    def passed_over(self, topic: str, count: int) -> None: ...


async def test_the_trace_of_an_act_travels_with_its_message(log: Log) -> None:
    """From the append's transaction through the pending row into Kafka's headers, also when it is read back."""
    traced = Traced()
    log.store = EventStore(source=log.source, codec=CODEC, signer=log.signer, clock=lambda: NOW, tracing=traced)
    await log.append()
    first = log.start(log.sequencer(kafka="127.0.0.1:1"))
    await log.numbered(1)
    await log.stop(first)
    log.start(log.sequencer(tracing=traced))
    await log.append()
    for message in await log.published(2):
        headers = dict(message.headers)
        assert headers["traceparent"] == b"00-append-01"
        assert headers["tracestate"] == f"sent={log.topic}".encode()


async def test_a_topic_that_was_lost_is_filled_again(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nobody files anything: with the same bytes, from the first record on."""
    monkeypatch.setattr(relay, "IDLE_CHECK_S", 0.2)
    log.start(log.sequencer())
    await log.append_many(20)
    before = [message.value for message in await log.published(20)]
    await asyncio.to_thread(log.delete_topic)
    after = [message.value for message in await log.published(20)]
    assert before == after == await log.records()
    await log.append()
    assert len(await log.published(21)) == 21


async def test_a_sequencer_that_starts_before_an_empty_topic_fills_it(log: Log) -> None:
    """The store is asked, not Kafka's offsets."""
    first = log.start(log.sequencer())
    await log.append_many(10)
    await log.published(10)
    await log.stop(first)
    await asyncio.to_thread(log.delete_topic)
    log.start(log.sequencer())
    assert [message.value for message in await log.published(10)] == await log.records()


async def test_what_was_published_is_not_published_again(log: Log) -> None:
    """The topic's own last record says where to go on."""
    for round_ in (1, 2, 3):
        running = log.start(sequencer := log.sequencer())
        await log.append_many(5)
        await log.published(5 * round_)
        await eventually(lambda one=sequencer: one.behind == 0)  # type: ignore[misc]
        await log.stop(running)
    assert [message.value for message in await log.published(15)] == await log.records()


async def test_late_duplicates_of_another_relay_do_not_set_it_back(log: Log) -> None:
    """What a killed relay had on its way may arrive after its successor's messages."""
    first = log.start(log.sequencer())
    await log.append_many(10)
    await log.published(10)
    await log.stop(first)
    await asyncio.to_thread(log.publish, *(await log.records())[4:6])
    log.start(log.sequencer())
    await log.append()
    records = await log.numbered(11)
    messages = [message.value for message in await log.published(13)]
    assert messages == [*records[:10], *records[4:6], records[10]]


async def test_a_store_that_is_behind_its_topic_is_refused(log: Log) -> None:
    """A database restored from an old backup would give indexes again that others have seen. Nothing is numbered."""
    await asyncio.to_thread(log.create_topic)
    await log.append()
    event = (await log.rows("SELECT event FROM events"))[0][0]
    await asyncio.to_thread(log.publish, *(frame(log.source, index, bytes(event)) for index in range(3)))
    with pytest.raises(Diverged) as refused:
        await asyncio.wait_for(log.sequencer().run(), 30)
    assert (refused.value.topic, refused.value.index) == (log.topic, 2)
    assert await log.records() == []


async def test_a_topic_that_says_something_else_is_refused(log: Log) -> None:
    """The same index with other bytes: one of the two logs is not this source's."""
    running = log.start(log.sequencer())
    await log.append_many(2)
    await log.published(2)
    await log.stop(running)
    await asyncio.to_thread(log.delete_topic)
    await asyncio.to_thread(log.create_topic)
    await asyncio.to_thread(log.publish, frame(log.source, 1, b"another event"))
    await log.append()
    with pytest.raises(Diverged):
        await asyncio.wait_for(log.sequencer().run(), 30)
    assert len(await log.records()) == 2


async def test_what_is_no_record_does_not_count(log: Log) -> None:
    """Somebody wrote into the topic: the relay goes on after its own last record."""
    running = log.start(log.sequencer())
    await log.append_many(2)
    await log.published(2)
    await log.stop(running)
    await asyncio.to_thread(log.publish, b"\xff\xff", frame("another.source", 7, b"event"))
    log.start(log.sequencer())
    await log.append()
    assert (await log.published(5))[-1].value == (await log.numbered(3))[-1]


async def test_a_topic_of_several_partitions_is_refused(log: Log) -> None:
    """It would have no order."""
    admin = await asyncio.to_thread(open_admin, log.kafka)
    await asyncio.to_thread(admin.create_topics, {log.topic: {"num_partitions": 2, "replication_factor": 1}})
    await asyncio.to_thread(admin.close)
    with pytest.raises(TopicUnfit):
        await asyncio.wait_for(log.sequencer().run(), 30)


async def test_a_topic_keeps_everything_for_ever(log: Log) -> None:
    """One partition, no limit of time or size, no compaction."""
    log.start(log.sequencer())
    await log.append()
    await log.published(1)
    admin = await asyncio.to_thread(open_admin, log.kafka)
    wanted = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
    asked = [ConfigResource(ConfigResourceType.TOPIC, log.topic, configs=list(wanted))]
    told = (await asyncio.to_thread(admin.describe_configs, asked, config_filter="all"))["topic"][log.topic]
    await asyncio.to_thread(admin.close)
    assert {name: value["value"] for name, value in told.items()} == wanted


def test_one_broker_of_three_may_be_missing() -> None:
    """And with one there is no other."""
    assert Replication.of(3) == Replication(factor=3, min_insync=2)
    assert Replication.of(1) == Replication(factor=1, min_insync=1)
