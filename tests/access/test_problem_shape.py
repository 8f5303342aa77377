"""What a client is told when something is refused: one shape, and nothing of what it sent."""

import json
import re
from typing import Any

import httpx
import pytest
import structlog
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from access import problems
from access.problems import MEDIA_TYPE, PROBLEMS, Problem, responses
from tests.access.problems_asserts import assert_problem
from tests.access.service import CANARY, Signer, client_of, service

KEYED = {"Idempotency-Key": "k-1"}


@pytest.mark.parametrize(
    ("kind", "code"),
    [("refused", "wrong-stage"), ("moved", "conflict"), ("lost", "unavailable"), ("data", "invalid-request")],
)
async def test_each_kind_of_failure_has_its_problem(filer: httpx.AsyncClient, kind: str, code: str) -> None:
    """A rule, a lost race, a lost database, a value that no database takes."""
    response = await filer.get(f"/v1/failures/{kind}")
    assert_problem(response, code)
    assert CANARY not in response.text


async def test_what_nobody_foresaw_tells_nothing_and_is_logged_without_its_text(
    filer: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text of an exception may quote what somebody filed; its type and place are enough to mend it."""
    with structlog.testing.capture_logs() as logged:
        response = await filer.get("/v1/failures/unforeseen")
    document = assert_problem(response, "internal")
    (line,) = [entry for entry in logged if entry["event"] == "problem" and entry["code"] == "internal"]
    assert line["instance"] == document["instance"]
    assert line["log_level"] == "error"
    assert line["where"].startswith("builtins.RuntimeError at ")
    assert "tests/access/service.py:" in line["where"]
    places = line["where"].removeprefix("builtins.RuntimeError at ").split(" < ")
    assert [place for place in places if not re.fullmatch(r"[\w.-]+(/[\w.-]+)*:\d+", place)] == []
    assert [place for place in places if place.startswith(("/", "home/", "usr/", "site-packages/"))] == []
    shown = capsys.readouterr()
    assert CANARY not in response.text + json.dumps(logged) + shown.out + shown.err


async def test_a_code_that_the_table_lacks_is_still_a_refusal_by_its_code(filer: httpx.AsyncClient) -> None:
    """A new rule must not become a fault of ours before its line is written."""
    response = await filer.get("/v1/failures/new-rule")
    assert response.status_code == 409
    assert response.json()["type"] == "urn:amparo:problem:a-rule-of-tomorrow"
    assert CANARY not in response.text


async def test_routes_and_methods_that_are_not_there(http: httpx.AsyncClient) -> None:
    """The framework's own refusals have the same shape."""
    assert_problem(await http.get("/v1/nothing"), "not-found")
    response = await http.put("/v1/things/1")
    assert_problem(response, "method-not-allowed")
    assert "POST" in response.headers["allow"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [("#/people", "missing")]),
        ({"people": [{}]}, [("#/people/0/name", "missing")]),
        ({"people": [{"name": CANARY * 9}]}, [("#/people/0/name", "too-long")]),
        ({"people": [{"name": 7}]}, [("#/people/0/name", "wrong-type")]),
        ({"people": [], CANARY: 1}, [("#", "unknown")]),
        ({"people": [], "poeple": 1}, [("#/poeple", "unknown")]),
        ({"people": [{"name": "x", "nmae": CANARY}]}, [("#/people/0/nmae", "unknown")]),
        ({"people": [], "x" * 33: 1}, [("#", "unknown")]),
        ({"people": [], "notes": {CANARY: CANARY}}, [("#/notes", "wrong-form")]),
        ({"people": [], "notes": {"illari": CANARY}}, [("#/notes", "wrong-form")]),
        ([CANARY], [("#", "wrong-type")]),
        (CANARY, [("#", "wrong-type")]),
    ],
)
async def test_a_body_that_is_wrong_is_told_where_and_how(
    filer: httpx.AsyncClient, body: Any, expected: list[tuple[str, str]]
) -> None:
    """By documented names and fixed reasons. A member's name that the client made up is repeated only where it looks
    like a misspelled one, a mapping's key never: that is what somebody said.
    """
    response = await filer.post("/v1/things/1", json=body, headers=KEYED)
    errors = assert_problem(response, "invalid-request")["errors"]
    assert [(error["pointer"], error["reason"]) for error in errors] == expected
    assert CANARY not in response.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    body=st.recursive(
        st.none() | st.integers() | st.just(CANARY),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["people", "name", "notes", CANARY]), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
async def test_no_body_whatever_is_repeated_in_its_refusal(signer: Signer, body: Any) -> None:
    """Nothing that was sent comes back, wherever in the body it stood."""
    async with client_of(service(signer)) as client:
        response = await client.post("/v1/things/1", json=body, headers=KEYED, auth=signer.holder())
    assert response.status_code in (200, 422)
    assert CANARY not in response.text


