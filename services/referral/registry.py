"""Nothing is told of a case on less than the registry knows of it: how far its own stream is, before each disclosure.

The case files here are behind the registry by as much as their consumer is. A consent that was withdrawn, or an agency
that was excluded, counts from the registry's answer to whoever said so; where the registry cannot be asked, or what it
knows has not been read here, nothing is told.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol, TypeVar

LOOK_AGAIN_S = 0.05

T = TypeVar("T")


class Registry(Protocol):
    """Who owns the streams of requests: `runtime.versions.Versions`."""

    async def of(self, stream: str) -> int:
        """Version of the stream's last event. Raises `runtime.versions.SourceSilent`."""

    async def close(self) -> None:
        """Ends its connections."""


class RequestNotRead(Exception):
    """The registry's events on a case, or protection's on a measure, were not read as far as they go: try again."""


def request_stream(case_id: str) -> str:
    """The stream of a case's request, in the registry."""
    return f"request/{case_id}"


async def once_read(act: Callable[[], Awaitable[T]], *, within: timedelta) -> T:
    """Does ``act`` again while it raises `RequestNotRead`, which it raises itself once the time is over."""
    until = asyncio.get_running_loop().time() + within.total_seconds()
    while True:
        try:
            return await act()
        except RequestNotRead:
            if asyncio.get_running_loop().time() >= until:
                raise
        await asyncio.sleep(LOOK_AGAIN_S)
