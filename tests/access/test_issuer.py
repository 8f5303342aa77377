"""The built-in token endpoint, spoken to as a client does."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey
from joserfc.util import urlsafe_b64decode

from access import issuer, keys
from access.dpop import Prover
from access.token_source import ASSERTION_TYPE, NoToken, TokenSource
from access.tokens import KeySet, Verifier
from eventlog.store import Actor
from tests.access.clocks import SetClock

NAME, ENDPOINT, AUDIENCE = "http://issuer.test", "http://issuer.test/token", "amparo:xx"
NOW = SetClock().seconds


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Keys as they are made at the first start."""
    keys.init(tmp_path / "keys", mechanism="xx")
    return tmp_path / "keys"


@pytest.fixture
def transport(folder: Path, clock: SetClock) -> httpx.ASGITransport:
    """The way to the issuer."""
    files = issuer.Files(folder)
    made = issuer.Issuer(files=files, issuer=NAME, token_endpoint=ENDPOINT, audience=AUDIENCE, clock=clock)
    return httpx.ASGITransport(issuer.create_app(made))


@pytest.fixture
async def client(transport: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    """Speaks to the issuer."""
    async with httpx.AsyncClient(transport=transport, base_url=NAME) as made:
        yield made


@pytest.fixture
def verifier(client: httpx.AsyncClient, clock: SetClock) -> Verifier:
    """A service that trusts the issuer."""

    async def fetch() -> dict[str, Any]:
        found: dict[str, Any] = (await client.get("/.well-known/jwks.json")).json()
        return found

    return Verifier(issuer=NAME, audience=AUDIENCE, keys=KeySet(fetch=fetch, clock=clock), clock=clock)


def key_of(folder: Path, client_id: str) -> ECKey:
    """A client's private key."""
    return TokenSource.from_file(
        client_id=client_id, key_file=folder / "clients" / f"{client_id}.jwk", token_endpoint="", clock=SetClock()
    )._key


def assertion(folder: Path, *, key: ECKey | None = None, alg: str = "ES256", **changed: Any) -> str:
    """The ngo's assertion, right unless told otherwise; a value of ``...`` takes a claim out."""
    claims: dict[str, Any] = {
        "iss": "ngo",
        "sub": "ngo",
        "aud": NAME,
        "jti": "an-id-used-once",
        "iat": NOW,
        "exp": NOW + 60,
    }
    claims = {name: value for name, value in {**claims, **changed}.items() if value is not ...}
    return jwt.encode({"alg": alg}, claims, key or key_of(folder, "ngo"), algorithms=[alg])


def form(text: str, **changed: str) -> dict[str, str]:
    """A token request's form."""
    return {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": text,
        **changed,
    }


async def ask(client: httpx.AsyncClient, fields: dict[str, str], clock: SetClock | None = None) -> httpx.Response:
    """A token request with a proof of a new key."""
    proof = Prover(clock=clock or SetClock()).proof(method="POST", url=ENDPOINT)
    return await client.post("/token", data=fields, headers={"DPoP": proof})


async def declined(
    client: httpx.AsyncClient,
    fields: dict[str, str],
    *,
    error: str = "invalid_client",
    clock: SetClock | None = None,
) -> None:
    """The endpoint gives nothing for ``fields``, and says no more than which of RFC 6749's errors it is."""
    response = await ask(client, fields, clock)
    assert response.status_code == (401 if error == "invalid_client" else 400)
    assert response.json() == {"error": error}
    assert response.headers["cache-control"] == "no-store"


async def test_an_assertion_gives_a_token_that_a_service_accepts(
    client: httpx.AsyncClient, folder: Path, verifier: Verifier
) -> None:
    """From the client's key to the actor that an act is recorded with."""
    response = await ask(client, form(assertion(folder)))
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    given_token = response.json()
    assert (given_token["token_type"], given_token["expires_in"]) == ("DPoP", 300)
    identity = await verifier.verify(given_token["access_token"])
    assert identity.actor == Actor(id="ngo", role="filer", unit="ngo-rios-vivos")


async def test_a_persons_token_says_when_and_where(client: httpx.AsyncClient, folder: Path, verifier: Verifier) -> None:
    """The mechanism's staff sign with keys of their own, so each assertion proves anew who they are; a system's does
    not.
    """
    found = {}
    for name in ("coordinator", "police-ucayali"):
        signed = assertion(folder, key=key_of(folder, name), iss=name, sub=name, jti=f"an-id-of-{name}")
        found[name] = await verifier.verify((await ask(client, form(signed))).json()["access_token"])
    assert (found["coordinator"].auth_time, found["coordinator"].region) == (datetime.fromtimestamp(NOW, UTC), "PE")
    assert (found["police-ucayali"].auth_time, found["police-ucayali"].region) == (None, "")


async def test_a_token_is_bound_to_the_key_of_its_proof(
    client: httpx.AsyncClient, folder: Path, verifier: Verifier, clock: SetClock
) -> None:
    """RFC 9449 section 5: the client's own key or any other that it holds."""
    for key, once in ((ECKey.generate_key("P-256"), "an-id-used-once"), (key_of(folder, "ngo"), "another-id")):
        prover = Prover(clock=clock, key=key)
        headers = {"DPoP": prover.proof(method="POST", url=ENDPOINT)}
        answer = await client.post("/token", data=form(assertion(folder, jti=once)), headers=headers)
        assert (await verifier.verify(answer.json()["access_token"])).jkt == key.thumbprint()


async def test_without_a_right_proof_there_is_no_token(
    client: httpx.AsyncClient, folder: Path, clock: SetClock
) -> None:
    """None, two, one for elsewhere, one that was used, a made-up one: and the assertion is not used up by it."""
    prover = Prover(clock=clock)
    used, *others = [prover.proof(method="POST", url=ENDPOINT) for _ in range(3)]
    fields = form(assertion(folder, jti="for-the-first"))
    assert (await client.post("/token", data=fields, headers={"DPoP": used})).is_success
    elsewhere = prover.proof(method="POST", url=f"{NAME}/elsewhere")
    got = prover.proof(method="GET", url=ENDPOINT)
    fields = form(assertion(folder))
    for sent in ([], [used], [elsewhere], [got], ["a.b.c"], others):
        answer = await client.post("/token", data=fields, headers=[("DPoP", proof) for proof in sent])
        assert (answer.status_code, answer.json()) == (400, {"error": "invalid_dpop_proof"})
    assert (await ask(client, fields)).is_success


async def test_an_assertion_is_good_once(client: httpx.AsyncClient, folder: Path) -> None:
    """Whoever overhears one can do nothing with it."""
    text = assertion(folder)
    assert (await ask(client, form(text))).status_code == 200
    await declined(client, form(text))
    await declined(client, form(assertion(folder, exp=NOW + 59)))


async def test_an_assertion_used_before_a_restart_stays_used(
    folder: Path, clock: SetClock, client: httpx.AsyncClient
) -> None:
    """What was used is remembered in memory only, so what is older than the process is not taken."""
    text = assertion(folder)
    assert (await ask(client, form(text))).status_code == 200
    clock.advance(seconds=5)
    restarted = issuer.Issuer(
        files=issuer.Files(folder), issuer=NAME, token_endpoint=ENDPOINT, audience=AUDIENCE, clock=clock
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(issuer.create_app(restarted)), base_url=NAME) as after:
        await declined(after, form(text), clock=clock)


async def test_memory_of_used_assertions_ends_after_they_do(
    client: httpx.AsyncClient, folder: Path, clock: SetClock
) -> None:
    """A used one is refused for as long as its expiry would let it through."""
    text = assertion(folder)
    assert (await ask(client, form(text))).status_code == 200
    for _ in range(15):
        clock.advance(seconds=5)
        await declined(client, form(text), clock=clock)


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "http://other.test/token"},
        {"aud": [NAME, "http://other.test"]},
        {"aud": []},
        {"aud": ...},
        {"iss": "police-ucayali"},
        {"sub": "police-ucayali"},
        {"iss": "police-ucayali", "sub": "police-ucayali"},
        {"iss": "nobody", "sub": "nobody"},
        {"iss": ["ngo"]},
        {"jti": ...},
        {"jti": "short"},
        {"jti": 12345678},
        {"jti": "x" * 129},
        {"exp": NOW},
        {"exp": NOW + 120},
        {"exp": ...},
        {"exp": "soon"},
        {"iat": NOW + 6},
        {"iat": NOW - 1, "exp": NOW + 30},
        {"iat": ...},
    ],
    ids=str,
)
async def test_an_assertion_that_is_wrong_gives_nothing(
    client: httpx.AsyncClient, folder: Path, changed: dict[str, Any]
) -> None:
    """Other audiences, other clients' names, long or missing lives."""
    await declined(client, form(assertion(folder, **changed)))


