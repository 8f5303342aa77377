"""One sealed field, opened in danger: by whom, for how long, recorded before it is read, reviewed by another person."""

import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from access.authorization import Role
from services.intake import openings
from services.intake.opening import REVIEW_WITHIN
from tests.accesses import Access, accesses
from tests.services.intake.conftest import Enter, Registry
from tests.services.intake.invented import filed, post

PERSON = {"name": "Illari Invented", "contact": "999 000 111", "place": "By the river"}
WHY = {"ground": "disappeared", "justification": "She has not come home, and nobody of her region answers."}
LATELY = timedelta(minutes=4)


async def opened(client: httpx.AsyncClient, case_id: str, **changes: Any) -> str:
    """The id of an opening."""
    answer = await post(client, f"/v1/requests/{case_id}/openings", {"field": "place", **WHY, **changes})
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["opening_id"]
    return found


async def looks(registry: Registry, case_id: str) -> list[Access]:
    """What the vault recorded about a case, but sealing."""
    found = [each for each in await accesses(registry.vault_owner) if each.event.correlation == case_id]
    return [each for each in found if each.kind != "PersonalDataSealed"]


async def test_dnh_12_one_field_is_read_and_each_reading_is_recorded(enter: Enter, registry: Registry) -> None:
    """A coordinator who is far away learns where she was last, and not what happened to her."""
    case_id = (await filed(enter(unit="unit-missed"), subjects=[PERSON]))["case_id"]
    helper = enter("coordinator", unit="unit-far", proved=LATELY)
    opening_id = await opened(helper, case_id)
    assert await looks(registry, case_id) == []  # to open decrypts nothing
    told = (await helper.get(f"/v1/openings/{opening_id}/text")).json()
    assert told["place"] == PERSON["place"]
    assert {told[name] for name in ("name", "contact", "narrative")} == {None}
    (look,) = await looks(registry, case_id)
    assert (look.payload.purpose, look.payload.rule) == ("seal.read", f"opening:{opening_id}")
    assert (list(look.payload.classes), look.event.actor.role) == (["place"], "coordinator")


@pytest.mark.parametrize("field", ["name", "contact", "narrative"])
async def test_each_field_that_can_be_opened_is_told_alone(enter: Enter, field: str) -> None:
    """Also of a linked person; the narrative is the case's own."""
    body = await filed(enter(unit="unit-missed"), subjects=[{}, {**PERSON, "linked": True}])
    helper = enter("evaluator", unit="unit-far", proved=LATELY)
    opening_id = await opened(helper, body["case_id"], field=field, subject_id=body["subjects"][1]["subject_id"])
    told = (await helper.get(f"/v1/openings/{opening_id}/text")).json()
    texts = {name: told[name] for name in ("name", "contact", "place", "narrative") if told[name] is not None}
    assert list(texts) == [field]
    assert field == "narrative" or texts[field] == PERSON[field]


async def test_an_old_sign_in_opens_nothing(enter: Enter, registry: Registry) -> None:
    """A token that was left on a desk, one of six minutes, and one that does not say: all are recorded."""
    case_id = (await filed(enter(), subjects=[PERSON]))["case_id"]
    before = await registry.stored()
    for proved in (None, timedelta(minutes=6)):
        helper = enter("coordinator", unit="unit-desk", proved=proved)
        answer = await post(helper, f"/v1/requests/{case_id}/openings", {"field": "place", **WHY})
        assert (answer.status_code, answer.json()["type"]) == (401, "urn:amparo:problem:proof-too-old")
        assert 'error="insufficient_user_authentication", max_age="300"' in answer.headers["www-authenticate"]
    assert await registry.stored() == before
    (refused,) = await looks(registry, case_id)
    assert (refused.kind, refused.payload.rule) == ("PersonalDataRefused", "proof-too-old")


