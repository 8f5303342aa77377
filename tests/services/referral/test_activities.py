"""The activities, run as Temporal runs them: contracts in and out, refusals that end, waits that are tried again."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from amparo.activities.v1 import activities_pb2 as contracts
from eventlog.codec import instant
from services.referral import activities as room_activities
from services.referral import domain, handlers
from services.referral.activities import activities
from tests.services.referral.conftest import Case, Room
from tests.services.referral.invented import POLICE
from tests.services.referral.test_handlers import OFFICER, act

Run = Callable[..., Awaitable[Any]]


@pytest.fixture
def run(room: Room) -> Run:
    """``run("referral.send", order)``."""
    served = {function.__temporal_activity_definition.name: function for function in activities(room.parts)}

    async def run(name: str, message: object) -> Any:
        return await ActivityEnvironment().run(served[name], message)

    return run


def order(case: Case, **changes: Any) -> contracts.SendReferral:
    asked: dict[str, Any] = {"agency": POLICE, "round": 1, "request_version": 2, **changes}
    return contracts.SendReferral(case_id=case.case_id, **asked)


async def refused(answer: Awaitable[Any]) -> ApplicationError:
    with pytest.raises(ApplicationError) as refusal:
        await answer
    return refusal.value


def silence(referral_id: str, clock: str = "acknowledge", rung: int = 50) -> contracts.NoteReferralSilence:
    return contracts.NoteReferralSilence(referral_id=referral_id, clock=clock, rung=rung)


def rungs(standing: contracts.ReferralStanding) -> dict[str, list[int]]:
    return {clock.name: [rung.percent for rung in clock.rungs] for clock in standing.clocks}


async def test_a_referral_is_sent_once_however_often_it_is_ordered(room: Room, run: Run) -> None:
    """An activity runs at least once; the agency is asked exactly once."""
    case = await room.registry.file()
    await case.consent()
    first = await run("referral.send", order(case))
    assert await run("referral.send", order(case)) == first
    assert await room.types(first.referral_id) == ["ReferralSent"]


async def test_a_refusal_ends_the_order_with_its_code(room: Room, run: Run) -> None:
    """Trying again would not make a consent."""
    case = await room.registry.file()
    found = await refused(run("referral.send", order(case, request_version=1)))
    assert (found.type, found.non_retryable) == ("consent-missing", True)
    unknown = await refused(run("referral.standing", contracts.AskReferralStanding(referral_id="nobody")))
    assert (unknown.type, unknown.non_retryable) == ("not-found", True)


async def test_an_order_waits_for_the_request_and_is_then_handed_back(
    room: Room, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The consent that the workflow has seen may be some milliseconds away; if it is further, Temporal tries again."""
    case = await room.registry.file()
    waiting = asyncio.create_task(run("referral.send", order(case)))
    await asyncio.sleep(0)
    await case.consent()
    assert (await waiting).referral_id
    monkeypatch.setattr(room_activities, "READ_WITHIN", timedelta(seconds=0.1))
    found = await refused(run("referral.send", order(case, request_version=9)))
    assert (found.type, found.non_retryable) == ("request-not-read-yet", False)


async def test_the_standing_has_the_running_clocks_and_their_rungs(room: Room, run: Run) -> None:
    """A workflow that starts anew sleeps until the same instants."""
    _, referral_id = await room.sent()
    question = contracts.AskReferralStanding(referral_id=referral_id)
    standing = await run("referral.standing", question)
    assert (standing.version, standing.stage, standing.closed) == (1, "sent", False)
    assert rungs(standing) == {"acknowledge": [50, 75, 100, 150], "answer": [50, 75, 100, 150]}
    acknowledge = next(clock for clock in standing.clocks if clock.name == "acknowledge")
    assert instant(acknowledge.due) == room.clock() + timedelta(seconds=6)
    assert instant(acknowledge.rungs[0].at) == room.clock() + timedelta(seconds=3)
    command = domain.Acknowledge(agency=POLICE, now=room.clock())
    await handlers.act_on_referral(command, referral_id=referral_id, actor=OFFICER, act=act(), parts=room.parts)
    assert rungs(await run("referral.standing", question)) == {"answer": [50, 75, 100, 150]}
    command = domain.Answer(agency=POLICE, done=True, now=room.clock())
    await handlers.act_on_referral(command, referral_id=referral_id, actor=OFFICER, act=act(), parts=room.parts)
    standing = await run("referral.standing", question)
    assert (standing.stage, standing.closed, rungs(standing)) == ("answered", True, {})


async def test_each_rung_is_noted_once_and_tells_whom_the_pack_says(room: Room, run: Run) -> None:
    """Escalation that repeats itself is soon ignored."""
    _, referral_id = await room.sent()
    room.clock.advance(seconds=3)
    standing = await run("referral.note_silence", silence(referral_id))
    assert rungs(standing)["acknowledge"] == [75, 100, 150]
    assert await run("referral.note_silence", silence(referral_id)) == standing
    assert await room.types(referral_id) == ["ReferralSent", "SilenceNoted"]
    seen = await handlers.see(referral_id, actor=OFFICER, parts=room.parts)
    assert seen.history.events[-1].event.told


async def test_a_rung_that_has_not_come_is_tried_again(room: Room, run: Run) -> None:
    """A worker's clock that is ahead accuses nobody early, and the rung is not lost."""
    _, referral_id = await room.sent()
    found = await refused(run("referral.note_silence", silence(referral_id)))
    assert (found.type, found.non_retryable) == ("rung-not-reached", False)
    room.clock.advance(seconds=3)
    assert rungs(await run("referral.note_silence", silence(referral_id)))["acknowledge"] == [75, 100, 150]


async def test_no_silence_is_noted_after_the_clock_stopped(room: Room, run: Run) -> None:
    """A timer that fires beside the answer says nothing."""
    _, referral_id = await room.sent()
    room.clock.advance(seconds=3)
    command = domain.Acknowledge(agency=POLICE, now=room.clock())
    await handlers.act_on_referral(command, referral_id=referral_id, actor=OFFICER, act=act(), parts=room.parts)
    standing = await run("referral.note_silence", silence(referral_id))
    assert (standing.version, standing.stage) == (2, "acknowledged")
    assert "SilenceNoted" not in await room.types(referral_id)


@pytest.mark.parametrize(("clock", "rung", "code"), [("opinion", 50, "unknown-clock"), ("answer", 51, "unknown-rung")])
async def test_a_rung_that_the_pack_does_not_have_is_refused(
    room: Room, run: Run, clock: str, rung: int, code: str
) -> None:
    """A workflow that asks for it was made for another pack."""
    _, referral_id = await room.sent()
    found = await refused(run("referral.note_silence", silence(referral_id, clock, rung)))
    assert (found.type, found.non_retryable) == (code, True)
