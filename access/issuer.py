"""Owns the embedded stack's identity provider: a token endpoint for clients that hold a key (RFC 6749 section 4.4, RFC
7523).

It gives 5-minute ES256 access tokens (RFC 9068) for a signed assertion that is good for one use, each bound to the key
of the proof that came with it (RFC 9449). It knows clients, no people, and refuses to start outside the embedded stack.
`python -m access.issuer`; settings AMPARO_ENVIRONMENT, AMPARO_KEYRING (the folder that `access.keys` made),
AMPARO_HOST, AMPARO_PORT, AMPARO_ISSUER, AMPARO_TOKEN_ENDPOINT, AMPARO_AUDIENCE.
"""

import json
import os
import secrets
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from joserfc.util import urlsafe_b64decode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from access import private_files
from access.dpop import ALGORITHM, SCHEME, BadProof, Proofs
from access.keys import ISSUER_FILE, REGISTRY_FILE
from access.once import Full, Once
from access.private_files import UnsafeKeyFile

TOKEN_TYPE = "at+jwt"  # noqa: S105
TOKEN_LIFETIME = timedelta(minutes=5)
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = timedelta(seconds=60)
CLOCK_SKEW = timedelta(seconds=5)
MAX_FORM_BYTES = 8192
MAX_FIELDS = 8
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class Declined(Exception):
    """An answer of RFC 6749 section 5.2. Which check failed is not told: it would help nobody but a forger."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A registered client: its public key, and what its tokens say of it. ``person``: it is one person's, who proves
    anew who they are with each assertion."""

    key: ECKey
    role: str
    unit: str = ""
    region: str = ""
    person: bool = False


def _client(*, jwk: Any, **said: Any) -> Client:
    return Client(key=ECKey.import_key(jwk), **said)


