"""Whom a token names, and every way in which it may name nobody."""

import asyncio
import base64
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey

from access.identity import Identity
from access.problems import Problem
from access.tokens import KeySet, Verifier
from eventlog.store import Actor
from tests.access.clocks import SetClock
from tests.access.service import AUDIENCE, ISSUER, JKT, Signer


def part(value: Any) -> str:
    """A token's part."""
    text = value if isinstance(value, str) else json.dumps(value)
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


async def refused(verifier: Verifier, token: str) -> None:
    """``token`` proves nothing."""
    with pytest.raises(Problem) as problem:
        await verifier.verify(token)
    assert problem.value.code == "unauthenticated"


async def test_a_token_names_id_role_and_unit(signer: Signer) -> None:
    """What the issuer says is what is recorded with each act."""
    expected = Actor(id="ngo", role="filer", unit="ngo-one")
    assert await signer.verifier().verify(signer.token()) == Identity(actor=expected, jkt=JKT)


async def test_a_persons_token_says_when_and_how_they_proved_who_they_are(signer: Signer, clock: SetClock) -> None:
    """What needs a fresh proof of identity can ask for one."""
    found = await signer.verifier().verify(signer.token(auth_time=NOW - 60, acr="urn:x:pwd", amparo_region="PE-UCA"))
    assert (found.auth_time, found.acr, found.region) == (clock() - timedelta(minutes=1), "urn:x:pwd", "PE-UCA")


async def test_a_token_without_a_unit_acts_for_none(signer: Signer) -> None:
    """A service belongs to no agency."""
    assert (await signer.verifier().verify(signer.token(amparo_unit=...))).actor.unit == ""


async def test_a_list_of_audiences_has_to_hold_ours(signer: Signer) -> None:
    """An issuer may write a list of one."""
    assert (await signer.verifier().verify(signer.token(aud=[AUDIENCE]))).actor.id == "ngo"
    await refused(signer.verifier(), signer.token(aud=["amparo:yy"]))


NOW = SetClock().seconds


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "https://other.test"},
        {"iss": ISSUER + "/"},
        {"iss": ...},
        {"aud": "amparo:yy"},
        {"aud": ...},
        {"aud": [[AUDIENCE]]},
        {"aud": {AUDIENCE: 1}},
        {"exp": NOW},
        {"exp": NOW - 1, "iat": NOW - 301},
        {"exp": ...},
        {"exp": str(NOW + 300)},
        {"exp": float(NOW + 300)},
        {"exp": True},
        {"exp": NOW + 3600},
        {"iat": NOW + 6},
        {"iat": ...},
        {"iat": NOW + 3, "exp": NOW + 2},
        {"nbf": NOW + 6},
        {"nbf": "now"},
        {"sub": ...},
        {"sub": ""},
        {"sub": 7},
        {"sub": "a b"},
        {"sub": "a\n"},
        {"sub": "x" * 200},
        {"amparo_role": ...},
        {"amparo_role": ["filer"]},
        {"amparo_role": "Filer!"},
        {"amparo_unit": 3},
        {"amparo_unit": "a/../b"},
        {"amparo_region": "a b"},
        {"amparo_region": 7},
        {"cnf": ...},
        {"cnf": "A" * 43},
        {"cnf": {}},
        {"cnf": {"jkt": "A" * 42}},
        {"cnf": {"jkt": "A" * 43 + "\n"}},
        {"cnf": {"jkt": 7}},
        {"cnf": {"x5t#S256": "A" * 43}},
        {"auth_time": NOW + 60},
        {"auth_time": "today"},
        {"auth_time": -1},
        {"acr": 1},
        {"acr": "a b"},
    ],
    ids=str,
)
async def test_a_claim_that_is_wrong_or_missing_refuses_the_token(signer: Signer, changed: dict[str, Any]) -> None:
    """Issuer, audience, times and names are each checked; none stands in for another."""
    await refused(signer.verifier(), signer.token(**changed))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"typ": ...},
        {"typ": "dpop+jwt"},
        {"kid": ...},
        {"kid": ""},
        {"kid": "two"},
        {"crit": ["exp"]},
        {"crit": ["b64"], "b64": False},
    ],
    ids=str,
)
async def test_a_header_that_is_not_an_access_tokens_refuses_it(signer: Signer, header: dict[str, Any]) -> None:
    """An assertion or an identity token of the same issuer is no access token (RFC 9068 section 4)."""
    full = {"alg": "ES256", "typ": "at+jwt", "kid": "one", **header}
    full = {name: value for name, value in full.items() if value is not ...}
    body = f"{part(full)}.{part(signer.claims())}"
    signature = jwt.encode({"alg": "ES256"}, signer.claims(), signer.keys["one"], algorithms=["ES256"]).split(".")[2]
    await refused(signer.verifier(), f"{body}.{signature}")


