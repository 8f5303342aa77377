"""What a proof of possession has to be, and every way in which it may prove nothing."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from access.dpop import NONCE_LIFETIME, BadProof, NonceNeeded, Nonces, Proofs, Prover, thumbprint, token_hash
from access.once import Full, Once
from tests.access.clocks import NOON, SetClock

BASE, PATH = "https://intake.test", "/v1/requests"
TOKEN = "header.claims.signature"
KEY, OTHER = ECKey.generate_key("P-256"), ECKey.generate_key("P-256")
MEMBERS = ("kty", "crv", "x", "y")


class Door:
    """One process that checks proofs, and a client of it that knows its nonce."""

    def __init__(self, *bases: str) -> None:
        self.clock = SetClock()
        self.nonces = Nonces(clock=self.clock)
        self.proofs = Proofs(bases=bases or [BASE], clock=self.clock, nonces=self.nonces)
        self.prover = Prover(clock=self.clock, key=KEY)
        self.prover.learn(BASE, {"DPoP-Nonce": self.nonces.new()})

    def proof(self, *, key: ECKey = KEY, header: Mapping[str, Any] | None = None, **changed: Any) -> str:
        """A proof that is right unless told otherwise; a value of ``...`` takes a member out."""
        claims = {
            "jti": "one-of-a-kind",
            "htm": "POST",
            "htu": BASE + PATH,
            "iat": self.clock.seconds,
            "ath": token_hash(TOKEN),
            "nonce": self.nonces.new(),
        }
        full = {"typ": "dpop+jwt", "alg": "ES256", "jwk": public(key), **(header or {})}
        return jwt.encode(present(full), present({**claims, **changed}), key, algorithms=["ES256"], default_type=None)

    def check(self, proof: str, *, method: str = "POST", path: str = PATH, token: str = TOKEN) -> None:
        """As a service does for a token that is bound to `KEY`."""
        self.proofs.check(proof, method=method, path=path, token=token, jkt=KEY.thumbprint())

    def refuses(self, proof: str, reason: str, **asked: str) -> None:
        """The proof shows nothing, for that reason."""
        with pytest.raises(BadProof) as refused:
            self.check(proof, **asked)
        assert refused.value.reason == reason


def present(members: Mapping[str, Any]) -> dict[str, Any]:
    """Those that were not taken out."""
    return {name: value for name, value in members.items() if value is not ...}


def public(key: ECKey) -> dict[str, Any]:
    """A key's public members."""
    return {name: key.as_dict(private=False)[name] for name in MEMBERS}


