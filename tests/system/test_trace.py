"""One trace through the whole: a consent by HTTP, outbox, Kafka, bridge, workflow, activity, referral, timeline."""

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from access.token_source import TokenSource
from local import stackfile
from runtime.clock import system_clock
from tests.eventually import eventually
from tests.otlp import ReceivedSpan, Receiver, receiving, tree

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "tracing.md"
AGENCY = "pnp-ucayali"
WAY = [
    "intake: POST /v1/requests/{case_id}/consents",
    "intake: send amparo.pe.intake",
    "workflows: process amparo.pe.intake",
    "workflows: SignalWithStartWorkflow:ProtectionCase",
    "workflows: StartActivity:referral.send",
    "referral: RunActivity:referral.send",
    "referral: send amparo.pe.referral",
    "timeline: process amparo.pe.referral",
]
"""From a consent to the moment from which everyone entitled sees that the referral went out."""

pytestmark = pytest.mark.slow


@dataclass(frozen=True, kw_only=True, slots=True)
class Traced:
    """A running stack that sends its traces here."""

    receiver: Receiver
    values: Mapping[str, str]

    @property
    def mechanism(self) -> str:
        return self.values["AMPARO_MECHANISM"]


@pytest.fixture(scope="module")
def traced(
    postgres: str, kafka: str, temporal: str, temporal_namespace: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Traced]:
    """All processes as `make up` starts them, on the run's own servers."""
    home = tmp_path_factory.mktemp("traced") / "home"
    with receiving() as receiver:
        environment = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            "AMPARO_HOME": str(home),
            "AMPARO_MECHANISM": f"t{secrets.token_hex(3)}",
            "AMPARO_POSTGRES": postgres,
            "AMPARO_KAFKA": kafka,
            "AMPARO_TEMPORAL": temporal,
            "AMPARO_TEMPORAL_NAMESPACE": temporal_namespace,
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }

        def local(*arguments: str) -> None:
            command = (sys.executable, "-m", "local", *arguments)
            done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stdout + done.stderr

        try:
            local("up", "--no-drill")
            yield Traced(receiver=receiver, values=stackfile.read(home))
        finally:
            local("reset", "--yes")


async def test_one_trace_from_the_request_to_the_timeline(traced: Traced) -> None:
    """Whoever asks why a referral went out finds the consent, every process between, and when it could be seen."""
    story = yaml.safe_load((ROOT / "local" / "stories.yaml").read_text())[0]
    consent = {"agency": AGENCY, "discloses": ["identity"], "text_version": "drill-es-1"}
    filing, trace = secrets.token_hex(16), secrets.token_hex(16)
    async with organisation(traced.values) as ngo:
        case = (await act(ngo, "/v1/requests", story["request"], trace=filing))["case_id"]
        await eventually(lambda: "RunWorkflow:ProtectionCase" in names(traced.receiver.trace(filing)), timeout=60)
        await act(ngo, f"/v1/requests/{case}/consents", consent, trace=trace)

    documented = set(re.findall(r"^ *(\w+: .+?) \[", DOCUMENT.read_text(), re.MULTILINE))
    assert len(documented) > 15

    def whole() -> list[ReceivedSpan]:
        """All of it: each process sends its spans when it gets to it."""
        spans = traced.receiver.trace(trace)
        assert way_to(spans, "timeline", f"process amparo.{traced.mechanism}.referral", traced) == WAY, tree(spans)
        assert documented <= {line(span, traced) for span in spans}, tree(spans)
        return spans

    found = await eventually(whole, timeout=90)
    shown = tree(found)
    assert not [span for span in found if span.failed], shown
    request = next(span for span in found if span.kind == "server" and span.service == "intake")
    assert request.attributes["amparo.case_id"] == case


async def test_nothing_that_was_filed_is_in_any_span_or_metric(traced: Traced) -> None:
    """Whoever reads the telemetry learns of nobody: names, places, contacts and narratives stay sealed."""
    story = yaml.safe_load((ROOT / "local" / "stories.yaml").read_text())[1]
    trace = secrets.token_hex(16)
    async with organisation(traced.values) as ngo:
        await act(ngo, "/v1/requests", story["request"], trace=trace)
    await eventually(lambda: len(traced.receiver.trace(trace)) > 8, timeout=60)
    sent = b"".join(traced.receiver.bodies)
    assert len(sent) > 10_000
    assert not [text for text in personal(story["request"]) if text.encode() in sent]


async def act(ngo: httpx.AsyncClient, path: str, body: Mapping[str, Any], *, trace: str) -> dict[str, Any]:
    """One act under a trace of the client's own."""
    headers = {"Idempotency-Key": secrets.token_hex(16), "traceparent": f"00-{trace}-{secrets.token_hex(8)}-01"}
    answer = await ngo.post(path, json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def organisation(values: Mapping[str, str]) -> httpx.AsyncClient:
    """The registry's API, as the organisation's own system uses it."""
    tokens = TokenSource.from_file(
        client_id="ngo",
        key_file=Path(values["AMPARO_HOME"]) / "keys" / "clients" / "ngo.jwk",
        token_endpoint=values["AMPARO_TOKEN_ENDPOINT"],
        audience=values["AMPARO_ISSUER"],
        clock=system_clock,
    )
    return httpx.AsyncClient(base_url=values["AMPARO_URL_INTAKE"], auth=tokens, trust_env=False)


def names(spans: list[ReceivedSpan]) -> set[str]:
    """What happened in them."""
    return {span.name for span in spans}


def way_to(spans: list[ReceivedSpan], service: str, name: str, traced: Traced) -> list[str]:
    """From the root to a service's span, as lines; empty where there is no such span."""
    by_id = {span.id: span for span in spans}
    way = [span for span in spans if (span.service, span.name) == (service, name)][:1]
    while way and way[0].parent in by_id:
        way.insert(0, by_id[way[0].parent])
    return [line(span, traced) for span in way]


def line(span: ReceivedSpan, traced: Traced) -> str:
    """Service and span, as they are called in the mechanism `pe`."""
    return f"{span.service}: {span.name}".replace(f"amparo.{traced.mechanism}.", "amparo.pe.")


def personal(request: Mapping[str, Any]) -> list[str]:
    """The texts of a filing that say who, where, or what."""
    subjects = [subject.get(field, "") for subject in request["subjects"] for field in ("name", "contact", "place")]
    texts = [*subjects, request["narrative"], request["wanted"]]
    return [part for text in texts if text for part in (text, text.split(",")[0])]
