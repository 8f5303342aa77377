"""An incident: something that was done to somebody, with or without a case, and how far it is established. Pure.

Source: the verification levels of human rights documentation; nothing is refused for want of evidence, and what is
unfounded stays recorded.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NewType, assert_never

from eventlog.decider import Plain, Refused
from services.intake.events import IncidentReported, IncidentVerified
from services.intake.vocabulary import Charge, IncidentKind, PerpetratorKind, Verification, ViolenceForm

IncidentId = NewType("IncidentId", str)

CLOCK_SKEW = timedelta(minutes=5)
"""How far a device's clock may be ahead of ours before what it tells of counts as future."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """``subject_id``: whose key seals the texts. ``now``: the recording clock's instant."""

    incident_id: IncidentId
    subject_id: str
    kind: IncidentKind
    perpetrator: PerpetratorKind
    region: str
    now: datetime
    narrative: str = field(repr=False)
    place: str = field(default="", repr=False)
    case_id: str = ""
    repeated_perpetrator: bool = False
    happened_at: datetime | None = None
    charges: tuple[Charge, ...] = ()
    violence: tuple[ViolenceForm, ...] = ()
    office: str = ""
    causes: tuple[str, ...] = ()
    project: str = ""
    territory: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verify:
    """A named person, by opaque id, judges how far the incident is established."""

    verification: Verification
    verifier: str
    reason: str = field(default="", repr=False)
    duplicate_of: str = ""


Command = Report | Verify


Event = IncidentReported | IncidentVerified


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """An incident folded from its stream; ``standing`` is None before the report."""

    standing: Verification | None = None
    incident_id: str = ""
    case_id: str = ""
    subject_id: str = ""


FOLLOWS: Mapping[Verification, frozenset[Verification]] = {
    Verification.REPORTED: frozenset({Verification.CORROBORATED, Verification.UNFOUNDED, Verification.DUPLICATE}),
    Verification.CORROBORATED: frozenset({Verification.VERIFIED, Verification.UNFOUNDED, Verification.DUPLICATE}),
    Verification.VERIFIED: frozenset({Verification.DUPLICATE}),
    Verification.UNFOUNDED: frozenset({Verification.CORROBORATED, Verification.DUPLICATE}),
    Verification.DUPLICATE: frozenset(),
}


def decide(state: Incident, command: Command) -> tuple[Event, ...]:
    """The events ``command`` causes; none where it only repeats what is recorded.

    Raises ``Refused``: `wrong-stage`, `happened-in-future`, `charges-unexpected`, `violence-unexpected`,
    `duplicate-of-missing`.
    """
    match command:
        case Report():
            return (_report(state, command),)
        case Verify(verification=verification) if verification is state.standing:
            return ()
        case Verify():
            return (_verify(state, command),)
        case _:
            assert_never(command)


def _report(state: Incident, command: Report) -> IncidentReported:
    if state.standing is not None:
        raise Refused("wrong-stage", "this incident is reported already")
    if command.happened_at and command.happened_at > command.now + CLOCK_SKEW:
        raise Refused("happened-in-future", "the incident is dated later than now; check the date and its time zone")
    if command.charges and command.kind is not IncidentKind.CRIMINALISATION:
        raise Refused("charges-unexpected", "charges belong to an incident of kind criminalisation")
    if command.violence and command.kind is not IncidentKind.GENDER_VIOLENCE:
        raise Refused("violence-unexpected", "forms of violence belong to an incident of kind gender_violence")
    return IncidentReported(
        incident_id=command.incident_id,
        case_id=command.case_id,
        kind=command.kind,
        perpetrator=command.perpetrator,
        repeated_perpetrator=command.repeated_perpetrator,
        happened_at=command.happened_at,
        region=command.region,
        charges=command.charges,
        causes=command.causes,
        project=command.project,
        territory=command.territory,
        violence=command.violence,
        subject_id=command.subject_id,
        office=command.office,
        narrative=Plain(command.subject_id, command.narrative),
        place=Plain(command.subject_id, command.place) if command.place else None,
    )


def _verify(state: Incident, command: Verify) -> IncidentVerified:
    if state.standing is None or command.verification not in FOLLOWS[state.standing]:
        raise Refused("wrong-stage", f"{command.verification} does not follow {state.standing or 'nothing'}")
    duplicate = command.verification is Verification.DUPLICATE
    if duplicate != bool(command.duplicate_of) or command.duplicate_of == state.incident_id:
        raise Refused(
            "duplicate-of-missing", "a duplicate, and only a duplicate, names the other incident that it repeats"
        )
    return IncidentVerified(
        verification=command.verification,
        verifier=command.verifier,
        duplicate_of=command.duplicate_of,
        reason=Plain(state.subject_id, command.reason) if command.reason else None,
    )


def evolve(state: Incident, event: Event) -> Incident:
    """Refuses nothing: what is recorded has happened."""
    match event:
        case IncidentReported(incident_id=incident_id, case_id=case_id, subject_id=subject_id):
            return Incident(
                standing=Verification.REPORTED, incident_id=incident_id, case_id=case_id, subject_id=subject_id
            )
        case IncidentVerified(verification=verification):
            return replace(state, standing=verification)
        case _:
            assert_never(event)
