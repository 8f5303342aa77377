"""Whatever is sent, the registry answers with a problem or an act: never with a fault, and never half."""

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from services.intake.api.bodies import ConsentBody, DecisionBody, EvidenceBody, ExclusionBody, FilingBody
from services.intake.api.incidents import IncidentBody, VerificationBody
from tests.services.intake.conftest import Enter, Registry
from tests.services.intake.invented import consent, decision, filed, filing, post, problem, report

FULL_FILING = filing(
    subjects=[
        {"kind": "person", "name": "Illari Invented", "activities": ["teacher"], "factors": {"gender": ["woman"]}},
        {"kind": "family", "linked": True, "relation": "family", "contact": "By radio", "place": "By the river"},
    ],
    perpetrator="unknown",
    imminent=False,
    wanted="A light.",
    causes=["titling"],
    project="p-1",
    territory="t-1",
    excluded=["mayor-test"],
    consents=[consent()],
    evidence=[{"description": "A shell.", "digest": "ab" * 32}],
    language="es",
    receipt="full",
)
FULL_REPORT = report(happened_at="2026-01-02T03:04:05-05:00", charges=[], causes=["titling"], office="station-test")

SURPRISES: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(min_value=-(2**70), max_value=2**70),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(max_size=40),
        st.sampled_from(
            ["", " ", "\0", "a\0b", "x" * 9_000, "../..", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]
        ),
    ),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=6,
)
FUZZ = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def mutated(draw: st.DrawFn, body: dict[str, Any]) -> Any:
    """A good body with one to three places replaced, removed or added."""
    changed: Any = copy.deepcopy(body)
    for _ in range(draw(st.integers(1, 3))):
        holder = changed
        while True:
            keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(holder[key], dict | list) and draw(st.booleans()):
                holder = holder[key]
                continue
            match draw(st.sampled_from(["replace", "remove", "add"])):
                case "replace":
                    holder[key] = draw(SURPRISES)
                case "remove":
                    del holder[key]
                case _ if isinstance(holder, dict):
                    holder[draw(st.text(max_size=10))] = draw(SURPRISES)
                case _:
                    holder.append(draw(SURPRISES))
            break
    return changed


async def check(registry: Registry, client: Any, path: str, body: Any, model: type[BaseModel]) -> None:
    """The answer is what the documented form says, and a refusal leaves no trace."""
    before = await registry.stored()
    answer = await post(client, path, body)
    try:
        model.model_validate(body)
    except ValidationError:
        assert problem(answer) == (422, "invalid-request")
    assert answer.status_code in {201, 409, 422}, answer.text
    if answer.status_code != 201:
        problem(answer)
        assert await registry.stored() == before


@FUZZ
@given(data=st.data())
async def test_no_malformed_filing_is_a_fault_or_leaves_a_trace(enter: Enter, registry: Registry, data: Any) -> None:
    """A form that a poor connection mangled must be told so, and nothing must be filed of it."""
    await check(registry, enter("coordinator"), "/v1/requests", data.draw(mutated(FULL_FILING)), FilingBody)


@FUZZ
@given(data=st.data())
async def test_no_malformed_report_is_a_fault_or_leaves_a_trace(enter: Enter, registry: Registry, data: Any) -> None:
    """The same for incidents."""
    await check(registry, enter(), "/v1/incidents", data.draw(mutated(FULL_REPORT)), IncidentBody)


@pytest.mark.parametrize(
    ("act", "good", "model"),
    [
        ("consents", consent(), ConsentBody),
        ("exclusions", {"agency": "mayor-test"}, ExclusionBody),
        ("disclosure-decisions", decision(), DecisionBody),
        ("evidence", {"description": "A shell.", "digest": "ab" * 32}, EvidenceBody),
    ],
)
async def test_no_malformed_act_is_a_fault_or_leaves_a_trace(
    enter: Enter, registry: Registry, act: str, good: dict[str, Any], model: type[BaseModel]
) -> None:
    """Each act's body, mangled in many ways."""
    client = enter("coordinator")
    path = f"/v1/requests/{(await filed(client))['case_id']}/{act}"

    bodies: list[Any] = []

    @settings(FUZZ, max_examples=25)
    @given(mutated(good))
    def collect(body: Any) -> None:
        bodies.append(body)

    collect()
    for body in bodies:
        await check(registry, client, path, body, model)


