"""What a topic has that its store does not: the last trace of acts when a database was restored from an old copy."""

import asyncio
import base64
import json
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from amparo.record.v1 import record_pb2
from eventlog.kafka import drop_producer, open_producer
from eventlog.origin import HEADER
from eventlog.sequencer import frame
from runtime.database import engine
from runtime.secrets import origin
from runtime.settings import Settings
from runtime.surplus import print_surplus
from tests.eventually import eventually
from tests.runtime.conftest import Issuer, Serve


async def published(settings: Settings, serve: Serve, issuer: Issuer) -> bytes:
    """One act, in the store and in the topic. Its event."""
    async with serve(settings) as client:
        headers = {"Idempotency-Key": "a"}
        await client.post("/v1/parcels", json={"agency": "police"}, headers=headers, auth=issuer.holder("filer"))
        reading = engine(settings.database)

        async def taken() -> bytes | None:
            async with reading.connect() as connection:
                if (await connection.execute(text("SELECT FROM seen"))).one_or_none() is None:
                    return None
                return bytes((await connection.execute(text("SELECT record FROM records"))).scalar_one())

        record = await eventually(taken, timeout=30)
        await reading.dispose()
    assert record is not None
    return record_pb2.Record.FromString(record).event


def write(settings: Settings, *values: bytes, headers: Sequence[tuple[str, bytes]] = ()) -> None:
    """Into the service's topic, past its store."""
    producer = open_producer(settings.kafka)
    for value in values:
        producer.send(settings.topic("intake"), value, b"key", list(headers), 0).get(10)
    drop_producer(producer)


async def test_records_that_the_store_lacks_or_has_otherwise_are_shown_with_their_bytes(
    parcel_settings: Settings, serve: Serve, issuer: Issuer, capsys: pytest.CaptureFixture[str]
) -> None:
    """Those that both have are not; nor is what is no record."""
    event = await published(parcel_settings, serve, issuer)
    source = parcel_settings.source("intake")
    other = record_pb2.Event(stream="parcel/x", version=4, type="amparo.x").SerializeToString()
    lost, altered = frame(source, 1, event), frame(source, 0, other)
    tag = origin(parcel_settings).tag(source, lost)
    await asyncio.to_thread(write, parcel_settings, lost, headers=[(HEADER, tag.encode())])
    await asyncio.to_thread(write, parcel_settings, b"no record", altered)
    capsys.readouterr()
    await asyncio.to_thread(print_surplus, parcel_settings, "intake")
    shown = capsys.readouterr()
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert [(line["index"], line["stored"], base64.b64decode(line["record"])) for line in lines] == [
        (1, False, lost),
        (0, True, altered),
    ]
    assert [line["tagged"] for line in lines] == [True, False]
    assert lines[0]["recorded_at"] == record_pb2.Event.FromString(event).recorded_at.ToJsonString()
    assert (lines[1]["stream"], lines[1]["version"]) == ("parcel/x", 4)
    assert "2 records that the store does not have so" in shown.err
