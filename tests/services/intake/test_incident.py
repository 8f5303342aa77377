"""Rules of an incident: it is recorded whatever is known of it, and judged by a named person."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eventlog.decider import Plain
from services.intake.events import IncidentReported, IncidentVerified
from services.intake.incident import FOLLOWS, Incident, IncidentId, Report, Verify, decide, evolve
from services.intake.vocabulary import (
    HARMFUL_ACTS,
    Charge,
    HarmfulAct,
    IncidentKind,
    PerpetratorKind,
    Verification,
    ViolenceForm,
)
from tests.scenario import scenario

NOW = datetime(2026, 3, 5, 15, 0, tzinfo=UTC)
given = scenario(decide=decide, evolve=evolve, initial=Incident())

REPORT = Report(
    incident_id=IncidentId("incident-1"),
    subject_id="subject-1",
    kind=IncidentKind.COMPLAINT_REFUSED,
    perpetrator=PerpetratorKind.POLICE,
    region="PE-UCA",
    now=NOW,
    narrative="They would not write it down.",
    office="station-test",
)
REPORTED = IncidentReported(
    incident_id="incident-1",
    case_id="",
    kind=IncidentKind.COMPLAINT_REFUSED,
    perpetrator=PerpetratorKind.POLICE,
    repeated_perpetrator=False,
    happened_at=None,
    region="PE-UCA",
    charges=(),
    causes=(),
    project="",
    territory="",
    violence=(),
    subject_id="subject-1",
    office="station-test",
    narrative=Plain("subject-1", "They would not write it down."),
)
CORROBORATE = Verify(verification=Verification.CORROBORATED, verifier="person-a", reason="Two accounts.")
CORROBORATED = IncidentVerified(
    verification=Verification.CORROBORATED,
    verifier="person-a",
    duplicate_of="",
    reason=Plain("subject-1", "Two accounts."),
)


def test_a_refused_complaint_is_an_incident_with_its_office() -> None:
    """Refusing to receive a complaint is a fault of its own (Ley 30714 G-39)."""
    given().when(REPORT).then(REPORTED)


def test_an_incident_is_reported_once() -> None:
    """A stream tells of one incident."""
    given(REPORTED).when(REPORT).refused("wrong-stage")


def test_an_incident_is_not_dated_in_the_future() -> None:
    """A wrong date would make every figure wrong; a device a little ahead is no wrong date."""
    given().when(replace(REPORT, happened_at=NOW + timedelta(minutes=6))).refused("happened-in-future")
    ahead = NOW + timedelta(minutes=4)
    given().when(replace(REPORT, happened_at=ahead)).then(replace(REPORTED, happened_at=ahead))


def test_charges_belong_to_criminalisation_and_forms_to_gender_violence() -> None:
    """Otherwise the same incident would be counted under two heads."""
    given().when(replace(REPORT, charges=(Charge.RIOTING,))).refused("charges-unexpected")
    given().when(replace(REPORT, violence=(ViolenceForm.ECONOMIC,))).refused("violence-unexpected")


def test_a_judgement_is_recorded_with_who_made_it() -> None:
    """Whoever says how far an incident is established can be asked."""
    given(REPORTED).when(CORROBORATE).then(CORROBORATED)


def test_a_judgement_said_again_stays_quiet() -> None:
    """Nothing new was judged."""
    given(REPORTED, CORROBORATED).when(CORROBORATE).then()


@pytest.mark.parametrize("standing", list(Verification))
@pytest.mark.parametrize("wanted", list(Verification))
def test_a_judgement_follows_the_table_and_nothing_else(standing: Verification, wanted: Verification) -> None:
    """Nothing is verified that was not corroborated, and a duplicate stays one."""
    incident = Incident(standing=standing, incident_id="incident-1", subject_id="subject-1")
    other = "incident-2" if wanted is Verification.DUPLICATE else ""
    command = Verify(verification=wanted, verifier="person-a", duplicate_of=other)
    if wanted is standing:
        assert decide(incident, command) == ()
    elif wanted in FOLLOWS[standing]:
        (event,) = decide(incident, command)
        assert evolve(incident, event).standing is wanted
    else:
        given_state = scenario(decide=decide, evolve=evolve, initial=incident)
        given_state().when(command).refused("wrong-stage")


def test_an_incident_is_judged_after_it_was_reported() -> None:
    """There is nothing to judge before."""
    given().when(CORROBORATE).refused("wrong-stage")


def test_a_duplicate_names_the_other_incident() -> None:
    """Otherwise nobody could tell of which it is one."""
    duplicate = Verify(verification=Verification.DUPLICATE, verifier="person-a")
    given(REPORTED).when(duplicate).refused("duplicate-of-missing")
    given(REPORTED).when(replace(duplicate, duplicate_of="incident-1")).refused("duplicate-of-missing")
    given(REPORTED).when(replace(CORROBORATE, duplicate_of="incident-2")).refused("duplicate-of-missing")


def test_each_kind_is_counted_under_one_category_of_the_indicator() -> None:
    """SDG 16.10.1 counts each case once."""
    assert set(HARMFUL_ACTS.values()) == set(HarmfulAct) - {HarmfulAct.OTHER}
    assert len(HARMFUL_ACTS) == len(set(HARMFUL_ACTS.values()))
