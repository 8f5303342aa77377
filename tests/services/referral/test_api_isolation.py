"""Two agencies with tokens: no route of one shows anything of the other's, and what is not yours is absent (DNH-5)."""

from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from access.authorization import May
from access.problems import PROBLEMS
from amparo.intake.v1 import events_pb2 as intake
from services.referral.api import agencies, inbox, referrals
from tests.services.referral.asking import acted, post, problem
from tests.services.referral.conftest import Enter, Room
from tests.services.referral.invented import OMBUDSMAN, POLICE, PROSECUTOR
from tests.services.referral.test_api_acts import BODIES, NOBODYS

READS = ("", "/disclosure", "/texts")
ACTS = ("acknowledgement", "acceptance", "rejection", "answer")
ROUTES = [route for router in (agencies.router, inbox.router, referrals.router) for route in router.routes]


def shown(answer: httpx.Response) -> dict[str, Any]:
    """An answer without what is random in it."""
    return {"status": answer.status_code, **{n: v for n, v in answer.json().items() if n != "instance"}}


@pytest.mark.parametrize(
    ("owner", "other", "role"), [(POLICE, PROSECUTOR, "prosecutor"), (PROSECUTOR, POLICE, "police_unit")]
)
async def test_another_agencys_referral_is_absent_on_every_route(
    room: Room, enter: Enter, owner: str, other: str, role: str
) -> None:
    """The very same answer as for an id that nobody has, and nothing is written by any act."""
    _, referral_id = await room.sent(owner)
    stranger = enter(other, role=role)
    before = await room.stored()
    for read in READS:
        answer = await stranger.get(f"/v1/referrals/{referral_id}{read}")
        assert shown(answer) == shown(await stranger.get(f"/v1/referrals/{NOBODYS}{read}"))
        assert problem(answer) == (404, "not-found")
    for act in ACTS:
        answer = await post(stranger, f"/v1/referrals/{referral_id}/{act}", BODIES[act])
        assert shown(answer) == shown(await post(stranger, f"/v1/referrals/{NOBODYS}/{act}", BODIES[act]))
        assert problem(answer) == (404, "not-found")
    assert referral_id not in (await stranger.get("/v1/inbox", params={"limit": 200})).text
    assert await room.stored() == before


async def test_another_agencys_key_shows_nothing_of_its_act(room: Room, enter: Enter) -> None:
    """A key is the client's own: the same one, guessed, names another deed."""
    _, referral_id = await room.sent()
    await post(enter(), f"/v1/referrals/{referral_id}/acknowledgement", key="guessed")
    stranger = enter(PROSECUTOR, role="prosecutor")
    answer = await post(stranger, f"/v1/referrals/{referral_id}/acknowledgement", key="guessed")
    assert problem(answer) == (404, "not-found")


async def test_a_token_without_a_unit_sees_no_referral(room: Room, enter: Enter) -> None:
    """An empty unit is nobody's, never everybody's."""
    _, referral_id = await room.sent()
    client = enter("")
    assert (await client.get("/v1/inbox")).json()["items"] == []
    assert problem(await client.get(f"/v1/referrals/{referral_id}")) == (404, "not-found")
    assert problem(await post(client, f"/v1/referrals/{referral_id}/answer", {"done": True})) == (404, "not-found")


async def test_who_has_read_is_shut_out_when_another_takes_over(room: Room, enter: Enter) -> None:
    """After a recall the old addressee reads nothing of what the new one is told."""
    case, to_police = await room.sent()
    await case.consent(OMBUDSMAN)
    to_ombudsman = await room.send(case, OMBUDSMAN)
    await acted(enter("dgdh", role="coordinator"), to_police, "recall", ground="conflict_of_interest")
    assert problem(await enter().get(f"/v1/referrals/{to_police}/disclosure")) == (404, "not-found")
    assert problem(await enter().get(f"/v1/referrals/{to_ombudsman}")) == (404, "not-found")
    ombudsman = enter(OMBUDSMAN, role="ombudsman")
    assert (await ombudsman.get(f"/v1/referrals/{to_ombudsman}/disclosure")).status_code == 200