def part(value: Any) -> str:
    """A token's part."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def test_a_thumbprint_is_that_of_the_standard() -> None:
    """So that any issuer's and any client's library names a key alike (RFC 7638)."""
    assert thumbprint({**public(KEY), "kid": "any", "use": "sig"}) == KEY.thumbprint()


@given(
    method=st.sampled_from(["GET", "POST", "DELETE"]),
    path=st.lists(st.text("abcXYZ0189-._~%", min_size=1), max_size=4).map(lambda parts: "/" + "/".join(parts)),
    query=st.text("abc=&?/", max_size=8),
    token=st.text("abc.XYZ-_", min_size=1, max_size=40),
)
def test_a_proof_is_right_for_its_request_and_for_no_other(method: str, path: str, query: str, token: str) -> None:
    """Method, address and token are all in it; the query is not (RFC 9449 section 4.2)."""
    door = Door()

    def made() -> str:
        return door.prover.proof(method=method, url=f"{BASE}{path}?{query}#{query}", token=token)

    door.check(made(), method=method, path=path, token=token)
    door.refuses(made(), "method", method=method.lower(), path=path, token=token)
    door.refuses(made(), "address", method=method, path=path + "x", token=token)
    door.refuses(made(), "address", method=method, path=path + "/", token=token)
    door.refuses(made(), "other-token", method=method, path=path, token=token + "x")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"htm": "GET"}, "method"),
        ({"htm": ...}, "method"),
        ({"htm": ["POST"]}, "method"),
        ({"htu": "https://referral.test" + PATH}, "address"),
        ({"htu": "http://intake.test" + PATH}, "address"),
        ({"htu": "https://intake.test:444" + PATH}, "address"),
        ({"htu": "https://intake.test@evil.test" + PATH}, "address"),
        ({"htu": "https://evil.test@intake.test" + PATH}, "address"),
        ({"htu": "https://intake.test.evil.test" + PATH}, "address"),
        ({"htu": PATH}, "address"),
        ({"htu": "https://[intake.test" + PATH}, "address"),
        ({"htu": ...}, "address"),
        ({"htu": 1}, "address"),
        ({"jti": ...}, "jti"),
        ({"jti": "short"}, "jti"),
        ({"jti": "x" * 129}, "jti"),
        ({"jti": 12345678}, "jti"),
        ({"ath": ...}, "other-token"),
        ({"ath": token_hash("another")}, "other-token"),
        ({"ath": None}, "other-token"),
        ({"iat": ...}, "iat"),
        ({"iat": str(int(NOON.timestamp()))}, "iat"),
        ({"iat": True}, "iat"),
        ({"iat": int(NOON.timestamp()) - 61}, "iat"),
        ({"iat": int(NOON.timestamp()) + 61}, "iat"),
        ({"nonce": ...}, "nonce"),
        ({"nonce": ""}, "nonce"),
        ({"nonce": "x" * 32}, "nonce"),
        ({"nonce": 7}, "nonce"),
    ],
    ids=str,
)
def test_a_claim_that_is_wrong_or_missing_refuses_the_proof(changed: dict[str, Any], reason: str) -> None:
    """None stands in for another."""
    door = Door()
    door.refuses(door.proof(**changed), reason)
    door.check(door.proof())


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"typ": ...}, "type"),
        ({"typ": "JWT"}, "type"),
        ({"typ": "at+jwt"}, "type"),
        ({"typ": "DPOP+JWT"}, "type"),
        ({"jwk": ...}, "key"),
        ({"jwk": "key"}, "key"),
        pytest.param({"jwk": KEY.as_dict(private=True)}, "key", id="private"),
        pytest.param({"jwk": {**public(KEY), "crv": "P-384"}}, "key", id="curve"),
        pytest.param({"jwk": {**public(KEY), "x": ""}}, "key", id="short"),
        pytest.param({"jwk": {**public(KEY), "x": None}}, "key", id="no-text"),
        pytest.param({"jwk": {**public(KEY), "x": "A" * 43}}, "other-key", id="no-point"),
        ({"jwk": {"kty": "oct", "k": "AAAA"}}, "key"),
        pytest.param({"jwk": public(OTHER)}, "other-key", id="another"),
        ({"crit": ["htm"]}, "header"),
        ({"b64": False}, "header"),
    ],
    ids=str,
)
def test_a_header_that_is_wrong_refuses_the_proof(header: dict[str, Any], reason: str) -> None:
    """An access token or an assertion is no proof, and neither is what shows a private key."""
    door = Door()
    full = present({"typ": "dpop+jwt", "alg": "ES256", "jwk": public(KEY), **header})
    claims, signature = door.proof().split(".")[1:]
    door.refuses(f"{part(full)}.{claims}.{signature}", reason)


def test_no_other_algorithm_is_taken() -> None:
    """`none`, a shared secret that is our public key (RFC 8725 section 2.1), another family."""
    door = Door()
    claims = door.proof().split(".")[1]
    secrets = (KEY.as_pem(private=False), json.dumps(public(KEY)).encode(), public(KEY)["x"].encode())
    for algorithm in ("none", "None", "HS256", "ES384", "RS256", "EdDSA", "es256", None, 1):
        body = f"{part({'typ': 'dpop+jwt', 'alg': algorithm, 'jwk': public(KEY)})}.{claims}"
        macs = [hmac.digest(secret, body.encode(), hashlib.sha256) for secret in secrets]
        for signature in (b"", *macs):
            text = base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
            door.refuses(f"{body}.{text}", "algorithm")
            lying = f"{part({'typ': 'dpop+jwt', 'alg': 'ES256', 'jwk': public(KEY)})}.{claims}"
            door.refuses(f"{lying}.{text}", "signature")
    rsa = RSAKey.generate_key(2048)
    header = {"typ": "dpop+jwt", "alg": "RS256", "jwk": rsa.as_dict(private=False)}
    door.refuses(jwt.encode(header, {"jti": "one-of-a-kind"}, rsa, algorithms=["RS256"]), "algorithm")


def test_a_proof_by_another_key_opens_nothing() -> None:
    """Whoever holds the token alone holds nothing; naming the right key does not help."""
    door = Door()
    door.refuses(door.proof(key=OTHER), "other-key")
    door.refuses(door.proof(key=OTHER, header={"jwk": public(KEY)}), "signature")


@given(st.data())
def test_a_proof_altered_in_one_character_is_refused(data: st.DataObject) -> None:
    """No single character can be changed without anybody seeing it."""
    door = Door()
    proof = door.proof()
    place = data.draw(st.integers(0, len(proof) - 2))  # the last character's low bits are padding
    other = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."))
    altered = proof[:place] + other + proof[place + 1 :]
    if altered != proof:
        with pytest.raises(BadProof):
            door.check(altered)


@given(
    st.text(max_size=80)
    | st.dictionaries(st.sampled_from(["typ", "alg", "jwk"]), st.just("dpop+jwt") | st.just("ES256") | st.none()).map(
        lambda header: f"{part(header)}.e30.e30"
    )
)
def test_no_text_whatever_breaks_the_check(text: str) -> None:
    """What somebody made up is refused, never a fault."""
    with pytest.raises(BadProof):
        Door().check(text)


@given(
    claim=st.sampled_from(["htm", "htu", "jti", "iat", "ath", "nonce"]),
    value=st.recursive(st.none() | st.booleans() | st.text(max_size=5), st.lists, max_leaves=4),
)
def test_no_claim_of_another_type_breaks_the_check(claim: str, value: Any) -> None:
    """A claim of a wrong type is refused, never a fault."""
    door = Door()
    with pytest.raises(BadProof):
        door.check(door.proof(**{claim: value}))


def test_a_very_long_proof_is_not_even_read() -> None:
    """A megabyte costs us nothing."""
    door = Door()
    door.refuses(door.proof(more="x" * 5000), "form")
    door.refuses("." * 1_000_000, "form")


@given(st.floats(0, NONCE_LIFETIME.total_seconds() * 2, allow_nan=False))
def test_a_proof_is_good_once_for_ever(later: float) -> None:
    """Replayed at once it is known, and later its nonce has ended: there is no moment between."""
    door = Door()
    proof = door.proof()
    door.check(proof)
    door.clock.advance(seconds=later)
    with pytest.raises(BadProof):
        door.check(proof)


def test_a_refused_proof_does_not_use_up_its_id() -> None:
    """Nobody can make another's proof invalid beforehand."""
    door = Door()
    door.refuses(door.proof(key=OTHER), "other-key")
    door.refuses(door.proof(htm="GET"), "method")
    door.check(door.proof())