async def test_another_clients_key_opens_nothing(client: httpx.AsyncClient, folder: Path) -> None:
    """A police unit cannot speak as the organisation that files."""
    await declined(client, form(assertion(folder, key=key_of(folder, "police-ucayali"))))
    await declined(client, form(assertion(folder, key=ECKey.generate_key("P-256"))))


async def test_an_assertion_of_another_algorithm_gives_nothing(client: httpx.AsyncClient, folder: Path) -> None:
    """`none`, and a curve that is not the client's."""
    head = "eyJhbGciOiJub25lIn0"
    await declined(client, form(f"{head}.{assertion(folder).split('.')[1]}."))
    await declined(client, form(assertion(folder, key=ECKey.generate_key("P-384"), alg="ES384")))


async def test_a_client_id_beside_the_assertion_has_to_agree(client: httpx.AsyncClient, folder: Path) -> None:
    """RFC 7521 section 4.2."""
    await declined(client, form(assertion(folder), client_id="police-ucayali"))
    assert (await ask(client, form(assertion(folder, jti="another-id"), client_id="ngo"))).is_success


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": ""}, "unsupported_grant_type"),
        ({"client_assertion_type": "other"}, "invalid_client"),
        ({"client_assertion": ""}, "invalid_client"),
        ({"client_assertion": "a.b.c"}, "invalid_client"),
        ({"client_assertion": "abc"}, "invalid_client"),
    ],
)
async def test_a_form_that_is_wrong_gives_the_error_of_the_standard(
    client: httpx.AsyncClient, folder: Path, changed: dict[str, str], error: str
) -> None:
    """RFC 6749 section 5.2."""
    await declined(client, form(assertion(folder), **changed), error=error)


