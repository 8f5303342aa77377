"""How a client names its deed."""

import hashlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from access.idempotency import fingerprint
from tests.access.problems_asserts import assert_problem
from tests.access.service import Signer

KEY = b"k" * 32
BODY: dict[str, list[str]] = {"people": []}


def kept(key: str) -> str:
    """How a client's key is kept: whatever it says, nobody reads it later."""
    return hashlib.sha256(key.encode()).hexdigest()


async def test_the_same_act_has_the_same_name_and_fingerprint(filer: httpx.AsyncClient) -> None:
    """A client that saw no answer sends again, and is known again."""
    first, again = [
        (await filer.post("/v1/things/1", json=BODY, headers={"Idempotency-Key": "k-1"})).json() for _ in range(2)
    ]
    assert first == again
    assert (first["client"], first["key"]) == ("ngo", kept("k-1"))
    assert len(bytes.fromhex(first["fingerprint"])) == 32


async def test_another_path_or_body_has_another_fingerprint(filer: httpx.AsyncClient) -> None:
    """So that a key used for something else is noticed; other whitespace counts as another body."""
    headers = {"Idempotency-Key": "k-1", "Content-Type": "application/json"}
    found = {
        (await filer.post(f"/v1/things/{thing}", content=content, headers=headers)).json()["fingerprint"]
        for thing in ("1", "2")
        for content in (b'{"people":[]}', b'{"people": []}')
    }
    assert len(found) == 4


@pytest.mark.parametrize("key", ["a b", "x" * 129, "\u00e9", "a\tb"])
async def test_a_key_that_is_malformed_is_told_as_such(filer: httpx.AsyncClient, key: str) -> None:
    """Whatever is wrong with it, the client reads what a key is."""
    response = await filer.post("/v1/things/1", json=BODY, headers={b"Idempotency-Key": key.encode()})
    assert_problem(response, "malformed-idempotency-key")


async def test_a_key_that_is_missing_or_empty_is_told_as_such(filer: httpx.AsyncClient) -> None:
    """It is needed; nothing is wrong with its form."""
    assert_problem(await filer.post("/v1/things/1", json=BODY), "missing-idempotency-key")
    response = await filer.post("/v1/things/1", json=BODY, headers={"Idempotency-Key": ""})
    assert_problem(response, "missing-idempotency-key")


@pytest.mark.parametrize("key", ["a", "x" * 128, '"quoted"', "!~"])
async def test_a_key_of_visible_ascii_is_taken_as_it_is(filer: httpx.AsyncClient, key: str) -> None:
    """Up to 128 characters, quotes included."""
    assert (await filer.post("/v1/things/1", json=BODY, headers={"Idempotency-Key": key})).json()["key"] == kept(key)


async def test_who_may_not_act_is_told_before_the_key_is_looked_at(http: httpx.AsyncClient, signer: Signer) -> None:
    """A stranger learns nothing of how acts are made."""
    assert_problem(await http.post("/v1/things/1", json=BODY), "unauthenticated")
    auditor = signer.holder(amparo_role="auditor")
    assert_problem(await http.post("/v1/things/1", json={}, auth=auditor), "forbidden")


@given(
    st.tuples(st.sampled_from(["POST", "PUT"]), st.binary().map(lambda b: b.replace(b"\0", b"")), st.binary()),
    st.tuples(st.sampled_from(["POST", "PUT"]), st.binary().map(lambda b: b.replace(b"\0", b"")), st.binary()),
)
def test_two_acts_that_differ_anywhere_have_different_fingerprints(
    one: tuple[str, bytes, bytes], other: tuple[str, bytes, bytes]
) -> None:
    """Method, path and body cannot run into each other."""
    first, second = [fingerprint(KEY, method=method, path=path, body=body) for method, path, body in (one, other)]
    assert (first == second) == (one == other)
    assert first != fingerprint(b"o" * 32, method=one[0], path=one[1], body=one[2])
