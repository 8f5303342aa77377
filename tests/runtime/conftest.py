"""A small real service, its databases, its topic, and people who hold tokens for it."""

import base64
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from access import private_files
from access.tokens import Verifier
from eventlog.origin import KEY_BYTES
from eventlog.transparency.note import NoteSigner
from runtime.clock import system_clock
from runtime.database import migrate
from runtime.settings import Settings
from tests.eventually import eventually
from tests.holder import Holder
from tests.runtime.parcels.app import create_service
from tests.stack import Databases

ISSUER, AUDIENCE, KEY_ID = "https://issuer.test", "amparo:test", "k1"
PARCEL = {"agency": "police"}
"""The body of an act."""

Serve = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


def pytest_configure(config: pytest.Config) -> None:
    """kafka-python leaves a refused socket open, as when a test ends before its broker answered."""
    config.addinivalue_line("filterwarnings", "ignore:unclosed <socket:ResourceWarning")


class Issuer:
    """Signs access tokens for the tests' verifier."""

    def __init__(self) -> None:
        self._key = ECKey.generate_key("P-256")
        self.verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=self, clock=system_clock)

    async def find(self, kid: str) -> ECKey | None:
        return self._key if kid == KEY_ID else None

    def token(self, role: str, jkt: str) -> str:
        now = system_clock()
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "client-1",
            "amparo_role": role,
            "cnf": {"jkt": jkt},
            "iat": int(now.timestamp()),
            "exp": int((now + timedelta(minutes=5)).timestamp()),
        }
        return jwt.encode({"alg": "ES256", "kid": KEY_ID, "typ": "at+jwt"}, claims, self._key, algorithms=["ES256"])

    def holder(self, role: str) -> Holder:
        return Holder(lambda jkt: self.token(role, jkt))


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def receipt_key(tmp_path: Path) -> Path:
    file = tmp_path / "receipts"
    file.write_text(NoteSigner.generate("test.intake").key_text)
    return file


@pytest.fixture
def transport_key(tmp_path: Path) -> Path:
    file = tmp_path / "transport"
    private_files.write(file, base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode())
    return file


@pytest.fixture
def parcel_settings(databases: Databases, kafka: str, receipt_key: Path, transport_key: Path) -> Settings:
    """The settings of the small service, on a migrated database of its own."""
    migrate("tests.runtime.parcels", databases.url("intake", "owner"))
    return Settings(
        environment="embedded",
        mechanism=databases.mechanism,
        database=databases.url("intake"),
        sequencer_database=databases.url("intake", "sequencer"),
        kafka=kafka,
        receipt_key=receipt_key,
        transport_key=transport_key,
        public_urls="http://service",
    )


@pytest.fixture
def serve(issuer: Issuer) -> Serve:
    """``async with serve(settings) as client``: the service runs, with its lifespan, until the block ends."""

    @asynccontextmanager
    async def serving(settings: Settings, *, until_ready: bool = True) -> AsyncIterator[httpx.AsyncClient]:
        app = create_service(settings, verifier=issuer.verifier).app()
        transport = httpx.ASGITransport(app=app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://service") as client,
        ):
            if until_ready:
                await eventually(lambda: _ready(client), timeout=20)
            yield client

    return serving


async def _ready(client: httpx.AsyncClient) -> bool:
    answer = await client.get("/healthz")
    assert answer.status_code == 200, answer.text
    return True
