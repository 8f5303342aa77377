"""A connection that says nothing, or too much, before its request is closed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from access import middleware
from runtime.listening import CarefulProtocol


class Hasty(CarefulProtocol):
    """With a shorter patience."""

    head_seconds = 0.2


@pytest.fixture
async def port() -> AsyncIterator[int]:
    """Where a real server listens."""
    app = FastAPI()
    middleware.install(app)

    @app.get("/")
    async def hello() -> str:
        return "hello"

    config = uvicorn.Config(app, port=0, http=Hasty, log_config=None, server_header=False, lifespan="off")
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined, unused-ignore]
    socket = config.bind_socket()
    serving = asyncio.create_task(server._serve([socket]))
    yield socket.getsockname()[1]
    server.should_exit = True
    await serving
    socket.close()


async def said(port: int, *parts: bytes) -> bytes:
    """All that a server answers to these parts until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(30):
            for part in parts:
                writer.write(part)
                await writer.drain()
            return await reader.read()
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize(
    "parts",
    [(b"",), (b"GET / HTTP/1.1\r\nHost: a\r\n",), (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"GET / HTTP/1.1\r\nX")],
    ids=["silent", "half a head", "half a second head"],
)
async def test_an_unfinished_head_is_not_waited_for(port: int, parts: tuple[bytes, ...]) -> None:
    """On a new connection as on one that has served."""
    answer = await said(port, *parts)
    assert answer.count(b"HTTP/1.1 200") == len(parts) - 1


async def test_an_endless_head_is_not_kept(port: int) -> None:
    """64 KiB are room enough for any token."""
    filler: Any = b"X-Filler: " + b"x" * 8000 + b"\r\n"
    with_head = b"GET / HTTP/1.1\r\nHost: a\r\n"
    try:
        assert await said(port, with_head + filler * 20) == b""
    except ConnectionError:
        return  # closed while we still wrote


async def test_an_ordinary_request_is_served_without_a_banner(port: int) -> None:
    """Neither the server nor its version is named."""
    answer = await said(port, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200")
    assert b"server:" not in answer.lower()
    assert b"uvicorn" not in answer.lower()


async def test_a_request_that_is_none_is_told_nothing_of_us(port: int) -> None:
    """No name, no version, no trace."""
    answer = await said(port, b"\x16\x03\x01 nonsense\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400")
    assert b"uvicorn" not in answer.lower()
    assert b"Traceback" not in answer
