"""Asking another service how far a stream is."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from joserfc.jwk import ECKey

from runtime import versions
from runtime.settings import Settings
from runtime.versions import SourceSilent, Versions

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def answers(status: str, **document: object) -> Handler:
    """A server that answers each request with this."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            body = json.dumps(document).encode()
            head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write(head.encode() + body)
            await writer.drain()

    return answer


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server that takes the request and never answers, as a stopped process does."""
    await reader.read()


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[int]:
    """The port of a server, whose connections have ended when it has."""
    connected = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connected.add(asyncio.current_task())
        await handler(reader, writer)
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(handle, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*connected)


async def asked(tmp_path: Path, source: Handler) -> int:
    """What a source is understood to say of a stream."""
    key = tmp_path / "client.jwk"
    key.write_text(json.dumps(ECKey.generate_key("P-256").as_dict(private=True)))
    tokens = answers("200 OK", access_token="t", expires_in=300)
    async with listening(tokens) as token_port, listening(source) as port:
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
    assert await asked(tmp_path, answers("200 OK", stream="request/1", version=7)) == 7


@pytest.mark.parametrize(
    "source",
    [answers("503 Service Unavailable"), answers("403 Forbidden"), answers("200 OK"), answers("200 OK", version=None)],
)
async def test_whatever_is_no_answer_is_silence(tmp_path: Path, source: Handler) -> None:
    """Nobody takes an error for a zero."""
    with pytest.raises(SourceSilent):
        await asked(tmp_path, source)


async def test_a_source_that_hangs_is_silent_soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stopped process takes requests and answers none."""
    monkeypatch.setattr(versions, "ANSWERS_WITHIN_S", 0.2)
    async with asyncio.timeout(5):
        with pytest.raises(SourceSilent):
            await asked(tmp_path, hangs)
