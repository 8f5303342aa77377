"""One process: what it answers, how it comes up, what it does while a part of the stack is away."""

import base64

import httpx
import pytest
from sqlalchemy import text

from amparo.record.v1 import record_pb2
from eventlog.kafka import open_admin
from runtime.database import engine
from runtime.settings import Settings
from tests.eventually import eventually
from tests.runtime.conftest import PARCEL, Issuer, Serve
from tests.runtime.parcels.app import PERSONAL


async def test_an_act_is_stored_numbered_published_and_taken(
    parcel_settings: Settings, serve: Serve, issuer: Issuer
) -> None:
    """From the HTTP request to the consumer's table, through PostgreSQL and Kafka, in one process."""
    async with serve(parcel_settings) as client:
        headers = {"Idempotency-Key": "a"}
        answer = await client.post(
            "/v1/parcels", json={"agency": "police"}, headers=headers, auth=issuer.holder("filer")
        )
        assert answer.status_code == 201, answer.text
        reading = engine(parcel_settings.database)

        async def taken() -> list[str]:
            async with reading.connect() as connection:
                return list((await connection.execute(text("SELECT case_id FROM seen"))).scalars())

        assert await eventually(taken, timeout=20) == [answer.json()["case_id"]]
        await reading.dispose()


async def test_a_topic_is_made_on_as_many_brokers_as_the_setting_says(
    parcel_settings: Settings, serve: Serve, capfd: pytest.CaptureFixture[str]
) -> None:
    """Where there are too few, none is made: a source that thinks it is on three disks is not on one."""
    seen = ""

    def refused() -> bool:
        nonlocal seen
        seen += "".join(capfd.readouterr())
        return "InvalidReplicationFactorError" in seen

    async with serve(parcel_settings.model_copy(update={"replication": 2})):
        await eventually(refused)
    with open_admin(parcel_settings.kafka) as admin:
        assert parcel_settings.topic("intake") not in admin.list_topics()


async def test_records_are_served_in_order_by_pages(parcel_settings: Settings, serve: Serve, issuer: Issuer) -> None:
    """Whoever has a gap asks for what follows the last index it has, and is told whether there may be more."""
    async with serve(parcel_settings) as client:
        for number in range(3):
            headers = {"Idempotency-Key": f"act-{number}"}
            await client.post("/v1/parcels", json=PARCEL, headers=headers, auth=issuer.holder("filer"))

        async def page(**query: int) -> httpx.Response:
            return await client.get("/v1/records", params=query, auth=issuer.holder("service"))

        everything = (await eventually(lambda: page(after=-1), accept=lambda a: len(a.json()["items"]) == 3)).json()
        assert [item["index"] for item in everything["items"]] == [0, 1, 2]
        assert everything["next_after"] is None
        record = record_pb2.Record.FromString(base64.b64decode(everything["items"][1]["record"]))
        assert (record.source, record.index) == (parcel_settings.source("intake"), 1)
        assert (await page(after=0, limit=1)).json()["next_after"] == 1
        assert (await page(after=2)).json()["items"] == []
        assert (await page(limit=501)).status_code == 422
        assert (await client.get("/v1/records", auth=issuer.holder("filer"))).status_code == 403
        assert (await client.get("/v1/records")).status_code == 401


async def test_a_stream_is_as_far_as_what_was_recorded_on_it(
    parcel_settings: Settings, serve: Serve, issuer: Issuer
) -> None:
    """What was answered counts at once, though nobody numbers it: who asks must not act on less."""
    unnumbered = parcel_settings.model_copy(update={"sequencer_database": "postgresql+psycopg://nobody@127.0.0.1:9/x"})
    async with serve(unnumbered, until_ready=False) as client:
        headers = {"Idempotency-Key": "act"}
        answer = await client.post("/v1/parcels", json=PARCEL, headers=headers, auth=issuer.holder("filer"))
        filed = answer.json()

        async def version(stream: str, role: str = "service") -> httpx.Response:
            return await client.get("/v1/streams", params={"stream": stream}, auth=issuer.holder(role))

        stream = f"request/{filed['case_id']}"
        assert (await version(stream)).json() == {"stream": stream, "version": 1}
        assert (await version("request/none")).json()["version"] == 0
        assert (await version(stream, "filer")).status_code == 403


async def test_answers_carry_a_request_id_and_no_banner_and_allow_no_other_origin(
    parcel_settings: Settings, serve: Serve
) -> None:
    """A page of somebody else's cannot use this API from a visitor's browser."""
    async with serve(parcel_settings, until_ready=False) as client:
        answer = await client.get("/v1/nothing", headers={"Origin": "https://elsewhere.test"})
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.headers["x-request-id"]) == 16
        assert "server" not in answer.headers
        preflight = await client.options("/v1/parcels", headers={"Origin": "https://elsewhere.test"})
        assert preflight.status_code == 405
        assert not [name for name in (*answer.headers, *preflight.headers) if name.startswith("access-control")]
        too_long = await client.post("/v1/parcels", content=b"x" * 65_537)
        assert too_long.status_code == 413


async def test_a_fault_shows_nothing_of_what_was_sent(
    parcel_settings: Settings, serve: Serve, issuer: Issuer, capfd: pytest.CaptureFixture[str]
) -> None:
    """An exception's text may quote what somebody filed: neither answer nor log holds it."""
    async with serve(parcel_settings, until_ready=False) as client:
        answer = await client.get("/v1/parcels/Rosa", auth=issuer.holder("filer"))
        assert answer.status_code == 500
        assert PERSONAL not in answer.text
        assert "Rosa" not in "".join(capfd.readouterr())


async def test_it_answers_while_the_database_is_away(parcel_settings: Settings, serve: Serve, issuer: Issuer) -> None:
    """The client is told to try again; the process lives."""
    nowhere = "postgresql+psycopg://nobody:x@127.0.0.1:9/nowhere"
    away = parcel_settings.model_copy(update={"database": nowhere, "sequencer_database": nowhere})
    async with serve(away, until_ready=False) as client:
        health = await client.get("/healthz")
        assert (health.status_code, health.json()["checks"]["database"]) == (503, False)
        headers = {"Idempotency-Key": "a"}
        answer = await client.post(
            "/v1/parcels", json={"agency": "police"}, headers=headers, auth=issuer.holder("filer")
        )
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"


async def test_the_api_is_described_and_shown_from_here_alone(parcel_settings: Settings, serve: Serve) -> None:
    """OpenAPI 3.1, and a page whose policy lets nothing from elsewhere run."""
    async with serve(parcel_settings, until_ready=False) as client:
        described = (await client.get("/openapi.json")).json()
        assert described["openapi"].startswith("3.1")
        assert set(described["paths"]) == {"/v1/parcels", "/v1/parcels/{case_id}", "/v1/records", "/v1/streams"}
        assert described["paths"]["/v1/records"]["get"]["summary"] == ("The records behind `after`, lowest index first")
        page = await client.get("/docs")
        assert page.status_code == 200
        assert "https://" not in page.text
        assert "default-src 'none'; script-src 'self'" in page.headers["content-security-policy"]
        for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
            assert (await client.get(f"/docs/{name}")).status_code == 200
        assert (await client.get("/docs/redoc.standalone.js")).status_code == 404
