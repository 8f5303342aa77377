"""Owns whom an access token names: strict verification of ES256 access tokens (RFC 9068) against the issuer's published
keys.

Nothing in a token chooses how it is checked: the algorithm is pinned, and keys come from the issuer's key set only. A
token that is not bound to a key of its owner's (RFC 9449) names nobody.
"""

import asyncio
import hashlib
import json
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import httpx
import structlog
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.util import urlsafe_b64decode

from access.dpop import ALGORITHM
from access.identity import Identity
from access.problems import Problem
from access.token_source import NoToken, TokenSource
from eventlog.store import Actor

__all__ = ["InvalidToken", "KeySet", "Keys", "NoToken", "TokenSource", "Verifier", "jwks_over_http"]

TYPE = "at+jwt"
MAX_TOKEN_CHARS = 4096
MAX_LIFETIME = timedelta(minutes=10)  # an issuer set up for long tokens would undo revocation
CLOCK_SKEW = timedelta(seconds=5)
REFETCH_PAUSE = timedelta(seconds=10)  # invented key ids cannot make us flood the issuer
KEYS_AGE = timedelta(minutes=5)  # a key that the issuer withdrew is forgotten after this
REMEMBERED = timedelta(
    seconds=30
)  # how long a verified token is not looked at again, and so how late a revocation can bite
MAX_REMEMBERED = 4096
FETCH_TIMEOUT_S = 5.0

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")
_ROLE = re.compile(r"[a-z][a-z_]{0,39}")
_THUMBPRINT = re.compile(r"[A-Za-z0-9_-]{43}")
_ACR = re.compile(r"[!-~]{1,128}")

_log = structlog.get_logger("access.tokens")


def challenge(error: str | None = None) -> dict[str, str]:
    """The header of a 401 (RFC 9449 section 7.1): how to authenticate and, where something was sent, what was wrong."""
    said = "" if error is None else f', error="{error}"'
    return {"WWW-Authenticate": f'DPoP realm="amparo"{said}, algs="{ALGORITHM}"'}


class InvalidToken(Problem):
    """The token proves nothing. ``reason`` is one of a fixed set and goes to the log only."""

    def __init__(self, reason: str) -> None:
        super().__init__("unauthenticated", headers=challenge("invalid_token"))
        self.reason = reason


class Keys(Protocol):
    """Where a verifier finds the issuer's public keys."""

    async def find(self, kid: str) -> ECKey | None:
        """The live key of that id. Raises `Problem` ``unavailable`` when no key set could ever be had."""
        ...


class KeySet:
    """The issuer's live keys, fetched when an unknown key id comes (at most every 10 s) and when they are 5 minutes
    old.

    While the issuer does not answer, the keys it last gave stay.
    """

    def __init__(self, *, fetch: Callable[[], Awaitable[Mapping[str, Any]]], clock: Callable[[], datetime]) -> None:
        """``fetch`` answers with a JWK set (RFC 7517)."""
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, ECKey] = {}
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None
        self._fetching = asyncio.Lock()

    async def find(self, kid: str) -> ECKey | None:
        """See `Keys`."""
        if kid not in self._keys or self._aged():
            await self._refresh(kid)
        if self._fetched_at is None:
            raise Problem("unavailable", headers={"Retry-After": "5"})
        return self._keys.get(kid)

    def _aged(self) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at >= KEYS_AGE

    async def _refresh(self, kid: str) -> None:
        async with self._fetching:
            if kid in self._keys and not self._aged():
                return  # somebody else fetched it meanwhile
            now = self._clock()
            # The first key set is tried for without a pause, else a slow issuer would keep a starting service deaf.
            if self._fetched_at is not None and self._tried_at is not None and now - self._tried_at < REFETCH_PAUSE:
                return
            self._tried_at = now
            try:
                self._keys = _live_keys(await self._fetch())
            except (httpx.HTTPError, ValueError, KeyError, TypeError, JoseError) as error:
                _log.warning("key set not fetched", error=type(error).__name__)
                return
            self._fetched_at = now


def jwks_over_http(url: str) -> Callable[[], Awaitable[Mapping[str, Any]]]:
    """Fetches the JWK set at ``url``."""

    async def fetch() -> Mapping[str, Any]:
        # A transport of our own: the proxies of the environment are for the world outside.
        async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(), timeout=FETCH_TIMEOUT_S) as client:
            response = await client.get(url)
            response.raise_for_status()
            found: Mapping[str, Any] = response.json()
            return found

    return fetch


