"""What is malformed, oversized, unauthorised, repeated or conflicting gets its problem document and changes nothing."""

import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from access.token_source import TokenSource
from amparo.record.v1 import record_pb2
from local import drill
from local.drill import Outcome
from local.programs import client
from runtime.clock import system_clock
from tests.holder import Holder
from tests.system import evidence
from tests.system.whole import Whole

pytestmark = [pytest.mark.slow, pytest.mark.servers]

NOT_A_CASE = "00000000-0000-4000-8000-000000000000"
SERVICE = "service"
"""The role of what happens by itself, such as a silence that is noted meanwhile."""
MADE_UP = ("genuine", "elsewhere", "forged")
"""Tokens that the test signs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """A request as a client sends it; ``token`` names whose it is, ``""`` for none."""

    token: str = "ngo"
    service: str = "intake"
    method: str = "POST"
    path: str = "/v1/requests"
    content: bytes = b"{}"
    headers: Mapping[str, str] = field(default_factory=dict)


def request(**changes: Any) -> bytes:
    """A request for protection as it should be, but for the changes."""
    return json.dumps({**drill.stories()[0]["request"], **changes}).encode()


BAD: Mapping[str, tuple[Sent, int, str]] = {
    "no token": (Sent(token="", content=request()), 401, "unauthenticated"),
    "a token for another mechanism": (Sent(token="elsewhere", content=request()), 401, "unauthenticated"),
    "a token of nobody's": (Sent(token="forged", content=request()), 401, "unauthenticated"),
    "a role that does not file": (Sent(token="police-ucayali", content=request()), 403, "forbidden"),
    "an observer who files": (Sent(token="observer", content=request()), 403, "forbidden"),
    "an organisation that evaluates": (
        Sent(service="protection", path=f"/v1/cases/{NOT_A_CASE}/evaluations"),
        403,
        "forbidden",
    ),
    "an organisation that answers for an agency": (
        Sent(service="referral", path=f"/v1/referrals/{NOT_A_CASE}/acknowledgement"),
        403,
        "forbidden",
    ),
    "no key": (Sent(content=request(), headers={"Idempotency-Key": ""}), 400, "missing-idempotency-key"),
    "not JSON": (Sent(content=b'{"filed_by": "third'), 400, "malformed-request"),
    "not UTF-8": (Sent(content=b'{"narrative": "\xff\xfe"}'), 400, "malformed-request"),
    "not even an object": (Sent(content=b"[]"), 422, "invalid-request"),
    "a form": (Sent(content=request(), headers={"Content-Type": "text/plain"}), 415, "unsupported-media-type"),
    "more than 64 KiB": (Sent(content=request(narrative="river " * 12_000)), 413, "too-large"),
    "a narrative that is a document": (Sent(content=request(narrative="x" * 9_000)), 422, "invalid-request"),
    "a word that is in no list": (Sent(content=request(incident="meteorite")), 422, "invalid-request"),
    "a member that nobody knows": (Sent(content=request(nickname="Killa")), 422, "invalid-request"),
    "nothing": (Sent(), 422, "invalid-request"),
    "a case that is not there": (
        Sent(path=f"/v1/requests/{NOT_A_CASE}/withdrawal"),
        404,
        "not-found",
    ),
    "a referral that is not there": (
        Sent(token="police-ucayali", service="referral", path=f"/v1/referrals/{NOT_A_CASE}/acknowledgement"),
        404,
        "not-found",
    ),
    "an id that is none": (Sent(path="/v1/requests/1%20OR%201=1/withdrawal"), 422, "invalid-request"),
    "a method that is none": (Sent(method="DELETE"), 405, "method-not-allowed"),
    "an address that is none": (Sent(path="/v1/everybody"), 404, "not-found"),
    "a cursor that was never given": (
        Sent(token="coordinator", method="GET", path="/v1/requests?cursor=bm9uZQ", content=b""),
        400,
        "invalid-cursor",
    ),
}


@pytest.fixture
async def clients(whole: Whole) -> AsyncIterator[Callable[[str, str], httpx.AsyncClient]]:
    """Clients by the name of their token and the service they ask."""
    opened: list[httpx.AsyncClient] = []

    def opening(token: str, service: str) -> httpx.AsyncClient:
        url = whole.stack.values[f"AMPARO_URL_{service.upper()}"]
        auth = None if not token else holder(whole, token)
        opened.append(httpx.AsyncClient(base_url=url, auth=auth, trust_env=False, timeout=30))
        return opened[-1]

    yield opening
    for each in opened:
        await each.aclose()


@pytest.mark.parametrize("name", BAD)
async def test_bad_input_is_told_as_a_problem_and_changes_nothing(
    whole: Whole, clients: Callable[[str, str], httpx.AsyncClient], name: str
) -> None:
    """A client learns by a stable type what to do, never anything of what was sent, and no half act is left."""
    sent, status, code = BAD[name]
    before = deeds(whole)
    headers = {"Idempotency-Key": secrets.token_hex(16), "Content-Type": "application/json", **sent.headers}
    headers = {header: value for header, value in headers.items() if value}
    asking = clients(sent.token, sent.service)
    answer = await asking.request(sent.method, sent.path, content=sent.content, headers=headers)
    assert_problem(answer, status, code)
    assert deeds(whole) == before


async def test_the_tokens_above_are_refused_for_what_is_wrong_with_them(
    clients: Callable[[str, str], httpx.AsyncClient],
) -> None:
    """The same token with the right audience, signed by the issuer's key, is taken."""
    answer = await clients("genuine", "intake").get("/v1/requests")
    assert answer.status_code == 200, answer.text