class Files:
    """The issuer's keys and clients, read again when a file changes: rotation and new clients need no restart."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read_at: dict[str, tuple[int, int]] = {}
        self._keys: list[tuple[str, ECKey]] = []
        self._clients: dict[str, Client] = {}
        self.signing()
        self.client("")

    def signing(self) -> list[tuple[str, ECKey]]:
        """(key id, private key), newest first; the first signs. Raises `UnsafeKeyFile`."""
        if (held := self._changed(ISSUER_FILE)) is not None:
            self._keys = [(str(jwk["kid"]), ECKey.import_key(jwk)) for jwk in held["keys"]]
        return self._keys

    def client(self, client_id: str) -> Client | None:
        """The registered client. Raises `UnsafeKeyFile`."""
        if (held := self._changed(REGISTRY_FILE)) is not None:
            self._clients = {name: _client(**row) for name, row in held.items()}
        return self._clients.get(client_id)

    def _changed(self, name: str) -> Any:
        file = self._folder / name
        try:
            state = file.stat()
        except FileNotFoundError:
            raise UnsafeKeyFile(f"{file} is missing; make it with python -m access.keys init") from None
        seen = (state.st_mtime_ns, state.st_ino)
        if self._read_at.get(name) == seen:
            return None
        held = json.loads(private_files.read(file))
        self._read_at[name] = seen
        return held


class Issuer:
    """Checks assertions and signs tokens. One process only: it remembers in memory which assertions were used."""

    def __init__(
        self, *, files: Files, issuer: str, token_endpoint: str, audience: str, clock: Callable[[], datetime]
    ) -> None:
        self.issuer = issuer
        self.token_endpoint = token_endpoint
        self._files = files
        self._audience = audience
        self._clock = clock
        self._started = int(clock().timestamp())
        self._used = Once(keep=ASSERTION_LIFETIME + 2 * CLOCK_SKEW, clock=clock)
        self._proofs = Proofs(bases=[token_endpoint], clock=clock)

    def grant(self, form: Mapping[str, str], proofs: Sequence[str]) -> dict[str, object]:
        """The token answer for a form; ``proofs`` are its ``DPoP`` headers. Raises `Declined`."""
        if "grant_type" not in form:
            raise Declined("invalid_request")
        if form["grant_type"] != "client_credentials":
            raise Declined("unsupported_grant_type")
        if form.get("client_assertion_type") != ASSERTION_TYPE or not form.get("client_assertion"):
            raise Declined("invalid_client", 401)
        jkt = self._possession(proofs)
        client_id, client = self._authenticate(form["client_assertion"])
        if form.get("client_id", client_id) != client_id:
            raise Declined("invalid_client", 401)
        return {
            "access_token": self._token(client_id, client, jkt),
            "token_type": SCHEME,
            "expires_in": int(TOKEN_LIFETIME.total_seconds()),
        }

    def keys(self) -> dict[str, object]:
        """The public keys as a JWK set."""
        published = []
        for kid, key in self._files.signing():
            public = key.as_dict(private=False)
            published.append(
                {**{n: public[n] for n in ("kty", "crv", "x", "y")}, "kid": kid, "use": "sig", "alg": ALGORITHM}
            )
        return {"keys": published}

    def _possession(self, proofs: Sequence[str]) -> str:
        """The thumbprint of the key that the token will be bound to."""
        if len(proofs) != 1:
            raise Declined("invalid_dpop_proof")
        try:
            return self._proofs.check(proofs[0], method="POST", path="").jkt
        except BadProof:
            raise Declined("invalid_dpop_proof") from None

    def _authenticate(self, assertion: str) -> tuple[str, Client]:
        claimed = _unverified(assertion).get("iss")
        client = self._files.client(claimed) if isinstance(claimed, str) else None
        if client is None:
            raise Declined("invalid_client", 401)
        try:
            claims = jwt.decode(assertion, client.key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError):
            raise Declined("invalid_client", 401) from None
        if not self._acceptable(claims):
            raise Declined("invalid_client", 401)
        if not self._used.use((claims["sub"], claims["jti"])):
            raise Declined("invalid_client", 401)
        return claims["sub"], client

    def _acceptable(self, claims: Mapping[str, Any]) -> bool:
        now, skew = self._clock().timestamp(), CLOCK_SKEW.total_seconds()
        issued, expires, once = claims.get("iat"), claims.get("exp"), claims.get("jti")
        if not (type(issued) is int and type(expires) is int and isinstance(once, str) and 8 <= len(once) <= 128):
            return False
        audience = claims.get("aud")
        if isinstance(audience, list):  # one, and ours: an assertion for several could be used by any of them
            audience = audience[0] if len(audience) == 1 else None
        return (
            claims.get("iss") == claims.get("sub")
            and audience in (self.issuer, self.token_endpoint)
            and issued <= now + skew
            and now < expires <= now + skew + ASSERTION_LIFETIME.total_seconds()
            and 0 < expires - issued <= ASSERTION_LIFETIME.total_seconds()
            # What was used before this process started is not remembered, so it cannot be used at all.
            and issued >= self._started
        )

    def _token(self, client_id: str, client: Client, jkt: str) -> str:
        now = self._clock()
        kid, key = self._files.signing()[0]
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": client_id,
            "client_id": client_id,
            "aud": self._audience,
            "iat": int(now.timestamp()),
            "exp": int((now + TOKEN_LIFETIME).timestamp()),
            "jti": secrets.token_urlsafe(16),
            "cnf": {"jkt": jkt},
            "amparo_role": client.role,
        }
        if client.unit:
            claims["amparo_unit"] = client.unit
        if client.region:
            claims["amparo_region"] = client.region
        if client.person:
            claims["auth_time"] = claims["iat"]
        return jwt.encode({"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": kid}, claims, key, algorithms=[ALGORITHM])


def create_app(issuer: Issuer) -> Starlette:
    """The HTTP side: ``POST /token``, the key set, the discovery document, ``/healthz``."""

    async def token(request: Request) -> Response:
        try:
            given = issuer.grant(await _form(request), request.headers.getlist("dpop"))
            return JSONResponse(given, headers=HEADERS)
        except Declined as declined:
            return JSONResponse({"error": declined.error}, status_code=declined.status, headers=HEADERS)
        except Full:
            return JSONResponse({"error": "temporarily_unavailable"}, status_code=503, headers=HEADERS)
        except (UnsafeKeyFile, OSError, ValueError) as error:
            print(f"the issuer's files cannot be used: {type(error).__name__}", file=sys.stderr)
            return JSONResponse({"error": "temporarily_unavailable"}, status_code=503, headers=HEADERS)

    async def jwks(_: Request) -> Response:
        return JSONResponse(issuer.keys(), headers={**HEADERS, "Cache-Control": "public, max-age=60"})

    async def discovery(_: Request) -> Response:
        return JSONResponse(
            {
                "issuer": issuer.issuer,
                "token_endpoint": issuer.token_endpoint,
                "jwks_uri": issuer.issuer.rstrip("/") + "/.well-known/jwks.json",
                "grant_types_supported": ["client_credentials"],
                "response_types_supported": [],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
                "token_endpoint_auth_methods_supported": ["private_key_jwt"],
                "token_endpoint_auth_signing_alg_values_supported": [ALGORITHM],
                "dpop_signing_alg_values_supported": [ALGORITHM],
            },
            headers=HEADERS,
        )

    async def health(_: Request) -> Response:
        try:
            well = bool(issuer.keys()["keys"])
        except (UnsafeKeyFile, OSError, ValueError):
            well = False
        said = "ok" if well else "failing"
        return JSONResponse(
            {"status": said, "checks": {"keys": said}}, status_code=200 if well else 503, headers=HEADERS
        )

    return Starlette(
        routes=[
            Route("/token", token, methods=["POST"]),
            Route("/.well-known/jwks.json", jwks),
            Route("/.well-known/openid-configuration", discovery),
            Route("/healthz", health),
        ]
    )


async def _form(request: Request) -> dict[str, str]:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        raise Declined("invalid_request")
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MAX_FORM_BYTES:
            raise Declined("invalid_request", 413)
    try:
        fields = parse_qs(body.decode("ascii"), keep_blank_values=True, strict_parsing=True, max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Declined("invalid_request") from None
    if any(len(values) != 1 for values in fields.values()):
        raise Declined("invalid_request")  # RFC 6749 section 3.2: no parameter twice
    return {name: value for name, (value,) in fields.items()}


def _unverified(assertion: str) -> Mapping[str, Any]:
    """The claims as they stand, only to know whose key to check them with."""
    try:
        claims = json.loads(urlsafe_b64decode(assertion.split(".")[1].encode()))
    except (ValueError, IndexError, RecursionError):
        raise Declined("invalid_client", 401) from None
    return claims if isinstance(claims, dict) else {}


def main() -> int:
    """Serve until told to stop. Exits with a sentence where it must not or cannot run."""
    import uvicorn

    given = os.environ
    if given.get("AMPARO_ENVIRONMENT") != "embedded":
        print("the built-in issuer serves the embedded stack only; set AMPARO_ISSUER to your provider", file=sys.stderr)
        return 2
    host, port = given.get("AMPARO_HOST", "127.0.0.1"), int(given.get("AMPARO_PORT", "0"))
    name = given.get("AMPARO_ISSUER") or f"http://{host}:{port}"
    try:
        files = Files(Path(given["AMPARO_KEYRING"]))
    except (UnsafeKeyFile, KeyError, ValueError, OSError) as error:
        print(f"the issuer cannot start: {error}", file=sys.stderr)
        return 2
    issuer = Issuer(
        files=files,
        issuer=name,
        token_endpoint=given.get("AMPARO_TOKEN_ENDPOINT") or f"{name.rstrip('/')}/token",
        audience=given.get("AMPARO_AUDIENCE") or f"amparo:{given.get('AMPARO_MECHANISM', 'pe')}",
        clock=lambda: datetime.now(UTC),
    )
    uvicorn.run(create_app(issuer), host=host, port=port, access_log=False, server_header=False, log_level="warning")
    return 0


if __name__ == "__main__":
    sys.exit(main())
