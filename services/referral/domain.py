"""A referral: one request to one agency about one case, until the agency answers or declines, or it is recalled.
Pure.

Source: DS 004-2021-JUS arts. 22-A and 31 to 34; TUO Ley 27444 arts. 135.1 and 143. Instants are aware UTC and come in
with commands; a rung is per cent of a clock's limit. A clock stops at the instant of recording (``now``), never at the
one an agency claims (``at``).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never

from eventlog.decider import Personal, Plain, Refused
from services.referral.agency import AgencyRegistered, AgreementRecorded
from services.referral.disclosure import DATA_CLASSES, CaseFile, Disclosed, MeasureFile, basis

CLAIM_TOLERANCE = timedelta(minutes=5)
"""How far in the future an agency's claimed instant may lie: clocks differ."""

ACKNOWLEDGE, ANSWER = "acknowledge", "answer"
"""The two clocks of a referral; both count from its sending."""

WITHOUT_LEGAL_BASIS = frozenset({"not_our_jurisdiction", "no_means"})
"""Grounds that are no refusal: the first is rerouted, the second escalated as a lack of resources. Every other
ground names its article.
"""

# An article has a number; a sentence about somebody does not fit. It is sealed all the same: nobody can tell from the
# form that a text names no one.
_LEGAL_BASIS = re.compile(r"(?=.*\d)[\w .,;:°º()/-]{3,80}")


class Stage(StrEnum):
    UNSENT = "unsent"
    SENT = "sent"
    ACKNOWLEDGED = "acknowledged"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    ANSWERED = "answered"
    RECALLED = "recalled"


class RejectionGround(StrEnum):
    NOT_OUR_JURISDICTION = "not_our_jurisdiction"
    NO_MEANS = "no_means"
    CONFLICT_OF_INTEREST = "conflict_of_interest"
    ALREADY_ATTENDED = "already_attended"
    REFUSED = "refused"


