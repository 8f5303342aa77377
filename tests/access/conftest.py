"""A small service, its issuer's signer and its client."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.access.clocks import SetClock
from tests.access.service import Signer, client_of, service


@pytest.fixture
def clock() -> SetClock:
    """Set by the test."""
    return SetClock()


@pytest.fixture
def signer(clock: SetClock) -> Signer:
    """Signs tokens as the issuer does."""
    return Signer(clock)


@pytest.fixture
async def http(signer: Signer) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the small service, without a token."""
    async with client_of(service(signer)) as client:
        yield client


@pytest.fixture
async def filer(http: httpx.AsyncClient, signer: Signer) -> httpx.AsyncClient:
    """The same as an organisation that files."""
    http.auth = signer.holder()
    return http
