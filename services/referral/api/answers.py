"""Owns how a referral is told: what an agency sees of it, and what only the mechanism does."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from access.policy import DataClass
from eventlog.store import History
from procedures import packs
from runtime.answers import Answer, Says
from services.referral import domain
from services.referral.api.forms import Due
from services.referral.domain import ACKNOWLEDGE, ANSWER, RejectionGround, Stage
from services.referral.handlers import Seen


class ClockAnswer(Answer, says=DataClass.AGENCY_FACTS):
    """One of the referral's clocks."""

    clock: str
    kind: str = Field(description="`statutory`, or a `service_target` of the mechanism's own.")
    basis: str = Field(description="Its article or source.")
    due: datetime
    stopped_at: datetime | None
    late: bool | None = Field(description="Null while it runs.")


class ActDone(Answer, says=DataClass.AGENCY_FACTS):
    """One act that was recorded."""

    act: Literal["acknowledged", "accepted", "rejected", "answered", "recalled"]
    at: datetime = Field(description="As the agency says.")
    recorded_at: datetime
    late: bool | None


class StaffPart(Answer, says=DataClass.AGENCY_FACTS):
    """What only the mechanism sees: on whose word the agency was told, who let time pass, why it was taken back."""

    consent_version: int
    two_person_decision: bool
    recall_ground: str | None
    silences: list[tuple[str, int, datetime]] = Field(description="Clock, per cent of its limit, when it was recorded.")


class ReferralAnswer(Answer, says=DataClass.AGENCY_FACTS):
    """A referral as it stands."""

    referral_id: str
    case_id: Annotated[str, Says(DataClass.CASE_FACTS)]
    agency: str
    purpose: str
    round: int
    measure_id: Annotated[str, Says(DataClass.CASE_FACTS)]
    measure: Annotated[str, Says(DataClass.CASE_FACTS)] = Field(
        description="What the measure is, such as `patrol_home`; how it is to be done is disclosed."
    )
    measure_family: Annotated[str, Says(DataClass.CASE_FACTS)]
    measure_urgent: Annotated[bool, Says(DataClass.CASE_FACTS)]
    state: Stage
    imminent: Annotated[bool, Says(DataClass.CASE_FACTS)]
    no_accompaniment: Annotated[bool, Says(DataClass.CASE_FACTS)]
    discloses: Annotated[list[str], Says(DataClass.CASE_FACTS)]
    sent_at: datetime
    clocks: list[ClockAnswer]
    next: Due | None
    acts: list[ActDone]
    ground: RejectionGround | None
    done: bool | None
    version: int
    mechanism: StaffPart | None = Field(description="Null for agencies.")


class DisclosedValue(Answer, says=DataClass.CASE_FACTS):
    """One value of the filing, or of the measure, in clear."""

    data_class: str = Field(description="`identity`, `place`, `narrative`, or `measure`: how it is to be done.")
    path: str = Field(description="Its place in the filing, such as `subjects.0.name`, or `details` of the measure.")
    subject_id: str
    text: Annotated[str, Says(DataClass.IDENTITY, DataClass.CONTACT, DataClass.PLACE, DataClass.NARRATIVE)]


class DisclosureAnswer(Answer, says=DataClass.CASE_FACTS):
    """What the person consented that your agency reads, for this referral only; with it, how the measure is to be done.
    Your reading was recorded.
    """

    referral_id: str
    case_id: str
    purpose: str
    no_accompaniment: bool
    values: list[DisclosedValue]


class WrittenText(Answer, says=DataClass.AGENCY_FACTS):
    """What was written with one event of the referral."""

    version: int
    field: str
    text: Annotated[str, Says(DataClass.NARRATIVE)]


class TextsAnswer(Answer, says=DataClass.AGENCY_FACTS):
    """Articles, reasons and answers, in clear. Your reading was recorded."""

    referral_id: str
    texts: list[WrittenText]


def owed_next(seen: Seen) -> Due | None:
    """What the agency owes next; ``None`` where nothing."""
    running = sorted((due, clock) for clock, due in seen.state.clocks.items())
    return Due(clock=running[0][1], due=running[0][0]) if running else None


_ACT_NAMES: dict[type, Literal["acknowledged", "accepted", "rejected", "answered", "recalled"]] = {
    domain.ReferralAcknowledged: "acknowledged",
    domain.ReferralAccepted: "accepted",
    domain.ReferralRejected: "rejected",
    domain.ReferralAnswered: "answered",
    domain.ReferralRecalled: "recalled",
}
_STOPS = {
    ACKNOWLEDGE: (domain.ReferralAcknowledged, domain.ReferralRecalled),
    ANSWER: (domain.ReferralRejected, domain.ReferralAnswered, domain.ReferralRecalled),
}


def referral_answer(seen: Seen, *, staff: bool) -> ReferralAnswer:
    """A referral for the agency that was asked, or with the mechanism's own part for its ``staff``."""
    sent, state = seen.sent, seen.state
    return ReferralAnswer(
        referral_id=sent.referral_id,
        case_id=sent.case_id,
        agency=sent.agency,
        purpose=sent.purpose,
        round=sent.round,
        measure_id=sent.measure_id,
        measure=sent.measure,
        measure_family=sent.measure_family,
        measure_urgent=sent.measure_urgent,
        state=state.stage,
        imminent=sent.imminent,
        no_accompaniment=sent.no_accompaniment,
        discloses=sorted({value.data_class for value in sent.disclosed}),
        sent_at=sent.sent_at,
        clocks=[_clock(seen.history, sent, ACKNOWLEDGE), _clock(seen.history, sent, ANSWER)],
        next=owed_next(seen),
        acts=[
            ActDone(
                act=_ACT_NAMES[type(stored.event)],
                at=stored.occurred_at,
                recorded_at=stored.recorded_at,
                late=getattr(stored.event, "late", None),
            )
            for stored in seen.history.events
            if type(stored.event) in _ACT_NAMES
        ],
        ground=state.rejected,
        done=state.done,
        version=seen.history.version,
        mechanism=_staff_part(seen) if staff else None,
    )


def _clock(history: History, sent: domain.ReferralSent, name: str) -> ClockAnswer:
    """Without the lines of the due instant's explanation: some give away distance or home region (DNH-11)."""
    rule = packs.load(sent.pack, version=sent.pack_version).clock(name, purpose=sent.purpose)
    stops = [stored for stored in history.events if isinstance(stored.event, _STOPS[name])]
    return ClockAnswer(
        clock=name,
        kind=rule.kind.value,
        basis=rule.basis,
        due=sent.acknowledge_due if name == ACKNOWLEDGE else sent.answer_due,
        stopped_at=stops[0].recorded_at if stops else None,
        late=getattr(stops[0].event, "late", None) if stops else None,
    )


def _staff_part(seen: Seen) -> StaffPart:
    events = seen.history.events
    recalls = [stored.event.ground for stored in events if isinstance(stored.event, domain.ReferralRecalled)]
    return StaffPart(
        consent_version=seen.sent.consent_version,
        two_person_decision=seen.sent.two_person_decision,
        recall_ground=recalls[0] if recalls else None,
        silences=[
            (stored.event.clock, stored.event.rung, stored.recorded_at)
            for stored in events
            if isinstance(stored.event, domain.SilenceNoted)
        ],
    )
