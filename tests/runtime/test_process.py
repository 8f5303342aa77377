"""A process as it is started: settings from variables, logs on stderr, health without its neighbours, a quick end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import ports
from runtime.settings import Settings
from tests.eventually import eventually
from tests.runtime.parcels.app import PERSONAL

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "tests.runtime.parcels")


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The variables that say what ``settings`` say."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}",
        "AMPARO_ENVIRONMENT": settings.environment,
        "AMPARO_MECHANISM": settings.mechanism,
        "AMPARO_DATABASE": settings.database,
        "AMPARO_SEQUENCER_DATABASE": settings.sequencer_database,
        "AMPARO_KAFKA": settings.kafka,
        "AMPARO_RECEIPT_KEY": str(settings.receipt_key),
        "AMPARO_TRANSPORT_KEY": str(settings.transport_key),
        "AMPARO_PUBLIC_URLS": settings.public_urls,
        **more,
    }


class Process:
    """A running process and the lines it has logged."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path, url: str) -> None:
        self.process, self._log, self.url = process, log, url

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._log.read_text().splitlines()]

    async def checks(self) -> dict[str, bool]:
        async with httpx.AsyncClient() as client:
            try:
                return dict((await client.get(f"{self.url}/healthz")).json()["checks"])
            except httpx.TransportError:
                return {}


@contextmanager
def running(variables: Mapping[str, str], log: Path) -> Iterator[Process]:
    """The small service as a process of its own."""
    port = ports.choose(["service"])["service"]
    with log.open("wb") as stderr:
        process = subprocess.Popen(COMMAND, env={**variables, "AMPARO_PORT": str(port)}, stderr=stderr, cwd=ROOT)
    try:
        yield Process(process, log, f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


async def test_it_serves_while_kafka_and_temporal_are_away(parcel_settings: Settings, tmp_path: Path) -> None:
    """Nobody is refused because the transport is down; health says which loop waits."""
    away = {"AMPARO_KAFKA": "127.0.0.1:9", "AMPARO_TEMPORAL": "127.0.0.1:9"}
    with running(environment(parcel_settings, **away), tmp_path / "log") as process:
        found = await eventually(process.checks, accept=lambda c: bool(c) and c["sequencer"], timeout=20)
        assert found == {"database": True, "sequencer": True, "consumer.seeing": False, "worker": False}
        async with httpx.AsyncClient(base_url=process.url) as client:
            assert (await client.get("/healthz")).status_code == 503
            assert (await client.get("/livez")).status_code == 200
            assert "server" not in (await client.get("/livez")).headers


async def test_a_crashing_loop_is_named_and_started_again_and_its_text_is_not_logged(
    parcel_settings: Settings, tmp_path: Path
) -> None:
    """The operator reads type and place; what the exception quotes stays where it was."""
    variables = environment(parcel_settings, PARCELS_CRASH="1")
    with running(variables, tmp_path / "log") as process:

        def crashes() -> list[dict[str, Any]]:
            return [line for line in process.lines() if line["event"] == "loop_crashed"]

        found = await eventually(crashes, accept=lambda lines: len(lines) >= 2, timeout=20)
        assert [line["seconds"] for line in found[:2]] == [0.2, 0.4]
        assert found[0]["loop"] == "crashing"
        assert found[0]["error"] == "ValueError"
        assert re.match(r"tests/runtime/parcels/app\.py:\d+ < ", found[0]["where"])
        assert (await process.checks())["crashing"] is False
        assert PERSONAL not in (tmp_path / "log").read_text()


async def test_every_line_of_the_log_is_json_with_its_trace(parcel_settings: Settings, tmp_path: Path) -> None:
    """Also the lines of a request: its route's template and never its path."""
    with running(environment(parcel_settings), tmp_path / "log") as process:
        await eventually(process.checks, accept=lambda c: bool(c) and all(c.values()), timeout=20)
        async with httpx.AsyncClient(base_url=process.url) as client:
            trace = "0af7651916cd43dd8448eb211c80319c"
            headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
            case = "0e4a6d0e-3f0b-4a0e-9f5e-3d6f3a8f2b11"
            await client.get("/v1/parcels/Rosa?q=Rosa", headers=headers)
            await client.get(f"/v1/parcels/{case}", headers=headers)

        def lines() -> list[dict[str, Any]]:
            return [line for line in process.lines() if line["event"] == "request"]

        requests = await eventually(lines, accept=lambda found: len(found) == 2)  # written after the answer
        assert [(r["method"], r["route"], r["status"]) for r in requests] == [("GET", "/v1/parcels/{case_id}", 401)] * 2
        assert [r.get("case_id") for r in requests] == [None, case]
        assert {r["trace_id"] for r in requests} == {trace}
        assert {line["service"] for line in process.lines()} == {"parcels"}
        assert "Rosa" not in (tmp_path / "log").read_text()


async def test_it_ends_within_five_seconds_of_sigterm(parcel_settings: Settings, tmp_path: Path) -> None:
    """The supervisor restarts it often; what it was doing is finished or done again by the next."""
    with running(environment(parcel_settings), tmp_path / "log") as process:
        await eventually(process.checks, accept=lambda c: bool(c) and all(c.values()), timeout=20)
        began = time.monotonic()
        process.process.send_signal(signal.SIGTERM)
        process.process.wait(timeout=10)
        assert time.monotonic() - began < 5
        assert process.lines()[-1]["event"] == "stopped"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"AMPARO_DATABASE": ""}, "AMPARO_DATABASE is not set"),
        ({"AMPARO_MECHANISM": "Pe Ru"}, "AMPARO_MECHANISM"),
        ({"AMPARO_ENVIRONMENT": "production", "AMPARO_KEYRING": "/keys"}, "AMPARO_KEYRING is for"),
        ({"AMPARO_PORT": "hunter2"}, "AMPARO_PORT"),
    ],
)
def test_a_wrong_setting_is_one_line_that_names_it(wrong: dict[str, str], said: str) -> None:
    """And shows no value: it may be a password."""
    variables = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{ROOT}:{ROOT / 'proto'}", **wrong}
    done = subprocess.run(COMMAND, env=variables, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert said in done.stderr
    assert "hunter2" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