async def test_it_ends_after_its_minutes_and_is_nobody_elses(enter: Enter, registry: Registry) -> None:
    """Fifteen minutes at most, one person."""
    case_id = (await filed(enter(), subjects=[PERSON]))["case_id"]
    helper = enter("coordinator", unit="unit-far", sub="helper", proved=LATELY)
    opening_id = await opened(helper, case_id, minutes=3)
    colleague = enter("coordinator", unit="unit-far", sub="colleague", proved=LATELY)
    assert (await colleague.get(f"/v1/openings/{opening_id}/text")).status_code == 404
    registry.clock.tick(minutes=2)
    assert (await helper.get(f"/v1/openings/{opening_id}/text")).status_code == 200
    registry.clock.tick(minutes=1)
    ended = await helper.get(f"/v1/openings/{opening_id}/text")
    assert (ended.status_code, ended.json()["type"]) == (409, "urn:amparo:problem:opening-ended")
    for minutes in (0, 16):
        body = {"field": "place", **WHY, "minutes": minutes}
        assert (await post(helper, f"/v1/requests/{case_id}/openings", body)).status_code == 422


async def test_no_word_no_opening(enter: Enter) -> None:
    """Whoever opens says why."""
    case_id = (await filed(enter()))["case_id"]
    helper = enter("coordinator", unit="unit-far", proved=LATELY)
    for missing in ({"justification": " "}, {"ground": "curiosity"}):
        body = {"field": "place", **WHY, **missing}
        assert (await post(helper, f"/v1/requests/{case_id}/openings", body)).status_code == 422
    twice = {"field": "place", **WHY}
    for key in ("subject_id", "field"):
        del twice["field"]
        assert (await post(helper, f"/v1/requests/{case_id}/openings", twice | {key: "all"})).status_code == 422
        twice["field"] = "place"


async def test_dnh_5_whom_the_filer_excludes_opens_nothing(enter: Enter, registry: Registry) -> None:
    """Danger outranks no exclusion; one that comes later ends what was opened. Absent and kept away look alike."""
    filer = enter(unit="unit-excludes")
    case_id = (await filed(filer, excluded=["office-left-out"], subjects=[PERSON]))["case_id"]
    kept = enter("coordinator", unit="office-left-out", proved=LATELY)
    before, body = await registry.stored(), {"field": "place", **WHY}
    refused = await post(kept, f"/v1/requests/{case_id}/openings", body)
    absent = await post(kept, f"/v1/requests/{uuid.uuid4()}/openings", body)
    assert (refused.status_code, refused.json()["type"]) == (404, "urn:amparo:problem:not-found")
    assert {**refused.json(), "instance": ""} == {**absent.json(), "instance": ""}
    assert await registry.stored() == before
    assert [each.kind for each in await looks(registry, case_id)] == ["PersonalDataRefused"]
    later = enter("coordinator", unit="office-later", proved=LATELY)
    opening_id = await opened(later, case_id)
    await post(filer, f"/v1/requests/{case_id}/exclusions", {"agency": "office-later"})
    assert (await later.get(f"/v1/openings/{opening_id}/text")).status_code == 404


async def test_dnh_6_no_addressee_opens_anything(enter: Enter) -> None:
    """The Ombudsman included: what it reads rests on a consent, or on a decision of two."""
    case_id = (await filed(enter()))["case_id"]
    for role in set(Role) - {Role.COORDINATOR, Role.EVALUATOR}:
        client = enter(role.value, unit="ngo-test", proved=LATELY)
        answer = await post(client, f"/v1/requests/{case_id}/openings", {"field": "place", **WHY})
        assert answer.status_code == 403, role


async def test_a_withdrawn_request_is_opened_by_nobody(enter: Enter) -> None:
    """The person no longer asks."""
    filer = enter()
    case_id = (await filed(filer))["case_id"]
    await post(filer, f"/v1/requests/{case_id}/withdrawal", {})
    helper = enter("coordinator", unit="unit-far", proved=LATELY)
    answer = await post(helper, f"/v1/requests/{case_id}/openings", {"field": "place", **WHY})
    assert answer.status_code == 404


