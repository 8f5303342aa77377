"""One trace through HTTP, outbox, Kafka and consumer, as a real OTLP receiver gets it; and nothing personal in it."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from runtime import telemetry
from runtime.database import engine
from runtime.settings import Settings
from tests.eventually import eventually
from tests.otlp import ReceivedSpan, Receiver, receiving, tree
from tests.runtime.conftest import PARCEL, Issuer, Serve
from tests.runtime.parcels.app import PERSONAL

CALLER = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{CALLER}-b7ad6b7169203331-01"


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver to which this process sends."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
    with receiving() as found:
        telemetry.start("intake", endpoint=found.url)
        yield found
        telemetry.stop()


async def test_one_trace_from_the_request_to_the_consumer(
    parcel_settings: Settings, serve: Serve, issuer: Issuer, receiver: Receiver
) -> None:
    """Each step is a child of the one before it: request, append, relay, consumer."""
    async with serve(parcel_settings) as client:
        filer = issuer.holder("filer")
        await client.get("/v1/records", auth=filer)  # it has its nonce from here on
        headers = {"Idempotency-Key": "a", "traceparent": TRACEPARENT}
        assert (await client.post("/v1/parcels", json=PARCEL, headers=headers, auth=filer)).status_code == 201
        topic = parcel_settings.topic("intake")
        spans = await eventually(
            lambda: receiver.trace(CALLER),
            timeout=20,
            accept=lambda found: f"process {topic}" in [s.name for s in found],
        )
    shown = tree(spans)
    by_name = {span.name: span for span in spans}
    request, append = by_name["POST /v1/parcels"], by_name["SELECT append_events"]
    sent, taken = by_name[f"send {topic}"], by_name[f"process {topic}"]
    assert [s.kind for s in (request, append, sent, taken)] == ["server", "client", "producer", "consumer"], shown
    assert (append.parent, sent.parent, taken.parent) == (request.id, request.id, sent.id), shown
    assert by_name["INSERT seen"].parent == taken.id, shown
    assert request.attributes["http.route"] == "/v1/parcels"
    assert request.attributes["http.response.status_code"] == 201
    assert sent.attributes["messaging.destination.name"] == topic
    assert taken.attributes["messaging.kafka.offset"] == 0


async def test_no_span_or_metric_holds_what_was_sent(
    parcel_settings: Settings, serve: Serve, issuer: Issuer, receiver: Receiver
) -> None:
    """A failing route raises with a person's name in its text, and is called with one in its path and query."""
    async with serve(parcel_settings, until_ready=False) as client:
        filer = issuer.holder("filer")
        await client.get("/v1/records", auth=filer)  # it has its nonce from here on
        headers = {"traceparent": TRACEPARENT, "tracestate": "x=Rosa", "baggage": "n=Rosa"}
        await client.get("/v1/parcels/Rosa?who=Rosa", headers=headers, auth=filer)
        spans: list[ReceivedSpan] = await eventually(lambda: receiver.trace(CALLER), timeout=10)
        await eventually(lambda: "http.server.request.duration" in receiver.metrics, timeout=10)
    assert [(s.name, s.failed) for s in spans] == [("GET /v1/parcels/{case_id}", True)]
    sent = b"".join(receiver.bodies)
    assert not [word for word in ("Rosa", "Quispe", PERSONAL) if word.encode() in sent]


async def test_a_lost_receiver_costs_nothing_else(parcel_settings: Settings, serve: Serve, issuer: Issuer) -> None:
    """Telemetry is a help: acts go on without it."""
    telemetry.start("intake", endpoint="http://127.0.0.1:9")
    async with serve(parcel_settings) as client:
        headers = {"Idempotency-Key": "a"}
        assert (
            await client.post("/v1/parcels", json=PARCEL, headers=headers, auth=issuer.holder("filer"))
        ).status_code == 201


async def test_without_an_endpoint_the_trace_still_reaches_the_outbox(
    parcel_settings: Settings, serve: Serve, issuer: Issuer
) -> None:
    """Logs of several processes can be joined though nobody records; of a caller's headers only the trace is kept."""
    async with serve(parcel_settings) as client:
        headers = {"Idempotency-Key": "a", "traceparent": TRACEPARENT, "tracestate": "x=1"}
        await client.post("/v1/parcels", json=PARCEL, headers=headers, auth=issuer.holder("filer"))
        reading = engine(parcel_settings.database)

        async def stored() -> list[dict[str, str]]:
            async with reading.connect() as connection:
                return list((await connection.execute(text("SELECT headers FROM records"))).scalars())

        (found,) = await eventually(stored, timeout=10)
        await reading.dispose()
    assert list(found) == ["traceparent"]
    assert found["traceparent"].startswith(f"00-{CALLER}-")
    assert found["traceparent"].endswith("-00")


@pytest.mark.parametrize(
    "header",
    [
        "",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-Rosa",
    ],
)
def test_a_malformed_traceparent_starts_a_new_trace(header: str) -> None:
    """W3C Trace Context 3.2.2: an invalid header is ignored."""
    assert telemetry.extract({"traceparent": header}) is None


def test_a_span_inside_another_is_in_its_trace() -> None:
    """Without a recorder too."""
    with telemetry.span("outer"):
        outer = telemetry.current()
        with telemetry.span("inner"):
            inner = telemetry.current()
        assert telemetry.current() == outer
    assert outer is not None
    assert inner is not None
    assert (inner.trace_id == outer.trace_id, inner.span_id == outer.span_id) == (True, False)
    assert telemetry.current() is None
