"""The case: from a filed request to a notified resolution, with the clock of each duty. Pure.

Source: DS 004-2021-JUS arts. 18 to 22-A, by the rule pack of the filing date. Instants are aware UTC and come in with
commands as ``at``; a rung is per cent of a limit. A late act is recorded as late, never refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import reduce
from typing import assert_never

from eventlog.decider import Plain, Refused
from procedures import packs, risk
from procedures.clocks import due
from procedures.risk import Axis, Level, Score, Scored
from procedures.rules import Pack
from services.protection.domain.commands import (
    AddMeasure,
    CloseCase,
    Command,
    EvaluateRisk,
    IssuePreliminaryReport,
    IssueResolution,
    NoteSilence,
    NotifyResolution,
    OpenCase,
    Withdraw,
)
from services.protection.domain.events import (
    CaseClosed,
    CaseOpened,
    CaseWithdrawn,
    ClockStarted,
    ClockStopped,
    MeasureAdded,
    PreliminaryReportIssued,
    ResolutionIssued,
    ResolutionNotified,
    RiskEvaluated,
    RiskVariable,
    Rung,
    SilenceNoted,
)

SOURCES = ("interview", "filing", "record", "context", "visit", "opinion")
"""Where a risk variable may come from."""


class Stage(StrEnum):
    """How far the procedure has come."""

    UNOPENED = "unopened"
    OPENED = "opened"
    REPORTED = "reported"
    EVALUATED = "evaluated"
    RESOLVED = "resolved"
    NOTIFIED = "notified"
    CLOSED = "closed"


OPEN = (Stage.OPENED, Stage.REPORTED, Stage.EVALUATED, Stage.RESOLVED, Stage.NOTIFIED)


Event = (
    CaseOpened
    | ClockStarted
    | ClockStopped
    | SilenceNoted
    | PreliminaryReportIssued
    | RiskEvaluated
    | MeasureAdded
    | ResolutionIssued
    | ResolutionNotified
    | CaseWithdrawn
    | CaseClosed
)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunningClock:
    """A clock as it was started, and the rungs of silence noted since."""

    name: str
    due: datetime
    rungs: tuple[Rung, ...]
    noted: frozenset[int] = frozenset()

    @property
    def coming(self) -> tuple[Rung, ...]:
        """The rungs not noted yet, in order of time."""
        return tuple(rung for rung in self.rungs if rung.percent not in self.noted)


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """What later acts need of an evaluation. ``blind``: not one threat could be scored."""

    evaluation_id: str
    level: Level
    blind: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """The folded case; the defaults are a case that does not exist."""

    stage: Stage = Stage.UNOPENED
    opened: CaseOpened | None = None
    reported: bool = False
    clocks: tuple[RunningClock, ...] = ()
    evaluations: tuple[Evaluation, ...] = ()
    measures: tuple[str, ...] = ()
    granted: tuple[str, ...] = ()
    resolution: ResolutionIssued | None = None
    ground: str = ""

    @property
    def pack(self) -> Pack:
        """The rules of the filing date. Raises ``LookupError`` for a case that was never opened."""
        if self.opened is None:
            raise LookupError("no case")
        return packs.load(self.opened.pack, version=self.opened.pack_version)


NEXT: Mapping[tuple[Stage, type[Event]], Stage] = {
    (Stage.UNOPENED, CaseOpened): Stage.OPENED,
    (Stage.OPENED, PreliminaryReportIssued): Stage.REPORTED,
    (Stage.OPENED, RiskEvaluated): Stage.EVALUATED,  # danger does not wait for a report
    (Stage.REPORTED, RiskEvaluated): Stage.EVALUATED,
    (Stage.EVALUATED, ResolutionIssued): Stage.RESOLVED,
    (Stage.RESOLVED, ResolutionNotified): Stage.NOTIFIED,
    (Stage.NOTIFIED, ResolutionIssued): Stage.RESOLVED,  # on new facts, by a new evaluation
    **{(stage, PreliminaryReportIssued): stage for stage in OPEN[2:]},  # overtaken by the evaluation, and still a duty
    **{(stage, RiskEvaluated): stage for stage in OPEN[2:]},  # risk is evaluated again whenever it changes
    **{(stage, MeasureAdded): stage for stage in OPEN},
    **{(stage, clock): stage for stage in OPEN for clock in (ClockStarted, ClockStopped, SilenceNoted)},
    **{(stage, CaseWithdrawn): stage for stage in OPEN},
    **{(stage, CaseClosed): Stage.CLOSED for stage in OPEN},
}
"""The whole table: what is not in it is refused."""


def decide(state: Case, command: Command) -> tuple[Event, ...]:
    """The events ``command`` causes, with the clocks they stop and start; none where it only repeats. Raises `Refused`.

    Codes: ``wrong-stage``, ``case-closed``, and those of `_act`.
    """
    events: tuple[Event, ...] = ()
    for event in _act(state, command):
        if (state.stage, type(event)) not in NEXT:
            if state.stage is Stage.CLOSED:
                raise Refused("case-closed", f"{type(event).__name__}: the case is closed")
            raise Refused("wrong-stage", f"{type(event).__name__} does not follow {state.stage}")
        at = command.received_at if isinstance(command, OpenCase) else command.at
        for each in _with_clocks(state, event, at):
            events += (each,)
            state = evolve(state, each)
    return events


def _act(state: Case, command: Command) -> tuple[Event, ...]:
    match command:
        case OpenCase():
            return () if state.stage is not Stage.UNOPENED else (_opened(command),)
        case IssuePreliminaryReport(admissible=admissible, reasons=reasons):
            if state.reported:
                raise Refused("already-reported", "the preliminary report was issued; evaluate the risk")
            if not admissible and not _given(reasons):
                raise Refused("reasons-needed", "a report that finds a request inadmissible says why")
            return (PreliminaryReportIssued(admissible=admissible, reasons=reasons),)
        case EvaluateRisk():
            return (_evaluated(state, command),)
        case AddMeasure(measure_id=measure_id, measure=measure):
            if measure_id in state.measures:
                return ()
            if state.opened is not None and measure not in {rule.name for rule in state.pack.measures}:
                raise Refused("measure-unknown", f"the pack {state.opened.pack} has no measure {measure}")
            return (MeasureAdded(measure_id=measure_id),)
        case IssueResolution():
            return _resolved(state, command)
        case NotifyResolution():
            if state.stage is Stage.NOTIFIED or state.ground == "denied":
                return ()
            notified = ResolutionNotified(resolution_id=state.resolution.resolution_id if state.resolution else "")
            return (notified,) if state.granted else (notified, CaseClosed(ground="denied"))
        case NoteSilence(at=at, clock=name, rung=percent):
            return tuple(
                SilenceNoted(clock=name, rung=percent, due=clock.due, told=rung.told)
                for clock in state.clocks
                if clock.name == name
                for rung in clock.coming
                if rung.percent == percent and rung.at <= at
            )
        case Withdraw():
            return () if state.stage is Stage.CLOSED else (CaseWithdrawn(), CaseClosed(ground="withdrawn"))
        case CloseCase(unfinished=unfinished):
            if state.stage is Stage.CLOSED:
                return ()
            if unfinished or state.stage is not Stage.NOTIFIED:
                raise Refused(
                    "case-unfinished", "a case closes when its resolution was notified and its measures ended"
                )
            return (CaseClosed(ground="ceased"),)
        case _:
            assert_never(command)


def _opened(command: OpenCase) -> CaseOpened:
    pack = packs.load(command.pack, version=command.pack_version)
    return CaseOpened(
        case_id=command.case_id,
        track=pack.track_for(imminent=command.imminent),
        pack=pack.id,
        pack_version=pack.version,
        received_at=command.received_at,
        region=command.region,
        subject_id=command.subject_id,
        filer=command.filer,
        filer_unit=command.filer_unit,
    )


def _evaluated(state: Case, command: EvaluateRisk) -> RiskEvaluated:
    """Every variable with reason and source; lower than proposed only with reasons; never low where all is unknown."""
    if state.opened is None:
        raise Refused("wrong-stage", "there is no case to evaluate")
    for variable in command.variables:
        if not _given(variable.reason):
            raise Refused("reasons-needed", f"{variable.name} is scored without a reason")
        if variable.source not in SOURCES:
            raise Refused("source-needed", f"{variable.name} comes from one of {', '.join(SOURCES)}")
    scored = [Scored(axis=v.axis, name=v.name, score=v.score) for v in command.variables]
    try:
        proposal = risk.propose(state.pack.risk, scored, imminent=command.imminent)
    except risk.NotScored as fault:
        raise Refused("not-scored", str(fault)) from None
    if command.level.rank < proposal.level.rank and not _given(command.departure):
        raise Refused("reasons-needed", f"{proposal.level} was proposed: say why the level is lower")
    if command.level is Level.ORDINARY and _blind(command.variables):
        raise Refused("unknown-is-not-low", "no threat could be scored: that is no ground to call the risk ordinary")
    return RiskEvaluated(
        evaluation_id=command.evaluation_id,
        method=proposal.method,
        method_version=proposal.version,
        variables=command.variables,
        proposed=proposal.level,
        level=command.level,
        imminent=command.imminent,
        decided_by=command.decided_by,
        departure=command.departure,
    )


def _resolved(state: Case, command: IssueResolution) -> tuple[Event, ...]:
    """A grant needs an evaluation and measures; a denial reasons, and more than missing evidence (DNH-22)."""
    if not state.evaluations:
        raise Refused("evaluation-needed", "evaluate the risk before resolving")
    evaluation = state.evaluations[-1]
    if state.resolution is not None and state.resolution.evaluation_id == evaluation.evaluation_id:
        raise Refused("newer-evaluation-needed", "another resolution needs an evaluation newer than the last one's")
    if command.granted and not command.measures:
        raise Refused("measure-needed", "a grant names at least one measure")
    if not command.granted and command.measures:
        raise Refused("measure-unknown", "a denial grants no measure")
    if not set(command.measures) <= set(state.measures) - set(state.granted):
        raise Refused("measure-unknown", "a resolution grants measures proposed in this case and not granted before")
    if not command.granted and not _given(command.reasons):
        raise Refused("reasons-needed", "a denial is reasoned in full")
    if not command.granted and evaluation.blind:
        raise Refused("missing-evidence-alone", "no threat could be scored: find out more, or grant")
    return (
        ResolutionIssued(
            resolution_id=command.resolution_id,
            granted=command.granted,
            evaluation_id=evaluation.evaluation_id,
            decided_by=command.decided_by,
            measures=command.measures,
            reasons=command.reasons,
        ),
    )


def _given(text: object) -> bool:
    return isinstance(text, Plain) and bool(text.text.strip())


def _blind(variables: tuple[RiskVariable, ...]) -> bool:
    return all(variable.score is Score.UNKNOWN for variable in variables if variable.axis is Axis.THREAT)


def _with_clocks(state: Case, event: Event, at: datetime) -> tuple[Event, ...]:
    """``event`` with the clocks it stops and starts, by the pack. A closing event comes last: nothing runs after it."""
    if isinstance(event, CaseClosed):
        ended = (ClockStopped(clock=c.name, stopped_at=at, late=at > c.due, met=False) for c in state.clocks)
        return (*ended, event)
    after = evolve(state, event)
    assert after.opened is not None  # NEXT lets nothing else come first
    name = type(event).__name__
    rules = after.pack.case_clocks(after.opened.track)
    stops = {rule.name for rule in rules if name in rule.stops_on}
    stopped = (
        ClockStopped(clock=clock.name, stopped_at=at, late=at > clock.due, met=True)
        for clock in after.clocks
        if clock.name in stops
    )
    started = (
        ClockStarted(
            clock=rule.name,
            started_at=deadline.start,
            due=deadline.due,
            pack_version=after.opened.pack_version,
            rungs=tuple(Rung(percent=percent, at=when, told=rule.told(percent)) for percent, when in deadline.rungs),
            duty=rule.duty,
            kind=rule.kind,
        )
        for rule in rules
        if rule.starts_on == name
        for deadline in (due(rule, at),)
    )
    return (event, *stopped, *started)


def evolve(state: Case, event: Event) -> Case:
    """Refuses nothing: what is recorded has happened. A ``KeyError`` means a corrupt stream."""
    state = replace(state, stage=NEXT[state.stage, type(event)])
    match event:
        case CaseOpened():
            return replace(state, opened=event)
        case PreliminaryReportIssued():
            return replace(state, reported=True)
        case ClockStarted(clock=name):
            others = tuple(clock for clock in state.clocks if clock.name != name)
            return replace(state, clocks=(*others, RunningClock(name=name, due=event.due, rungs=event.rungs)))
        case ClockStopped(clock=name):
            return replace(state, clocks=tuple(clock for clock in state.clocks if clock.name != name))
        case SilenceNoted(clock=name, rung=percent):
            return replace(
                state,
                clocks=tuple(
                    replace(clock, noted=clock.noted | {percent}) if clock.name == name else clock
                    for clock in state.clocks
                ),
            )
        case RiskEvaluated(evaluation_id=evaluation_id, level=level, variables=variables):
            evaluation = Evaluation(evaluation_id=evaluation_id, level=level, blind=_blind(variables))
            return replace(state, evaluations=(*state.evaluations, evaluation))
        case MeasureAdded(measure_id=measure_id):
            return replace(state, measures=(*state.measures, measure_id))
        case ResolutionIssued(measures=measures):
            return replace(state, resolution=event, granted=(*state.granted, *measures))
        case CaseClosed(ground=ground):
            return replace(state, ground=ground)
        case ResolutionNotified() | CaseWithdrawn():
            return state
        case _:
            assert_never(event)


def fold(events: tuple[Event, ...]) -> Case:
    """The case that these events of its stream add up to."""
    return reduce(evolve, events, Case())