async def test_no_malformed_judgement_is_a_fault(enter: Enter, registry: Registry) -> None:
    """Also what is no judgement at all."""
    client = enter("coordinator")
    path = f"/v1/incidents/{(await post(client, '/v1/incidents', report())).json()['incident_id']}/verification"
    bodies: list[Any] = [{}, {"verification": "reported"}, {"verification": "proved"}, {"verification": None}]
    for body in (*bodies, [], "x", None):
        await check(registry, client, path, body, VerificationBody)


BROKEN = [
    (b"", "application/json", (422, "invalid-request")),
    (b"{", "application/json", (400, "malformed-request")),
    (b"\xff\xfe", "application/json", (400, "malformed-request")),
    (b'{"narrative": "\\ud800"}', "application/json", (422, "invalid-request")),
    (b"[" * 20_000, "application/json", (400, "malformed-request")),
    (b"1" * 5_000, "application/json", (400, "malformed-request")),
    (b"NaN", "application/json", (422, "invalid-request")),
    (json.dumps(filing()).encode(), "text/plain", (415, "unsupported-media-type")),
    (b'{"filed_by": "' + b"x" * 70_000 + b'"}', "application/json", (413, "too-large")),
]


@pytest.mark.parametrize("number", range(len(BROKEN)))
async def test_what_is_no_json_or_too_much_of_it_is_refused(enter: Enter, registry: Registry, number: int) -> None:
    """Bytes that no client of ours sends."""
    content, media_type, expected = BROKEN[number]
    before = await registry.stored()
    headers = {"Content-Type": media_type, "Idempotency-Key": "broken"}
    answer = await enter().post("/v1/requests", content=content, headers=headers)
    assert problem(answer) == expected
    assert await registry.stored() == before


@pytest.mark.parametrize("path", ["narrative", "subjects.0.name", "wanted"])
async def test_half_a_character_is_refused_where_it_stands(enter: Enter, path: str) -> None:
    """JSON can say a lone surrogate, and no text can hold it."""
    body = filing(subjects=[{"name": "x"}], wanted="x")
    holder: Any = body
    *above, last = path.split(".")
    for step in above:
        holder = holder[int(step)] if step.isdecimal() else holder[step]
    holder[last] = "half \ud800"
    headers = {"Content-Type": "application/json", "Idempotency-Key": "half"}
    answer = await enter().post("/v1/requests", content=json.dumps(body).encode(), headers=headers)
    assert problem(answer) == (422, "invalid-request")
    assert answer.json()["errors"][0]["pointer"] == "#/" + path.replace(".", "/")


async def test_a_problem_repeats_nothing_that_was_sent(enter: Enter) -> None:
    """An answer that is logged somewhere must not hold a name."""
    body = filing(narrative="", wanted="Illari Invented", stranger="Illari Invented", incident="Illari Invented")
    answer = await post(enter(), "/v1/requests", body)
    assert problem(answer) == (422, "invalid-request")
    assert "Illari" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/v1/requests/%00",
        "/v1/requests/..%2f..%2fetc",
        "/v1/requests/not-a-case",
        "/v1/incidents/1",
        "/v1/requests?limit=0",
        "/v1/requests?limit=201",
        "/v1/requests?limit=x",
        "/v1/requests?stage=none",
        "/v1/requests?project=%00",
        "/v1/incidents?cause='",
    ],
)
async def test_no_address_is_a_fault(enter: Enter, path: str) -> None:
    """Path and query are bounded as bodies are."""
    assert problem(await enter().get(path))[0] in {404, 422}


async def test_without_a_token_there_is_nothing(enter: Enter, registry: Registry) -> None:
    """Not even an answer that tells a good body from a bad one."""
    client = enter()
    client.auth = None
    before = await registry.stored()
    for path in ("/v1/requests", "/v1/incidents"):
        assert problem(await client.get(path)) == (401, "unauthenticated")
        assert problem(await post(client, path, {})) == (401, "unauthenticated")
    client.headers["Authorization"] = "DPoP x.y.z"
    assert problem(await post(client, "/v1/requests", filing())) == (401, "unauthenticated")
    assert await registry.stored() == before
