"""Whatever is asked, in whatever order and at whatever instant: what holds of every case and every measure."""

from dataclasses import replace
from datetime import datetime

from hypothesis import given
from hypothesis import strategies as st

from eventlog.decider import Refused
from procedures.risk import Level, Score
from services.protection import domain
from services.protection.domain import measure
from services.protection.domain.case import Case
from services.protection.domain.events import (
    CaseClosed,
    ClockStarted,
    ClockStopped,
    MeasureCeased,
    MeasureGranted,
    MeasureModified,
    MeasureSuspended,
    ResolutionIssued,
    RiskEvaluated,
    SilenceNoted,
)
from services.protection.domain.measure import Measure, State
from tests.services.protection.invented import MEASURE, add_measure, after, open_case, propose, text, variables

instants: st.SearchStrategy[datetime] = st.floats(0, 300).map(after)
texts = st.sampled_from([None, text("because"), text(" ")])
scores = st.sampled_from(list(Score))
names = st.sampled_from(["1", "2", "3"])

evaluations = st.builds(
    domain.EvaluateRisk,
    at=instants,
    evaluation_id=st.uuids().map(str),
    variables=st.builds(variables, threat=scores, vulnerability=scores, capacity=scores),
    imminent=st.booleans(),
    level=st.sampled_from(list(Level)),
    decided_by=st.just("evaluator-1"),
    departure=texts,
)
resolutions = st.builds(
    domain.IssueResolution,
    at=instants,
    resolution_id=st.uuids().map(str),
    granted=st.booleans(),
    decided_by=st.just("coordinator-1"),
    measures=st.sampled_from([(), (MEASURE,), ("unknown",)]),
    reasons=texts,
)
case_commands = st.one_of(
    st.builds(open_case, imminent=st.booleans()),
    st.builds(domain.IssuePreliminaryReport, at=instants, admissible=st.booleans(), reasons=texts),
    evaluations,
    resolutions,
    st.builds(lambda at: replace(add_measure(), at=at), instants),
    st.builds(domain.NotifyResolution, at=instants),
    st.builds(
        domain.NoteSilence,
        at=instants,
        clock=st.sampled_from(["preliminary_report", "evaluation", "resolution", "notification"]),
        rung=st.sampled_from([50, 75, 100, 150]),
    ),
    st.builds(domain.Withdraw, at=instants),
    st.builds(domain.CloseCase, at=instants, unfinished=st.sampled_from([(), (MEASURE,)])),
)


def live(commands: list[domain.Command]) -> tuple[domain.Event, ...]:
    """The stream that these commands leave: what is refused leaves nothing. Every decision can be folded."""
    events: tuple[domain.Event, ...] = ()
    state = Case()
    for command in commands:
        try:
            decided = domain.decide(state, command)
        except Refused:
            continue
        for event in decided:
            state = domain.evolve(state, event)  # a KeyError here is a decision that nothing can follow
        events += decided
    assert domain.fold(events) == state
    return events


case_lives = st.lists(case_commands, max_size=25).map(lambda commands: live([open_case(), *commands]))


@given(events=case_lives)
def test_each_rung_is_noted_once_and_none_after_its_clock_stopped(events: tuple[domain.Event, ...]) -> None:
    """Nobody is escalated twice for one silence, nor for a duty that was done."""
    running: dict[str, set[int]] = {}
    for event in events:
        match event:
            case ClockStarted(clock=clock):
                running[clock] = set()
            case ClockStopped(clock=clock):
                del running[clock]
            case SilenceNoted(clock=clock, rung=rung):
                assert rung not in running[clock]
                running[clock].add(rung)


@given(events=case_lives)
def test_every_clock_that_starts_stops_by_the_end(events: tuple[domain.Event, ...]) -> None:
    """An open case knows which clocks run, a closed one has none, and nothing comes after the closing."""
    started = [event.clock for event in events if isinstance(event, ClockStarted)]
    stopped = [event.clock for event in events if isinstance(event, ClockStopped)]
    state = domain.fold(events)
    assert sorted(started) == sorted(stopped + [clock.name for clock in state.clocks])
    if any(isinstance(event, CaseClosed) for event in events):
        assert state.clocks == ()
        assert isinstance(events[-1], CaseClosed)


