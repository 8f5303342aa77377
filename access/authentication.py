"""Owns who sent a request: the token in ``Authorization: DPoP …``, and the proof in ``DPoP`` that its owner sent it.

Every failure is the problem ``unauthenticated``; ``WWW-Authenticate`` says which kind it is (RFC 9449 section 7.1):
nothing where nothing usable was sent, ``invalid_token``, ``invalid_dpop_proof``, or ``use_dpop_nonce`` together with a
nonce to try again with. A token without proof (``Bearer``) is refused.
"""

import structlog
from fastapi import Request
from fastapi.security.http import HTTPBase

from access.dpop import NONCE_HEADER, NONCE_RENEWED, SCHEME, BadProof, NonceNeeded, Nonces, Proofs
from access.identity import Identity
from access.once import Full
from access.problems import Problem
from access.tokens import InvalidToken, Verifier, challenge
from eventlog.store import Actor

_log = structlog.get_logger("access.authentication")

documented = HTTPBase(
    scheme=SCHEME,
    scheme_name="token",
    description="An access token (at+jwt, ES256) bound to the client's key; its proof in the header `DPoP` (RFC 9449)",
    auto_error=False,
)
"""Only for the API's description: what is sent is read by `authenticated`."""


async def authenticated(request: Request) -> Actor:
    """Whom the token names, by ``request.app.state.verifier`` and ``.proofs``. Raises `Problem` ``unauthenticated``.

    Asked by several dependencies of a route, it looks once: a proof is good for one look. They call it, since for the
    framework to work out a dependency costs more than the look. What else the token says is then
    ``request.state.identity``.
    """
    known: Identity | None = getattr(request.state, "identity", None)
    if known is None:
        known = request.state.identity = await _identity(request)
    return known.actor


async def _identity(request: Request) -> Identity:
    proofs: Proofs = request.app.state.proofs
    assert proofs.nonces is not None
    nonces = proofs.nonces
    authorization, given = request.headers.getlist("authorization"), request.headers.getlist("dpop")
    scheme, _, token = authorization[0].partition(" ") if len(authorization) == 1 else ("", "", "")
    if scheme.lower() != SCHEME.lower() or not token:
        raise _refusal(nonces, None)
    verifier: Verifier = request.app.state.verifier
    try:
        identity = await verifier.verify(token)
        if len(given) != 1:
            raise BadProof("missing" if not given else "several")
        path: bytes = request.scope.get("raw_path") or request.url.path.encode()
        proven = proofs.check(
            given[0], method=request.method, path=path.decode("latin-1"), token=token, jkt=identity.jkt
        )
    except InvalidToken:
        raise _refusal(nonces, "invalid_token") from None
    except NonceNeeded:
        raise _refusal(nonces, "use_dpop_nonce") from None
    except BadProof as refused:
        _log.info("proof refused", reason=refused.reason)
        raise _refusal(nonces, "invalid_dpop_proof") from None
    except Full:
        _log.error("no room to remember more proofs")
        raise Problem("too-many-requests", headers={"Retry-After": "5"}) from None
    if proven.nonce_age is not None and proven.nonce_age >= NONCE_RENEWED:
        request.state.dpop_nonce = nonces.new()  # `access.middleware` sends it with the answer
    return identity


def _refusal(nonces: Nonces, error: str | None) -> Problem:
    return Problem("unauthenticated", headers={**challenge(error), NONCE_HEADER: nonces.new()})
