"""The outermost layer of HTTP: a server span, a request id, one log line and one duration for each request.

Neither line nor span holds the path or the query: only the route's template, method, status and time.
"""

import re
import secrets
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime import logs, telemetry

UNMATCHED = "(none)"
QUIET = frozenset({"/healthz", "/livez"})
"""Asked every second by whoever watches the process: neither logged nor traced while they answer 200."""
OPAQUE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""A path parameter is what the caller typed; only what has an id's form is repeated."""
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_log = structlog.get_logger("http")


class Observed:
    """ASGI middleware. The answer's ``X-Request-Id`` is ours: a caller's could carry anything into the logs."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] in QUIET:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = secrets.token_hex(8)
        status = 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        caller = {"traceparent": Headers(scope=scope).get("traceparent", "")}
        with (
            telemetry.span(method, kind="server", headers=caller, attributes={"http.request.method": method}) as span,
            logs.bound(request_id=request_id),
        ):
            try:
                await self._app(scope, receive, watched)
            finally:
                route = getattr(scope.get("route"), "path", UNMATCHED)
                seconds = time.perf_counter() - started
                case_id = str(scope.get("path_params", {}).get("case_id", ""))
                span.name(f"{method} {route}")
                span.set("http.route", route)
                span.set("http.response.status_code", status)
                if status >= 500:
                    span.fail(str(status))
                ids = {"case_id": case_id} if OPAQUE.fullmatch(case_id) else {}
                for name, value in ids.items():
                    span.set(f"amparo.{name}", value)
                telemetry.measure(
                    "http.server.request.duration",
                    seconds,
                    **{"http.request.method": method, "http.route": route, "http.response.status_code": status},
                )
                _log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 2), **ids)
