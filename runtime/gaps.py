"""How a consumer gets records that Kafka does not have: from the source's own read API, with its own token."""

import base64
from collections.abc import Awaitable, Callable, Sequence
from typing import get_args

import httpx

from access.token_source import TokenSource
from runtime.clock import system_clock
from runtime.settings import ServiceName, Settings

TIMEOUT_S = 10.0

Fetch = Callable[[str, int, int], Awaitable[Sequence[bytes]]]
"""``fetch(source, after, limit)``: the records behind an index, lowest first, without a gap."""


def when_needed(settings: Settings) -> Fetch:
    """As `fetcher`, made at its first call, which raises what that raises."""
    made: list[Fetch] = []

    async def fetch(source: str, after: int, limit: int) -> Sequence[bytes]:
        if not made:
            made.append(fetcher(settings))
        return await made[0](source, after, limit)

    return fetch


def fetcher(settings: Settings) -> Fetch:
    """Asks the service that owns the source. Raises ``httpx.HTTPError`` and `access.token_source.NoToken`."""
    tokens = TokenSource.from_file(
        client_id=settings.need("client_id"),
        key_file=settings.need("client_key"),
        token_endpoint=settings.need("token_endpoint"),
        clock=system_clock,
        audience=settings.issuer,
    )
    services: dict[str, ServiceName] = {settings.source(name): name for name in get_args(ServiceName)}

    async def fetch(source: str, after: int, limit: int) -> Sequence[bytes]:
        url = f"{settings.url(services[source])}/v1/records"
        async with httpx.AsyncClient(auth=tokens, timeout=TIMEOUT_S, trust_env=False) as client:
            answer = await client.get(url, params={"after": after, "limit": limit})
            answer.raise_for_status()
        return [base64.b64decode(item["record"]) for item in answer.json()["items"]]

    return fetch