async def test_a_type_may_be_written_in_full(signer: Signer) -> None:
    """RFC 9068 section 2.1 allows the media type with its prefix."""
    assert await signer.verifier().verify(signer.token(header={"typ": "application/at+JWT"}))


async def test_no_other_algorithm_is_taken(signer: Signer) -> None:
    """`none`, a shared-secret algorithm over our public key, and another curve or family."""
    verifier = signer.verifier()
    public = signer.keys["one"].as_pem(private=False)
    for algorithm in ("none", "None", "HS256", "ES384", "RS256", "EdDSA", None, 1):
        body = f"{part({'alg': algorithm, 'typ': 'at+jwt', 'kid': 'one'})}.{part(signer.claims())}"
        mac = base64.urlsafe_b64encode(hmac.digest(public, body.encode(), hashlib.sha256)).rstrip(b"=").decode()
        for signature in ("", mac):
            await refused(verifier, f"{body}.{signature}")
    rsa = jwt.encode(
        {"alg": "RS256", "typ": "at+jwt", "kid": "one"},
        signer.claims(),
        RSAKey.generate_key(2048),
        algorithms=["RS256"],
    )
    await refused(verifier, rsa)


async def test_a_key_that_the_token_brings_along_is_not_used(signer: Signer) -> None:
    """`jwk`, `jku` and `x5c` would let a forger vouch for itself."""
    own = ECKey.generate_key("P-256")
    header = {
        "alg": "ES256",
        "typ": "at+jwt",
        "kid": "one",
        "jwk": own.as_dict(private=False),
        "jku": "https://evil.test",
    }
    await refused(signer.verifier(), jwt.encode(header, signer.claims(), own, algorithms=["ES256"], default_type=None))


async def test_a_shared_secret_in_the_key_set_is_passed_over(signer: Signer, clock: SetClock) -> None:
    """A key set with keys of other kinds serves with those that are ours to use."""

    async def publish() -> dict[str, Any]:
        mixed = [{"kty": "oct", "k": "AAAA", "kid": "oct"}, {"kty": "EC", "crv": "P-256", "use": "enc", "kid": "enc"}]
        return {"keys": [*mixed, *(await signer.publish())["keys"]]}

    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=KeySet(fetch=publish, clock=clock), clock=clock)
    assert await verifier.verify(signer.token())
    shared = jwt.encode(
        {"alg": "HS256", "typ": "at+jwt", "kid": "oct"},
        signer.claims(),
        OctKey.import_key("A" * 32),
        algorithms=["HS256"],
    )
    await refused(verifier, shared)


@given(st.data())
def test_a_token_altered_in_one_character_is_refused(data: st.DataObject) -> None:
    """No single character can be changed without anybody seeing it."""
    signer = Signer(SetClock())
    token = signer.token()
    place = data.draw(st.integers(0, len(token) - 2))  # the last character's low bits are padding
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."))
    altered = token[:place] + other + token[place + 1 :]
    if altered != token:
        asyncio.run(refused(signer.verifier(), altered))


