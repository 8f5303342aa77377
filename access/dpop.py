"""Owns proof of possession (DPoP, RFC 9449): a token is of use only to who holds the key that it names.

With each request comes a proof: a small signed statement made for that method, that address, that token and that
moment. Whoever overhears or is sent one, a service of ours included, can do nothing elsewhere or later with it.

Three choices close what the standard leaves open:

- The address is compared with the addresses that the service was configured with, never with the request's ``Host``
  or with a forwarding header: those are written by whoever sends the request, so a service that was sent a proof could
  pass it on under its own name.
- A proof holds a nonce of the very process that judges it. So memory of used proofs needs neither a store nor an
  unlimited size, a restart forgets nothing that could still be used, and no proof can be made in advance.
- ES256 alone, and only the public members of the proof's key are read.

It imports no web framework, so that a small client can use it.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.util import urlsafe_b64decode

from access.once import Once

ALGORITHM = "ES256"
TYPE = "dpop+jwt"
SCHEME = "DPoP"
NONCE_HEADER = "DPoP-Nonce"
MAX_PROOF_CHARS = 4096
NONCE_LIFETIME = timedelta(seconds=120)
NONCE_RENEWED = timedelta(seconds=60)  # a client that goes on is given a new one before its own ends
SKEW = timedelta(seconds=60)  # how wrong a client's clock may be; the nonce says when a proof was made
PROOF_LIFETIME = timedelta(seconds=60)  # where no nonce says so
STRICT_SKEW = timedelta(seconds=5)
MAX_ORIGINS = 64

_MEMBERS = ("crv", "kty", "x", "y")
_PORTS = {"http": 80, "https": 443}


class BadProof(Exception):
    """The proof shows nothing. ``reason`` is one of a fixed set and goes to the log only."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NonceNeeded(BadProof):
    """The proof may be right, and has to hold a nonce that this process gave lately."""


def thumbprint(jwk: Mapping[str, Any]) -> str:
    """The name of a public EC key (RFC 7638, SHA-256): 43 characters. Raises ``KeyError``."""
    canonical = json.dumps({name: jwk[name] for name in _MEMBERS}, separators=(",", ":"))
    return _encoded(hashlib.sha256(canonical.encode()).digest())


def token_hash(token: str) -> str:
    """The claim ``ath`` for a token."""
    return _encoded(hashlib.sha256(token.encode()).digest())


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """What a right proof shows: the thumbprint of its key and, where there are nonces, how old its nonce is."""

    jkt: str
    nonce_age: timedelta | None


