"""Asking another service how far a stream is."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from runtime import versions
from runtime.settings import Settings
from runtime.versions import SourceSilent, Versions

Answering = Callable[[BaseHTTPRequestHandler, threading.Event], None]


def answers(status: int, **document: object) -> Answering:
    """Answers each request with this."""

    def answer(request: BaseHTTPRequestHandler, _: threading.Event) -> None:
        body = json.dumps(document).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    return answer


def hangs(_: BaseHTTPRequestHandler, over: threading.Event) -> None:
    """Takes the request and never answers, as a stopped process does."""
    over.wait()


@contextmanager
def listening(answering: Answering) -> Iterator[int]:
    """The port of a server, whose connections have ended when it has."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answering(self, over)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            answering(self, over)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = False  # so that closing it waits for its connections

    with Server(("127.0.0.1", 0), Handler) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        try:
            yield server.server_address[1]
        finally:
            over.set()
            server.shutdown()
            serving.join()


async def asked(tmp_path: Path, source: Answering) -> int:
    """What a source is understood to say of a stream."""
    key = tmp_path / "client.jwk"
    key.write_text(json.dumps(ECKey.generate_key("P-256").as_dict(private=True)))
    tokens = answers(200, access_token="t", token_type="DPoP", expires_in=300)
    with listening(tokens) as token_port, listening(source) as port:
        settings = Settings(
            environment="embedded",
            client_id="referral",
            client_key=key,
            token_endpoint=f"http://127.0.0.1:{token_port}/token",
            issuer="http://127.0.0.1:1",
            url_intake=f"http://127.0.0.1:{port}",
        )
        found = Versions(settings, "intake")
        try:
            return await found.of("request/1")
        finally:
            await found.close()


async def test_the_source_says_how_far_the_stream_is(tmp_path: Path) -> None:
    """A number, from the source itself."""
    assert await asked(tmp_path, answers(200, stream="request/1", version=7)) == 7


@pytest.mark.parametrize(
    "source",
    [answers(503), answers(403), answers(200), answers(200, version=None)],
)
async def test_whatever_is_no_answer_is_silence(tmp_path: Path, source: Answering) -> None:
    """Nobody takes an error for a zero."""
    with pytest.raises(SourceSilent):
        await asked(tmp_path, source)


async def test_a_source_that_hangs_is_silent_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process takes requests and answers none."""
    monkeypatch.setattr(versions, "ANSWERS_WITHIN_S", 0.2)
    async with asyncio.timeout(5):
        with pytest.raises(SourceSilent):
            await asked(tmp_path, hangs)