class Verifier:
    """Verifies access tokens of one issuer for one audience.

    A verified token is remembered for 30 s at most, so that the requests of one page cost one check of it; whoever is
    revoked, or whose key is withdrawn, is refused after that at the latest. What is remembered is the token: that its
    owner sent it is proved anew with each request (`access.dpop`).
    """

    def __init__(self, *, issuer: str, audience: str, keys: Keys, clock: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self.clock = clock
        self._remembered: OrderedDict[bytes, tuple[Identity, float]] = OrderedDict()

    async def verify(self, token: str) -> Identity:
        """Whom the token names: ``sub`` and the claims ``amparo_role``, ``amparo_unit`` and ``amparo_region``, the key
        that it is bound to, and for a person ``auth_time`` and ``acr``.

        Raises `InvalidToken`; `Problem` ``unavailable`` when the issuer's keys cannot be had.
        """
        now = self.clock().timestamp()
        digest = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        if (found := self._remembered.get(digest)) is not None:
            identity, until = found
            if now < until:
                self._remembered.move_to_end(digest)
                return identity
            del self._remembered[digest]
        try:
            identity, expires = await self._check(token, now)
        except InvalidToken as refused:
            _log.info("token refused", reason=refused.reason)
            raise
        self._remembered[digest] = (identity, min(float(expires), now + REMEMBERED.total_seconds()))
        if len(self._remembered) > MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return identity

    async def _check(self, token: str, now: float) -> tuple[Identity, int]:
        kid = _key_id(token)
        key = await self._keys.find(kid)
        if key is None:
            raise InvalidToken("unknown-key")
        try:
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            raise InvalidToken("signature") from None
        self._stands(claims, now)
        return _identity(claims, now), claims["exp"]

    def _stands(self, claims: Mapping[str, Any], now: float) -> None:
        if claims.get("iss") != self._issuer:
            raise InvalidToken("issuer")
        audience = claims.get("aud")
        if audience != self._audience and not (isinstance(audience, list) and self._audience in audience):
            raise InvalidToken("audience")
        issued, expires, not_before = claims.get("iat"), claims.get("exp"), claims.get("nbf", claims.get("iat"))
        if not (type(issued) is int and type(expires) is int and type(not_before) is int):
            raise InvalidToken("times")
        skew = CLOCK_SKEW.total_seconds()
        if expires <= now:
            raise InvalidToken("expired")
        if issued > now + skew or not_before > now + skew:
            raise InvalidToken("not-yet-valid")
        if not 0 < expires - issued <= MAX_LIFETIME.total_seconds():
            raise InvalidToken("lifetime")


def _identity(claims: Mapping[str, Any], now: float) -> Identity:
    subject, role, unit = claims.get("sub"), claims.get("amparo_role"), claims.get("amparo_unit", "")
    if not (isinstance(subject, str) and _NAME.fullmatch(subject)):
        raise InvalidToken("subject")
    if not (isinstance(role, str) and _ROLE.fullmatch(role)):
        raise InvalidToken("role")
    if not (isinstance(unit, str) and (unit == "" or _NAME.fullmatch(unit))):
        raise InvalidToken("unit")
    region = claims.get("amparo_region", "")
    if not (isinstance(region, str) and (region == "" or _NAME.fullmatch(region))):
        raise InvalidToken("region")
    bound = claims.get("cnf")
    jkt = bound.get("jkt") if isinstance(bound, dict) else None
    if not (isinstance(jkt, str) and _THUMBPRINT.fullmatch(jkt)):
        raise InvalidToken("unbound")
    proved, acr = claims.get("auth_time"), claims.get("acr", "")
    if proved is not None and not (type(proved) is int and 0 <= proved <= now + CLOCK_SKEW.total_seconds()):
        raise InvalidToken("auth-time")
    if not (isinstance(acr, str) and (acr == "" or _ACR.fullmatch(acr))):
        raise InvalidToken("acr")
    return Identity(
        actor=Actor(id=subject, role=role, unit=unit),
        jkt=jkt,
        auth_time=None if proved is None else datetime.fromtimestamp(proved, UTC),
        acr=acr,
        region=region,
    )


def _key_id(token: str) -> str:
    """The key id of a token whose header is what we accept; nothing else in the header is used."""
    if len(token) > MAX_TOKEN_CHARS or token.count(".") != 2 or not token.isascii():
        raise InvalidToken("form")
    try:
        header = json.loads(urlsafe_b64decode(token.partition(".")[0].encode()))
    except (ValueError, RecursionError):
        raise InvalidToken("form") from None
    if not isinstance(header, dict) or "crit" in header:
        raise InvalidToken("header")
    if header.get("alg") != ALGORITHM:
        raise InvalidToken("algorithm")
    declared = header.get("typ")
    if not isinstance(declared, str) or declared.lower().removeprefix("application/") != TYPE:
        raise InvalidToken("type")
    kid = header.get("kid")
    if not isinstance(kid, str) or not kid:
        raise InvalidToken("unknown-key")
    return kid


def _live_keys(published: Mapping[str, Any]) -> dict[str, ECKey]:
    """The P-256 signature keys of a JWK set, by key id. Others (encryption keys, other types) are not ours to use."""
    found: dict[str, ECKey] = {}
    for jwk in published["keys"]:
        if jwk.get("kty") == "EC" and jwk.get("crv") == "P-256" and jwk.get("use", "sig") == "sig" and "kid" in jwk:
            found[str(jwk["kid"])] = ECKey.import_key({name: jwk[name] for name in ("kty", "crv", "x", "y")})
    return found
