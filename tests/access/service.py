"""A small service as `runtime` builds them, with tokens of its own issuer."""

import secrets
from collections.abc import Mapping
from typing import Annotated, Any

import httpx
from fastapi import APIRouter, FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.exc import DataError, OperationalError

from access import middleware, problems
from access.authorization import may
from access.dpop import Nonces, Proofs, Prover
from access.idempotency import ActHeader
from access.tokens import KeySet, Verifier
from eventlog.decider import Refused
from eventlog.store import Actor, StreamMoved
from tests.access.clocks import SetClock
from tests.holder import Holder

ISSUER = "https://issuer.test"
AUDIENCE = "amparo:xx"
URL = "http://service.test"
KEY = ECKey.generate_key("P-256")
"""The key that tokens are bound to unless told otherwise."""
JKT = KEY.thumbprint()
CANARY = "Yuraq Mayu Ventisca"  # an invented name that must never be answered or logged


class Signer:
    """The issuer's side: keys by id, and tokens that are right unless told otherwise."""

    def __init__(self, clock: SetClock) -> None:
        self.clock = clock
        self.keys: dict[str, ECKey] = {"one": ECKey.generate_key("P-256")}
        self.fetched = 0

    async def publish(self) -> Mapping[str, Any]:
        """The JWK set."""
        self.fetched += 1
        return {"keys": [{**key.as_dict(private=False), "kid": kid, "use": "sig"} for kid, key in self.keys.items()]}

    def claims(self, **changed: Any) -> dict[str, Any]:
        """A filer's claims; a value of ``...`` takes one out."""
        now = self.clock.seconds
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "sub": "ngo",
            "client_id": "ngo",
            "aud": AUDIENCE,
            "iat": now,
            "exp": now + 300,
            "jti": secrets.token_urlsafe(8),
            "amparo_role": "filer",
            "amparo_unit": "ngo-one",
            "cnf": {"jkt": JKT},
        }
        return {name: value for name, value in {**claims, **changed}.items() if value is not ...}

    def token(self, *, kid: str = "one", header: Mapping[str, Any] | None = None, **changed: Any) -> str:
        """A signed token."""
        full = {"alg": "ES256", "typ": "at+jwt", "kid": kid, **(header or {})}
        full = {name: value for name, value in full.items() if value is not ...}
        return jwt.encode(full, self.claims(**changed), self.keys[kid], algorithms=["ES256"], default_type=None)

    def holder(self, **changed: Any) -> Holder:
        """Somebody with a right token, unless told otherwise, and its key."""
        prover = Prover(clock=self.clock, key=KEY)
        return Holder(lambda jkt: self.token(**changed), clock=self.clock, prover=prover)

    def verifier(self) -> Verifier:
        """One that knows this issuer."""
        keys = KeySet(fetch=self.publish, clock=self.clock)
        return Verifier(issuer=ISSUER, audience=AUDIENCE, keys=keys, clock=self.clock)


class Person(BaseModel):
    """Part of a body."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(max_length=40)


class Body(BaseModel):
    """A body."""

    model_config = ConfigDict(extra="forbid")
    people: list[Person]
    notes: dict[str, int] = {}


router = APIRouter(prefix="/v1")


@router.post("/things/{thing}", responses=problems.responses("wrong-stage", writes=True))
async def act(thing: str, body: Body, deed: ActHeader, actor: Annotated[Actor, may("request.file")]) -> dict[str, str]:
    """An act."""
    return {"actor": actor.id, "key": deed.key, "client": deed.client, "fingerprint": deed.fingerprint.hex()}


@router.get("/things", responses=problems.responses())
async def look(actor: Annotated[Actor, may("figures.read")], limit: int = 10) -> dict[str, str]:
    """A read that a filer may not."""
    return {"unit": actor.unit}


@router.get("/failures/{kind}", responses=problems.responses())
async def fail(kind: str, actor: Annotated[Actor, may("request.read")]) -> None:
    """Fails as asked."""
    failures: dict[str, Exception] = {
        "unforeseen": RuntimeError(CANARY),
        "refused": Refused("wrong-stage", CANARY),
        "new-rule": Refused("a-rule-of-tomorrow", CANARY),
        "moved": StreamMoved(CANARY),
        "lost": OperationalError(CANARY, {"name": CANARY}, Exception(CANARY)),
        "data": DataError(CANARY, {"name": CANARY}, Exception(CANARY)),
    }
    raise failures[kind]


def service(signer: Signer) -> FastAPI:
    """The application."""
    app = FastAPI()
    problems.install(app)
    middleware.install(app)
    app.include_router(router)
    app.state.verifier = signer.verifier()
    app.state.proofs = Proofs(bases=[URL], clock=signer.clock, nonces=Nonces(clock=signer.clock))
    app.state.fingerprint_key = b"f" * 32
    return app


def client_of(app: FastAPI) -> httpx.AsyncClient:
    """A client that reaches ``app`` without a network."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=URL)
