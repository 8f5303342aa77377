"""An invented case, told as commands: nobody in it exists."""

from datetime import UTC, datetime, timedelta

from eventlog.decider import Plain
from procedures import packs
from procedures.risk import Axis, Level, Score
from services.protection import domain
from services.protection.domain import measure
from services.protection.domain.case import Case

CASE = "0b6f2f2e-6c1e-4a57-9a56-0d9f3b1c7a10"
SUBJECT = "7d1c9d6a-53f0-4a0e-8f0f-4f7f1a3c2b11"
MEASURE = "c2b7a5b0-1f7a-4a44-8f3c-1b8a9c3d4e12"
FILED = datetime(2026, 3, 2, 12, tzinfo=UTC)
PACK = packs.load("drill")


def after(seconds: float) -> datetime:
    """So many seconds after the filing."""
    return FILED + timedelta(seconds=seconds)


def text(words: str) -> Plain:
    """Something about the subject."""
    return Plain(SUBJECT, words)


def variables(
    *,
    threat: Score = Score.HIGH,
    vulnerability: Score = Score.MEDIUM,
    capacity: Score = Score.LOW,
    why: str = "told so",
) -> tuple[domain.RiskVariable, ...]:
    """Every variable of the pack, an axis with one score."""
    by_axis = {Axis.THREAT: threat, Axis.VULNERABILITY: vulnerability, Axis.CAPACITY: capacity}
    return tuple(
        domain.RiskVariable(axis=Axis(axis), name=name, score=by_axis[Axis(axis)], source="interview", reason=text(why))
        for axis, name in PACK.risk.variables
    )


def open_case(*, imminent: bool = False) -> domain.OpenCase:
    """The filing becomes a case."""
    return domain.OpenCase(
        case_id=CASE,
        imminent=imminent,
        pack=PACK.id,
        pack_version=PACK.version,
        received_at=FILED,
        region="PE-UCA",
        subject_id=SUBJECT,
        filer="ngo-client",
        filer_unit="ngo-1",
    )


def report(at: float = 10, *, admissible: bool = True) -> domain.IssuePreliminaryReport:
    """The preliminary report, so many seconds after the filing."""
    return domain.IssuePreliminaryReport(at=after(at), admissible=admissible, reasons=text("complete"))


def evaluate(
    at: float = 20, *, number: int = 1, level: Level = Level.EXTREME, blind: bool = False
) -> domain.EvaluateRisk:
    """An evaluation whose method proposes extreme, or where nobody could score a threat: extraordinary."""
    return domain.EvaluateRisk(
        at=after(at),
        evaluation_id=f"evaluation-{number}",
        variables=variables(threat=Score.UNKNOWN) if blind else variables(),
        imminent=False,
        level=level,
        decided_by="evaluator-1",
    )


def add_measure(at: float = 25, *, measure_id: str = MEASURE) -> domain.AddMeasure:
    """A patrol is proposed."""
    return domain.AddMeasure(at=after(at), measure_id=measure_id, measure="patrol_home")


def resolve(at: float = 40, *, granted: bool = True, number: int = 1, reasons: str = "") -> domain.IssueResolution:
    """A grant of the patrol, or a denial."""
    return domain.IssueResolution(
        at=after(at),
        resolution_id=f"resolution-{number}",
        granted=granted,
        decided_by="coordinator-1",
        measures=(MEASURE,) if granted else (),
        reasons=text(reasons) if reasons else None,
    )


def notify(at: float = 50) -> domain.NotifyResolution:
    """The defender is told."""
    return domain.NotifyResolution(at=after(at))


def past(*commands: domain.Command) -> tuple[domain.Event, ...]:
    """The events that these commands cause, one after the other."""
    state, events = Case(), []
    for command in commands:
        for event in domain.decide(state, command):
            events.append(event)
            state = domain.evolve(state, event)
    return tuple(events)


propose = measure.Propose(
    measure_id=MEASURE,
    case_id=CASE,
    measure="patrol_home",
    family=domain.MeasureFamily.PHYSICAL,
    implementer="police-north",
    subject_id=SUBJECT,
    urgent=False,
    details=text("two rounds a night"),
)
grant = measure.Grant(resolution_id="resolution-1", evaluation_id="evaluation-1")


def measure_past(*commands: measure.Command) -> tuple[measure.Event, ...]:
    """The events that these commands to a measure cause, one after the other."""
    state, events = measure.Measure(), []
    for command in commands:
        for event in measure.decide(state, command):
            events.append(event)
            state = measure.evolve(state, event)
    return tuple(events)
