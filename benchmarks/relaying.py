"""Owns the third measurement: the relay against a raw kafka-python producer.

Both send the same keys, values and headers, idempotently, to all replicas; the raw producer has them made beforehand,
once with its own settings otherwise and once with the relay's. *Ours* is `eventlog.relay.Relay` as a leading sequencer
feeds it: batches of stamped records, until the last is acknowledged and the relay knows it; and the same from the
table, as when a broker has lost its data. All have sent a first record before the time begins: a producer's first one
waits for addresses and its number.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from kafka import KafkaProducer
from sqlalchemy import make_url

from amparo.record.v1 import record_pb2
from benchmarks.appending import ORIGIN, Sequenced, evidence
from benchmarks.ground import BENCH, Ground
from benchmarks.harness import Figure, Target, ratio, turns
from benchmarks.load import Load
from eventlog.kafka import Lane, Replication, ensure_topic, headers_of, open_producer
from eventlog.relay import Framed, Relay
from eventlog.sequencer import STAMP_EVENTS
from eventlog.tracing import as_kafka_headers
from runtime import telemetry

GROUP = "Relay ÷ raw kafka-python producer"
TARGET = Target(goal=0.9, at_most=False)
SOURCE = f"{BENCH}.relay"
TRACE = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}
"""Every record carries the trace of its append."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is measured: rounds, and records in a round of each form (a multiple of 500, at most 10,000)."""

    rounds: int
    records: int


FULL = Size(rounds=9, records=10_000)
QUICK = Size(rounds=3, records=5_000)


async def measure(ground: Ground, load: Load, size: Size) -> list[Figure]:
    """The forms take turns, each on a fresh topic; only PostgreSQL and Kafka run besides."""
    await ground.keep_only("postgres", "kafka")
    kafka = ground.value("AMPARO_KAFKA")
    urls = ground.store("relay")
    framed = await _stamped(urls, kafka=kafka, records=size.records, sequencer=urls["sequencer"])
    forms = {
        "handed": lambda topic: _relayed(framed, topic=topic, kafka=kafka, database=urls["sequencer"], handed=True),
        "refilled": lambda topic: _relayed(framed, topic=topic, kafka=kafka, database=urls["sequencer"], handed=False),
        "raw": lambda topic: _raw(framed, topic=topic, kafka=kafka, tuned=False),
        "tuned": lambda topic: _raw(framed, topic=topic, kafka=kafka, tuned=True),
    }
    rates: dict[str, list[float]] = defaultdict(list)
    for number, form in turns(list(forms), rounds=size.rounds + 1):
        topic = f"amparo.{SOURCE}.{form}.{number}"
        await asyncio.to_thread(ensure_topic, kafka, topic, Replication())
        seconds = await forms[form](topic)
        if number:
            rates[form].append((size.records - 1) / seconds)
    return [
        ratio(rates["handed"], rates["raw"], group=GROUP, name="as stamped", unit="/s", target=TARGET),
        ratio(rates["refilled"], rates["raw"], group=GROUP, name="refilled from the table", unit="/s"),
        ratio(rates["handed"], rates["tuned"], group=GROUP, name="as stamped, raw with our settings", unit="/s"),
    ]


async def _stamped(urls: Any, *, kafka: str, records: int, sequencer: str) -> Sequence[Framed]:
    ours = Sequenced(urls, source=SOURCE, kafka=kafka)
    async with ours.running():
        for number in range(records // STAMP_EVENTS):
            await ours.append([evidence() for _ in range(STAMP_EVENTS)], stream=f"evidence/{number}")
        await ours.numbered()
    async with await _connect(sequencer) as store, store.cursor(binary=True) as cursor:
        await cursor.execute("SELECT index, record, event FROM records JOIN events USING (pos) ORDER BY index")
        return [Framed(index, record, stored, TRACE) for index, record, stored in await cursor.fetchall()]


async def _relayed(framed: Sequence[Framed], *, topic: str, kafka: str, database: str, handed: bool) -> float:
    acknowledged = asyncio.Event()
    loop = asyncio.get_running_loop()

    def step(name: str) -> None:
        if name == "acknowledged":
            loop.call_soon(acknowledged.set)

    async def until(index: int) -> None:
        while relay.published != index:
            acknowledged.clear()
            await acknowledged.wait()

    async with await _connect(database) as store:
        relay = Relay(
            source=SOURCE,
            topic=topic,
            kafka=kafka,
            store=store,
            origin=ORIGIN,
            tracing=telemetry.messaging,
            replication=Replication(),
            step=step,
        )
        running = asyncio.create_task(relay.run())
        try:
            await relay.looked.wait()
            relay.offer(framed[:1])
            await until(0)
            began = time.perf_counter()
            if handed:
                for start in range(1, len(framed), STAMP_EVENTS):
                    relay.offer(framed[start : start + STAMP_EVENTS])
            else:
                relay.start_after(framed[-1].index)
                relay._wake.set()
            await until(framed[-1].index)
            return time.perf_counter() - began
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)


async def _raw(framed: Sequence[Framed], *, topic: str, kafka: str, tuned: bool) -> float:
    ready = []
    for each in framed:
        parsed = record_pb2.Event.FromString(each.event)
        ready.append((each.record, parsed.stream.encode(), [*headers_of(SOURCE, parsed), *as_kafka_headers(TRACE)]))
    lane = Lane("raw-producer")
    producer = await lane.call(open_producer if tuned else _plain_producer, kafka)

    def send() -> float:
        value, key, headers = ready[0]
        producer.send(topic, value, key, headers, 0).get(timeout=30)
        began = time.perf_counter()
        for value, key, headers in ready[1:]:
            last = producer.send(topic, value, key, headers, 0)
        last.get(timeout=30)
        return time.perf_counter() - began

    try:
        return await lane.call(send)
    finally:
        lane.leave(producer.close)


def _plain_producer(kafka: str) -> KafkaProducer:
    return KafkaProducer(bootstrap_servers=kafka, enable_idempotence=True, acks="all")


async def _connect(url: str) -> psycopg.AsyncConnection[Any]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return await psycopg.AsyncConnection.connect(plain, autocommit=True)
