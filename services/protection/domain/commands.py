"""What can be asked of a case. Instants are aware UTC; ``at`` is when the service hears of it. Pure."""

from dataclasses import dataclass
from datetime import datetime

from eventlog.decider import Plain
from procedures.risk import Level
from services.protection.domain.events import RiskVariable


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenCase:
    """A request was filed at ``received_at``; its clocks count from then, however late this is heard."""

    case_id: str
    imminent: bool
    pack: str
    pack_version: str
    received_at: datetime
    region: str
    subject_id: str
    filer: str
    filer_unit: str


@dataclass(frozen=True, kw_only=True, slots=True)
class IssuePreliminaryReport:
    at: datetime
    admissible: bool
    reasons: Plain | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EvaluateRisk:
    """``level`` is what ``decided_by`` decides; the method of the case's pack proposes another or the same."""

    at: datetime
    evaluation_id: str
    variables: tuple[RiskVariable, ...]
    imminent: bool
    level: Level
    decided_by: str
    departure: Plain | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AddMeasure:
    at: datetime
    measure_id: str
    measure: str


@dataclass(frozen=True, kw_only=True, slots=True)
class IssueResolution:
    """``measures`` are those granted, out of those proposed in the case; none where it denies."""

    at: datetime
    resolution_id: str
    granted: bool
    decided_by: str
    measures: tuple[str, ...] = ()
    reasons: Plain | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NotifyResolution:
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class NoteSilence:
    at: datetime
    clock: str
    rung: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdraw:
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class CloseCase:
    """The procedure is over; ``unfinished`` are the measures of the case that have neither ceased nor been refused."""

    at: datetime
    unfinished: tuple[str, ...]


Command = (
    OpenCase
    | IssuePreliminaryReport
    | EvaluateRisk
    | AddMeasure
    | IssueResolution
    | NotifyResolution
    | NoteSilence
    | Withdraw
    | CloseCase
)
