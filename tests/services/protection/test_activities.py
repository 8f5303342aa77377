"""What workflows ask of protection: standings folded from streams, and acts that are done once by their business."""

import asyncio
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.exceptions import ApplicationError

from amparo.activities.v1 import activities_pb2 as contracts
from eventlog.codec import instant
from eventlog.decider import Refused
from services.protection import projections
from services.protection.activities import activities
from services.protection.domain.events import SilenceNoted
from tests.services.protection.conftest import Enter, Granted, Office

Ask = Callable[..., Any]


@pytest.fixture
def ask(office: Office) -> Ask:
    """``ask("case_standing", …)``: an activity by the name of its contract."""
    served = {function.__name__: function for function in activities(office.parts)}
    return lambda name, question: served[name](question)


async def test_a_standing_tells_stage_clocks_and_the_rungs_to_come(office: Office, ask: Ask) -> None:
    """In order of time, with what a workflow sleeps to."""
    case_id = await office.filed()
    standing = await ask("case_standing", contracts.AskCaseStanding(case_id=case_id))
    assert (standing.stage, standing.closed, standing.version) == ("opened", False, 4)
    first = standing.clocks[0]
    assert (first.name, instant(first.due)) == ("preliminary_report", office.hands.now + timedelta(seconds=30))
    assert [(rung.percent, instant(rung.at) - office.hands.now) for rung in first.rungs] == [
        (50, timedelta(seconds=15)),
        (75, timedelta(seconds=22.5)),
        (100, timedelta(seconds=30)),
        (150, timedelta(seconds=45)),
    ]


async def test_a_standing_is_folded_from_streams_and_never_from_a_table(
    office: Office, ask: Ask, granted_measure: Granted
) -> None:
    """Emptied tables change no answer."""
    question = contracts.AskCaseStanding(case_id=granted_measure.case_id)
    before = await ask("case_standing", question)
    async with office.owner.begin() as connection:
        await connection.execute(text("TRUNCATE cases, clocks, measures, measure_referrals"))
    after = await ask("case_standing", question)
    assert after == before
    (told,) = after.measures
    assert (told.measure_id, told.state, told.implementer) == (granted_measure.measure_id, "granted", "police-north")
    async with office.parts.engine.begin() as session:
        await projections.rebuild(session, office.parts.store)


async def test_a_rung_is_noted_once_whoever_asks(office: Office, ask: Ask) -> None:
    """Two workers, a restart, a rebuilt workflow: one event, and the standing without the rung."""
    case_id = await office.filed()
    office.hands.forward(15)
    question = contracts.NoteCaseSilence(case_id=case_id, clock="preliminary_report", rung=50)
    standings = await asyncio.gather(*(ask("note_silence", question) for _ in range(3)))
    assert all([rung.percent for rung in each.clocks[0].rungs] == [75, 100, 150] for each in standings)
    noted = [each.event for each in await office.case_events(case_id) if isinstance(each.event, SilenceNoted)]
    assert [(event.clock, event.rung, event.told) for event in noted] == [("preliminary_report", 50, ("coordinator",))]


async def test_a_timer_that_fires_early_notes_nothing(office: Office, ask: Ask) -> None:
    """The standing still has the rung, so the workflow sleeps again; at its instant it is noted."""
    case_id = await office.filed()
    question = contracts.NoteCaseSilence(case_id=case_id, clock="evaluation", rung=50)
    office.hands.forward(29.9)
    assert (await ask("note_silence", question)).clocks[1].rungs[0].percent == 50
    office.hands.forward(0.1)
    assert (await ask("note_silence", question)).clocks[1].rungs[0].percent == 75


async def test_no_silence_is_noted_after_the_act(office: Office, enter: Enter, ask: Ask) -> None:
    """A late timer of a clock that has stopped is quiet."""
    case_id = await office.filed()
    await enter("coordinator").do(f"/v1/cases/{case_id}/preliminary-report", {"admissible": True})
    office.hands.forward(100)
    before = await office.case_events(case_id)
    standing = await ask(
        "note_silence", contracts.NoteCaseSilence(case_id=case_id, clock="preliminary_report", rung=100)
    )
    assert [clock.name for clock in standing.clocks] == ["evaluation", "resolution"]
    assert await office.case_events(case_id) == before


async def test_a_measure_is_sent_by_the_referrals_record_and_by_nobodys_word(
    office: Office, enter: Enter, ask: Ask, granted_measure: Granted
) -> None:
    """Who reaches the workflow engine must not make an agency look asked that never was."""
    await enter("filer").do(f"/v1/measures/{granted_measure.measure_id}/acceptance")
    question = contracts.NoteMeasureSent(measure_id=granted_measure.measure_id, referral_id=f"r-{uuid.uuid4()}")
    before = await office.measure_events(granted_measure.measure_id)
    with pytest.raises(ApplicationError) as failure:
        await ask("note_measure_sent", question)
    assert (failure.value.type, failure.value.non_retryable) == ("referral-not-read-yet", False)
    assert await office.measure_events(granted_measure.measure_id) == before
    await office.sent(granted_measure.measure_id, referral_id=question.referral_id)
    events = await office.measure_events(granted_measure.measure_id)
    standing = await ask("note_measure_sent", question)
    assert [each.state for each in standing.measures] == ["sent"]
    assert await office.measure_events(granted_measure.measure_id) == events


def test_no_order_closes_a_case(office: Office) -> None:
    """The registry's own withdrawal, read as a record, ends a case (`test_inbound`); no activity can."""
    assert {function.__name__ for function in activities(office.parts)} == {
        *("case_standing", "note_silence", "note_measure_sent")
    }


async def test_what_is_not_there_is_refused(ask: Ask) -> None:
    """A failure with a code, which is not retried."""
    absent = str(uuid.uuid4())
    questions = {
        "note_silence": contracts.NoteCaseSilence(case_id=absent, clock="resolution", rung=50),
        "note_measure_sent": contracts.NoteMeasureSent(measure_id=absent, referral_id="r"),
    }
    for name, question in questions.items():
        with pytest.raises(Refused) as refusal:
            await ask(name, question)
        assert refusal.value.code == "not-found"


async def test_the_standing_of_a_case_that_is_not_opened_yet_is_asked_again(ask: Ask) -> None:
    """A consent may reach the workflow before the filing was read: its failure is one that Temporal retries."""
    with pytest.raises(ApplicationError) as failure:
        await ask("case_standing", contracts.AskCaseStanding(case_id=str(uuid.uuid4())))
    assert (failure.value.type, failure.value.non_retryable) == ("case-not-opened-yet", False)
