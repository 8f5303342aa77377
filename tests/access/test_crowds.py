"""No flood keeps out who is in danger: clients, addresses and all together have their measure."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI

from access import middleware, problems
from access.authorization import may
from access.crowds import Crowds, Limits, admit
from access.dpop import NONCE_HEADER, Nonces, Proofs
from eventlog.store import Actor
from tests.access.problems_asserts import assert_problem
from tests.access.service import URL, Signer

FEW = Limits(client="3 per minute", urgent="2 per minute", stranger="4 per minute")
FILING = ("POST", "/v1/requests")


class Busy:
    """A service whose reads end when they are let."""

    def __init__(self, signer: Signer, crowds: Crowds) -> None:
        self.let, self.entered = asyncio.Event(), asyncio.Event()
        self.inside = 0
        self.app = FastAPI(dependencies=[Depends(admit)])
        self.app.state.verifier, self.app.state.crowds = signer.verifier(), crowds
        self.app.state.proofs = Proofs(bases=[URL], clock=signer.clock, nonces=Nonces(clock=signer.clock))
        problems.install(self.app)
        middleware.install(self.app, crowds=crowds)

        @self.app.get("/v1/requests")
        async def look(actor: Annotated[Actor, may("request.list")]) -> str:
            self.inside += 1
            self.entered.set()
            await self.let.wait()
            return actor.id

        @self.app.post("/v1/requests")
        async def file(actor: Annotated[Actor, may("request.file")]) -> str:
            return actor.id


Enter = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def enter(signer: Signer) -> AsyncIterator[Enter]:
    """Clients of an application, each at its own address."""
    opened: list[httpx.AsyncClient] = []

    def entered(app: FastAPI, *, sub: str = "ngo", address: str = "192.0.2.1", token: str = "") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, client=(address, 5000))
        holder = signer.holder(sub=sub)
        holder.token = token or holder.token
        holder.prover.learn(URL, {NONCE_HEADER: app.state.proofs.nonces.new()})
        opened.append(httpx.AsyncClient(transport=transport, base_url=URL, auth=holder))
        return opened[-1]

    yield entered
    for client in opened:
        await client.aclose()


async def test_a_client_that_asks_too_much_is_told_when_to_come_again(signer: Signer, enter: Enter) -> None:
    """Another one is not kept waiting by it, nor is its own filing; filings have a measure of their own."""
    busy = Busy(signer, Crowds(limits=FEW, urgent=[FILING]))
    busy.let.set()
    ngo, other = enter(busy.app), enter(busy.app, sub="other")
    assert [(await ngo.get("/v1/requests")).status_code for _ in range(3)] == [200] * 3
    refused = await ngo.get("/v1/requests")
    assert_problem(refused, "too-many-requests")
    assert 1 <= int(refused.headers["retry-after"]) <= 120
    assert (await other.get("/v1/requests")).status_code == 200
    assert [(await ngo.post("/v1/requests")).status_code for _ in range(3)] == [200, 200, 429]


async def test_an_address_without_an_identity_is_refused_unread(signer: Signer, enter: Enter) -> None:
    """After its measure of refused tokens nothing of its body is read; who is elsewhere is served, and so is a filing
    from behind the same address.
    """
    busy = Busy(signer, Crowds(limits=FEW, urgent=[FILING]))
    busy.let.set()
    stranger, neighbour = enter(busy.app, token="none"), enter(busy.app)
    for _ in range(4):
        assert_problem(await stranger.get("/v1/requests"), "unauthenticated")

    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    refused = await stranger.request("GET", "/v1/requests", content=unread())
    assert_problem(refused, "too-many-requests")
    assert int(refused.headers["retry-after"]) >= 1
    assert (await enter(busy.app, address="198.51.100.7").get("/v1/requests")).status_code == 200
    assert (await neighbour.post("/v1/requests")).status_code == 200


async def test_an_attacker_does_not_get_another_measure_with_each_address_of_its_network(
    signer: Signer, enter: Enter
) -> None:
    """An IPv6 subscriber has 2**64 addresses."""
    busy = Busy(signer, Crowds(limits=FEW, urgent=[FILING]))
    answers = [
        (await enter(busy.app, token="none", address=f"2001:db8::{n}").get("/v1/requests")).status_code
        for n in range(1, 7)
    ]
    assert answers == [401] * 4 + [429] * 2
    assert (await enter(busy.app, token="none", address="2001:db8:0:1::1").get("/v1/requests")).status_code == 401


async def test_a_flood_of_other_calls_never_refuses_a_filing(signer: Signer, enter: Enter) -> None:
    """All places are taken and the queue is full: the others are refused, a filing is answered at once."""
    crowds = Crowds(urgent=[FILING], places=3, queue=2, wait_s=60)
    busy = Busy(signer, crowds)
    client = enter(busy.app)
    flood = [asyncio.create_task(client.get("/v1/requests")) for _ in range(40)]
    done, waiting = await asyncio.wait(flood, return_when=asyncio.FIRST_COMPLETED)
    while len(waiting) > 5:
        more, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        done |= more
    for task in done:
        assert_problem(task.result(), "unavailable")
        assert task.result().headers["retry-after"] == "1"
    assert busy.inside == 3
    async with asyncio.timeout(5):
        assert (await client.post("/v1/requests")).status_code == 200
    busy.let.set()
    assert {task.result().status_code for task in (await asyncio.wait(waiting))[0]} == {200}
    assert (await client.get("/v1/requests")).status_code == 200


async def test_whoever_waits_too_long_for_a_place_is_told_so(signer: Signer, enter: Enter) -> None:
    """And the place is given back by whoever had it."""
    busy = Busy(signer, Crowds(urgent=[FILING], places=1, queue=5, wait_s=0.05))
    client = enter(busy.app)
    first = asyncio.create_task(client.get("/v1/requests"))
    await busy.entered.wait()
    assert_problem(await client.get("/v1/requests"), "unavailable")
    busy.let.set()
    assert (await first).status_code == 200
    assert (await client.get("/v1/requests")).status_code == 200


@pytest.mark.parametrize("text", ["", "many", "5 per fortnight"])
def test_a_limit_that_means_nothing_is_refused_at_the_start(text: str) -> None:
    """A typing error must not open the door."""
    with pytest.raises(ValueError, match=r".*"):
        Limits(client=text)
