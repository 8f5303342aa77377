"""Owns how a process gets its own access token and uses it: a signed assertion (private_key_jwt, RFC 7523) to the token
endpoint, a cache, and a proof of possession (RFC 9449) with each request.

It imports an HTTP client and joserfc only, so that a small program can use it.
"""

import asyncio
import json
import secrets
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey

from access.dpop import ALGORITHM, SCHEME, Prover

GRANT = "client_credentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = timedelta(seconds=30)
RENEW_BEFORE = timedelta(seconds=30)
TIMEOUT_S = 5.0
MOST_NONCES = 3
"""How often one request is sent again because its nonce was not the server's, as when a proxy has several behind it."""


class NoToken(Exception):
    """The token endpoint gave no token: it refused this client, or does not answer."""


class TokenSource(httpx.Auth):
    """Tokens of one client, renewed 30 s before they expire, and the proofs that they need.

    Hand the source to an HTTP client as its ``auth``: then a request that is answered 401 is sent again with the nonce
    that the server wants, or once with a new token, since keys may have been rotated. Or use ``headers`` or
    ``headers_sync`` for one request, and ``prover.learn`` for what came back.
    """

    def __init__(
        self,
        *,
        client_id: str,
        key: ECKey,
        token_endpoint: str,
        clock: Callable[[], datetime],
        audience: str | None = None,
        prover: Prover | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """``audience`` is the issuer where it is known: an assertion for it is of no use anywhere else. Tokens are
        bound to the key of ``prover``, by default one made now: whoever copies the client's key file still cannot use a
        token that this process got. ``transport`` serves tests.
        """
        self._client_id = client_id
        self._key = key
        self._endpoint = token_endpoint
        self._audience = audience or token_endpoint
        self._clock = clock
        self.prover = prover or Prover(clock=clock)
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
                    answer = await client.post(self._endpoint, data=self._form(), headers=self._proof())
                    if self._wants_nonce(answer):
                        answer = await client.post(self._endpoint, data=self._form(), headers=self._proof())
                return self._keep(answer)
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
                    answer = client.post(self._endpoint, data=self._form(), headers=self._proof())
                    if self._wants_nonce(answer):
                        answer = client.post(self._endpoint, data=self._form(), headers=self._proof())
                return self._keep(answer)
            except httpx.HTTPError as error:
                raise NoToken(f"the token endpoint does not answer: {type(error).__name__}") from error

    def forget(self) -> None:
        """The next call asks for a new token."""
        self._token = None

    async def headers(self, method: str, url: str) -> dict[str, str]:
        """What one request needs, with the nonce that the server gave last. Raises `NoToken`."""
        return self.prover.headers(method=method, url=url, token=await self.token())

    def headers_sync(self, method: str, url: str) -> dict[str, str]:
        """As `headers`, for programs without an event loop."""
        return self.prover.headers(method=method, url=url, token=self.token_sync())

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Adds token and proof; sends again as the answer asks."""
        attempt = _Attempt()
        while attempt.goes_on:
            used = await self.token()
            self._sign(request, used)
            self._judge(attempt, used, (yield request))

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Adds token and proof; sends again as the answer asks."""
        attempt = _Attempt()
        while attempt.goes_on:
            used = self.token_sync()
            self._sign(request, used)
            self._judge(attempt, used, (yield request))

    def _sign(self, request: httpx.Request, token: str) -> None:
        request.headers.update(self.prover.headers(method=request.method, url=str(request.url), token=token))

    def _judge(self, attempt: "_Attempt", used: str, answer: httpx.Response) -> None:
        told = self.prover.learn(str(answer.request.url), answer.headers)
        if answer.status_code != httpx.codes.UNAUTHORIZED:
            attempt.goes_on = False
        elif told and "use_dpop_nonce" in answer.headers.get("WWW-Authenticate", ""):
            attempt.nonces += 1
            attempt.goes_on = attempt.nonces <= MOST_NONCES
        else:
            attempt.goes_on = not attempt.renewed
            attempt.renewed = True
            self._forget_if(used)

    def _proof(self) -> dict[str, str]:
        return {"DPoP": self.prover.proof(method="POST", url=self._endpoint)}

    def _wants_nonce(self, answer: httpx.Response) -> bool:
        told = self.prover.learn(self._endpoint, answer.headers)
        return told and answer.status_code != httpx.codes.OK and b"use_dpop_nonce" in answer.content

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
            bound = str(given["token_type"]).lower() == SCHEME.lower()
        except (ValueError, KeyError, TypeError) as error:
            raise NoToken("the token endpoint's answer holds no token") from error
        if not bound:
            raise NoToken("the token endpoint gave a token that is not bound to a key (RFC 9449)")
        self._token, self._renew_at = token, self._clock() + lifetime - RENEW_BEFORE
        return token


@dataclass(slots=True)
class _Attempt:
    """What was tried for one request."""

    goes_on: bool = True
    nonces: int = 0
    renewed: bool = False