async def test_what_is_no_form_is_an_invalid_request(client: httpx.AsyncClient) -> None:
    """JSON, a parameter twice, bytes of no alphabet, or too much of it."""
    headers = {"content-type": "application/x-www-form-urlencoded"}
    for content in (b"grant_type=a&grant_type=b", b"\xff\xfe", b"", b"x", b"&".join(b"a%d=1" % n for n in range(20))):
        assert (await client.post("/token", content=content, headers=headers)).json() == {"error": "invalid_request"}
    assert (await client.post("/token", json={"grant_type": "client_credentials"})).status_code == 400
    assert (await client.post("/token", content=b"a=" + b"x" * 10_000, headers=headers)).status_code == 413
    assert (await client.get("/token")).status_code == 405


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=60) | st.lists(st.binary(max_size=20), min_size=3, max_size=3).map(repr))
async def test_no_assertion_whatever_breaks_the_endpoint(client: httpx.AsyncClient, text: str) -> None:
    """What somebody made up is declined, never a fault."""
    assert (await ask(client, form(text))).status_code in (400, 401)


async def test_rotation_and_new_clients_need_no_restart(
    client: httpx.AsyncClient, folder: Path, verifier: Verifier, tmp_path: Path, clock: SetClock
) -> None:
    """The files are read again when they change."""
    before = (await ask(client, form(assertion(folder)))).json()["access_token"]
    await verifier.verify(before)
    keys.rotate_issuer(folder)
    table = tmp_path / "more.yaml"
    table.write_text("newcomer: {role: ministry, unit: minam}\n")
    keys.init(folder, mechanism="xx", table=table)
    clock.advance(seconds=40)

    text = assertion(folder, key=key_of(folder, "newcomer"), iss="newcomer", sub="newcomer", iat=NOW + 40, exp=NOW + 70)
    after = (await ask(client, form(text), clock)).json()["access_token"]

    assert (await verifier.verify(after)).actor.unit == "minam"
    assert (await verifier.verify(before)).actor.id == "ngo"
    assert len((await client.get("/.well-known/jwks.json")).json()["keys"]) == 2


