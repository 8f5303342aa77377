"""What a body names has to exist, and is named once: agencies, texts, members. And whose case it is then."""

import json
from typing import Any

import httpx
import pytest

from tests.services.intake.conftest import Enter, Registry
from tests.services.intake.invented import consent, decision, filed, filing, post, problem


@pytest.mark.parametrize(
    ("path", "body", "pointers"),
    [
        ("", filing(excluded=["mayor-test", "pnp-ucayaly"]), ["#/excluded/1"]),
        ("", filing(consents=[consent(), consent("pnp-ucayaly")]), ["#/consents/1/agency"]),
        ("/exclusions", {"agency": "pnp-ucayaly"}, ["#/agency"]),
        ("/consents", consent("pnp-ucayaly"), ["#/agency"]),
        ("/disclosure-decisions", decision("pnp-ucayaly"), ["#/agency"]),
    ],
)
async def test_an_agency_that_is_not_registered_cannot_be_named(
    enter: Enter, registry: Registry, path: str, body: Any, pointers: list[str]
) -> None:
    """DNH-5: a misspelled exclusion would keep nobody away, a misspelled consent would tell nobody."""
    client = enter("coordinator")
    case = f"/{(await filed(client))['case_id']}" if path else ""
    before = await registry.stored()
    answer = await post(client, f"/v1/requests{case}{path}", body)
    assert problem(answer) == (409, "unknown-agency")
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers
    assert "ucayaly" not in answer.text
    assert await registry.stored() == before


async def test_an_agency_that_was_registered_this_moment_can_be_named(enter: Enter, registry: Registry) -> None:
    """Also by a process that has just started and has heard of none: it asks the register's records, once."""
    client, asked = enter(), registry.referrals.asked
    registry.referrals.register("just-registered")
    assert (await post(client, "/v1/requests", filing(excluded=["just-registered"]))).status_code == 201
    assert registry.referrals.asked == asked + 1
    assert (await post(client, "/v1/requests", filing(excluded=["just-registered", "a"]))).status_code == 201
    assert registry.referrals.asked == asked + 1


async def test_without_the_register_only_an_agency_that_is_not_known_waits(
    enter: Enter, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filing that names agencies known here needs nobody else."""

    async def unreachable(source: str, after: int, limit: int) -> list[bytes]:
        raise httpx.ConnectError("nobody there")

    monkeypatch.setattr(registry.parts.agencies, "_fetch", unreachable)
    assert (await post(enter(), "/v1/requests", filing(excluded=["mayor-test"]))).status_code == 201
    answer = await post(enter(), "/v1/requests", filing(excluded=["pnp-ucayaly"]))
    assert problem(answer) == (503, "unavailable")


async def test_a_consent_names_a_text_that_exists(enter: Enter, registry: Registry) -> None:
    """What a person agreed to must be there to be shown."""
    before = await registry.stored()
    answer = await post(enter(), "/v1/requests", filing(consents=[consent(text_version="bogus")]))
    assert problem(answer) == (422, "invalid-request")
    (error,) = answer.json()["errors"]
    assert (error["pointer"], error["reason"]) == ("#/consents/0/text_version", "not-in-list")
    assert error["expected"] == "drill-es-1"
    assert await registry.stored() == before


async def test_a_member_named_twice_loses_no_exclusion(enter: Enter, registry: Registry) -> None:
    """DNH-5: of two lists of exclusions the last would win, in silence."""
    before = await registry.stored()
    whole = json.dumps(filing())[:-1]
    for twice in (
        f'{whole}, "excluded": ["mayor-test"], "excluded": []}}',
        f'{whole}, "subjects": [{{"name": "a", "na\\u006de": "b"}}]}}',
    ):
        headers = {"Content-Type": "application/json", "Idempotency-Key": "twice"}
        answer = await enter().post("/v1/requests", content=twice.encode(), headers=headers)
        assert problem(answer) == (400, "malformed-request")
    assert await registry.stored() == before


async def test_the_ombudsman_follows_the_case_that_it_files(enter: Enter) -> None:
    """On its own motion, as only it and the authority may; and of no other case does it see anything."""
    ombudsman = enter("ombudsman", unit="dp-test")
    own = (await post(ombudsman, "/v1/requests", filing(filed_by="own_motion"))).json()
    path = f"/v1/requests/{own['case_id']}"
    assert (await ombudsman.get(path, params={"unseal": "true"})).json()["narrative"] == filing()["narrative"]
    for name, body in (("consents", consent()), ("exclusions", {"agency": "mayor-test"}), ("withdrawal", {})):
        assert (await post(ombudsman, f"{path}/{name}", body)).status_code == 201
    listed = (await ombudsman.get("/v1/requests")).json()["items"]
    assert [item["case_id"] for item in listed] == [own["case_id"]]
    other = f"/v1/requests/{(await filed(enter()))['case_id']}"
    assert problem(await ombudsman.get(other)) == (404, "not-found")