def test_two_keys_may_use_the_same_id() -> None:
    """An id is its key's own."""
    door = Door()
    door.check(door.proof())
    door.proofs.check(door.proof(key=OTHER), method="POST", path=PATH, token=TOKEN, jkt=OTHER.thumbprint())


def test_a_nonce_ends_and_a_new_one_is_asked_for() -> None:
    """A proof cannot be made long before it is used."""
    door = Door()
    nonce = door.nonces.new()
    door.clock.advance(seconds=NONCE_LIFETIME.total_seconds() - 0.5)
    door.check(door.proof(nonce=nonce))
    door.clock.advance(seconds=0.5)
    with pytest.raises(NonceNeeded):
        door.check(door.proof(nonce=nonce, jti="another-id"))


def test_a_nonce_of_another_process_is_none() -> None:
    """A restart forgets used proofs, and with them all nonces; two replicas cannot be played against each other."""
    door, other = Door(), Door()
    with pytest.raises(NonceNeeded):
        door.check(other.proof())


@given(st.integers(0, 31), st.sampled_from("ABCabc019-_"))
def test_a_nonce_cannot_be_made_up(place: int, other: str) -> None:
    """Not even by changing one that was given."""
    nonces = Nonces(clock=SetClock())
    nonce = nonces.new()
    altered = nonce[:place] + other + nonce[place + 1 :]
    assert (nonces.age(altered) is None) == (altered != nonce)
    assert nonces.age(nonce) == timedelta(0)