async def test_another_person_has_to_review_it(enter: Enter, registry: Registry) -> None:
    """It stands in the list of reviews at once; the reviewer reads why, not what; whoever opened cannot judge."""
    case_id = (await filed(enter(), subjects=[PERSON]))["case_id"]
    helper = enter("coordinator", unit="unit-far", sub="helper", proved=LATELY)
    opening_id = await opened(helper, case_id)
    reviewer = enter("coordinator", unit="dgdh", sub="reviewer")
    pending = (await reviewer.get("/v1/openings", params={"stage": "pending", "limit": 200})).json()["items"]
    assert [each["case_id"] for each in pending if each["opening_id"] == opening_id] == [case_id]
    seen = (await reviewer.get(f"/v1/openings/{opening_id}", params={"unseal": "true"})).json()
    assert (seen["justification"], seen["field"], seen["unit"]) == (WHY["justification"], "place", "unit-far")
    assert PERSON["place"] not in str(seen)
    assert [each.payload.purpose for each in await looks(registry, case_id)] == ["seal.review"]
    path = f"/v1/openings/{opening_id}/review"
    own = await post(helper, path, {"justified": True})
    assert (own.status_code, own.json()["type"]) == (409, "urn:amparo:problem:two-persons-needed")
    assert (await post(reviewer, path, {"justified": False, "reason": "Her region answered."})).status_code == 201
    assert (await post(reviewer, path, {"justified": False})).status_code == 201  # said before
    assert (await post(reviewer, path, {"justified": True})).status_code == 409
    seen = (await reviewer.get(f"/v1/openings/{opening_id}", params={"unseal": "true"})).json()
    assert (seen["stage"], seen["justified"], seen["reason"]) == ("reviewed", False, "Her region answered.")


async def test_a_review_that_nobody_made_is_an_event(enter: Enter, registry: Registry) -> None:
    """Silence is recorded once; a late review still counts, as late."""
    case_id = (await filed(enter(), subjects=[PERSON]))["case_id"]
    opening_id = await opened(enter("coordinator", unit="unit-far", sub="helper", proved=LATELY), case_id)
    await openings.note_unreviewed(registry.parts)
    reviewer = enter("coordinator", unit="dgdh", sub="reviewer")
    assert (await reviewer.get(f"/v1/openings/{opening_id}")).json()["stage"] == "pending"
    registry.clock.tick(hours=REVIEW_WITHIN.total_seconds() / 3600, seconds=1)
    for _ in range(2):
        await openings.note_unreviewed(registry.parts)
    assert (await reviewer.get(f"/v1/openings/{opening_id}")).json()["stage"] == "overdue"
    assert (await post(reviewer, f"/v1/openings/{opening_id}/review", {"justified": True})).status_code == 201
    async with registry.parts.engine.connect() as session:
        history = await registry.parts.store.load(session, f"opening/{opening_id}")
    kinds = [type(each.event).__name__ for each in history.events]
    assert kinds == ["SealOpened", "OpeningUnreviewed", "OpeningReviewed"]
    assert history.events[-1].event.late


async def test_an_excluded_office_finds_no_opening(enter: Enter) -> None:
    """DNH-5: nor the list of what is to be reviewed."""
    case_id = (await filed(enter(), excluded=["office-left-out"]))["case_id"]
    opening_id = await opened(enter("coordinator", unit="unit-far", proved=LATELY), case_id)
    kept = enter("coordinator", unit="office-left-out", sub="kept")
    assert opening_id not in (await kept.get("/v1/openings", params={"limit": 200})).text
    for answer in (
        await kept.get(f"/v1/openings/{opening_id}", params={"unseal": "true"}),
        await kept.get(f"/v1/openings/{opening_id}/text"),
        await post(kept, f"/v1/openings/{opening_id}/review", {"justified": True}),
    ):
        assert answer.status_code == 404
