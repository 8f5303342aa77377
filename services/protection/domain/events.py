"""The events of the case and of its measures, as `amparo.protection.v1` declares them. Pure."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from eventlog.decider import Personal
from procedures.risk import Axis, Level, Score


class MeasureFamily(StrEnum):
    """What kind of protection a measure gives."""

    PHYSICAL = "physical"
    DIGITAL = "digital"
    PSYCHOSOCIAL = "psychosocial"
    COLLECTIVE_OR_TERRITORIAL = "collective_or_territorial"
    LEGAL = "legal"
    POLITICAL_OR_RECOGNITION = "political_or_recognition"
    RELOCATION_OR_ECONOMIC = "relocation_or_economic"
    CONSULAR = "consular"
    ENVIRONMENTAL = "environmental"
    GENDER_SPECIFIC = "gender_specific"


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseOpened:
    """A request reached the mechanism. Its clocks count from ``received_at``, by the pack of that day."""

    case_id: str
    track: str
    pack: str
    pack_version: str
    received_at: datetime
    region: str
    subject_id: str
    filer: str
    filer_unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """At ``at``, ``percent`` of the limit, the roles ``told`` learn that nobody has acted."""

    percent: int
    at: datetime
    told: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockStarted:
    """A duty began to run. Due instant and rungs are computed once and kept."""

    clock: str
    started_at: datetime
    due: datetime
    pack_version: str
    rungs: tuple[Rung, ...]
    duty: str
    kind: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ClockStopped:
    """A duty was done, late or not; or the case ended before it was (``met`` is false)."""

    clock: str
    stopped_at: datetime
    late: bool
    met: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class SilenceNoted:
    """Nobody acted: the clock reached this per cent of its limit."""

    clock: str
    rung: int
    due: datetime
    told: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class PreliminaryReportIssued:
    """The first look at a request (DS 004-2021-JUS art. 18). An inadmissible one is still evaluated."""

    admissible: bool
    reasons: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskVariable:
    """One variable of an evaluation, with where it comes from and why it was scored so."""

    axis: Axis
    name: str
    score: Score
    source: str
    reason: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskEvaluated:
    """What the method proposed and what the named person decided; ``departure`` is why they differ."""

    evaluation_id: str
    method: str
    method_version: str
    variables: tuple[RiskVariable, ...]
    proposed: Level
    level: Level
    imminent: bool
    decided_by: str
    departure: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolutionIssued:
    """Measures granted, or all of them denied with reasons (DS 004-2021-JUS arts. 19 to 22)."""

    resolution_id: str
    granted: bool
    evaluation_id: str
    decided_by: str
    measures: tuple[str, ...]
    reasons: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResolutionNotified:
    """The defender was told, at the safe address (art. 22-A)."""

    resolution_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseWithdrawn:
    """The request was withdrawn."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseClosed:
    """No duty of the case runs any more. ``ground`` is ``withdrawn``, ``denied`` or ``ceased``."""

    ground: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureAdded:
    """A measure was proposed in the case; what becomes of it is on its own stream."""

    measure_id: str


CASE_EVENTS: tuple[type, ...] = (
    CaseOpened,
    ClockStarted,
    ClockStopped,
    SilenceNoted,
    PreliminaryReportIssued,
    RiskEvaluated,
    MeasureAdded,
    ResolutionIssued,
    ResolutionNotified,
    CaseWithdrawn,
    CaseClosed,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureProposed:
    """A measure of the rule pack, to be carried out by one agency."""

    measure_id: str
    case_id: str
    measure: str
    family: MeasureFamily
    implementer: str
    subject_id: str
    urgent: bool
    details: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureGranted:
    """A resolution grants it. It can be changed only on an evaluation newer than the one this rests on."""

    resolution_id: str
    evaluation_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureAccepted:
    """The beneficiary wants it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureRefused:
    """The beneficiary does not want it, or no longer."""

    reason: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureSent:
    """The implementer was asked, by this referral."""

    referral_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureAcknowledged:
    """The implementer has the request."""

    referral_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureReportedImplemented:
    """The implementer says that it has carried the measure out. Not yet believed."""

    referral_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureConfirmed:
    """The beneficiary says that the measure is in place."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureFoundIneffective:
    """The beneficiary says that it is not there, or does not protect."""

    reason: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureModified:
    """The measure is another one now; the beneficiary is asked again."""

    evaluation_id: str
    details: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureSuspended:
    """The measure rests."""

    evaluation_id: str
    reason: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureCeased:
    """The measure has ended."""

    evaluation_id: str
    reason: Personal = None


MEASURE_EVENTS: tuple[type, ...] = (
    MeasureProposed,
    MeasureGranted,
    MeasureAccepted,
    MeasureRefused,
    MeasureSent,
    MeasureAcknowledged,
    MeasureReportedImplemented,
    MeasureConfirmed,
    MeasureFoundIneffective,
    MeasureModified,
    MeasureSuspended,
    MeasureCeased,
)

EVENTS: tuple[type, ...] = (*CASE_EVENTS, *MEASURE_EVENTS)
