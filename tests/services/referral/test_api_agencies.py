"""Agencies over the API: registered once, by the mechanism, and read by everybody."""

import uuid

import pytest

from eventlog.decider import Refused
from services.referral import seed
from tests.services.referral.asking import post, problem
from tests.services.referral.conftest import Enter, Room
from tests.services.referral.invented import OMBUDSMAN, POLICE, PROSECUTOR


def office(agency: str, **changes: str) -> dict[str, str]:
    return {"agency": agency, "kind": "police", "name": "Comisaría inventada", "region": "PE-UCA", **changes}


@pytest.mark.parametrize("role", ["coordinator", "administrator"])
async def test_an_agency_is_registered_once(room: Room, enter: Enter, role: str) -> None:
    """Again alike it stays; otherwise it is refused, and nothing changes."""
    agency, staff = f"unit-{uuid.uuid4().hex[:8]}", enter("dgdh", role=role)
    first = await post(staff, "/v1/agencies", office(agency, superior=POLICE))
    assert (first.status_code, first.json()["agency"], first.json()["version"]) == (201, agency, 1)
    before = await room.stored()
    again = await post(staff, "/v1/agencies", office(agency, superior=POLICE))
    assert (again.status_code, again.json()["event_hash"]) == (201, first.json()["event_hash"])
    differs = await post(staff, "/v1/agencies", office(agency, kind="prosecutor"))
    assert problem(differs) == (409, "agency-known")
    assert await room.stored() == before | {"acts": before["acts"] + 1}  # the repetition's key


async def test_an_agency_under_nobody_known_is_refused(room: Room, enter: Enter) -> None:
    """A command that is misspelled would never be excluded with its units."""
    body = office(f"unit-{uuid.uuid4().hex[:8]}", superior="nobody-invented")
    assert problem(await post(enter("dgdh", role="coordinator"), "/v1/agencies", body)) == (409, "unknown-agency")


@pytest.mark.parametrize("agency", ["", "PNP", "a b", "../x", "-x", "x" * 64])
async def test_an_agencys_id_is_plain(enter: Enter, agency: str) -> None:
    """It goes into addresses, keys and topics."""
    answer = await post(enter("dgdh", role="coordinator"), "/v1/agencies", office(agency))
    assert problem(answer) == (422, "invalid-request")


async def test_agencies_are_listed_page_by_page(room: Room, enter: Enter) -> None:
    """Everybody may know which offices there are."""
    client, found, cursor = enter("", role="observer"), [], None
    while True:
        query = {"limit": 1, **({"cursor": cursor} if cursor else {})}
        answer = (await client.get("/v1/agencies", params=query)).json()
        found += [item["agency"] for item in answer["items"]]
        if (cursor := answer["next_cursor"]) is None:
            break
    assert found == sorted(found)
    assert {POLICE, PROSECUTOR, OMBUDSMAN} <= set(found)
    only = (await client.get("/v1/agencies", params={"kind": "ombudsman"})).json()["items"]
    assert {item["kind"] for item in only} == {"ombudsman"}


async def test_one_agency_is_read(room: Room, enter: Enter) -> None:
    """An absent one is absent."""
    client = enter("", role="observer")
    answer = await client.get(f"/v1/agencies/{POLICE}")
    assert (answer.json()["kind"], answer.json()["superior"], answer.headers["etag"]) == ("police", None, '"1"')
    assert problem(await client.get("/v1/agencies/nobody-invented")) == (404, "not-found")


async def test_the_seed_may_run_at_every_start(room: Room) -> None:
    """It registers what is missing, through the same act, and nothing twice."""
    before = await room.stored()
    await seed.seed(room.parts)
    assert await room.stored() == before


async def test_dnh_9_an_agreement_recalls_and_keeps_every_case_of_the_project_away(room: Room, enter: Enter) -> None:
    """A station under contract to guard the road learns nothing of who complains of the road, nor do those it commands;
    other cases and offices go on.
    """
    road, station, post_of = (f"{name}-{uuid.uuid4().hex[:8]}" for name in ("road", "station", "post"))
    await room.register(station)
    await room.register(post_of, superior=station)
    named, elsewhere = await room.registry.file(project=road), await room.registry.file(project="other-road")
    sent = {}
    for case in (named, elsewhere):
        for agency in (station, post_of, POLICE):
            await case.consent(agency)
            sent[case.case_id, agency] = await room.send(case, agency)
    staff = enter("dgdh", role="coordinator")
    path = f"/v1/agencies/{station}/agreements"
    assert (await post(staff, path, {"project": road})).status_code == 201
    assert (await post(staff, path, {"project": road})).status_code == 201  # recorded before
    assert problem(await post(staff, "/v1/agencies/nobody/agreements", {"project": road})) == (409, "unknown-agency")
    for (case_id, agency), referral_id in sent.items():
        recalled = case_id == named.case_id and agency != POLICE
        assert ("ReferralRecalled" in await room.types(referral_id)) == recalled, agency
    later = await room.registry.file(project=road)
    await later.consent(post_of)
    with pytest.raises(Refused, match="conflict-of-interest"):
        await room.send(later, post_of)
    tied = enter(post_of, role="police_unit")
    assert (await tied.get(f"/v1/referrals/{sent[named.case_id, post_of]}/disclosure")).status_code == 404
    assert (await tied.get(f"/v1/referrals/{sent[elsewhere.case_id, post_of]}/disclosure")).status_code == 200