async def test_what_is_published_holds_no_private_key(client: httpx.AsyncClient) -> None:
    """The key set, the discovery document and the health are for everybody."""
    published = (await client.get("/.well-known/jwks.json")).json()["keys"]
    assert [set(key) for key in published] == [{"kty", "crv", "x", "y", "kid", "use", "alg"}]
    discovery = (await client.get("/.well-known/openid-configuration")).json()
    assert discovery["issuer"] == NAME
    assert discovery["token_endpoint"] == ENDPOINT
    assert discovery["jwks_uri"] == f"{NAME}/.well-known/jwks.json"
    assert discovery["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert discovery["dpop_signing_alg_values_supported"] == ["ES256"]
    assert (await client.get("/healthz")).json() == {"status": "ok", "checks": {"keys": "ok"}}


async def test_lost_files_are_a_failing_health_and_no_token(client: httpx.AsyncClient, folder: Path) -> None:
    """The supervisor sees it, and nobody gets a token by it."""
    text = form(assertion(folder))
    (folder / "issuer.json").unlink()
    assert (await client.get("/healthz")).status_code == 503
    assert (await ask(client, text)).status_code == 503


async def test_a_token_source_keeps_its_token_until_shortly_before_it_ends(
    transport: httpx.ASGITransport, folder: Path, clock: SetClock
) -> None:
    """One request to the issuer in four and a half minutes."""
    source = TokenSource(
        client_id="ngo", key=key_of(folder, "ngo"), token_endpoint=ENDPOINT, clock=clock, transport=transport
    )
    first = await source.token()
    clock.advance(seconds=269)
    assert await source.token() == first
    clock.advance(seconds=1)
    assert await source.token() != first


async def test_a_refused_token_is_replaced_once(transport: httpx.ASGITransport, folder: Path, clock: SetClock) -> None:
    """After a rotation that ended a key a client goes on by itself; a service that refuses all is asked only twice."""
    source = TokenSource(
        client_id="ngo", key=key_of(folder, "ngo"), token_endpoint=ENDPOINT, clock=clock, transport=transport
    )
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["authorization"])
        return httpx.Response(401)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), auth=source) as service:
        assert (await service.get("http://service.test/")).status_code == 401
    assert len(seen) == len(set(seen)) == 2


async def test_a_token_source_signs_again_with_the_nonce_that_is_wanted(folder: Path, clock: SetClock) -> None:
    """RFC 9449 section 8: an issuer may want one, as a service does; the token stays, the proof does not."""
    issued: list[dict[str, str]] = []

    def issue(request: httpx.Request) -> httpx.Response:
        issued.append(dict(parse_qsl(request.content.decode())))
        if _claims(request).get("nonce") != "of-the-issuer":
            return httpx.Response(400, json={"error": "use_dpop_nonce"}, headers={"DPoP-Nonce": "of-the-issuer"})
        return httpx.Response(200, json={"access_token": "a.b.c", "token_type": "DPoP", "expires_in": 300})

    seen: list[dict[str, Any]] = []

    def serve(request: httpx.Request) -> httpx.Response:
        seen.append(_claims(request))
        assert request.headers["Authorization"] == "DPoP a.b.c"
        if seen[-1].get("nonce") != "of-the-service":
            challenge = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": "of-the-service"}
            return httpx.Response(401, headers=challenge)
        return httpx.Response(200)

    source = TokenSource(
        client_id="ngo",
        key=key_of(folder, "ngo"),
        token_endpoint=ENDPOINT,
        clock=clock,
        transport=httpx.MockTransport(issue),
    )
    async with httpx.AsyncClient(transport=httpx.MockTransport(serve), auth=source) as service:
        for _ in range(2):
            assert (await service.get("http://service.test/v1/x?y=z")).status_code == 200
    assert [claims.get("nonce") for claims in seen] == [None, "of-the-service", "of-the-service"]
    assert {claims["htu"] for claims in seen} == {"http://service.test/v1/x"}
    assert len({claims["jti"] for claims in seen}) == 3
    assert len({form["client_assertion"] for form in issued}) == len(issued) == 2


