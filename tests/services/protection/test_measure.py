"""The measure's decider: granted is not implemented, the beneficiary decides, nothing is reduced unevaluated."""

import pytest

from eventlog.decider import Plain
from services.protection.domain import measure
from services.protection.domain.events import (
    MeasureAccepted,
    MeasureAcknowledged,
    MeasureCeased,
    MeasureConfirmed,
    MeasureFoundIneffective,
    MeasureGranted,
    MeasureModified,
    MeasureProposed,
    MeasureRefused,
    MeasureReportedImplemented,
    MeasureSent,
    MeasureSuspended,
)
from services.protection.domain.measure import Measure, State
from tests.scenario import scenario
from tests.services.protection.invented import SUBJECT, grant, measure_past, propose, text

given = scenario(decide=measure.decide, evolve=measure.evolve, initial=Measure())

PROPOSED = measure_past(propose)
GRANTED = measure_past(propose, grant)
ACCEPTED = measure_past(propose, grant, measure.Accept())
SENT = (*ACCEPTED, MeasureSent(referral_id="r1"))
ACKNOWLEDGED = (*SENT, MeasureAcknowledged(referral_id="r1"))
REPORTED = (*ACKNOWLEDGED, MeasureReportedImplemented(referral_id="r1"))
CONFIRMED = (*REPORTED, MeasureConfirmed())
BEFORE, SINCE = ["evaluation-1"], ["evaluation-1", "evaluation-2"]
WHY = Plain(SUBJECT, "the aggressor left")


def test_a_measure_is_proposed_once() -> None:
    """With its implementer, and its details sealed."""
    (event,) = given().when(propose).run()
    assert isinstance(event, MeasureProposed)
    assert event.details == text("two rounds a night")
    given(*PROPOSED).when(propose).then()


def test_a_grant_rests_on_an_evaluation() -> None:
    """Known from the measure's own stream."""
    given(*PROPOSED).when(grant).then(MeasureGranted(resolution_id="resolution-1", evaluation_id="evaluation-1"))
    given().when(grant).refused("wrong-stage")
    given(*GRANTED).when(grant).refused("wrong-stage")


def test_the_beneficiary_accepts_what_was_granted() -> None:
    """Before it is granted there is nothing to accept; twice is once."""
    given(*GRANTED).when(measure.Accept()).then(MeasureAccepted())
    given(*PROPOSED).when(measure.Accept()).refused("wrong-stage")
    given(*ACCEPTED).when(measure.Accept()).then()


@pytest.mark.parametrize("so_far", [PROPOSED, GRANTED, ACCEPTED, SENT, ACKNOWLEDGED, REPORTED, CONFIRMED])
def test_the_beneficiary_may_refuse_at_any_time(so_far: tuple[measure.Event, ...]) -> None:
    """Without giving a reason; protection is not imposed."""
    given(*so_far).when(measure.Refuse()).then(MeasureRefused())
    given(*so_far, MeasureRefused()).when(measure.Refuse()).then()


def test_nothing_can_be_refused_that_was_never_proposed_or_has_ended() -> None:
    """The end is the end."""
    given().when(measure.Refuse()).refused("wrong-stage")
    given(*GRANTED, MeasureCeased(evaluation_id="evaluation-2")).when(measure.Refuse()).refused("wrong-stage")


def test_an_agency_is_asked_once_the_beneficiary_accepted() -> None:
    """A referral that somebody sends earlier leaves no trace here; a copy of the same leaves none either."""
    sent = measure.NoteSent(referral_id="r1")
    given(*ACCEPTED).when(sent).then(MeasureSent(referral_id="r1"))
    given(*GRANTED).when(sent).then()
    given(*SENT).when(sent).then()


def test_the_implementers_word_is_recorded_for_its_own_referral_only() -> None:
    """Each word once; a word about another referral is not about this measure."""
    given(*SENT).when(measure.NoteAcknowledged(referral_id="r1")).then(MeasureAcknowledged(referral_id="r1"))
    given(*ACKNOWLEDGED).when(measure.NoteAcknowledged(referral_id="r1")).then()
    given(*SENT).when(measure.NoteAcknowledged(referral_id="r2")).then()
    given(*SENT).when(measure.NoteReported(referral_id="r1")).then(MeasureReportedImplemented(referral_id="r1"))
    given(*REPORTED).when(measure.NoteReported(referral_id="r1")).then()


def test_an_agencys_late_word_does_not_undo_what_was_decided() -> None:
    """It stands on the referral's stream, recorded as late; the measure stays refused."""
    given(*SENT, MeasureRefused()).when(measure.NoteReported(referral_id="r1")).then()


