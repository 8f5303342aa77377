"""Owns what every HTTP answer and every body obeys: a cap, a time, one media type, careful headers, and no fault that
speaks. Nothing here lets a page of another origin read an answer: there is no CORS.

The server's own banner is not ours to remove: start uvicorn with ``server_header=False``.
"""

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from access.crowds import Crowds, Places, Strangers
from access.dpop import NONCE_HEADER
from access.problems import answer, fault

if TYPE_CHECKING:
    from starlette.applications import Starlette

MAX_BODY_BYTES = 64 * 1024
BODY_SECONDS = 15.0
"""For a whole body: 64 KiB by a slow telephone (5 KB/s) take 13 s."""
JSON = "application/json"
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Permitted-Cross-Domain-Policies": "none",
}
STRICT_POLICY = "default-src 'none'; frame-ancestors 'none'"  # for all but pages, which need their scripts


def install(
    app: "Starlette",
    *,
    max_body_bytes: int = MAX_BODY_BYTES,
    media_type: str | None = JSON,
    crowds: Crowds | None = None,
) -> None:
    """Harden ``app``, the headers outermost. With ``media_type`` ``None`` any is taken; without ``crowds`` nobody is
    counted.
    """
    if crowds is not None:
        app.add_middleware(Places, crowds=crowds)
    app.add_middleware(BodyCap, max_body_bytes=max_body_bytes, media_type=media_type)
    if crowds is not None:
        app.add_middleware(Strangers, crowds=crowds)
    app.add_middleware(Faults)
    app.add_middleware(CarefulHeaders)


_ALWAYS = tuple((name.lower().encode(), value.encode()) for name, value in HEADERS.items())
_NOT_KEPT = frozenset((*(name for name, _ in _ALWAYS), b"server", b"x-powered-by"))
_NONCE = NONCE_HEADER.lower().encode()
_NO_STORE = (b"cache-control", b"no-store")
_STRICT_POLICY = (b"content-security-policy", STRICT_POLICY.encode())


def _careful(given: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """An answer's headers, as ASGI has them: pairs of bytes, names in lower case."""
    kept = [pair for pair in given if pair[0] not in _NOT_KEPT]
    named = dict(kept)
    kept += _ALWAYS
    if _NO_STORE[0] not in named:
        kept.append(_NO_STORE)
    if not named.get(b"content-type", b"").startswith(b"text/html"):
        kept = [pair for pair in kept if pair[0] != _STRICT_POLICY[0]]
        kept.append(_STRICT_POLICY)
    return kept


class CarefulHeaders:
    """Adds ``HEADERS`` and the nonce for the client's next proof; forbids keeping a copy unless the route says
    otherwise; drops what names the software.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def careful(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = _careful(message.get("headers", ()))
                if nonce := scope.get("state", {}).get("dpop_nonce"):  # set by `access.authentication`
                    message["headers"].append((_NONCE, nonce.encode()))
            await send(message)

        await self._app(scope, receive, careful)


class Faults:
    """Turns what nobody foresaw into the problem ``internal``.

    The framework's own last resort raises the exception on to the server, which prints its text; that may quote what
    somebody filed. So nothing is raised on from here. Of an answer that had begun, the server closes the connection.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            response = fault(error)  # also logs it
            if not started:
                await response(scope, receive, send)


class BodyCap:
    """Reads a body to its end before the application sees it; refuses it as soon as it is too large, too slow or of
    another type, and where an object in it names a member twice: of two lists of exclusions, the parser would silently
    drop one.

    A declared length is believed when it is too large, never when it is small: a chunked body is counted as it comes.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_body_bytes: int = MAX_BODY_BYTES,
        media_type: str | None = JSON,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._app = app
        self._max = max_body_bytes
        self._seconds = body_seconds
        self._media_type = media_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        declared = headers.get("content-length", "")
        if declared.isdecimal() and (len(declared) > 12 or int(declared) > self._max):
            await self._refuse("too-large", scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                body = await self._read(receive)
        except TimeoutError:
            await self._refuse("too-slow", scope, receive, send)
            return
        if body is None:
            return  # the client went away; nobody waits for an answer
        if len(body) > self._max:
            await self._refuse("too-large", scope, receive, send)
            return
        sent_as = headers.get("content-type", "").partition(";")[0].strip().lower()
        if body and self._media_type is not None and sent_as != self._media_type:
            await self._refuse("unsupported-media-type", scope, receive, send)
            return
        if body and self._media_type == JSON and _names_a_member_twice(body):
            await answer("malformed-request")(scope, receive, send)
            return
        await self._app(scope, _replay(bytes(body), receive), send)

    async def _read(self, receive: Receive) -> bytearray | None:
        """The body, or as much of it as shows that it is too large; nothing where the client went away."""
        body = bytearray()
        more = True
        while more and len(body) <= self._max:
            message = await receive()
            if message["type"] != "http.request":
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return body

    async def _refuse(self, code: str, scope: Scope, receive: Receive, send: Send) -> None:
        # The rest of the body is not read, so the connection cannot serve another request.
        await answer(code, headers={"Connection": "close"})(scope, receive, send)


class _Twice(Exception):
    """An object names a member twice."""


def _once(pairs: Sequence[tuple[str, object]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise _Twice


def _names_a_member_twice(body: bytearray) -> bool:
    try:
        json.loads(body, object_pairs_hook=_once)
    except _Twice:
        return True
    except (ValueError, RecursionError):
        return False  # no JSON at all: whoever parses it for the route says so
    return False


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def replayed() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