class RecallGround(StrEnum):
    CONSENT_WITHDRAWN = "consent_withdrawn"
    REQUEST_WITHDRAWN = "request_withdrawn"
    AGENCY_EXCLUDED = "agency_excluded"
    CONFLICT_OF_INTEREST = "conflict_of_interest"
    REROUTED = "rerouted"
    MEASURE_CHANGED = "measure_changed"
    CASE_CLOSED = "case_closed"
    SENT_IN_ERROR = "sent_in_error"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferralSent:
    referral_id: str
    case_id: str
    agency: str
    purpose: str
    round: int
    consent_version: int
    two_person_decision: bool
    disclosed: tuple[Disclosed, ...]
    no_accompaniment: bool
    imminent: bool
    measure_id: str
    acknowledge_due: datetime
    answer_due: datetime
    pack: str
    pack_version: str
    subject_id: str
    sent_at: datetime
    measure: str = ""
    measure_family: str = ""
    measure_urgent: bool = False
    measure_version: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class DisclosureWidened:
    consent_version: int
    two_person_decision: bool
    disclosed: tuple[Disclosed, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferralAcknowledged:
    at: datetime
    late: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferralAccepted:
    at: datetime
    late: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferralRejected:
    ground: RejectionGround
    at: datetime
    late: bool
    legal_basis: Personal = None
    reasons: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferralAnswered:
    at: datetime
    late: bool
    done: bool
    answer: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferralRecalled:
    ground: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SilenceNoted:
    clock: str
    rung: int
    due: datetime
    told: tuple[str, ...]


EVENTS: tuple[type, ...] = (
    AgencyRegistered,
    AgreementRecorded,
    ReferralSent,
    ReferralAcknowledged,
    ReferralAccepted,
    ReferralRejected,
    ReferralAnswered,
    ReferralRecalled,
    DisclosureWidened,
    SilenceNoted,
)

Event = (
    ReferralSent
    | ReferralAcknowledged
    | ReferralAccepted
    | ReferralRejected
    | ReferralAnswered
    | ReferralRecalled
    | DisclosureWidened
    | SilenceNoted
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Send:
    """Ask one agency about one case, or to carry out its ``measure``. ``above`` are the offices that command it; the
    due instants were computed once, with the case's pack.
    """

    referral_id: str
    case: CaseFile
    agency: str
    above: tuple[str, ...]
    purpose: str
    round: int
    acknowledge_due: datetime
    answer_due: datetime
    now: datetime
    measure: MeasureFile | None = None
    needs: frozenset[str] = DATA_CLASSES


@dataclass(frozen=True, kw_only=True, slots=True)
class Widen:
    """Let the agency read what the newest consents add to an open referral. ``above``, ``measure`` and ``needs`` as in
    `Send`."""

    case: CaseFile
    above: tuple[str, ...]
    measure: MeasureFile | None = None
    needs: frozenset[str] = DATA_CLASSES


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledge:
    agency: str
    now: datetime
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Accept:
    agency: str
    now: datetime
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Reject:
    agency: str
    ground: RejectionGround
    now: datetime
    legal_basis: str = field(default="", repr=False)
    at: datetime | None = None
    reasons: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    agency: str
    done: bool
    now: datetime
    at: datetime | None = None
    answer: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recall:
    ground: RecallGround


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSilence:
    """The clock reached the rung at ``reached``, and the pack says who is told of it."""

    clock: str
    rung: int
    reached: datetime
    told: tuple[str, ...]
    now: datetime


Command = Send | Widen | Acknowledge | Accept | Reject | Answer | Recall | NoteSilence
AgencyAct = Acknowledge | Accept | Reject | Answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Referral:
    stage: Stage = Stage.UNSENT
    sent: ReferralSent | None = None
    rungs: frozenset[tuple[str, int]] = frozenset()
    accepted: bool = False
    rejected: RejectionGround | None = None
    done: bool | None = None

    @property
    def open(self) -> bool:
        """Whether the agency still owes something. Only then may it read what was disclosed."""
        return self.stage in OPEN

    @property
    def clocks(self) -> Mapping[str, datetime]:
        """The clocks that run, with their due instants."""
        if self.sent is None:
            return {}
        due = {ACKNOWLEDGE: self.sent.acknowledge_due, ANSWER: self.sent.answer_due}
        return {clock: due[clock] for clock, stages in RUNS.items() if self.stage in stages}


OPEN = frozenset({Stage.SENT, Stage.ACKNOWLEDGED, Stage.ACCEPTED})
RUNS: Mapping[str, frozenset[Stage]] = {ACKNOWLEDGE: frozenset({Stage.SENT}), ANSWER: OPEN}

NEXT: Mapping[tuple[Stage, type[Event]], Stage] = {
    (Stage.UNSENT, ReferralSent): Stage.SENT,
    (Stage.SENT, ReferralAcknowledged): Stage.ACKNOWLEDGED,
    (Stage.ACKNOWLEDGED, ReferralAccepted): Stage.ACCEPTED,
    (Stage.ACKNOWLEDGED, ReferralRejected): Stage.REJECTED,
    (Stage.ACCEPTED, ReferralRejected): Stage.REJECTED,  # a conflict or a lack of means may show only in the work
    (Stage.ACKNOWLEDGED, ReferralAnswered): Stage.ANSWERED,
    (Stage.ACCEPTED, ReferralAnswered): Stage.ANSWERED,
    (Stage.ANSWERED, ReferralAnswered): Stage.ANSWERED,  # "not done" may become "done", and the other way round
    (Stage.SENT, ReferralRecalled): Stage.RECALLED,
    (Stage.ACKNOWLEDGED, ReferralRecalled): Stage.RECALLED,
    (Stage.ACCEPTED, ReferralRecalled): Stage.RECALLED,
    (Stage.ANSWERED, ReferralRecalled): Stage.RECALLED,
    **{(stage, DisclosureWidened): stage for stage in (Stage.SENT, Stage.ACKNOWLEDGED, Stage.ACCEPTED)},
    (Stage.SENT, SilenceNoted): Stage.SENT,
    (Stage.ACKNOWLEDGED, SilenceNoted): Stage.ACKNOWLEDGED,
    (Stage.ACCEPTED, SilenceNoted): Stage.ACCEPTED,
}


def decide(state: Referral, command: Command) -> tuple[Event, ...]:
    """The events that ``command`` causes; none where it only repeats what is recorded.

    Raises ``Refused``: ``wrong-stage``; from `basis`, ``agency-excluded``, ``request-withdrawn`` or
    ``consent-missing``; ``not-your-referral``; ``claimed-instant-ahead``; ``legal-basis-missing``;
    ``rung-not-reached``.
    """
    events = _caused(state, command)
    stage = state.stage
    for event in events:
        if (stage, type(event)) not in NEXT:
            raise Refused("wrong-stage", f"{type(event).__name__} does not follow {stage}")
        stage = NEXT[stage, type(event)]
    return events


def _caused(state: Referral, command: Command) -> tuple[Event, ...]:
    match command:
        case Send():
            return _sent(state, command)
        case Widen():
            return _widened(state, command)
        case Acknowledge() | Accept() | Reject() | Answer():
            return _acted(state, command)
        case Recall(ground=ground):
            return () if state.stage is Stage.RECALLED else (ReferralRecalled(ground=ground.value),)
        case NoteSilence(clock=clock, rung=rung):
            if clock not in state.clocks or (clock, rung) in state.rungs:
                return ()  # an act ends the silence, and each rung is recorded once
            if command.now < command.reached:
                raise Refused("rung-not-reached", f"{clock} reaches {rung} % at {command.reached.isoformat()}")
            return (SilenceNoted(clock=clock, rung=rung, due=state.clocks[clock], told=command.told),)
        case _:
            assert_never(command)


def _sent(state: Referral, command: Send) -> tuple[Event, ...]:
    case = command.case
    if state.sent is not None:
        asked = (state.sent.case_id, state.sent.agency, state.sent.purpose, state.sent.round)
        if asked == (case.case_id, command.agency, command.purpose, command.round):
            return ()
        raise Refused("wrong-stage", "this referral asks something else already")
    measure = command.measure
    ground = basis(case, agency=command.agency, above=command.above, measure=measure, needs=command.needs)
    return (
        ReferralSent(
            referral_id=command.referral_id,
            case_id=case.case_id,
            agency=command.agency,
            purpose=command.purpose,
            round=command.round,
            consent_version=ground.consent_version,
            two_person_decision=ground.two_person_decision,
            disclosed=ground.disclosed,
            no_accompaniment=case.no_accompaniment,
            imminent=case.imminent,
            measure_id=measure.measure_id if measure else "",
            acknowledge_due=command.acknowledge_due,
            answer_due=command.answer_due,
            pack=case.pack,
            pack_version=case.pack_version,
            subject_id=case.subject_id,
            sent_at=command.now,
            measure=measure.measure if measure else "",
            measure_family=measure.family if measure else "",
            measure_urgent=measure.urgent if measure else False,
            measure_version=measure.version if measure else 0,
        ),
    )


def _widened(state: Referral, command: Widen) -> tuple[Event, ...]:
    sent = state.sent
    if sent is None or sent.case_id != command.case.case_id:
        raise Refused("wrong-stage", "this referral asks about something else")
    ground = basis(command.case, agency=sent.agency, above=command.above, measure=command.measure, needs=command.needs)
    more = tuple(value for value in ground.disclosed if value not in sent.disclosed)
    if not more:
        return ()
    return (
        DisclosureWidened(
            consent_version=ground.consent_version, two_person_decision=ground.two_person_decision, disclosed=more
        ),
    )


def _acted(state: Referral, act: AgencyAct) -> tuple[Event, ...]:
    sent = state.sent
    if sent is None or sent.agency != act.agency:
        raise Refused("not-your-referral", "another agency was asked")
    if act.at is not None and act.at > act.now + CLAIM_TOLERANCE:
        raise Refused("claimed-instant-ahead", "`at` lies in the future; check the clock, or leave it out")
    at = act.at or act.now
    late = act.now > sent.answer_due
    event: Event
    match act:
        case Acknowledge():
            if state.stage is not Stage.RECALLED and state.stage is not Stage.SENT:
                return ()
            return (ReferralAcknowledged(at=at, late=act.now > sent.acknowledge_due),)
        case Accept():
            if state.accepted and state.stage is not Stage.RECALLED:
                return ()
            event = ReferralAccepted(at=at, late=late)
        case Reject(ground=ground, legal_basis=article):
            if state.stage is Stage.REJECTED and state.rejected is ground:
                return ()
            if ground not in WITHOUT_LEGAL_BASIS and not _LEGAL_BASIS.fullmatch(article):
                raise Refused(
                    "legal-basis-missing", "this ground needs its article, with its number, in at most 80 characters"
                )
            event = ReferralRejected(
                ground=ground,
                at=at,
                late=late,
                legal_basis=_plain(sent.subject_id, article),
                reasons=_plain(sent.subject_id, act.reasons),
            )
        case Answer(done=done):
            if state.stage is Stage.ANSWERED and state.done is done:
                return ()
            event = ReferralAnswered(at=at, late=late, done=done, answer=_plain(sent.subject_id, act.answer))
        case _:
            assert_never(act)
    if state.stage is Stage.SENT:  # who acts on a referral has received it
        return (ReferralAcknowledged(at=at, late=act.now > sent.acknowledge_due), event)
    return (event,)


def _plain(key_id: str, text: str) -> Plain | None:
    return Plain(key_id, text) if text else None


def evolve(state: Referral, event: Event) -> Referral:
    """Refuses nothing: what is recorded has happened. A ``KeyError`` means a corrupt stream."""
    after = replace(state, stage=NEXT[state.stage, type(event)])
    match event:
        case ReferralSent():
            return replace(after, sent=event)
        case DisclosureWidened():
            assert state.sent is not None
            widened = replace(
                state.sent,
                consent_version=event.consent_version,
                two_person_decision=event.two_person_decision,
                disclosed=(*state.sent.disclosed, *event.disclosed),
            )
            return replace(after, sent=widened)
        case ReferralAccepted():
            return replace(after, accepted=True)
        case ReferralRejected(ground=ground):
            return replace(after, rejected=ground)
        case ReferralAnswered(done=done):
            return replace(after, done=done)
        case SilenceNoted(clock=clock, rung=rung):
            return replace(after, rungs=state.rungs | {(clock, rung)})
        case ReferralAcknowledged() | ReferralRecalled():
            return after
        case _:
            assert_never(event)