@given(st.text(max_size=80) | st.binary(max_size=80).map(lambda b: b.decode("latin-1")))
def test_no_text_whatever_breaks_the_verifier(text: str) -> None:
    """A header that somebody made up is refused, never a fault."""
    asyncio.run(refused(Signer(SetClock()).verifier(), text))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=5))
def test_no_claim_of_another_type_breaks_the_verifier(value: Any) -> None:
    """A claim of a wrong type is refused, never a fault."""
    signer = Signer(SetClock())
    for claim in ("iss", "aud", "exp", "iat", "nbf", "sub", "amparo_role", "cnf"):
        if not (claim == "aud" and isinstance(value, list) and AUDIENCE in value):
            if claim in ("iat", "nbf") and type(value) is int and NOW - 300 <= value <= NOW + 5:
                continue
            if claim == "nbf" and type(value) is int:
                continue
            if claim in ("sub", "amparo_role") and isinstance(value, str):
                continue
            asyncio.run(refused(signer.verifier(), signer.token(**{claim: value})))


async def test_a_very_long_token_is_not_even_read(signer: Signer) -> None:
    """A megabyte of header costs us nothing."""
    await refused(signer.verifier(), signer.token(jti="x" * 5000))
    await refused(signer.verifier(), "." * 1_000_000)


async def test_an_expired_token_is_refused_though_it_was_verified_before(signer: Signer, clock: SetClock) -> None:
    """The memory of verified tokens ends with the token."""
    verifier, token = signer.verifier(), signer.token(exp=NOW + 20)
    assert await verifier.verify(token)
    clock.advance(seconds=20)
    await refused(verifier, token)


async def test_a_withdrawn_key_is_refused_within_minutes(signer: Signer, clock: SetClock) -> None:
    """Neither the memory of tokens nor that of keys outlives the issuer's decision for long."""
    verifier, token = signer.verifier(), signer.token(exp=NOW + 600)
    assert await verifier.verify(token)
    signer.keys["two"] = ECKey.generate_key("P-256")
    del signer.keys["one"]
    clock.advance(minutes=5)
    await refused(verifier, token)


async def test_both_live_keys_are_taken_and_a_new_one_at_once(signer: Signer, clock: SetClock) -> None:
    """A rotation signs nobody out and needs no restart."""
    verifier, old = signer.verifier(), signer.token()
    assert await verifier.verify(old)
    clock.advance(seconds=60)
    signer.keys["two"] = ECKey.generate_key("P-256")
    assert await verifier.verify(signer.token(kid="two"))
    assert await verifier.verify(old)
    assert signer.fetched == 2


async def test_invented_key_ids_do_not_flood_the_issuer(signer: Signer, clock: SetClock) -> None:
    """At most one fetch in 10 s, whatever is sent."""
    verifier = signer.verifier()
    forger = Signer(clock)
    for n in range(20):
        forger.keys = {f"k{n}": ECKey.generate_key("P-256")}
        await refused(verifier, forger.token(kid=f"k{n}"))
    assert signer.fetched == 1
    clock.advance(seconds=10)
    await refused(verifier, forger.token(kid="k19"))
    assert signer.fetched == 2


async def test_many_first_requests_fetch_the_keys_once(signer: Signer) -> None:
    """A service that starts under load asks once."""
    verifier = signer.verifier()
    await asyncio.gather(*(verifier.verify(signer.token()) for _ in range(20)))
    assert signer.fetched == 1


async def test_a_silent_issuer_means_unavailable_and_later_the_last_keys(clock: SetClock) -> None:
    """A token that cannot be judged is not called false, and a fault of the issuer stops nobody who has a token."""
    signer = Signer(clock)
    silent = True

    async def publish() -> Any:
        if silent:
            raise ValueError("no answer")
        return await signer.publish()

    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=KeySet(fetch=publish, clock=clock), clock=clock)
    with pytest.raises(Problem) as problem:
        await verifier.verify(signer.token())
    assert problem.value.code == "unavailable"
    silent = False
    assert await verifier.verify(signer.token())
    silent = True
    clock.advance(minutes=30)
    assert await verifier.verify(signer.token())
