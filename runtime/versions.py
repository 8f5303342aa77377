"""How a service asks another how far a stream of its is, before it acts on what it has read of it: from the other's own
API, with its own token.

What was recorded there counts from the moment it was answered, also while it is neither numbered nor published.
"""

import asyncio

import httpx

from access.token_source import NoToken, TokenSource
from runtime.clock import system_clock
from runtime.settings import ServiceName, Settings

ANSWERS_WITHIN_S = 2.0
"""Somebody waits for what depends on it; a hung service is told apart from a slow one by then."""


class SourceSilent(Exception):
    """The service that owns the stream did not say how far it is."""


class Versions:
    """Asks one service. Connects when it is first called."""

    def __init__(self, settings: Settings, service: ServiceName) -> None:
        self._settings = settings
        self._service = service
        self._client: httpx.AsyncClient | None = None

    async def of(self, stream: str) -> int:
        """Version of the stream's last event, 0 where it has none. Raises `SourceSilent` after 2 s at most, and
        ``SettingMissing``.
        """
        client = self._connected()
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                answer = await client.get("/v1/streams", params={"stream": stream})
            answer.raise_for_status()
            return int(answer.json()["version"])
        except (httpx.HTTPError, NoToken, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise SourceSilent(f"{self._service}: {type(error).__name__}") from None

    async def close(self) -> None:
        """Ends its connections."""
        if self._client is not None:
            await self._client.aclose()

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            settings = self._settings
            tokens = TokenSource.from_file(
                client_id=settings.need("client_id"),
                key_file=settings.need("client_key"),
                token_endpoint=settings.need("token_endpoint"),
                clock=system_clock,
                audience=settings.issuer,
            )
            url = settings.url(self._service)
            self._client = httpx.AsyncClient(base_url=url, auth=tokens, timeout=ANSWERS_WITHIN_S, trust_env=False)
        return self._client
