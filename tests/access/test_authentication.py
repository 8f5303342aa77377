"""Who sent a request, as a service is asked by HTTP."""

import httpx
import pytest
from joserfc.jwk import ECKey

from access.dpop import Prover
from tests.access.clocks import SetClock
from tests.access.problems_asserts import assert_problem
from tests.access.service import KEY, URL, Signer

PLACE = f"{URL}/v1/things"


@pytest.fixture
async def prover(http: httpx.AsyncClient, clock: SetClock) -> Prover:
    """The token's owner, who has the service's nonce."""
    made = Prover(clock=clock, key=KEY)
    assert made.learn(URL, (await http.get(PLACE)).headers)
    return made


async def refused(http: httpx.AsyncClient, headers: object, error: str | None) -> httpx.Response:
    """Whatever is wrong, it is the one problem, and a nonce for the next attempt comes with it."""
    response = await http.get(PLACE, headers=headers)  # type: ignore[arg-type]
    assert_problem(response, "unauthenticated")
    said = f', error="{error}"' if error else ""
    assert response.headers["www-authenticate"] == f'DPoP realm="amparo"{said}, algs="ES256"'
    assert len(response.headers["dpop-nonce"]) == 32
    return response


async def test_a_token_with_its_proof_is_taken(http: httpx.AsyncClient, signer: Signer, prover: Prover) -> None:
    """The scheme is written in any case (RFC 9110 section 11.1)."""
    token = signer.token(amparo_role="auditor")
    for scheme in ("DPoP", "dpop"):
        proof = prover.proof(method="GET", url=PLACE, token=token)
        response = await http.get(PLACE, headers={"Authorization": f"{scheme} {token}", "DPoP": proof})
        assert response.status_code == 200
        assert "dpop-nonce" not in response.headers


async def test_a_token_alone_is_of_no_use(http: httpx.AsyncClient, signer: Signer, prover: Prover) -> None:
    """Whoever took it from a log, a memory or a wire cannot act with it, as a bearer least of all."""
    token = signer.token()
    proof = prover.proof(method="GET", url=PLACE, token=token)
    for authorization in ("Bearer", f"Bearer {token}", "Basic bmdvOng=", token, "DPoP", "DPoP ", ""):
        await refused(http, {"Authorization": authorization, "DPoP": proof}, None)
    await refused(http, {}, None)
    await refused(http, {"Authorization": f"DPoP {token}"}, "invalid_dpop_proof")
    await refused(http, {"Authorization": f"DPoP {token}", "DPoP": ""}, "invalid_dpop_proof")
    twice = [("Authorization", f"DPoP {token}"), ("Authorization", f"DPoP {token}"), ("DPoP", proof)]
    await refused(http, twice, None)


async def test_a_bad_token_and_a_bad_proof_are_told_apart(
    http: httpx.AsyncClient, signer: Signer, prover: Prover, clock: SetClock
) -> None:
    """A client knows what to make anew; which check failed is in the log only."""
    token = signer.token()
    await refused(http, prover.headers(method="GET", url=PLACE, token="a.b.c"), "invalid_token")
    await refused(http, prover.headers(method="GET", url=PLACE, token=signer.token(cnf=...)), "invalid_token")
    await refused(http, prover.headers(method="POST", url=PLACE, token=token), "invalid_dpop_proof")
    await refused(http, prover.headers(method="GET", url=PLACE + "/1", token=token), "invalid_dpop_proof")
    stranger = Prover(clock=clock, key=ECKey.generate_key("P-256"))
    stranger.learn(URL, (await http.get(PLACE)).headers)
    await refused(http, stranger.headers(method="GET", url=PLACE, token=token), "invalid_dpop_proof")
    proof = prover.proof(method="GET", url=PLACE, token=token)
    several = [("Authorization", f"DPoP {token}"), ("DPoP", proof), ("DPoP", proof)]
    await refused(http, several, "invalid_dpop_proof")


async def test_a_proof_is_checked_each_time_though_the_token_is_remembered(
    http: httpx.AsyncClient, signer: Signer, prover: Prover
) -> None:
    """What was overheard is refused a second time, and the next of the owner's own is taken."""
    token = signer.token(amparo_role="auditor")
    overheard = prover.headers(method="GET", url=PLACE, token=token)
    assert (await http.get(PLACE, headers=overheard)).status_code == 200
    await refused(http, overheard, "invalid_dpop_proof")
    await refused(http, {**overheard, "DPoP": ""}, "invalid_dpop_proof")
    assert (await http.get(PLACE, headers=prover.headers(method="GET", url=PLACE, token=token))).status_code == 200


async def test_who_has_no_nonce_is_given_one(http: httpx.AsyncClient, signer: Signer, clock: SetClock) -> None:
    """RFC 9449 section 9."""
    token = signer.token(amparo_role="auditor")
    newcomer = Prover(clock=clock, key=KEY)
    first = await refused(http, newcomer.headers(method="GET", url=PLACE, token=token), "use_dpop_nonce")
    newcomer.learn(URL, first.headers)
    assert (await http.get(PLACE, headers=newcomer.headers(method="GET", url=PLACE, token=token))).status_code == 200


async def test_who_goes_on_is_given_a_new_nonce_before_the_old_one_ends(
    http: httpx.AsyncClient, signer: Signer, prover: Prover, clock: SetClock
) -> None:
    """Steady work is never interrupted: an answer brings what the next request needs."""
    for _ in range(6):
        token = signer.token(amparo_role="auditor")
        clock.advance(seconds=60)
        response = await http.get(PLACE, headers=prover.headers(method="GET", url=PLACE, token=token))
        assert response.status_code == 200
        assert prover.learn(URL, response.headers)


async def test_a_service_cannot_pass_on_a_proof_that_it_was_sent(
    http: httpx.AsyncClient, signer: Signer, prover: Prover, clock: SetClock
) -> None:
    """It fetched our nonce beforehand, and says in its headers that it is where the client wanted to go."""
    token, evil = signer.token(amparo_role="auditor"), "http://evil.test"
    client = Prover(clock=clock, key=KEY)
    client.learn(evil, (await http.get(PLACE)).headers)
    sent = client.headers(method="GET", url=f"{evil}/v1/things", token=token)
    lies = {"Host": "evil.test", "X-Forwarded-Host": "evil.test", "Forwarded": "host=evil.test;proto=http"}
    for added in ({}, lies):
        await refused(http, {**sent, **added}, "invalid_dpop_proof")


async def test_tokens_in_addresses_and_bodies_are_not_looked_at(http: httpx.AsyncClient, signer: Signer) -> None:
    """An address stands in logs."""
    assert_problem(await http.get("/v1/things", params={"access_token": signer.token()}), "unauthenticated")
