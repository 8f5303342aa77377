"""Nothing is told on less than the registry knows: its consumer stands still, or the registry does not answer."""

import asyncio
from datetime import timedelta

import pytest
from google.protobuf.message import Message
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from amparo.activities.v1 import activities_pb2 as contracts
from amparo.intake.v1 import events_pb2 as intake
from services.referral import activities, unsealing
from tests.services.referral.asking import problem
from tests.services.referral.conftest import Case, Enter, Room
from tests.services.referral.invented import OMBUDSMAN, POLICE, PROSECUTOR

AT_ONCE = timedelta(seconds=0.1)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would be waited for does not come in these tests."""
    monkeypatch.setattr(unsealing, "READ_WITHIN", AT_ONCE)
    monkeypatch.setattr(activities, "READ_WITHIN", AT_ONCE)


def taken_back(case: Case) -> dict[str, Message]:
    """What ends the disclosure to the police."""
    return {
        "consent": intake.ConsentWithdrawn(subject_id=case.subject.id, agency=POLICE, consent_version=1),
        "agency": intake.AgencyExcluded(agency=POLICE),
        "request": intake.RequestWithdrawn(case_id=case.case_id),
    }


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("what", ["consent", "agency", "request"])
async def test_dnh_6_what_was_taken_back_is_not_read_while_the_consumer_stands_still(
    room: Room, enter: Enter, what: str
) -> None:
    """The person was told that it is done: no lag of ours may tell the agency a name after that."""
    case, referral_id = await room.sent()
    path = f"/v1/referrals/{referral_id}/disclosure"
    assert (await enter().get(path)).status_code == 200
    accesses = len(await room.accesses())
    room.registry.behind = True
    await case.feed(taken_back(case)[what])
    answer = await enter().get(path)
    assert problem(answer) == (503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert len(await room.accesses()) == accesses
    await room.registry.deliver(room.registry.records[-1])
    assert problem(await enter().get(path)) == (404, "not-found")


async def test_a_reading_waits_for_what_is_on_its_way(room: Room, enter: Enter) -> None:
    """Another consent a moment ago costs the agency some milliseconds, not an error."""
    case, referral_id = await room.sent()
    room.registry.behind = True
    await case.consent(OMBUDSMAN)
    reading = asyncio.create_task(enter().get(f"/v1/referrals/{referral_id}/disclosure"))
    await asyncio.sleep(0)
    await room.registry.deliver(room.registry.records[-1])
    assert (await reading).status_code == 200


async def test_nothing_is_read_while_the_registry_does_not_answer(room: Room, enter: Enter) -> None:
    """Who cannot know that the consent stands does not tell; who is not the addressee still learns nothing."""
    _, referral_id = await room.sent()
    room.registry.streams.silent = True
    path = f"/v1/referrals/{referral_id}/disclosure"
    assert problem(await enter().get(path)) == (503, "unavailable")
    assert problem(await enter(PROSECUTOR, role="prosecutor").get(path)) == (404, "not-found")


@pytest.mark.usefixtures("hurried")
async def test_an_order_that_waited_is_judged_by_what_was_said_since(room: Room) -> None:
    """An order may lie for hours while this service is down; an agency excluded meanwhile must never learn of the
    case.
    """
    (send, *_) = activities.activities(room.parts)
    case = await room.registry.file()
    await case.consent()
    order = contracts.SendReferral(case_id=case.case_id, agency=POLICE, round=1, request_version=2)
    room.registry.behind = True
    await case.feed(intake.AgencyExcluded(agency=POLICE))
    refusals = []
    for silent in (False, True):
        room.registry.streams.silent = silent
        with pytest.raises(ApplicationError) as refusal:
            await ActivityEnvironment().run(send, order)
        refusals.append((refusal.value.type, refusal.value.non_retryable))
    assert refusals == [("request-not-read-yet", False), ("registry-silent", False)]
    room.registry.streams.silent = False
    await room.registry.deliver(room.registry.records[-1])
    with pytest.raises(ApplicationError, match="agency-excluded"):
        await ActivityEnvironment().run(send, order)
