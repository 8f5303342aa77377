"""The timeline's process on a real Kafka and a real PostgreSQL: taking, streaming, rebuilding."""

import asyncio
import json
import os
import secrets
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from joserfc.jwk import ECKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from amparo.intake.v1 import events_pb2 as intake
from amparo.record.v1 import record_pb2
from eventlog.kafka import Replication, ensure_topic, open_producer
from eventlog.origin import HEADER, Origin
from local import ports
from runtime.service import Service
from runtime.settings import Settings
from services.timeline import projections
from services.timeline.__main__ import retake_all
from services.timeline.api import stream
from services.timeline.app import create_service
from services.timeline.rebuild import RecordAltered, RecordMissing, Replaying, rebuild
from services.timeline.taking import parse, take
from tests.eventually import eventually
from tests.services.timeline.conftest import Issuer
from tests.services.timeline.records import CASE, FILER, POLICE, Story, file, whole_story
from tests.stack import Databases


class Topics:
    """The topics of a mechanism of a test's own, and what is published to them."""

    def __init__(self, kafka: str, transport_key: Path) -> None:
        self.kafka = kafka
        self.transport_key = transport_key
        self.origin = Origin.load(transport_key.read_text())
        self.mechanism = f"t{secrets.token_hex(3)}"

    def source(self, record: bytes) -> bytes:
        """The record as this mechanism's source would have framed it."""
        framed = record_pb2.Record.FromString(record)
        framed.source = f"{self.mechanism}.{framed.source.partition('.')[2]}"
        return framed.SerializeToString(deterministic=True)

    def name(self, source: str) -> str:
        return f"amparo.{source}"

    async def publish(self, records: Iterable[bytes]) -> None:
        await asyncio.to_thread(self._publish, [self.source(record) for record in records])

    def _publish(self, records: Sequence[bytes]) -> None:
        for service in ("intake", "protection", "referral", "vault"):
            ensure_topic(self.kafka, self.name(f"{self.mechanism}.{service}"), Replication())
        producer = open_producer(self.kafka)
        for record in records:
            source = parse(record).source
            tag = self.origin.tag(source, record).encode()
            producer.send(self.name(source), record, headers=[(HEADER, tag)])
        producer.flush()
        producer.close()


@pytest.fixture
def topics(kafka: str, transport_key: Path) -> Topics:
    return Topics(kafka, transport_key)


@pytest.fixture
async def running(
    topics: Topics, timeline_databases: Databases, database: AsyncEngine, issuer: Issuer, tmp_path: Path
) -> AsyncIterator[Service]:
    """The process, with its loops, on a port."""
    port = ports.choose(["timeline"])["timeline"]
    settings = Settings(
        environment="embedded",
        mechanism=topics.mechanism,
        database=timeline_databases.url("timeline"),
        kafka=topics.kafka,
        transport_key=topics.transport_key,
        port=port,
        public_urls=f"http://127.0.0.1:{port}",
        client_id="timeline",
        client_key=_client_key(tmp_path),
        token_endpoint="http://127.0.0.1:1/token",
        issuer="http://127.0.0.1:1",
    )
    service = create_service(settings, verifier=issuer.verifier)
    async with _serving(service):
        yield service


def _client_key(folder: Path) -> Path:
    key = folder / "client.jwk"
    key.write_text(json.dumps(ECKey.generate_key("P-256", parameters={"kid": "timeline"}).as_dict(private=True)))
    key.chmod(0o600)
    return key


@asynccontextmanager
async def _serving(service: Service) -> AsyncIterator[None]:
    config = uvicorn.Config(
        service.app(), host="127.0.0.1", port=service.settings.port, log_config=None, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    await eventually(lambda: server.started, timeout=20)
    yield
    server.should_exit = True
    await task


def _client(service: Service, issuer: Issuer, role: str = "auditor", unit: str = "") -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{service.settings.port}", auth=issuer.holder(role=role, unit=unit), timeout=30
    )


async def _settled(database: AsyncEngine, count: int) -> None:
    async def taken() -> int:
        async with database.connect() as session:
            return int((await session.execute(text("SELECT count(*) FROM entries"))).scalar_one())

    await eventually(taken, timeout=30, accept=lambda found: found == count)


