"""People and systems with tokens: the tests' issuer, and one service's process as they reach it. Loops do not run."""

import json
import re
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from access import keys
from access.problems import MEDIA_TYPE, TYPE_PREFIX
from access.tokens import Verifier
from amparo.record.v1 import record_pb2
from amparo.referral.v1 import events_pb2 as referral
from docs.generate.routes import documented
from eventlog.delivered import Delivered
from runtime.clock import system_clock
from runtime.service import Service
from runtime.settings import Settings
from tests.holder import Holder
from tests.stack import Databases

ISSUER, AUDIENCE, KEY_ID = "https://issuer.test", "amparo:test", "test"


class Issuer:
    """Signs access tokens, and is the key set of the verifier that takes them."""

    def __init__(self) -> None:
        self._key = ECKey.generate_key("P-256", parameters={"kid": KEY_ID})
        self.verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=self, clock=system_clock)

    async def find(self, kid: str) -> ECKey | None:
        """The key of this id."""
        return self._key if kid == KEY_ID else None

    def holder(
        self, *, role: str, unit: str, sub: str = "", proved: timedelta | None = None, region: str = "PE"
    ) -> Holder:
        """The token and key of somebody who acts in a role, for a unit. ``proved``: how long ago it signed in."""
        return Holder(lambda jkt: self._token(role=role, unit=unit, sub=sub, proved=proved, region=region, jkt=jkt))

    def _token(self, *, role: str, unit: str, sub: str, proved: timedelta | None, region: str, jkt: str) -> str:
        now = int(system_clock().timestamp())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": sub or f"{role}-{unit or 'alone'}", "iat": now}
        claims |= {"exp": now + 300, "amparo_role": role, "amparo_unit": unit, "cnf": {"jkt": jkt}}
        if region:
            claims["amparo_region"] = region
        if proved is not None:
            claims["auth_time"] = now - int(proved.total_seconds())
        return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": KEY_ID}, claims, self._key)


class Refusals:
    """Holds a service to its word: each refusal that a test meets has to be one that its route documents."""

    def __init__(self, app: FastAPI) -> None:
        self._documented = [
            (
                method.upper(),
                re.compile(re.sub(r"\\{[^}]+\\}", "[^/]+", re.escape(path))),
                set(documented(found["responses"])),
            )
            for path, operations in app.openapi()["paths"].items()
            for method, found in operations.items()
        ]

    async def check(self, answer: httpx.Response) -> None:
        """Fails for a problem that the route answers and does not name."""
        if answer.headers.get("content-type") != MEDIA_TYPE:
            return
        code = json.loads(await answer.aread())["type"].removeprefix(TYPE_PREFIX)
        asked = answer.request.method, answer.request.url.path
        known = [codes for method, path, codes in self._documented if method == asked[0] and path.fullmatch(asked[1])]
        assert not known or any(code in codes for codes in known), f"{asked} answers {code}, which it does not document"


class Door:
    """Lets clients in to one service's API."""

    def __init__(self, service: Service, issuer: Issuer) -> None:
        app = service.app()
        self._transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._refusals = Refusals(app)
        self._issuer = issuer
        (self._url,) = service.settings.reached_at(service.name)
        self._clients: list[httpx.AsyncClient] = []

    def enter(
        self, *, role: str, unit: str, sub: str = "", proved: timedelta | None = None, region: str = "PE"
    ) -> httpx.AsyncClient:
        """A client with a token of that role and unit. ``proved``: how long ago it signed in."""
        holder = self._issuer.holder(role=role, unit=unit, sub=sub, proved=proved, region=region)
        hooks = {"response": [self._refusals.check]}
        client = httpx.AsyncClient(transport=self._transport, base_url=self._url, auth=holder, event_hooks=hooks)
        self._clients.append(client)
        return self._clients[-1]

    async def close(self) -> None:
        """Ends all clients."""
        for client in self._clients:
            await client.aclose()


@asynccontextmanager
async def door(service: Service, issuer: Issuer) -> AsyncIterator[Door]:
    """A door that is closed in the end."""
    opened = Door(service, issuer)
    yield opened
    await opened.close()


@contextmanager
def migrated(postgres: str, folder: Path, *, service: str) -> Iterator[tuple[Settings, Databases]]:
    """A service's migrated database and vault, with keys of their own; dropped in the end."""
    databases = Databases(postgres).migrate(service, "vault")
    keys.init(folder, mechanism=databases.mechanism)
    settings = Settings(
        environment="embedded",
        mechanism=databases.mechanism,
        database=databases.url(service),
        sequencer_database=databases.url(service, "sequencer"),
        owner_database=databases.url(service, "owner"),
        vault_database="" if service == "vault" else databases.url("vault", service),
        keyring=folder / "keyring",
        transport_key=folder / "transport",
        receipt_key=folder / "receipts" / f"{databases.mechanism}.{service}",
        issuer=ISSUER,
        audience=AUDIENCE,
        jwks=f"{ISSUER}/jwks",
        public_urls=f"http://{service}.test",
    )
    yield settings, databases
    databases.drop()


class Referrals:
    """The referral service's records of agencies, as its read API gives them: the ``fetch`` of whoever asks."""

    def __init__(self, mechanism: str) -> None:
        self.source = f"{mechanism}.referral"
        self.asked = 0
        self._records: list[bytes] = []

    def register(self, *agencies: str) -> list[Delivered]:
        """Agencies are registered: the records of it."""
        return [self._register(agency) for agency in agencies]

    def _register(self, agency: str) -> Delivered:
        message = referral.AgencyRegistered(agency=agency, kind=referral.AGENCY_KIND_POLICE, region="PE-UCA")
        event = record_pb2.Event(
            id=uuid.uuid4().bytes,
            stream=f"agency/{agency}",
            version=1,
            type=message.DESCRIPTOR.full_name,
            payload=message.SerializeToString(),
        )
        record = record_pb2.Record(source=self.source, index=len(self._records), event=event.SerializeToString())
        self._records.append(record.SerializeToString())
        return Delivered.of(record, self._records[-1], {})

    async def fetch(self, source: str, after: int, limit: int) -> list[bytes]:
        """The records behind an index."""
        assert source == self.source
        self.asked += 1
        return self._records[after + 1 : after + 1 + limit]


async def rows(owner: AsyncEngine, *tables: str) -> dict[str, int]:
    """How many rows each table has. ``owner``: the only role that sees all of them."""
    async with owner.connect() as connection:
        return {
            table: (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() for table in tables
        }