async def test_a_parameter_that_is_wrong_is_named(http: httpx.AsyncClient, signer: Signer) -> None:
    """By its name; its value is not repeated."""
    auditor = signer.holder(amparo_role="auditor")
    response = await http.get("/v1/things", params={"limit": CANARY}, auth=auditor)
    (error,) = assert_problem(response, "invalid-request")["errors"]
    assert error == {"parameter": "limit", "reason": "wrong-form"}
    assert CANARY not in response.text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("limt=1", {"parameter": "limt", "reason": "unknown"}),
        ("limit=1&limit=2", {"parameter": "limit", "reason": "repeated"}),
        ("Yuraq%20Mayu=1", {"reason": "unknown"}),
        ("limit=1&YURAQ=Mayu", {"reason": "unknown"}),
    ],
)
async def test_a_query_says_only_what_its_route_knows(
    http: httpx.AsyncClient, signer: Signer, query: str, expected: dict[str, str]
) -> None:
    """A misspelled filter would show everything, and say nothing."""
    auditor = signer.holder(amparo_role="auditor")
    response = await http.get(f"/v1/things?{query}", auth=auditor)
    assert assert_problem(response, "invalid-request")["errors"] == [expected]
    assert "Mayu" not in response.text
    assert (await http.get("/v1/things?limit=1", auth=auditor)).status_code == 200


async def test_what_is_expected_is_said_and_nothing_of_what_came(filer: httpx.AsyncClient) -> None:
    """The bound is ours, and mends the form."""
    response = await filer.post("/v1/things/1", json={"people": [{"name": CANARY * 9}]}, headers=KEYED)
    (error,) = assert_problem(response, "invalid-request")["errors"]
    assert error == {"pointer": "#/people/0/name", "reason": "too-long", "expected": "40"}


@pytest.mark.parametrize(
    "content",
    [
        b'{"people": [], "people": []}',
        b'{"people": [{"name": "a", "name": "b"}]}',
        b'{"people": [], "p\u0065ople": []}',
    ],
)
async def test_a_member_named_twice_cannot_be_read(filer: httpx.AsyncClient, content: bytes) -> None:
    """A parser would keep the last, and whoever sent both would not learn which."""
    response = await filer.post("/v1/things/1", content=content, headers={**KEYED, "Content-Type": "application/json"})
    assert_problem(response, "malformed-request")


@pytest.mark.parametrize("content", [b"{", b'{"people": [}', b"\xff\xfe", b'{"people": ' + b"[" * 30_000, b"nul"])
async def test_what_is_no_json_cannot_be_read(filer: httpx.AsyncClient, content: bytes) -> None:
    """Cut off, of no alphabet, or nested without end."""
    response = await filer.post("/v1/things/1", content=content, headers={**KEYED, "Content-Type": "application/json"})
    assert_problem(response, "malformed-request")


async def test_many_errors_give_a_short_answer(filer: httpx.AsyncClient) -> None:
    """A long body cannot buy a longer answer."""
    response = await filer.post("/v1/things/1", json={"people": [{}] * 5000}, headers=KEYED)
    assert len(assert_problem(response, "invalid-request")["errors"]) == 20


async def test_two_refusals_never_share_an_instance(http: httpx.AsyncClient) -> None:
    """So that what a client reports is found in the log, and says nothing else."""
    found = {(await http.get("/v1/nothing")).json()["instance"] for _ in range(5)}
    assert len(found) == 5


def test_a_problem_of_an_unknown_code_cannot_be_made() -> None:
    """The table is the only source of codes here."""
    with pytest.raises(KeyError):
        Problem("no-such-code")
    with pytest.raises(KeyError):
        responses("no-such-code")


def test_documentation_lists_codes_by_status() -> None:
    """A reader of the API sees every code that a route can give, each with its title."""
    documented = responses("wrong-stage", "text-too-long", writes=True)
    assert {401, 403, 404, 409, 412, 413, 415, 422, 500, 503} <= set(documented)
    assert list(documented[422]["content"]) == [MEDIA_TYPE]
    for code in ("invalid-request", "idempotency-key-reused", "text-too-long"):
        assert f"`{code}`: {PROBLEMS[code][1]}" in documented[422]["description"]
    assert "idempotency" not in str(responses())


async def test_a_refused_method_is_answered_with_all_that_the_path_knows() -> None:
    """Though each is a route of its own."""
    app = FastAPI()
    problems.install(app)

    @app.get("/both/{thing}")
    async def look(thing: str) -> None: ...

    @app.post("/both/{thing}")
    async def act(thing: str) -> None: ...

    async with client_of(app) as client:
        refused = await client.put("/both/1")
    assert_problem(refused, "method-not-allowed")
    assert refused.headers["allow"] == "GET, POST"