async def test_an_act_repeated_under_its_key_gets_the_same_bytes(
    whole: Whole, clients: Callable[[str, str], httpx.AsyncClient]
) -> None:
    """A client whose line broke asks again, and holds the very receipt that it missed; nothing is filed twice."""
    ngo = clients("ngo", "intake")
    headers = {"Idempotency-Key": secrets.token_hex(16), "Content-Type": "application/json"}
    first = await ngo.post("/v1/requests", content=request(), headers=headers)
    assert first.status_code == 201, first.text
    after = deeds(whole)
    again = await ngo.post("/v1/requests", content=request(), headers=headers)
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers.get("ETag") == first.headers.get("ETag")
    assert deeds(whole) == after

    other = await ngo.post("/v1/requests", content=request(imminent=False), headers=headers)
    assert_problem(other, 422, "idempotency-key-reused")
    elsewhere = f"/v1/requests/{first.json()['case_id']}/withdrawal"
    assert_problem(await ngo.post(elsewhere, content=b"{}", headers=headers), 422, "idempotency-key-reused")
    assert deeds(whole) == after


async def test_acts_that_conflict_change_nothing(
    whole: Whole, undisturbed: Outcome, clients: Callable[[str, str], httpx.AsyncClient]
) -> None:
    """What was done, or what somebody saw otherwise, is not done again: the client reads, and decides anew."""
    case = undisturbed.cases[0].case_id
    coordinator = clients("coordinator", "protection")
    before = deeds(whole)
    headers = {"Idempotency-Key": secrets.token_hex(16), "Content-Type": "application/json"}
    second = await coordinator.post(
        f"/v1/cases/{case}/preliminary-report", content=b'{"admissible": true}', headers=headers
    )
    assert_problem(second, 409, "already-reported")
    blind = {"Idempotency-Key": secrets.token_hex(16), "Content-Type": "application/json", "If-Match": '"1"'}
    stale = await coordinator.post(f"/v1/cases/{case}/closure", content=b"{}", headers=blind)
    assert_problem(stale, 412, "precondition-failed")
    assert deeds(whole) == before


def assert_problem(answer: httpx.Response, status: int, code: str) -> None:
    """RFC 9457, with the stable type of the code."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"urn:amparo:problem:{code}"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["instance"].startswith("urn:uuid:")
    assert set(problem) <= {"type", "title", "status", "instance", "errors"}
    if status == 401:
        assert answer.headers["WWW-Authenticate"].startswith("DPoP")


def deeds(whole: Whole) -> dict[str, int]:
    """How many events each store holds that somebody caused; what time causes goes on meanwhile."""
    counts = {}
    for service in evidence.ACTED_ON:
        events = [
            record_pb2.Event.FromString(bytes(e))
            for (e,) in evidence.rows(whole.stack, service, "SELECT event FROM events")
        ]
        counts[service] = sum(event.actor.role != SERVICE for event in events)
        counts[f"{service} acts"] = evidence.rows(
            whole.stack, service, "SELECT count(*) FROM acts WHERE client NOT IN ('workflow', 'consumer')"
        )[0][0]
    return counts


def holder(whole: Whole, name: str) -> httpx.Auth:
    """One of the stack's clients, or one whose token only looks like theirs."""
    if name in MADE_UP:
        return Holder(lambda jkt: made_up(whole, name, jkt))
    settings = client(whole.stack, name)
    return TokenSource.from_file(
        client_id=name,
        key_file=whole.home / "keys" / "clients" / f"{name}.jwk",
        token_endpoint=settings.get("AMPARO_TOKEN_ENDPOINT", whole.stack.values["AMPARO_TOKEN_ENDPOINT"]),
        audience=whole.stack.values["AMPARO_ISSUER"],
        clock=system_clock,
    )


def made_up(whole: Whole, name: str, jkt: str) -> str:
    """A filer's token, signed here: as the issuer does, for another mechanism, or by a key that nobody knows."""
    held = json.loads((whole.home / "keys" / "issuer.json").read_text())["keys"][0]
    key = ECKey.generate_key("P-256") if name == "forged" else ECKey.import_key(held)
    now = datetime.now(UTC)
    claims = {
        "iss": whole.stack.values["AMPARO_ISSUER"],
        "aud": "amparo:elsewhere" if name == "elsewhere" else whole.stack.values["AMPARO_AUDIENCE"],
        "sub": "ngo",
        "client_id": "ngo",
        "amparo_role": "filer",
        "amparo_unit": "ngo-rios-vivos",
        "cnf": {"jkt": jkt},
        "jti": secrets.token_hex(8),
        "iat": int(now.timestamp()),
        "exp": int((now + timedelta(minutes=5)).timestamp()),
    }
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": held["kid"]}, claims, key, algorithms=["ES256"])