@pytest.mark.parametrize("role", ["filer", "defender", "auditor", "observer", "administrator", "service", "evaluator"])
async def test_roles_that_are_not_addressees_have_no_inbox_and_no_disclosure(
    room: Room, enter: Enter, role: str
) -> None:
    """Even with the agency's own id as their unit."""
    _, referral_id = await room.sent()
    client = enter(POLICE, role=role)
    assert problem(await client.get("/v1/inbox")) == (403, "forbidden")
    assert problem(await client.get(f"/v1/referrals/{referral_id}/disclosure")) == (403, "forbidden")
    for act in ACTS:
        answer = await post(client, f"/v1/referrals/{referral_id}/{act}", BODIES[act])
        assert problem(answer) == (403, "forbidden")


async def test_an_agency_cannot_recall_nor_register(room: Room, enter: Enter) -> None:
    """Nobody takes its own referral away, or makes itself an office."""
    _, referral_id = await room.sent()
    assert problem(await post(enter(), f"/v1/referrals/{referral_id}/recall", BODIES["recall"])) == (403, "forbidden")
    body = {"agency": "mine", "kind": "police", "name": "Mine", "region": "PE-UCA"}
    assert problem(await post(enter(), "/v1/agencies", body)) == (403, "forbidden")


async def test_without_a_token_nothing_answers(room: Room, enter: Enter) -> None:
    """Each route asks who is there first."""
    client = enter()
    client.auth = None
    _, referral_id = await room.sent()
    for where in (
        "/v1/inbox",
        "/v1/agencies",
        f"/v1/referrals/{referral_id}",
        f"/v1/referrals/{referral_id}/disclosure",
    ):
        assert problem(await client.get(where)) == (401, "unauthenticated")


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{sorted(route.methods)[0]} {route.path}")
def test_every_route_declares_its_action(route: APIRoute) -> None:
    """A route without one would be open to every token."""
    assert [found for found in route.dependant.dependencies if isinstance(found.call, May)]


def test_the_codes_that_routes_document_are_in_the_table() -> None:
    """What may come is known before it comes."""
    for route in ROUTES:
        assert isinstance(route, APIRoute)
        assert {int(status) for status in route.responses} <= {status for status, _ in PROBLEMS.values()} | {200, 304}


async def test_an_office_of_the_mechanism_that_is_excluded_finds_no_referral(room: Room, enter: Enter) -> None:
    """DNH-5: the coordinator's own office, or one above it; other coordinators read and recall as before."""
    case, referral_id = await room.sent()
    await case.feed(intake.AgencyExcluded(agency="office-out"))
    kept, other = enter("office-out", role="coordinator"), enter("dgdh", role="coordinator")
    for read in ("", "/texts"):
        assert problem(await kept.get(f"/v1/referrals/{referral_id}{read}")) == (404, "not-found")
        assert (await other.get(f"/v1/referrals/{referral_id}{read}")).status_code == 200
    before = await room.stored()
    recall = f"/v1/referrals/{referral_id}/recall"
    assert problem(await post(kept, recall, BODIES["recall"])) == (404, "not-found")
    assert await room.stored() == before
    assert (await post(other, recall, BODIES["recall"])).status_code == 201


async def test_an_agency_that_is_excluded_keeps_the_account_of_its_own_acts_only(room: Room, enter: Enter) -> None:
    """DNH-5: what it was asked is there as taken back, and tells nothing any more."""
    case, referral_id = await room.sent()
    await acted(enter(), referral_id, "acknowledgement")
    await case.feed(intake.AgencyExcluded(agency=POLICE))
    assert (await enter().get(f"/v1/referrals/{referral_id}")).json()["state"] == "recalled"
    assert problem(await enter().get(f"/v1/referrals/{referral_id}/disclosure")) == (404, "not-found")
    answer = await post(enter(), f"/v1/referrals/{referral_id}/answer", BODIES["answer"])
    assert problem(answer) == (409, "wrong-stage")