async def test_a_waiting_reader_is_woken_by_the_commit(
    topics: Topics, running: Service, database: AsyncEngine, issuer: Issuer
) -> None:
    """Nobody polls for news while the process listens: the answer comes with the record, long before the next look."""
    story = Story()
    file(story)
    await topics.publish(story.told)
    await _settled(database, 5)
    story.tell(intake.EvidenceAdded(evidence_id="e-1"), stream=f"request/{CASE}", second=5)
    async with _client(running, issuer) as client:
        query = {"at_least": f"request/{CASE}:4"}
        reading = asyncio.create_task(client.get(f"/v1/cases/{CASE}/timeline", params=query))
        async with database.begin() as session:
            await take(session, topics.source(story.told[-1]))
        answer = (await reading).json()
    assert (answer["stale"], answer["items"][-1]["kind"]) == (False, "evidence.added")


async def test_what_the_sources_publish_is_on_the_timeline_and_in_the_figures(
    topics: Topics, running: Service, database: AsyncEngine, issuer: Issuer
) -> None:
    """From four topics to one timeline, one table of response times, and no lag."""
    story = whole_story()
    await topics.publish(story.told)
    await _settled(database, len(story.told))
    async with _client(running, issuer) as client:
        lines = (await client.get(f"/v1/cases/{CASE}/timeline", params={"limit": 200})).json()["items"]
        times = (await client.get("/v1/response-times")).json()["items"]
        positions = (await client.get("/v1/positions")).json()
        health = await client.get("/healthz")
    assert len(lines) == len(story.told) - 4  # the agencies and a refusal stand with no case
    assert len(times) == 3
    assert [item["lag"] for item in positions["items"]] == [0, 0, 0, 0]
    assert positions["log_size"] == len(story.told)
    assert health.status_code == 200