async def test_a_service_that_is_never_content_is_asked_a_few_times_only(folder: Path, clock: SetClock) -> None:
    """A fault of one side is not made a flood by the other."""
    asked = 0

    def serve(request: httpx.Request) -> httpx.Response:
        nonlocal asked
        asked += 1
        challenge = {"WWW-Authenticate": 'DPoP error="use_dpop_nonce"', "DPoP-Nonce": f"nonce-{asked}"}
        return httpx.Response(401, headers=challenge)

    given_token = httpx.Response(200, json={"access_token": "a.b.c", "token_type": "DPoP", "expires_in": 300})
    source = TokenSource(
        client_id="ngo",
        key=key_of(folder, "ngo"),
        token_endpoint=ENDPOINT,
        clock=clock,
        transport=httpx.MockTransport(lambda _: given_token),
    )
    async with httpx.AsyncClient(transport=httpx.MockTransport(serve), auth=source) as service:
        assert (await service.get("http://service.test/")).status_code == 401
    assert asked == 4


async def test_a_token_that_is_not_bound_is_not_used(folder: Path, clock: SetClock) -> None:
    """An issuer that ignores proofs is noticed here, not by who finds the token in a log."""
    answer = {"access_token": "a.b.c", "token_type": "Bearer", "expires_in": 300}
    source = TokenSource(
        client_id="ngo",
        key=key_of(folder, "ngo"),
        token_endpoint=ENDPOINT,
        clock=clock,
        transport=httpx.MockTransport(lambda _: httpx.Response(200, json=answer)),
    )
    with pytest.raises(NoToken, match="not bound"):
        await source.token()


def _claims(request: httpx.Request) -> dict[str, Any]:
    part = request.headers["DPoP"].split(".")[1]
    found: dict[str, Any] = json.loads(urlsafe_b64decode(part.encode()))
    return found


async def test_a_client_that_is_not_registered_is_told_by_name(transport: httpx.ASGITransport, clock: SetClock) -> None:
    """The operator reads which client has no registration."""
    stranger = TokenSource(
        client_id="stranger",
        key=ECKey.generate_key("P-256"),
        token_endpoint=ENDPOINT,
        clock=clock,
        transport=transport,
    )
    with pytest.raises(NoToken, match="401 to stranger"):
        await stranger.token()


def test_a_source_without_an_endpoint_says_so(clock: SetClock) -> None:
    """The cause is named; the assertion is not."""
    source = TokenSource(
        client_id="ngo", key=ECKey.generate_key("P-256"), token_endpoint="http://127.0.0.1:1/token", clock=clock
    )
    with pytest.raises(NoToken, match="does not answer: ConnectError"):
        source.token_sync()


def test_it_refuses_to_start_outside_the_embedded_stack(folder: Path) -> None:
    """Real people's data is behind a real identity provider."""
    environment = {**os.environ, "AMPARO_ENVIRONMENT": "production", "AMPARO_KEYRING": str(folder)}
    ended = subprocess.run(
        [sys.executable, "-m", "access.issuer"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert "embedded stack only" in ended.stderr


def test_it_stays_small() -> None:
    """A process of the embedded stack that needs neither the web framework nor the database drivers loads neither."""
    script = "import access.issuer, sys; print([m for m in ('fastapi', 'sqlalchemy', 'psycopg') if m in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert shown.stdout.strip() == "[]"
