"""What every body and every answer obeys."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from starlette.types import Message, Receive, Scope, Send

from access import middleware
from access.middleware import MAX_BODY_BYTES, BodyCap, Faults
from tests.access.problems_asserts import assert_problem
from tests.access.service import client_of

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def echo() -> AsyncIterator[httpx.AsyncClient]:
    """An application that says how long the body was."""
    app = FastAPI()
    middleware.install(app)

    @app.post("/length")
    async def length(request: Request) -> int:
        return len(await request.body())

    @app.get("/page")
    async def page() -> HTMLResponse:
        return HTMLResponse("<p>", headers={"Server": "Somebody/1.0", "Cache-Control": "max-age=60"})

    async with client_of(app) as client:
        yield client


async def pieces(total: int, size: int = 1000) -> AsyncIterator[bytes]:
    """A body of unknown length."""
    for start in range(0, total, size):
        yield b" " * min(size, total - start)


@pytest.mark.parametrize("size", [1, MAX_BODY_BYTES - 1, MAX_BODY_BYTES])
async def test_a_body_up_to_the_cap_arrives_whole(echo: httpx.AsyncClient, size: int) -> None:
    """Declared or in chunks."""
    for content in (b" " * size, pieces(size)):
        response = await echo.post("/length", content=content, headers=JSON)
        assert (response.status_code, response.text) == (200, str(size))


@pytest.mark.parametrize("size", [MAX_BODY_BYTES + 1, 10 * MAX_BODY_BYTES])
async def test_a_longer_body_is_refused_also_in_chunks(echo: httpx.AsyncClient, size: int) -> None:
    """A length that is not declared is counted."""
    for content in (b" " * size, pieces(size)):
        response = await echo.post("/length", content=content, headers=JSON)
        assert_problem(response, "too-large")
        assert response.headers["connection"] == "close"


async def test_an_endless_body_is_not_read_to_its_end() -> None:
    """The refusal comes as soon as the cap is passed, whatever length was declared."""
    read = 0

    async def endless() -> Message:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b" " * 10_000, "more_body": True}

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the application was called")

    for length in (b"5", b"-1", b"x", b""):
        read = 0
        scope = {"type": "http", "method": "POST", "headers": [(b"content-length", length)]}
        await BodyCap(never)(scope, endless, send)
        assert read == 7
        assert sent[-2]["status"] == 413


@pytest.mark.parametrize("declared", ["65537", "9" * 400, "99999999999999999999"])
async def test_a_declared_length_that_is_too_large_is_believed_at_once(declared: str) -> None:
    """Nothing of such a body is read."""

    async def unread() -> Message:
        raise AssertionError("the body was read")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "headers": [(b"content-length", declared.encode())]}
    await BodyCap(unread)(scope, unread, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 413


@pytest.mark.parametrize("sent_as", ["text/plain", "application/x-www-form-urlencoded", "", "application/jsonx"])
async def test_a_body_of_another_type_is_refused(echo: httpx.AsyncClient, sent_as: str) -> None:
    """A browser's form cannot be made to post to us across sites."""
    response = await echo.post("/length", content=b"{}", headers={"Content-Type": sent_as})
    assert_problem(response, "unsupported-media-type")


async def test_json_with_a_parameter_is_json(echo: httpx.AsyncClient) -> None:
    """As many clients send it."""
    response = await echo.post("/length", content=b"{}", headers={"Content-Type": "Application/JSON; charset=utf-8"})
    assert response.status_code == 200
    assert (await echo.post("/length")).text == "0"


async def test_every_answer_has_careful_headers_refusals_too(echo: httpx.AsyncClient) -> None:
    """Nothing is kept, guessed, framed or told on."""
    for response in (await echo.post("/length"), await echo.post("/length", content=b"x"), await echo.get("/none")):
        headers = response.headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert headers["x-frame-options"] == "DENY"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "server" not in headers


async def test_a_page_keeps_its_own_policy_and_no_banner(echo: httpx.AsyncClient) -> None:
    """Pages need their scripts and may be kept where they say so; no answer names the software."""
    headers = (await echo.get("/page")).headers
    assert "content-security-policy" not in headers
    assert headers["cache-control"] == "max-age=60"
    assert "server" not in headers


async def test_a_fault_in_the_middle_of_an_answer_ends_it() -> None:
    """What has begun cannot become another answer; it stops short, and nothing is raised on to the server."""

    async def half(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError("nothing is read")

    await Faults(half)({"type": "http"}, receive, send)
    assert [message.get("more_body") for message in sent] == [None, True]


async def test_a_body_that_comes_too_slowly_is_not_waited_for() -> None:
    """Whoever sends a byte now and then holds nothing for long."""

    async def slow() -> Message:
        await asyncio.sleep(3600)
        raise AssertionError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        raise AssertionError("the application was called")

    await BodyCap(never, body_seconds=0.01)({"type": "http", "method": "POST", "headers": []}, slow, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


async def test_no_other_origin_may_read_anything(echo: httpx.AsyncClient) -> None:
    """No answer allows a page of another origin to read it, nor to send what needs to be asked for first."""
    origin = {"Origin": "https://elsewhere.test"}
    asking = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answers = [
        await echo.options("/length", headers=asking),
        await echo.post("/length", content=b"{}", headers={**JSON, **origin}),
        await echo.get("/page", headers=origin),
    ]
    assert answers[0].status_code == 405
    for response in answers:
        assert not [name for name in response.headers if name.startswith("access-control-")]


async def test_every_answer_demands_encryption_and_isolation(echo: httpx.AsyncClient) -> None:
    """For two years; no window of another origin keeps hold of ours; no device is asked for."""
    for response in (await echo.post("/length"), await echo.get("/none"), await echo.get("/page")):
        assert "max-age=63072000" in response.headers["strict-transport-security"]
        assert response.headers["cross-origin-opener-policy"] == "same-origin"
        assert response.headers["cross-origin-resource-policy"] == "same-origin"
        assert "geolocation=()" in response.headers["permissions-policy"]