async def _events(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    event: dict[str, Any] = {}
    async for line in answer.aiter_lines():
        if line.startswith("id: "):
            event["id"] = line.removeprefix("id: ")
        elif line.startswith("data: "):
            event["data"] = json.loads(line.removeprefix("data: "))
        elif not line and "data" in event:
            yield event
            event = {}


async def _read(client: httpx.AsyncClient, count: int, **request: Any) -> list[dict[str, Any]]:
    """So many events of the stream."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(20), client.stream("GET", "/v1/stream", **request) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for event in _events(answer):
            found.append(event)
            if len(found) == count:
                break
    return found


async def test_the_stream_goes_on_where_it_was_left(
    topics: Topics, running: Service, database: AsyncEngine, issuer: Issuer
) -> None:
    """A reader that was cut off misses nothing and gets nothing twice, over four sources."""
    story = whole_story()
    await topics.publish(story.told[:12])
    await _settled(database, 12)
    async with _client(running, issuer) as client:
        first_id = f"{topics.mechanism}.intake:0"
        some = await _read(client, 3, headers={"Last-Event-ID": first_id}, params={"case": CASE})
        reading = asyncio.create_task(
            _read(client, len(story.told) - 4 - 4, headers={"Last-Event-ID": some[-1]["id"]}, params={"case": CASE})
        )
        await topics.publish(story.told[12:])
        rest = await reading
        whole = (await client.get(f"/v1/cases/{CASE}/timeline", params={"limit": 200})).json()["items"]
    ids = [first_id, *(event["id"] for event in (*some, *rest))]
    assert len(set(ids)) == len(ids)
    assert set(ids) == {line["id"] for line in whole}
    assert {event["id"]: event["data"] for event in rest}[rest[-1]["id"]] in whole


async def test_the_stream_tells_each_reader_its_own_cases(
    topics: Topics, running: Service, database: AsyncEngine, issuer: Issuer
) -> None:
    """An organisation that follows its cases learns nothing of others'."""
    other = "0d9f1b52-7c50-4d0e-8d43-2f7f3f7c0002"
    story = Story()
    file(story)
    await topics.publish(story.told)
    await _settled(database, 5)
    async with _client(running, issuer, "filer", FILER) as client:
        reading = asyncio.create_task(_read(client, 1))
        async with _client(running, issuer, "filer", "ngo-beta") as stranger:
            assert (await stranger.get("/v1/stream", params={"case": CASE})).status_code == 404
            theirs = {"Last-Event-ID": f"{topics.mechanism}.intake:0"}
            assert (await stranger.get("/v1/stream", headers=theirs)).status_code == 400
        file(story, case=other, unit="ngo-beta", second=5)
        story.tell(intake.EvidenceAdded(evidence_id="e-1"), stream=f"request/{CASE}", second=9)
        await topics.publish(story.told[5:])
        (event,) = await reading
    assert (event["data"]["case_id"], event["data"]["kind"]) == (CASE, "evidence.added")


async def test_a_stream_ends_so_that_a_right_that_was_taken_away_ends(
    topics: Topics, running: Service, database: AsyncEngine, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection must not outlive its token for ever; the reader connects again and is asked who it is."""
    monkeypatch.setattr(stream, "LIFE_S", 0.5)
    await topics.publish(whole_story().told[:4])
    await _settled(database, 4)
    async with _client(running, issuer) as client, asyncio.timeout(10):
        answer = await client.get("/v1/stream")
    assert answer.text == "retry: 1000\n\n"


async def test_a_stream_ends_with_its_process(
    topics: Topics, running: Service, database: AsyncEngine, issuer: Issuer
) -> None:
    """The reader connects again; its connection is not cut off in the middle of an entry."""
    await topics.publish(whole_story().told[:4])
    await _settled(database, 4)
    async with (
        _client(running, issuer) as client,
        asyncio.timeout(10),
        client.stream("GET", "/v1/stream") as answer,
    ):
        lines = answer.aiter_lines()
        assert await anext(lines) == "retry: 1000"
        running.drain()
        assert [line async for line in lines if line] == []


@pytest.mark.parametrize("last", ["pe.intake:99", "nonsense", "pe.intake:-1", "pe.intake:1\x00"])
async def test_an_id_that_was_never_given_is_no_place_to_begin(last: str, running: Service, issuer: Issuer) -> None:
    """Starting somewhere else would lose what lies between, in silence."""
    async with _client(running, issuer) as client:
        with suppress(httpx.LocalProtocolError, ValueError):
            answer = await client.get("/v1/stream", headers={"Last-Event-ID": last})
            assert answer.status_code in (400, 422)
            assert answer.headers["content-type"] == "application/problem+json"


async def _nothing(source: str, after: int, limit: int) -> Sequence[bytes]:
    return ()


async def _told_live(topics: Topics, database: AsyncEngine) -> tuple[Story, dict[str, list[str]]]:
    """The whole story, taken in its order, and the tables it made."""
    story = whole_story()
    async with database.begin() as session:
        for record in story.told:
            await take(session, topics.source(record))
        return story, await projections.rows(session)


async def _spoil(database: AsyncEngine) -> None:
    """What a fault or a hand might have done to tables that anybody could rebuild."""
    async with database.begin() as session:
        await session.execute(text("DELETE FROM referrals"))
        await session.execute(text("UPDATE entries SET kind = 'unknown', due = NULL"))
        await session.execute(text("UPDATE cases SET entries = 0, excluded = '{x}'"))


async def _rows(database: AsyncEngine) -> dict[str, list[str]]:
    async with database.connect() as session:
        return await projections.rows(session)


async def test_rebuilt_tables_equal_the_live_ones_byte_for_byte(topics: Topics, database: AsyncEngine) -> None:
    """Tables are derived: from Kafka alone, source after source, they come out the same."""
    story, live = await _told_live(topics, database)
    await topics.publish(story.told)
    await _spoil(database)
    replay = Replaying(kafka=topics.kafka, topic=topics.name, fetch=_nothing, origin=topics.origin)
    assert await rebuild(database, replay=replay) == len(story.told)
    assert await _rows(database) == live
    assert all(live.values())


async def test_the_command_rebuilds(
    topics: Topics, timeline_databases: Databases, database: AsyncEngine, tmp_path: Path
) -> None:
    """``python -m services.timeline rebuild`` says how many records it replayed, or why it did not."""
    story, live = await _told_live(topics, database)
    await topics.publish(story.told)
    await _spoil(database)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([".", "proto"]),
        "AMPARO_ENVIRONMENT": "embedded",
        "AMPARO_MECHANISM": topics.mechanism,
        "AMPARO_DATABASE": timeline_databases.url("timeline"),
        "AMPARO_KAFKA": topics.kafka,
        "AMPARO_TRANSPORT_KEY": str(topics.transport_key),
        "AMPARO_CLIENT_ID": "timeline",
        "AMPARO_CLIENT_KEY": str(_client_key(tmp_path)),
        "AMPARO_TOKEN_ENDPOINT": "http://127.0.0.1:1/token",
        "AMPARO_ISSUER": "http://127.0.0.1:1",
    }
    assert await _command(environment) == (0, f"{len(story.told)} records replayed\n", "")
    assert await _rows(database) == live
    del environment["AMPARO_KAFKA"]
    assert await _command(environment) == (1, "", "timeline: AMPARO_KAFKA is not set, and this process needs it\n")


async def _command(environment: dict[str, str]) -> tuple[int | None, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.timeline", "rebuild"), env=environment, stdout=PIPE, stderr=PIPE
    )
    out, err = await process.communicate()
    said = [line for line in err.decode().splitlines(keepends=True) if not line.startswith("{")]
    return process.returncode, out.decode(), "".join(said)


async def test_what_kafka_lost_is_asked_of_the_sources(topics: Topics, database: AsyncEngine) -> None:
    """Kafka is transport: a topic that is empty, or ends early, changes nothing."""
    story, live = await _told_live(topics, database)
    await topics.publish(story.told[:10])
    await _spoil(database)

    async def fetch(source: str, after: int, limit: int) -> Sequence[bytes]:
        found = story.records[f"pe.{source.partition('.')[2]}"]
        return [topics.source(record) for record in found[after + 1 : after + 3]]

    await rebuild(database, replay=Replaying(kafka=topics.kafka, topic=topics.name, fetch=fetch, origin=topics.origin))
    assert await _rows(database) == live


async def test_an_altered_record_stops_a_rebuild_and_nothing_has_changed(topics: Topics, database: AsyncEngine) -> None:
    """The log knows what was taken in; whoever rewrites a topic does not rewrite the timeline."""
    story, live = await _told_live(topics, database)
    altered = bytearray(story.told[7])
    altered[-1] ^= 1
    await topics.publish([*story.told[:7], bytes(altered), *story.told[8:]])
    with pytest.raises(RecordAltered):
        await rebuild(
            database, replay=Replaying(kafka=topics.kafka, topic=topics.name, fetch=_nothing, origin=topics.origin)
        )
    assert await _rows(database) == live


async def test_a_record_that_nobody_has_stops_a_rebuild_and_nothing_has_changed(
    topics: Topics, database: AsyncEngine
) -> None:
    """A timeline with a hole is worse than an old one."""
    story, live = await _told_live(topics, database)
    await topics.publish(story.told[:-1])
    with pytest.raises(RecordMissing):
        await rebuild(
            database, replay=Replaying(kafka=topics.kafka, topic=topics.name, fetch=_nothing, origin=topics.origin)
        )
    assert await _rows(database) == live


async def test_a_rebuild_waits_for_no_reader_and_loses_no_record(
    topics: Topics, running: Service, database: AsyncEngine
) -> None:
    """While the process takes records, a rebuild gives the same tables as taking them did."""
    story = whole_story()
    await topics.publish(story.told[:15])
    await _settled(database, 15)
    replay = Replaying(kafka=topics.kafka, topic=topics.name, fetch=_nothing, origin=topics.origin)
    _, rebuilt = await asyncio.gather(topics.publish(story.told[15:]), rebuild(database, replay=replay))
    await _settled(database, len(story.told))
    live = await _rows(database)
    assert rebuilt >= 15
    await rebuild(database, replay=replay)
    assert await _rows(database) == live
    assert any(POLICE in row for row in live["referrals"])


async def test_a_timeline_that_took_what_no_source_has_is_made_anew(
    topics: Topics, running: Service, timeline_databases: Databases, database: AsyncEngine
) -> None:
    """``retake``: the database's owner empties it while the process runs, which takes every record again."""
    story = whole_story()
    await topics.publish(story.told[:-1])
    await _settled(database, len(story.told) - 1)
    owner = timeline_databases.url("timeline", "owner")
    emptying = running.settings.model_copy(update={"owner_database": owner})
    assert await retake_all(emptying) == len(story.told) - 1
    await topics.publish(story.told[-1:])
    await _settled(database, len(story.told))
    replay = Replaying(kafka=topics.kafka, topic=topics.name, fetch=_nothing, origin=topics.origin)
    live = await _rows(database)
    assert await rebuild(database, replay=replay) == len(story.told)
    assert await _rows(database) == live