def test_reported_is_not_implemented() -> None:
    """The implementer's word is not believed until the beneficiary confirms."""
    assert measure.fold(REPORTED).state is State.REPORTED
    given(*REPORTED).when(measure.Confirm()).then(MeasureConfirmed())
    assert measure.fold(CONFIRMED).state is State.IMPLEMENTED


@pytest.mark.parametrize("so_far", [PROPOSED, GRANTED, ACCEPTED])
def test_nothing_is_confirmed_that_nobody_was_asked_for(so_far: tuple[measure.Event, ...]) -> None:
    """And a second confirmation is none."""
    given(*so_far).when(measure.Confirm()).refused("wrong-stage")
    given(*CONFIRMED).when(measure.Confirm()).then()


def test_the_beneficiary_may_find_a_measure_ineffective() -> None:
    """Then it may be sent, reported and confirmed again."""
    ineffective = MeasureFoundIneffective(reason=text("nobody came"))
    given(*REPORTED).when(measure.FindIneffective(reason=text("nobody came"))).then(ineffective)
    given(*GRANTED).when(measure.FindIneffective()).refused("wrong-stage")
    given(*REPORTED, ineffective).when(measure.FindIneffective()).refused("wrong-stage")
    given(*REPORTED, ineffective).when(measure.NoteSent(referral_id="r2")).then(MeasureSent(referral_id="r2"))
    given(*REPORTED, ineffective).when(measure.Confirm()).then(MeasureConfirmed())


@pytest.mark.parametrize(
    ("command", "event"),
    [
        (lambda e: measure.Modify(evaluations=e, details=WHY), MeasureModified),
        (lambda e: measure.Suspend(evaluations=e, reason=WHY), MeasureSuspended),
        (lambda e: measure.Cease(evaluations=e, reason=WHY), MeasureCeased),
    ],
    ids=["modify", "suspend", "cease"],
)
def test_a_measure_is_reduced_only_on_a_newer_evaluation(command, event) -> None:  # type: ignore[no-untyped-def]
    """Measures cut on an unchanged evaluation have been struck down by courts (Colombia, T-239/21)."""
    given(*CONFIRMED).when(command(BEFORE)).refused("newer-evaluation-needed")
    given(*CONFIRMED).when(command([])).refused("newer-evaluation-needed")
    given(*CONFIRMED).when(command(["evaluation-9"])).refused("newer-evaluation-needed")
    (done,) = given(*CONFIRMED).when(command(SINCE)).run()
    assert isinstance(done, event)
    assert done.evaluation_id == "evaluation-2"
    given(*PROPOSED).when(command(SINCE)).refused("wrong-stage")


def test_a_change_is_reasoned() -> None:
    """What changes is said, and why."""
    given(*CONFIRMED).when(measure.Cease(evaluations=SINCE)).refused("reasons-needed")
    given(*CONFIRMED).when(measure.Modify(evaluations=SINCE, details=text(" "))).refused("reasons-needed")


def test_the_next_change_needs_the_next_evaluation() -> None:
    """One evaluation carries one change."""
    modified = (*CONFIRMED, MeasureModified(evaluation_id="evaluation-2"))
    given(*modified).when(measure.Cease(evaluations=SINCE, reason=WHY)).refused("newer-evaluation-needed")
    given(*modified).when(measure.Cease(evaluations=[*SINCE, "evaluation-3"], reason=WHY)).then(
        MeasureCeased(evaluation_id="evaluation-3", reason=WHY)
    )


def test_a_modified_measure_is_put_to_the_beneficiary_again() -> None:
    """It is another measure now."""
    given(*CONFIRMED, MeasureModified(evaluation_id="evaluation-2")).when(measure.Accept()).then(MeasureAccepted())


def test_repeating_an_end_is_quiet() -> None:
    """Suspended and ceased stay what they are."""
    suspended = (*CONFIRMED, MeasureSuspended(evaluation_id="evaluation-2"))
    given(*suspended).when(measure.Suspend(evaluations=SINCE, reason=WHY)).then()
    ceased = (*CONFIRMED, MeasureCeased(evaluation_id="evaluation-2"))
    given(*ceased).when(measure.Cease(evaluations=SINCE, reason=WHY)).then()


def test_the_table_reaches_every_state() -> None:
    """Every state of the handbook is reached by an event."""
    assert set(measure.NEXT.values()) | {State.ABSENT} == set(State)
