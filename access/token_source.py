"""Owns how a process gets its own access token: a signed assertion (private_key_jwt, RFC 7523) to the token endpoint,
and a cache.

It imports an HTTP client and joserfc only, so that a small program can use it.
"""

import asyncio
import json
import secrets
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

ALGORITHM = "ES256"
GRANT = "client_credentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = timedelta(seconds=30)
RENEW_BEFORE = timedelta(seconds=30)
TIMEOUT_S = 5.0


class NoToken(Exception):
    """The token endpoint gave no token: it refused this client, or does not answer."""


class TokenSource(httpx.Auth):
    """Bearer tokens of one client, renewed 30 s before they expire.

    Use ``token()`` or ``token_sync()``, or hand the source to an HTTP client as its ``auth``: then a request that is
    answered 401 is sent once more with a new token, since keys may have been rotated.
    """

    def __init__(
        self,
        *,
        client_id: str,
        key: ECKey,
        token_endpoint: str,
        clock: Callable[[], datetime],
        audience: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``audience`` is the issuer where it is known: an assertion for it is of no use anywhere else. ``transport``
        serves tests.
        """
        self._client_id = client_id
        self._key = key
        self._endpoint = token_endpoint
        self._audience = audience or token_endpoint
        self._clock = clock
        self._transport = transport
        self._token: str | None = None
        self._renew_at: datetime | None = None
        self._renewing = asyncio.Lock()
        self._renewing_sync = threading.Lock()

    @classmethod
    def from_file(
        cls,
        *,
        client_id: str,
        key_file: Path,
        token_endpoint: str,
        clock: Callable[[], datetime],
        audience: str | None = None,
    ) -> "TokenSource":
        """With the private JWK of ``key_file``. Raises ``OSError`` and ``ValueError`` for a key that cannot be read."""
        key = ECKey.import_key(json.loads(key_file.read_text()))
        return cls(client_id=client_id, key=key, token_endpoint=token_endpoint, clock=clock, audience=audience)

    async def token(self) -> str:
        """A token with at least a few seconds to live. Raises `NoToken`."""
        if (token := self._fresh()) is not None:
            return token
        async with self._renewing:
            if (token := self._fresh()) is not None:
                return token
            try:
                # A transport of our own: the proxies of the environment are for the world outside.
                transport = self._transport or httpx.AsyncHTTPTransport()
                async with httpx.AsyncClient(transport=transport, timeout=TIMEOUT_S) as client:
                    return self._keep(await client.post(self._endpoint, data=self._form()))
            except httpx.HTTPError as error:
                raise NoToken(f"the token endpoint does not answer: {type(error).__name__}") from error

    def token_sync(self) -> str:
        """As `token`, for programs without an event loop."""
        if (token := self._fresh()) is not None:
            return token
        with self._renewing_sync:
            if (token := self._fresh()) is not None:
                return token
            try:
                with httpx.Client(transport=httpx.HTTPTransport(), timeout=TIMEOUT_S) as client:
                    return self._keep(client.post(self._endpoint, data=self._form()))
            except httpx.HTTPError as error:
                raise NoToken(f"the token endpoint does not answer: {type(error).__name__}") from error

    def forget(self) -> None:
        """The next call asks for a new token."""
        self._token = None

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Adds the token; once more with a new one after a 401."""
        used = await self.token()
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._forget_if(used)
            request.headers["Authorization"] = f"Bearer {await self.token()}"
            yield request

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Adds the token; once more with a new one after a 401."""
        used = self.token_sync()
        request.headers["Authorization"] = f"Bearer {used}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._forget_if(used)
            request.headers["Authorization"] = f"Bearer {self.token_sync()}"
            yield request

    def _fresh(self) -> str | None:
        return self._token if self._renew_at is not None and self._clock() < self._renew_at else None

    def _forget_if(self, used: str) -> None:
        if self._token == used:
            self._token = None

    def _form(self) -> dict[str, str]:
        return {"grant_type": GRANT, "client_assertion_type": ASSERTION_TYPE, "client_assertion": self._assertion()}

    def _assertion(self) -> str:
        now = self._clock()
        header = {"alg": ALGORITHM, "kid": self._key.thumbprint()}
        claims: dict[str, Any] = {
            "iss": self._client_id,
            "sub": self._client_id,
            "aud": self._audience,
            "jti": secrets.token_urlsafe(16),
            "iat": int(now.timestamp()),
            "exp": int((now + ASSERTION_LIFETIME).timestamp()),
        }
        return jwt.encode(header, claims, self._key, algorithms=[ALGORITHM])

    def _keep(self, response: httpx.Response) -> str:
        if response.status_code != httpx.codes.OK:
            raise NoToken(f"the token endpoint answered {response.status_code} to {self._client_id}")
        try:
            given = response.json()
            token, lifetime = str(given["access_token"]), timedelta(seconds=int(given["expires_in"]))
        except (ValueError, KeyError, TypeError) as error:
            raise NoToken("the token endpoint's answer holds no token") from error
        self._token, self._renew_at = token, self._clock() + lifetime - RENEW_BEFORE
        return token
