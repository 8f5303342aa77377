"""`python -m services.<x> surplus`: the records that a service's topic has and its store does not have so.

A store that was restored from an older copy lacks what was recorded since; its topic may be the last place that has it.
"""

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator, Sequence

from kafka.errors import KafkaError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from amparo.record.v1 import record_pb2
from eventlog.kafka import Message, Reader, end_of, open_consumer, record_in
from eventlog.origin import Origin
from runtime import database
from runtime.secrets import origin as origin_of
from runtime.settings import Settings

_STORED = text("SELECT index, record FROM records WHERE index = ANY(:wanted)")


def print_surplus(settings: Settings, service: str) -> None:
    """One JSON line for each: ``index``, ``stored`` (whether the store has another one of that index), ``tagged``
    (whether its tag shows that the source published it: nobody takes what is not tagged), the event's
    ``stream``, ``version``, ``type``, ``recorded_at``, and ``record``, its bytes in base64. The sum on stderr.

    Names and texts in it are sealed. Ends with status 1 when the broker does not answer.
    """
    try:
        count = asyncio.run(_print_all(settings, service))
    except KafkaError as error:
        sys.exit(f"{service}: Kafka does not answer ({type(error).__name__})")
    print(f"{settings.topic(service)}: {count} records that the store does not have so", file=sys.stderr)


async def _print_all(settings: Settings, service: str) -> int:
    origin = origin_of(settings)
    engine = database.engine(settings.need("database"), name="surplus")
    count = 0
    try:
        async for messages in _messages(settings.need("kafka"), settings.topic(service)):
            for line in await _surplus(engine, settings.source(service), messages, origin):
                print(json.dumps(line))
                count += 1
    finally:
        await engine.dispose()
    return count


async def _surplus(
    engine: AsyncEngine, source: str, messages: Sequence[Message], origin: Origin
) -> list[dict[str, object]]:
    records = [(record, message) for message in messages if (record := record_in(source, message.value))]
    async with engine.connect() as session:
        found = await session.execute(_STORED, {"wanted": [record.index for record, _ in records]})
        stored = {index: bytes(record) for index, record in found}
    return [
        _line(
            record,
            message.value,
            stored=record.index in stored,
            tagged=origin.vouches(source, message.value, message.headers),
        )
        for record, message in records
        if stored.get(record.index) != message.value
    ]


def _line(record: record_pb2.Record, value: bytes, *, stored: bool, tagged: bool) -> dict[str, object]:
    event = record_pb2.Event.FromString(record.event)
    told = {"stream": event.stream, "version": event.version, "type": event.type}
    at = event.recorded_at.ToJsonString()
    return {
        "index": record.index,
        "stored": stored,
        "tagged": tagged,
        **told,
        "recorded_at": at,
        "record": base64.b64encode(value).decode(),
    }


async def _messages(bootstrap: str, topic: str) -> AsyncIterator[Sequence[Message]]:
    """All that the topic holds now, in order."""
    end = await asyncio.to_thread(_end, bootstrap, topic)
    reached = 0
    async with Reader(bootstrap=bootstrap, offsets={topic: 0}) as reader:
        while reached < end:
            if messages := await reader.poll():
                reached = messages[-1].offset + 1
                yield messages


def _end(bootstrap: str, topic: str) -> int:
    consumer = open_consumer(bootstrap)
    try:
        return end_of(consumer, topic)
    finally:
        consumer.close()
