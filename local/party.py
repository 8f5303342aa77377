"""One client of the mechanism as the drill plays it: own credentials, the public APIs, and the receipts it was given.

An act is sent under one key until it is answered, as a careful client does: an answer that was lost is asked for again.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from access.token_source import NoToken, TokenSource

RETRY_S = 0.3
SERVICES = ("intake", "protection", "referral", "timeline")


class DrillFailed(Exception):
    """The drill did not come to its end; the text says what was refused or waited for."""


class NotThere(DrillFailed):
    """There is nothing here for this client, or not yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Act:
    """What a service answered to an act: ``answer`` holds stream, version, event hash and receipt."""

    client: str
    service: str
    path: str
    answer: Mapping[str, Any]


async def at_once(path: str) -> None:
    """Waits for nothing."""


class Party:
    """One client of the mechanism with its own credentials. ``acts`` are those that were answered, in order."""

    def __init__(
        self, client_id: str, environment: Mapping[str, str], *, before: Callable[[str], Awaitable[None]] = at_once
    ) -> None:
        """``before`` is awaited before each act, with its path."""
        self.acts: list[Act] = []
        self._before = before
        self._client_id = client_id
        self._urls = {name: environment[f"AMPARO_URL_{name.upper()}"] for name in SERVICES}
        tokens = TokenSource.from_file(
            client_id=client_id,
            key_file=Path(environment["AMPARO_HOME"]) / "keys" / "clients" / f"{client_id}.jwk",
            token_endpoint=environment["AMPARO_TOKEN_ENDPOINT"],
            audience=environment["AMPARO_ISSUER"],
            clock=lambda: datetime.now(UTC),
        )
        self._client = httpx.AsyncClient(auth=tokens, timeout=10, trust_env=False)

    async def post(self, service: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """One act. Raises `DrillFailed` when it is refused."""
        await self._before(path)
        key = secrets.token_hex(16)
        answer = await self._answered("POST", service, path, json=body, headers={"Idempotency-Key": key})
        self.acts.append(Act(client=self._client_id, service=service, path=path, answer=answer))
        return answer

    async def get(self, service: str, path: str, **query: Any) -> dict[str, Any]:
        """One read. Raises `NotThere`, and `DrillFailed` when it is refused."""
        return await self._answered("GET", service, path, params=query)

    async def attempt(self, method: str, service: str, path: str, **request: Any) -> httpx.Response:
        """One call as it is given, once, whatever is answered."""
        return await self._client.request(method, f"{self._urls[service]}{path}", **request)

    async def close(self) -> None:
        """Ends the connections."""
        await self._client.aclose()

    async def _answered(self, method: str, service: str, path: str, **request: Any) -> dict[str, Any]:
        while True:
            try:
                answer = await self._client.request(method, f"{self._urls[service]}{path}", **request)
            except (httpx.TransportError, NoToken):
                await asyncio.sleep(RETRY_S)
                continue
            if answer.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                await asyncio.sleep(RETRY_S)
                continue
            if answer.status_code == httpx.codes.NOT_FOUND:
                raise NotThere(f"{method} {path}: {answer.status_code} {answer.text}")
            if answer.is_error:
                raise DrillFailed(f"{method} {path}: {answer.status_code} {answer.text}")
            body: dict[str, Any] = answer.json()
            return body
