"""What other services' records cause, on a real store: each once, in one transaction."""

import asyncio
from datetime import timedelta

from sqlalchemy import text

from amparo.intake.v1 import events_pb2 as intake
from amparo.record.v1 import record_pb2
from amparo.referral.v1 import events_pb2 as referral
from services.protection.domain import fold
from services.protection.domain.events import (
    CaseClosed,
    CaseOpened,
    ClockStarted,
    MeasureAcknowledged,
    MeasureReportedImplemented,
    MeasureSent,
)
from services.protection.inbound import citation
from tests.services.protection.conftest import NGO, Enter, Granted, Office


async def test_a_filing_opens_a_case_with_its_clocks(office: Office) -> None:
    """They count from the instant at which the filing was recorded, however late the record is heard."""
    case_id = await office.filed()
    opened, *started = await office.case_events(case_id)
    assert isinstance(opened.event, CaseOpened)
    assert (opened.event.received_at, opened.event.filer_unit) == (office.hands.now, NGO)
    assert opened.correlation == case_id
    assert [each.event.clock for each in started if isinstance(each.event, ClockStarted)] == [
        "preliminary_report",
        "evaluation",
        "resolution",
    ]
    assert started[0].event.due == office.hands.now + timedelta(seconds=30)


async def test_a_filing_heard_again_changes_nothing(office: Office) -> None:
    """Kafka may deliver a record twice."""
    await office.filed()
    before = await office.stored()
    await office.hear(intake.RequestFiled(), stream="", repeat=True)
    assert await office.stored() == before


async def test_a_case_cites_the_filing_that_opened_it(office: Office) -> None:
    """Whoever audits the case finds the request's event by its hash."""
    case_id = await office.filed()
    async with office.owner.connect() as connection:
        stored = (
            await connection.execute(text("SELECT event FROM events WHERE stream = :s"), {"s": f"case/{case_id}"})
        ).scalars()
        events = [record_pb2.Event.FromString(event) for event in stored]
    assert {event.causation.event_hash for event in events} == {citation(office.heard[-1]).event_hash}


async def test_a_withdrawal_closes_the_case_once(office: Office) -> None:
    """Heard again, it is quiet."""
    case_id = await office.filed()
    withdrawn = intake.RequestWithdrawn(case_id=case_id)
    await office.hear(withdrawn, stream=f"request/{case_id}", correlation=case_id)
    events = await office.case_events(case_id)
    assert isinstance(events[-1].event, CaseClosed)
    await office.hear(withdrawn, stream=f"request/{case_id}", correlation=case_id)
    assert await office.case_events(case_id) == events


async def test_a_referral_carries_its_measure_forward(office: Office, enter: Enter, granted_measure: Granted) -> None:
    """Sent, acknowledged and answered by the agency; later records name the referral only."""
    await enter("filer").do(f"/v1/measures/{granted_measure.measure_id}/acceptance")
    await office.sent(granted_measure.measure_id, referral_id="r-1")
    await office.hear(referral.ReferralAcknowledged(), stream="referral/r-1")
    await office.hear(referral.ReferralAnswered(done=False), stream="referral/r-1")
    await office.hear(referral.ReferralAnswered(done=True), stream="referral/r-1")
    await office.hear(referral.ReferralAnswered(done=True), stream="referral/r-1", repeat=True)
    events = await office.measure_events(granted_measure.measure_id)
    assert [type(each.event) for each in events[-3:]] == [
        MeasureSent,
        MeasureAcknowledged,
        MeasureReportedImplemented,
    ]
    assert {each.correlation for each in events} == {granted_measure.case_id}


async def test_a_referral_about_something_else_is_none_of_a_measures(office: Office) -> None:
    """Most referrals ask for no measure."""
    before = await office.stored()
    await office.hear(referral.ReferralSent(referral_id="r-2", purpose="protect"), stream="referral/r-2")
    await office.hear(referral.ReferralAcknowledged(), stream="referral/r-2")
    await office.sent("never-proposed", referral_id="r-3")
    assert await office.stored() == before


async def test_a_word_that_comes_too_late_leaves_the_measure_as_it_is(
    office: Office, enter: Enter, granted_measure: Granted
) -> None:
    """The beneficiary refused meanwhile; the agency's answer stays on the referral's stream, and nothing is parked."""
    filer, path = enter("filer"), f"/v1/measures/{granted_measure.measure_id}"
    await filer.do(f"{path}/acceptance")
    await office.sent(granted_measure.measure_id, referral_id="r-4")
    await filer.do(f"{path}/refusal")
    before = await office.measure_events(granted_measure.measure_id)
    await office.hear(referral.ReferralAnswered(done=True), stream="referral/r-4")
    assert await office.measure_events(granted_measure.measure_id) == before


async def test_a_record_and_a_person_may_write_to_one_stream_at_once(office: Office, enter: Enter) -> None:
    """Both acts are there, whoever comes first."""
    case_id, coordinator = await office.filed(), enter("coordinator")
    report = coordinator.do(f"/v1/cases/{case_id}/preliminary-report", {"admissible": True})
    withdrawal = office.hear(intake.RequestWithdrawn(case_id=case_id), stream=f"request/{case_id}", correlation=case_id)
    answer, _ = await asyncio.gather(report, withdrawal)
    events = tuple(each.event for each in await office.case_events(case_id))
    assert answer.status_code in (201, 409)
    assert fold(events).ground == "withdrawn"
    assert fold(events).reported is (answer.status_code == 201)
