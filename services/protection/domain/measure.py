"""A measure of protection, from its proposal to its end. Pure.

Source: DS 004-2021-JUS arts. 24 to 34. Granted is not implemented: the beneficiary accepts it before any agency is
asked to carry it out, and confirms that it is in place. It is changed, suspended or ended only on an evaluation of the
risk that is newer than the one it rests on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from typing import assert_never

from eventlog.decider import Plain, Refused
from services.protection.domain.events import (
    MeasureAccepted,
    MeasureAcknowledged,
    MeasureCeased,
    MeasureConfirmed,
    MeasureFamily,
    MeasureFoundIneffective,
    MeasureGranted,
    MeasureModified,
    MeasureProposed,
    MeasureRefused,
    MeasureReportedImplemented,
    MeasureSent,
    MeasureSuspended,
)


class State(StrEnum):
    """Where a measure stands. ``REPORTED`` is the implementer's word, ``IMPLEMENTED`` the beneficiary's."""

    ABSENT = "absent"
    PROPOSED = "proposed"
    GRANTED = "granted"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    REPORTED = "reported"
    IMPLEMENTED = "implemented"
    INEFFECTIVE = "ineffective"
    MODIFIED = "modified"
    SUSPENDED = "suspended"
    CEASED = "ceased"


ASKED = (State.SENT, State.ACKNOWLEDGED, State.REPORTED, State.IMPLEMENTED, State.INEFFECTIVE)
"""An agency was asked to carry it out."""

ENDED = (State.REFUSED, State.CEASED)
"""Nothing follows any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Propose:
    measure_id: str
    case_id: str
    measure: str
    family: MeasureFamily
    implementer: str
    subject_id: str
    urgent: bool
    details: Plain | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    resolution_id: str
    evaluation_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Accept:
    pass


@dataclass(frozen=True, kw_only=True, slots=True)
class Refuse:
    reason: Plain | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSent:
    """A referral asks the implementer."""

    referral_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteAcknowledged:
    """The implementer acknowledged that referral."""

    referral_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteReported:
    """The implementer answered that referral: done."""

    referral_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Confirm:
    pass


@dataclass(frozen=True, kw_only=True, slots=True)
class FindIneffective:
    reason: Plain | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Modify:
    """``evaluations`` are those of the case, oldest first; the last one is what the change rests on."""

    evaluations: Sequence[str]
    details: Plain | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Suspend:
    evaluations: Sequence[str]
    reason: Plain | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cease:
    evaluations: Sequence[str]
    reason: Plain | None = None