class Nonces:
    """Gives nonces and knows its own again, without keeping any: an instant and its HMAC under the process's key."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(32)

    def new(self) -> str:
        """One that is good for `NONCE_LIFETIME`."""
        instant = int(self._clock().timestamp() * 1000).to_bytes(8, "big")
        return _encoded(instant + self._mac(instant))

    def age(self, nonce: object) -> timedelta | None:
        """How long ago this process gave it; ``None`` where it did not, or too long ago."""
        if not isinstance(nonce, str) or len(nonce) != 32 or not nonce.isascii():
            return None
        try:
            held = base64.b64decode(nonce, altchars=b"-_", validate=True)
        except ValueError:
            return None
        instant, mac = held[:8], held[8:]
        if not hmac.compare_digest(mac, self._mac(instant)):
            return None
        age = timedelta(milliseconds=int(self._clock().timestamp() * 1000) - int.from_bytes(instant, "big"))
        return age if timedelta(0) <= age < NONCE_LIFETIME else None

    def _mac(self, instant: bytes) -> bytes:
        return hmac.digest(self._key, instant, "sha256")[:16]


class Proofs:
    """Checks the proofs that are sent to one process.

    ``bases`` are the addresses at which it is reached, as its clients write them, such as ``https://intake.example``;
    a path in one is what a proxy takes away. Without ``nonces`` a proof is as old as it says, and one from before this
    process is refused.
    """

    def __init__(self, *, bases: Sequence[str], clock: Callable[[], datetime], nonces: Nonces | None = None) -> None:
        """Raises ``ValueError`` for a base that is no address."""
        self.nonces = nonces
        self._as_written = [base.rstrip("/") for base in bases]
        self._bases = [_place(base) for base in self._as_written]
        self._clock = clock
        self._started = int(clock().timestamp())
        keep = NONCE_LIFETIME if nonces else PROOF_LIFETIME + 2 * STRICT_SKEW
        self._used = Once(keep=keep, clock=clock)

    def check(self, proof: str, *, method: str, path: str, token: str | None = None, jkt: str | None = None) -> Proven:
        """Checks a proof for a request of ``method`` to ``path`` (as it was sent, without its query), once.

        With ``token`` and ``jkt`` it has to be for that token, by that key. Raises `BadProof`, `NonceNeeded`,
        `access.once.Full`.
        """
        found, claims = _read(proof, jkt)
        if claims.get("htm") != method:
            raise BadProof("method")
        if not self._is_here(claims.get("htu"), path):
            raise BadProof("address")
        once = claims.get("jti")
        if not (isinstance(once, str) and 8 <= len(once) <= 128):
            raise BadProof("jti")
        if token is not None and claims.get("ath") != token_hash(token):
            raise BadProof("other-token")
        age = self._moment(claims)
        if not self._used.use(hashlib.sha256(f"{found}.{once}".encode("utf-8", "surrogatepass")).digest()):
            raise BadProof("replayed")
        return Proven(jkt=found, nonce_age=age)

    def _moment(self, claims: Mapping[str, Any]) -> timedelta | None:
        issued, now = claims.get("iat"), self._clock().timestamp()
        if type(issued) is not int:
            raise BadProof("iat")
        if self.nonces is None:
            oldest = max(now - PROOF_LIFETIME.total_seconds(), self._started)
            if not oldest <= issued <= now + STRICT_SKEW.total_seconds():
                raise BadProof("iat")
            return None
        age = self.nonces.age(claims.get("nonce"))
        if age is None:
            raise NonceNeeded("nonce")
        if not now - (age + SKEW).total_seconds() <= issued <= now + SKEW.total_seconds():
            raise BadProof("iat")
        return age

    def _is_here(self, htu: object, path: str) -> bool:
        if not isinstance(htu, str):
            return False
        if any(htu == base + path for base in self._as_written):
            return True
        try:
            origin, place = _place(htu)
        except ValueError:
            return False
        return any(origin == here and (place or "/") == prefix + path for here, prefix in self._bases)


def _read(proof: str, jkt: str | None) -> tuple[str, Mapping[str, Any]]:
    """The name of the proof's key, and its claims, signed by that key. Raises `BadProof`."""
    if len(proof) > MAX_PROOF_CHARS or proof.count(".") != 2 or not proof.isascii():
        raise BadProof("form")
    try:
        header = json.loads(urlsafe_b64decode(proof.partition(".")[0].encode()))
    except (ValueError, RecursionError):
        raise BadProof("form") from None
    if not isinstance(header, dict) or "crit" in header or "b64" in header:
        raise BadProof("header")
    if header.get("typ") != TYPE:
        raise BadProof("type")
    if header.get("alg") != ALGORITHM:
        raise BadProof("algorithm")
    jwk = header.get("jwk")
    if not isinstance(jwk, dict) or "d" in jwk or (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
        raise BadProof("key")
    x, y = jwk.get("x"), jwk.get("y")
    if not (isinstance(x, str) and isinstance(y, str) and len(x) == len(y) == 43):  # 32 bytes each
        raise BadProof("key")
    found = thumbprint(jwk)
    if jkt is not None and found != jkt:
        raise BadProof("other-key")
    try:
        claims = jwt.decode(proof, _public_key(x, y), algorithms=[ALGORITHM]).claims
    except (JoseError, ValueError, RecursionError):
        raise BadProof("signature") from None
    return found, claims


@lru_cache(maxsize=1024)
def _public_key(x: str, y: str) -> ECKey:
    return ECKey.import_key({"kty": "EC", "crv": "P-256", "x": x, "y": y})


def _place(url: str) -> tuple[tuple[str, str, int], str]:
    """((scheme, host, port), path). Raises ``ValueError`` for what is no such address."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        raise ValueError("an address is http(s)://host[:port][/path]")
    return (parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]), parts.path


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Prover:
    """A client's side: its key, and the last nonce that each origin gave it. ``key`` is one of its own by default, made
    now and kept nowhere else.
    """

    def __init__(self, *, clock: Callable[[], datetime], key: ECKey | None = None) -> None:
        self._clock = clock
        self.key = key or ECKey.generate_key("P-256")
        public = self.key.as_dict(private=False)
        self._jwk = {name: public[name] for name in _MEMBERS}
        self.jkt = thumbprint(self._jwk)
        self._nonces: OrderedDict[str, str] = OrderedDict()

    def proof(self, *, method: str, url: str, token: str | None = None) -> str:
        """A proof for one request."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(16),
            "htm": method,
            "htu": url.partition("#")[0].partition("?")[0],
            "iat": int(self._clock().timestamp()),
        }
        if token is not None:
            claims["ath"] = token_hash(token)
        if (nonce := self._nonces.get(_origin(url))) is not None:
            claims["nonce"] = nonce
        header = {"typ": TYPE, "alg": ALGORITHM, "jwk": self._jwk}
        return jwt.encode(header, claims, self.key, algorithms=[ALGORITHM])

    def headers(self, *, method: str, url: str, token: str) -> dict[str, str]:
        """Both headers of one request."""
        return {
            "Authorization": f"{SCHEME} {token}",
            "DPoP": self.proof(method=method, url=url, token=token),
        }

    def learn(self, url: str, headers: Mapping[str, str]) -> bool:
        """Remembers the nonce that an answer's headers hold. Whether there was one."""
        nonce = headers.get(NONCE_HEADER)
        if not nonce or len(nonce) > 512:
            return False
        origin = _origin(url)
        self._nonces[origin] = nonce
        self._nonces.move_to_end(origin)
        if len(self._nonces) > MAX_ORIGINS:
            self._nonces.popitem(last=False)
        return True


def _origin(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0].partition('?')[0]}"