@pytest.mark.parametrize(
    "htu",
    [
        "https://intake.test/v1/requests",
        "HTTPS://INTAKE.test/v1/requests",
        "https://intake.test:443/v1/requests",
        "https://intake.test/v1/requests?limit=1",
        "https://intake.test/v1/requests#here",
        "http://intake:8000/v1/requests",
        "https://one.test/amparo/intake/v1/requests",
    ],
)
def test_an_address_may_be_written_as_the_standards_allow(htu: str) -> None:
    """RFC 3986 section 6.2: case of scheme and host, the default port; each of the addresses of the service."""
    door = Door(BASE, "http://intake:8000/", "https://one.test/amparo/intake")
    door.check(door.proof(htu=htu))
    door.refuses(door.proof(htu=htu.replace("v1", "v2"), jti="another-id"), "address")


@pytest.mark.parametrize("base", ["", "intake.test", "ftp://intake.test", "https://", "https://a@intake.test"])
def test_a_service_cannot_be_at_what_is_no_address(base: str) -> None:
    """It does not start with it."""
    with pytest.raises(ValueError, match="an address is"):
        Proofs(bases=[base], clock=SetClock())


def test_without_addresses_no_proof_is_right() -> None:
    """A process that was not told where it is reached believes nobody, least of all the request."""
    door = Door()
    nowhere = Proofs(bases=[], clock=door.clock, nonces=door.nonces)
    with pytest.raises(BadProof):
        nowhere.check(door.proof(), method="POST", path=PATH, token=TOKEN, jkt=KEY.thumbprint())


def at_token_endpoint(door: Door) -> Callable[[str], None]:
    """As the issuer checks: no nonce, no token yet."""
    proofs = Proofs(bases=[BASE + "/token"], clock=door.clock)
    return lambda proof: (proofs.check(proof, method="POST", path=""), None)[1]


def test_without_nonces_a_proof_is_as_old_as_it_says() -> None:
    """A minute, once, and none from before the process."""
    door = Door()
    check = at_token_endpoint(door)
    door.clock.advance(seconds=100)

    def made(**changed: Any) -> str:
        return door.proof(htu=BASE + "/token", ath=..., nonce=..., **changed)

    check(made())
    for refused in (
        made(),
        made(jti="another-id", iat=door.clock.seconds - 61),
        made(jti="another-id", iat=door.clock.seconds + 6),
    ):
        with pytest.raises(BadProof):
            check(refused)
    check(made(jti="another-id", iat=door.clock.seconds - 59))
    restarted = at_token_endpoint(door)
    with pytest.raises(BadProof):
        restarted(made(jti="another-id", iat=door.clock.seconds - 1))


def test_memory_that_is_full_forgets_nothing() -> None:
    """What was used stays used; what is new has to wait."""
    clock = SetClock()
    once = Once(keep=timedelta(seconds=10), clock=clock, most=2)
    assert [once.use("a"), once.use("b"), once.use("a")] == [True, True, False]
    with pytest.raises(Full):
        once.use("c")
    clock.advance(seconds=10)
    assert once.use("c")


def test_a_prover_keeps_the_last_nonce_of_each_origin() -> None:
    """A nonce is of use where it was given only."""
    prover = Prover(clock=SetClock())
    assert prover.learn("https://a.test/v1/x?y", {"DPoP-Nonce": "one"})
    assert not prover.learn("https://b.test", {})
    assert not prover.learn("https://b.test", {"DPoP-Nonce": "x" * 513})

    def nonce(url: str) -> Any:
        claims = prover.proof(method="GET", url=url).split(".")[1]
        return json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4))).get("nonce")

    assert [nonce(f"https://{host}/v2") for host in ("a.test", "b.test", "a.test:444")] == ["one", None, None]