Change = Modify | Suspend | Cease
Told = NoteSent | NoteAcknowledged | NoteReported
Command = Propose | Grant | Accept | Refuse | Told | Confirm | FindIneffective | Change
Event = (
    MeasureProposed
    | MeasureGranted
    | MeasureAccepted
    | MeasureRefused
    | MeasureSent
    | MeasureAcknowledged
    | MeasureReportedImplemented
    | MeasureConfirmed
    | MeasureFoundIneffective
    | MeasureModified
    | MeasureSuspended
    | MeasureCeased
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measure:
    """The folded measure; ``rests_on`` is the evaluation it was granted or last changed on."""

    state: State = State.ABSENT
    proposed: MeasureProposed | None = None
    rests_on: str = ""
    referrals: tuple[str, ...] = ()


def _after_each(states: Sequence[State], event: type[Event], then: State) -> dict[tuple[State, type[Event]], State]:
    return {(state, event): then for state in states}


NEXT: Mapping[tuple[State, type[Event]], State] = {
    (State.ABSENT, MeasureProposed): State.PROPOSED,
    (State.PROPOSED, MeasureGranted): State.GRANTED,
    **_after_each((State.GRANTED, State.MODIFIED), MeasureAccepted, State.ACCEPTED),
    **_after_each(
        (State.PROPOSED, State.GRANTED, State.ACCEPTED, State.MODIFIED, State.SUSPENDED, *ASKED),
        MeasureRefused,
        State.REFUSED,
    ),
    **_after_each((State.ACCEPTED, State.INEFFECTIVE), MeasureSent, State.SENT),
    (State.SENT, MeasureAcknowledged): State.ACKNOWLEDGED,
    **_after_each((State.SENT, State.ACKNOWLEDGED, State.INEFFECTIVE), MeasureReportedImplemented, State.REPORTED),
    **_after_each(
        (State.SENT, State.ACKNOWLEDGED, State.REPORTED, State.INEFFECTIVE), MeasureConfirmed, State.IMPLEMENTED
    ),
    **_after_each(
        (State.SENT, State.ACKNOWLEDGED, State.REPORTED, State.IMPLEMENTED), MeasureFoundIneffective, State.INEFFECTIVE
    ),
    **_after_each((State.GRANTED, State.ACCEPTED, State.SUSPENDED, *ASKED), MeasureModified, State.MODIFIED),
    **_after_each((State.GRANTED, State.ACCEPTED, State.MODIFIED, *ASKED), MeasureSuspended, State.SUSPENDED),
    **_after_each(
        (State.GRANTED, State.ACCEPTED, State.MODIFIED, State.SUSPENDED, *ASKED), MeasureCeased, State.CEASED
    ),
}
"""The whole table: what is not in it is refused, or passed over where an agency's word comes too late to matter."""

AGAIN: Mapping[State, tuple[type[Event], ...]] = {
    State.ACCEPTED: (MeasureAccepted,),
    State.REFUSED: (MeasureRefused,),
    State.IMPLEMENTED: (MeasureConfirmed,),
    State.CEASED: (MeasureCeased,),
    State.SUSPENDED: (MeasureSuspended,),
}
"""Acts that would only say again what stands."""


def decide(state: Measure, command: Command) -> tuple[Event, ...]:
    """The events ``command`` causes; none where it only repeats, or where an agency's word no longer matters here (it
    stands on the referral's own stream). Raises `Refused`: ``wrong-stage``, ``newer-evaluation-needed``,
    ``reasons-needed``.
    """
    match command:
        case Propose():
            event: Event = _proposed(command)
            if state.proposed == event:
                return ()
        case Grant(resolution_id=resolution_id, evaluation_id=evaluation_id):
            event = MeasureGranted(resolution_id=resolution_id, evaluation_id=evaluation_id)
        case Accept():
            event = MeasureAccepted()
        case Refuse(reason=reason):
            event = MeasureRefused(reason=reason)
        case NoteSent() | NoteAcknowledged() | NoteReported():
            return _told(state, command)
        case Confirm():
            event = MeasureConfirmed()
        case FindIneffective(reason=reason):
            event = MeasureFoundIneffective(reason=reason)
        case Modify() | Suspend() | Cease():
            event = _change(state, command)
        case _:
            assert_never(command)
    if type(event) in AGAIN.get(state.state, ()):
        return ()
    if (state.state, type(event)) not in NEXT:
        raise Refused("wrong-stage", f"{type(event).__name__} does not follow {state.state}")
    if isinstance(command, Modify | Suspend | Cease):
        _newer(state, command)
    return (event,)


def _proposed(command: Propose) -> MeasureProposed:
    return MeasureProposed(
        measure_id=command.measure_id,
        case_id=command.case_id,
        measure=command.measure,
        family=command.family,
        implementer=command.implementer,
        subject_id=command.subject_id,
        urgent=command.urgent,
        details=command.details,
    )


def _told(state: Measure, command: Told) -> tuple[Event, ...]:
    match command:
        case NoteSent(referral_id=referral_id):
            event: Event = MeasureSent(referral_id=referral_id)
            if referral_id in state.referrals:
                return ()
        case NoteAcknowledged(referral_id=referral_id):
            event = MeasureAcknowledged(referral_id=referral_id)
        case NoteReported(referral_id=referral_id):
            event = MeasureReportedImplemented(referral_id=referral_id)
        case _:
            assert_never(command)
    known = isinstance(command, NoteSent) or referral_id in state.referrals
    return (event,) if known and (state.state, type(event)) in NEXT else ()


def _change(state: Measure, command: Change) -> Event:
    latest = command.evaluations[-1] if command.evaluations else ""
    match command:
        case Modify(details=details):
            return MeasureModified(evaluation_id=latest, details=details)
        case Suspend(reason=reason):
            return MeasureSuspended(evaluation_id=latest, reason=reason)
        case Cease(reason=reason):
            return MeasureCeased(evaluation_id=latest, reason=reason)
        case _:
            assert_never(command)


def _newer(state: Measure, command: Change) -> None:
    """Raises `Refused` unless the case's last evaluation came after the one that the measure rests on."""
    if state.rests_on not in command.evaluations[:-1]:
        raise Refused("newer-evaluation-needed", "evaluate the risk again before changing the measure")
    text = command.details if isinstance(command, Modify) else command.reason
    if text is None or not text.text.strip():
        raise Refused("reasons-needed", "say what changes and why")


def evolve(state: Measure, event: Event) -> Measure:
    """Refuses nothing: what is recorded has happened. A ``KeyError`` means a corrupt stream."""
    state = replace(state, state=NEXT[state.state, type(event)])
    match event:
        case MeasureProposed():
            return replace(state, proposed=event)
        case MeasureSent(referral_id=referral_id):
            return replace(state, referrals=(*state.referrals, referral_id))
        case MeasureGranted() | MeasureModified() | MeasureSuspended() | MeasureCeased():
            return replace(state, rests_on=event.evaluation_id)
        case _:
            return state


def fold(events: Sequence[Event]) -> Measure:
    """The measure that these events of its stream add up to."""
    return reduce(evolve, events, Measure())
