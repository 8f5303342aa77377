"""What a referral asks for: one at a time for each thing, and a measure with what has to be done."""

from typing import Any

import pytest
from sqlalchemy import text

from eventlog.decider import Refused
from services.referral import domain, handlers
from services.referral.registry import RequestNotRead
from tests.services.referral.conftest import PLACE, Case, Enter, Room
from tests.services.referral.invented import OMBUDSMAN, POLICE, PROSECUTOR
from tests.services.referral.test_handlers import COORDINATOR, OFFICER, act, texts, unreadable

HOW = "Two patrols a night, on foot, for three months."


async def do(room: Room, command: domain.Command, referral_id: str) -> None:
    """An act of the agency's or the coordinator's on a referral."""
    actor = COORDINATOR if isinstance(command, domain.Recall) else OFFICER
    await handlers.act_on_referral(command, referral_id=referral_id, actor=actor, act=act(), parts=room.parts)


async def asked_to_implement(room: Room, *discloses: str, how: str = HOW) -> tuple[Case, str, str]:
    """A case, its accepted measure, and the referral that sends it."""
    case = await room.registry.file()
    await case.consent(POLICE, *discloses)
    measure_id = await room.registry.measure(case, how=how)
    return case, measure_id, await room.send(case, purpose="implement", measure_id=measure_id)


async def test_the_implementer_learns_what_the_measure_is_and_how_it_is_done(room: Room, enter: Enter) -> None:
    """What it is stands in the inbox and on the referral; how, in the disclosure, which is recorded."""
    _, measure_id, referral_id = await asked_to_implement(room, "identity")
    client = enter(POLICE)
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while (page := (await client.get("/v1/inbox", params=cursor)).json())["items"]:
        items, cursor = [*items, *page["items"]], {"cursor": page["next_cursor"]}
    (item,) = [item for item in items if item["referral_id"] == referral_id]
    told = {"measure_id": measure_id, "measure": "patrol_home", "measure_family": "physical", "measure_urgent": True}
    assert item.items() >= told.items()
    assert item["discloses"] == ["identity", "measure"]
    assert (await client.get(f"/v1/referrals/{referral_id}")).json().items() >= told.items()
    values = (await client.get(f"/v1/referrals/{referral_id}/disclosure")).json()["values"]
    assert {(v["data_class"], v["path"], v["text"]) for v in values} >= {("measure", "details", HOW)}
    assert {v["data_class"] for v in values} == {"identity", "measure"}
    read = (await room.accesses())[-1].payload
    assert (read.purpose, read.about) == ("referral.disclosure", f"referral/{referral_id}")


async def test_nothing_said_of_a_measure_stands_in_clear(room: Room) -> None:
    """It is copied as ciphertext, from event to table to event."""
    await asked_to_implement(room)
    async with room.owner.connect() as connection:
        for table in ("events", "measures", "referrals"):
            rows = (await connection.execute(text(f"SELECT {table}::text AS row FROM {table}"))).scalars().all()
            assert not any(HOW in row or HOW.encode().hex() in row for row in rows)


async def test_dnh_6_how_a_measure_is_done_follows_the_consent(room: Room) -> None:
    """Where the person whose words these are takes the consent back, the implementer reads nothing."""
    case, _, referral_id = await asked_to_implement(room, "identity")
    assert (await texts(room, referral_id))["details"] == HOW
    await case.withdraw(1)
    await unreadable(room, referral_id)


async def test_a_measure_is_told_to_its_implementer_alone(room: Room) -> None:
    """Another agency that is asked about the case learns nothing of it, and cannot be asked to carry it out."""
    case, measure_id, _ = await asked_to_implement(room)
    await case.consent(OMBUDSMAN)
    assert "measure" not in {
        value.data_class
        for value in (
            await handlers.see(await room.send(case, OMBUDSMAN), actor=COORDINATOR, parts=room.parts)
        ).sent.disclosed
    }
    with pytest.raises(Refused, match="another agency carries it out") as refusal:
        await room.send(case, OMBUDSMAN, purpose="implement", measure_id=measure_id)
    assert refusal.value.code == "measure-unknown"


async def test_sending_waits_until_the_measure_was_read(room: Room) -> None:
    """An implementer that is asked before would not learn what for."""
    case = await room.registry.file()
    await case.consent()
    with pytest.raises(RequestNotRead):
        await room.send(case, purpose="implement", measure_id="on-its-way")


async def test_a_changed_measure_is_asked_for_anew(room: Room) -> None:
    """Under the same consent: what was asked before is taken back, and the new limit runs from the new asking."""
    case, measure_id, first = await asked_to_implement(room)
    await room.registry.change(case, measure_id, how="By boat, since the road is watched.")
    second = await room.send(case, purpose="implement", measure_id=measure_id)
    assert await room.types(first) == ["ReferralSent", "ReferralRecalled"]
    assert (await texts(room, second))["details"] == "By boat, since the road is watched."
    assert await room.send(case, purpose="implement", measure_id=measure_id) == second


async def test_a_consent_given_again_opens_no_second_referral_beside_an_open_one(room: Room) -> None:
    """The agency is asked once, and its clocks go on; ordered again, it stays so."""
    case, first = await room.sent()
    await case.consent()
    assert await room.send(case, round=2) == first
    await do(room, domain.Acknowledge(agency=POLICE, now=room.clock()), first)
    await case.consent()
    assert await room.send(case, round=3) == first
    assert await room.types(first) == ["ReferralSent", "ReferralAcknowledged"]
    await do(room, domain.Answer(agency=POLICE, done=True, now=room.clock()), first)
    assert [await room.send(case, round=number) for number in (1, 2, 3)] == [first] * 3


async def test_a_consent_after_a_recall_opens_a_new_referral(room: Room) -> None:
    """Taken back and given again: the agency is asked anew, with new limits."""
    case, first = await room.sent()
    await case.withdraw(1)
    assert await room.types(first) == ["ReferralSent", "ReferralRecalled"]
    await case.consent()
    second = await room.send(case, round=2)
    assert second != first
    assert set(await texts(room, second)) == set(await _all(room))


async def test_a_consent_to_more_widens_the_open_referral(room: Room) -> None:
    """What the person adds, the agency may read; the agency hears that something changed, and the record says on what
    consent.
    """
    case, referral_id = await room.sent(POLICE, "identity")
    assert PLACE not in (await texts(room, referral_id)).values()
    await case.consent(POLICE, "identity", "place")
    assert await room.send(case, round=2) == referral_id
    assert await room.types(referral_id) == ["ReferralSent", "DisclosureWidened"]
    assert PLACE in (await texts(room, referral_id)).values()
    seen = await handlers.see(referral_id, actor=OFFICER, parts=room.parts)
    assert (seen.sent.consent_version, seen.state.stage) == (2, domain.Stage.SENT)
    async with room.owner.connect() as connection:
        row = (
            await connection.execute(text("SELECT * FROM referrals WHERE referral_id = :r"), {"r": referral_id})
        ).one()
    assert (list(row.discloses), row.version) == (["identity", "place"], 2)


async def test_other_agencies_are_asked_on_their_own_consents(room: Room) -> None:
    """One open referral keeps nobody else from being asked."""
    case, first = await room.sent()
    await case.consent(PROSECUTOR)
    assert await room.send(case, PROSECUTOR, round=2) != first


async def _all(room: Room) -> set[str]:
    _, referral_id = await room.sent()
    return set(await texts(room, referral_id))
