"""Owns how much one client, one address and all together may ask, so that no flood of calls keeps out who is in danger.

- **A client** has a number of calls a minute, and apart from it a number of urgent ones: what it asked for otherwise
  never uses up a filing.
- **An address** whose calls prove nobody's identity has a number of them; then it is refused before its body is read.
  This never holds for an urgent route: behind one address may stand an attacker and a defender.
- **All together** share a service's database. Where a service has urgent routes, the others may hold only so many
  places at once and wait in a queue of fixed length; an urgent call takes none of these places.

Counted in this process's memory, by the kept library `limits`, in sliding windows.
"""

import asyncio
import ipaddress
import math
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import structlog
from fastapi import Request
from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from access.authentication import authenticated
from access.problems import Problem, answer

PLACES = 8
"""Calls at once that are not urgent: fewer than the database connections of a process (10)."""
QUEUE = 256
WAIT_S = 5.0
RETRY_S = 1
"""After which a client may try again where all places are taken."""
UNAUTHENTICATED = 401

Route = tuple[str, str]
"""Method and path."""

_log = structlog.get_logger("access.crowds")


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How much is enough, each as ``limits`` writes it: ``120 per minute``. Raises ``ValueError`` for another text."""

    client: str = "6000 per minute"
    urgent: str = "1200 per minute"
    stranger: str = "300 per minute"

    def __post_init__(self) -> None:
        for text in (self.client, self.urgent, self.stranger):
            parse(text)


@dataclass(kw_only=True, slots=True)
class Crowds:
    """The counts of one process. ``urgent`` are its routes that a flood of others must not refuse."""

    limits: Limits = field(default_factory=Limits)
    urgent: Collection[Route] = ()
    places: int = PLACES
    queue: int = QUEUE
    wait_s: float = WAIT_S
    _counter: SlidingWindowCounterRateLimiter = field(
        default_factory=lambda: SlidingWindowCounterRateLimiter(MemoryStorage())
    )
    _taken: asyncio.Semaphore | None = None
    _waiting: int = 0

    def is_urgent(self, scope: Scope) -> bool:
        """Whether a call is one that others must not keep out."""
        return (scope["method"], scope["path"]) in self.urgent

    async def client(self, client: str, *, urgent: bool) -> None:
        """Counts a client's call. Raises `Problem` ``too-many-requests``."""
        kind, text = ("urgent", self.limits.urgent) if urgent else ("client", self.limits.client)
        item = parse(text)
        if not await self._counter.hit(item, kind, client):
            _log.warning("too many requests", reason=kind, actor=client)
            raise Problem("too-many-requests", headers=await self._retry(item, kind, client))

    async def is_known_nuisance(self, address: str) -> Mapping[str, str] | None:
        """Headers of the refusal where an address has used up its calls without an identity."""
        item = parse(self.limits.stranger)
        if await self._counter.test(item, "stranger", address):
            return None
        return await self._retry(item, "stranger", address)

    async def stranger(self, address: str) -> None:
        """Counts a call that proved nobody's identity."""
        await self._counter.hit(parse(self.limits.stranger), "stranger", address)

    async def enter(self) -> bool:
        """Takes a place, or waits for one; false where none is to be had. Whoever entered must `leave`."""
        if self._taken is None:
            self._taken = asyncio.Semaphore(self.places)
        if self._taken.locked():
            if self._waiting >= self.queue:
                return False
            self._waiting += 1
            try:
                async with asyncio.timeout(self.wait_s):
                    await self._taken.acquire()
            except TimeoutError:
                return False
            finally:
                self._waiting -= 1
            return True
        await self._taken.acquire()
        return True

    def leave(self) -> None:
        """Gives the place back."""
        if self._taken is not None:
            self._taken.release()

    async def _retry(self, item: RateLimitItem, *identifiers: str) -> dict[str, str]:
        stats = await self._counter.get_window_stats(item, *identifiers)
        return {"Retry-After": str(max(1, math.ceil(stats.reset_time - time.time())))}


async def admit(request: Request) -> None:
    """A dependency of every route: counts the call of whom the token names. Raises `Problem` ``unauthenticated`` and
    ``too-many-requests``.
    """
    actor = await authenticated(request)
    crowds: Crowds | None = getattr(request.app.state, "crowds", None)
    if crowds is not None:
        await crowds.client(actor.id, urgent=crowds.is_urgent(request.scope))


class Strangers:
    """Refuses an address that proved nobody's identity too often, before anything of its body is read."""

    def __init__(self, app: ASGIApp, *, crowds: Crowds) -> None:
        self._app = app
        self._crowds = crowds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http" or self._crowds.is_urgent(scope):
            await self._app(scope, receive, send)
            return
        address = _address(scope)
        if (headers := await self._crowds.is_known_nuisance(address)) is not None:
            refused = answer("too-many-requests", headers={**headers, "Connection": "close"})
            await refused(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == UNAUTHENTICATED:
                await self._crowds.stranger(address)
            await send(message)

        await self._app(scope, receive, watched)


class Places:
    """Keeps places free for urgent calls. Stands behind what reads the body: a slow one holds no place."""

    def __init__(self, app: ASGIApp, *, crowds: Crowds) -> None:
        self._app = app
        self._crowds = crowds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        crowds = self._crowds
        if scope["type"] != "http" or not crowds.urgent or crowds.is_urgent(scope):
            await self._app(scope, receive, send)
            return
        if not await crowds.enter():
            await answer("unavailable", headers={"Retry-After": str(RETRY_S)})(scope, receive, send)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            crowds.leave()


def _address(scope: Scope) -> str:
    """Whom an address stands for: of IPv6 its first 64 bits, which is what one subscriber has."""
    host = str((scope.get("client") or ("", 0))[0])
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return "unknown"
    return host if found.version == 4 else str(ipaddress.ip_network((host, 64), strict=False))
