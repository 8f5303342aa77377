"""Breaking the seal of one field: one person, one case, some minutes, and another person who judges it. Pure.

Where danger to somebody does not wait for a consent or for the office that is competent, a person of the mechanism
opens one field and says why. It is recorded before anything is decrypted; another person has to review it, and that
nobody did is recorded as well. Whom the filer excluded, and whoever is in conflict, opens nothing (`access.policy`).
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NewType, assert_never

from eventlog.decider import Plain, Refused
from services.intake.events import OpeningReviewed, OpeningUnreviewed, SealOpened
from services.intake.vocabulary import OpenedField, OpeningGround

OpeningId = NewType("OpeningId", str)

MOST_MINUTES = 15
"""How long an opened field can be read, at most."""
REVIEW_WITHIN = timedelta(hours=24)
"""A target of the mechanism's own: an opening at night is reviewed by the end of the next day."""


class Stage(StrEnum):
    """Where the review of an opening stands."""

    UNOPENED = "unopened"
    PENDING = "pending"
    OVERDUE = "overdue"
    REVIEWED = "reviewed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Open:
    """``sealed_for``: the subject whose key seals the justification. ``now``: the recording clock's instant."""

    opening_id: OpeningId
    case_id: str
    subject_id: str
    sealed_for: str
    field: OpenedField
    ground: OpeningGround
    person: str
    role: str
    minutes: int
    now: datetime
    justification: str = dataclasses.field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """Another person judges whether it had to be."""

    sealed_for: str
    person: str
    role: str
    justified: bool
    now: datetime
    reason: str = dataclasses.field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteUnreviewed:
    """The time for the review is over."""

    now: datetime


Command = Open | Review | NoteUnreviewed
Event = SealOpened | OpeningReviewed | OpeningUnreviewed


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """An opening folded from its stream."""

    stage: Stage = Stage.UNOPENED
    opened: SealOpened | None = None
    reviewed: OpeningReviewed | None = None


NEXT: Mapping[tuple[Stage, type[Event]], Stage] = {
    (Stage.UNOPENED, SealOpened): Stage.PENDING,
    (Stage.PENDING, OpeningReviewed): Stage.REVIEWED,
    (Stage.PENDING, OpeningUnreviewed): Stage.OVERDUE,
    (Stage.OVERDUE, OpeningReviewed): Stage.REVIEWED,  # late is better than never, and recorded as late
}


def decide(state: Opening, command: Command) -> tuple[Event, ...]:
    """The events ``command`` causes; none where it only repeats what is recorded.

    Raises ``Refused``: `wrong-stage`, `two-persons-needed` where the person who opened would judge it, ``ValueError``
    for more minutes than there are.
    """
    events = _caused(state, command)
    if events and (state.stage, type(events[0])) not in NEXT:
        raise Refused("wrong-stage", f"{type(events[0]).__name__} does not follow {state.stage}")
    return events


def _caused(state: Opening, command: Command) -> tuple[Event, ...]:
    match command:
        case Open(minutes=minutes, now=now):
            if not 1 <= minutes <= MOST_MINUTES:
                raise ValueError(f"a field is opened for 1 to {MOST_MINUTES} minutes")
            opened = SealOpened(
                opening_id=command.opening_id,
                case_id=command.case_id,
                subject_id=command.subject_id,
                field=command.field,
                ground=command.ground,
                person=command.person,
                role=command.role,
                until=now + timedelta(minutes=minutes),
                review_due=now + REVIEW_WITHIN,
                justification=Plain(command.sealed_for, command.justification),
            )
            return (opened,)
        case Review(person=person, role=role, justified=justified, now=now):
            if state.opened is not None and state.opened.person == person:
                raise Refused("two-persons-needed", "whoever opened it does not review it; another person has to")
            known = state.reviewed
            if known is not None and (known.person, known.justified) == (person, justified):
                return ()
            late = state.opened is not None and now > state.opened.review_due
            reason = Plain(command.sealed_for, command.reason) if command.reason else None
            return (OpeningReviewed(person=person, role=role, justified=justified, late=late, reason=reason),)
        case NoteUnreviewed(now=now):
            if state.opened is None or state.stage is not Stage.PENDING or now <= state.opened.review_due:
                return ()
            return (OpeningUnreviewed(due=state.opened.review_due),)
        case _:
            assert_never(command)


def evolve(state: Opening, event: Event) -> Opening:
    """Refuses nothing: what is recorded has happened. A ``KeyError`` means a corrupt stream."""
    after = replace(state, stage=NEXT[state.stage, type(event)])
    match event:
        case SealOpened():
            return replace(after, opened=event)
        case OpeningReviewed():
            return replace(after, reviewed=event)
        case OpeningUnreviewed():
            return after
        case _:
            assert_never(event)


def may_read(state: Opening, *, person: str, now: datetime) -> bool:
    """Whether this person can read the field now: whoever opened it, until its minutes are over."""
    opened = state.opened
    return opened is not None and opened.person == person and now < opened.until