@given(events=case_lives)
def test_a_clock_is_late_when_it_stops_after_its_due_instant(events: tuple[domain.Event, ...]) -> None:
    """Lateness is computed from the recorded due instant and nothing else."""
    due = {}
    for event in events:
        if isinstance(event, ClockStarted):
            due[event.clock] = event.due
        if isinstance(event, ClockStopped):
            assert event.late == (event.stopped_at > due[event.clock])


@given(events=case_lives)
def test_every_resolution_rests_on_an_evaluation_of_its_own(events: tuple[domain.Event, ...]) -> None:
    """Granted with measures, or denied with reasons on more than missing evidence (DNH-22)."""
    latest: RiskEvaluated | None = None
    used: set[str] = set()
    for event in events:
        if isinstance(event, RiskEvaluated):
            latest = event
        if isinstance(event, ResolutionIssued):
            assert latest is not None
            assert event.evaluation_id == latest.evaluation_id
            assert event.evaluation_id not in used
            used.add(event.evaluation_id)
            assert event.granted == bool(event.measures)
            assert event.granted or event.reasons is not None
            threats = [variable.score for variable in latest.variables if variable.axis == "threat"]
            assert event.granted or set(threats) != {Score.UNKNOWN}


@given(events=case_lives)
def test_a_level_is_never_low_for_want_of_knowledge(events: tuple[domain.Event, ...]) -> None:
    """Nor below what the method proposes without a reason."""
    for event in events:
        if isinstance(event, RiskEvaluated):
            threats = {variable.score for variable in event.variables if variable.axis == "threat"}
            assert threats != {Score.UNKNOWN} or event.level is not Level.ORDINARY
            assert event.level.rank >= event.proposed.rank or event.departure is not None


orders = st.lists(names, unique=True).map(tuple)
measure_commands = st.one_of(
    st.just(propose),
    st.builds(measure.Grant, resolution_id=names, evaluation_id=names),
    st.builds(measure.Accept),
    st.builds(measure.Refuse, reason=texts),
    st.builds(measure.NoteSent, referral_id=names),
    st.builds(measure.NoteAcknowledged, referral_id=names),
    st.builds(measure.NoteReported, referral_id=names),
    st.builds(measure.Confirm),
    st.builds(measure.FindIneffective, reason=texts),
    st.builds(measure.Modify, evaluations=orders, details=texts),
    st.builds(measure.Suspend, evaluations=orders, reason=texts),
    st.builds(measure.Cease, evaluations=orders, reason=texts),
)


@given(commands=st.lists(measure_commands, max_size=25))
def test_no_measure_is_reduced_without_a_newer_evaluation(commands: list[measure.Command]) -> None:
    """Each change rests on an evaluation that came after the one before; an ended measure stays ended."""
    state = Measure()
    rests_on = ""
    for command in commands:
        try:
            decided = measure.decide(state, command)
        except Refused:
            continue
        for event in decided:
            assert state.state not in measure.ENDED
            state = measure.evolve(state, event)
            if isinstance(event, MeasureModified | MeasureSuspended | MeasureCeased):
                assert isinstance(command, measure.Modify | measure.Suspend | measure.Cease)
                order = list(command.evaluations)
                assert order.index(rests_on) < order.index(event.evaluation_id)
            if isinstance(event, MeasureGranted | MeasureModified | MeasureSuspended | MeasureCeased):
                rests_on = event.evaluation_id


@given(commands=st.lists(measure_commands, max_size=25))
def test_no_agency_acts_on_a_measure_that_its_beneficiary_did_not_accept(commands: list[measure.Command]) -> None:
    """Sent, acknowledged, reported and implemented all lie behind an acceptance."""
    state, accepted = Measure(), False
    for command in commands:
        try:
            decided = measure.decide(state, command)
        except Refused:
            continue
        for event in decided:
            state = measure.evolve(state, event)
            accepted = accepted or state.state is State.ACCEPTED
            assert accepted or state.state not in measure.ASKED
