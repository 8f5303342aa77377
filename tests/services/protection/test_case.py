"""The case's decider: each command records, refuses and stays quiet where it should, and its clocks follow."""

from dataclasses import replace

import pytest

from amparo.protection.v1 import events_pb2
from eventlog.codec import Codec
from procedures.risk import Level, Score
from services.protection import domain
from services.protection.domain import case as case_module
from services.protection.domain.case import Case
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
    SilenceNoted,
)
from tests.scenario import scenario
from tests.services.protection.invented import (
    FILED,
    MEASURE,
    PACK,
    add_measure,
    after,
    evaluate,
    notify,
    open_case,
    past,
    report,
    resolve,
    text,
    variables,
)

given = scenario(decide=domain.decide, evolve=domain.evolve, initial=Case())

OPENED = past(open_case())
EVALUATED = past(open_case(), report(), evaluate(), add_measure())
RESOLVED = (*EVALUATED, *past(open_case(), report(), evaluate(), add_measure(), resolve())[len(EVALUATED) :])
NOTIFIED = past(open_case(), report(), evaluate(), add_measure(), resolve(), notify())
WITHDRAWN = past(open_case(), domain.Withdraw(at=after(5)))


def kinds(events: tuple[object, ...]) -> list[type]:
    """What happened, without what it says."""
    return [type(event) for event in events]


def test_events_are_declared_once_in_proto_and_once_here() -> None:
    """Every field of every event has its message's field."""
    assert Codec.of(domain.EVENTS, module=events_pb2).by_name


def test_the_stages_are_those_of_the_pack() -> None:
    """Whoever reads the pack beside a case finds the same words."""
    assert PACK.stages == tuple(stage.value for stage in domain.Stage if stage is not domain.Stage.UNOPENED)


# Opening


def test_a_filing_opens_a_case_with_the_clocks_of_its_pack() -> None:
    """They count from the filing, and carry their rungs and whose duty they are."""
    opened, *started = OPENED
    assert isinstance(opened, CaseOpened)
    assert (opened.track, opened.pack_version) == ("ordinary", PACK.version)
    assert [(c.clock, c.started_at, c.due) for c in started if isinstance(c, ClockStarted)] == [
        ("preliminary_report", FILED, after(30)),
        ("evaluation", FILED, after(60)),
        ("resolution", FILED, after(90)),
    ]
    first = started[0]
    assert isinstance(first, ClockStarted)
    assert [(rung.percent, rung.at) for rung in first.rungs] == [
        (50, after(15)),
        (75, after(22.5)),
        (100, after(30)),
        (150, after(45)),
    ]
    assert (first.duty, first.kind) == ("coordinator", "statutory")


def test_imminent_danger_opens_on_the_extraordinary_track() -> None:
    """Half the time to resolve."""
    events = past(open_case(imminent=True))
    assert isinstance(events[0], CaseOpened)
    assert events[0].track == "extraordinary"
    assert {e.clock: e.due for e in events if isinstance(e, ClockStarted)}["resolution"] == after(45)


def test_a_case_opens_once() -> None:
    """The same filing read again changes nothing."""
    given(*OPENED).when(open_case()).then()


@pytest.mark.parametrize(
    "command",
    [report(), evaluate(), add_measure(), notify(), domain.Withdraw(at=FILED)],
    ids=lambda command: type(command).__name__,
)
def test_nothing_is_done_in_a_case_that_does_not_exist(command: domain.Command) -> None:
    """An act never conjures up a case."""
    given().when(command).refused("wrong-stage")


# Preliminary report


def test_a_preliminary_report_stops_its_clock() -> None:
    """In time, the clock says so."""
    given(*OPENED).when(report(30)).then(
        PreliminaryReportIssued(admissible=True, reasons=text("complete")),
        ClockStopped(clock="preliminary_report", stopped_at=after(30), late=False, met=True),
    )


def test_a_late_report_is_recorded_as_late() -> None:
    """Never refused: refusing it would leave the duty undone and the lateness hidden."""
    events = given(*OPENED).when(report(30.001)).run()
    assert events[1] == ClockStopped(clock="preliminary_report", stopped_at=after(30.001), late=True, met=True)


def test_the_evaluation_does_not_wait_for_the_report() -> None:
    """Danger goes first; the report is still owed, and leads nowhere back."""
    evaluated = past(open_case(), evaluate())
    assert domain.fold(evaluated).stage is domain.Stage.EVALUATED
    reported = (*evaluated, *domain.decide(domain.fold(evaluated), report()))
    assert domain.fold(reported).stage is domain.Stage.EVALUATED


def test_a_report_is_issued_once() -> None:
    """The second would say something else about the same request."""
    given(*past(open_case(), report())).when(report()).refused("already-reported")


def test_an_inadmissible_request_gets_reasons() -> None:
    """Nobody is turned away without knowing why."""
    given(*OPENED).when(replace(report(admissible=False), reasons=None)).refused("reasons-needed")
    given(*OPENED).when(replace(report(admissible=False), reasons=text("  "))).refused("reasons-needed")


# Evaluation


def test_an_evaluation_keeps_what_was_proposed_and_what_was_decided() -> None:
    """The method proposes, the named person decides, and both are recorded."""
    evaluated, stopped = given(*OPENED).when(evaluate(20)).run()
    assert isinstance(evaluated, RiskEvaluated)
    assert (evaluated.proposed, evaluated.level, evaluated.decided_by) == (Level.EXTREME, Level.EXTREME, "evaluator-1")
    assert (evaluated.method, evaluated.method_version) == (PACK.risk.method, PACK.risk.version)
    assert stopped == ClockStopped(clock="evaluation", stopped_at=after(20), late=False, met=True)


def test_a_level_below_the_proposed_needs_reasons() -> None:
    """A person may know better, and says how."""
    lower = evaluate(level=Level.EXTRAORDINARY)
    given(*OPENED).when(lower).refused("reasons-needed")
    events = given(*OPENED).when(replace(lower, departure=text("moved away"))).run()
    assert isinstance(events[0], RiskEvaluated)
    assert (events[0].proposed, events[0].level) == (Level.EXTREME, Level.EXTRAORDINARY)


def test_a_level_above_the_proposed_needs_none() -> None:
    """Caution is not explained."""
    given_variables = variables(threat=Score.LOW, vulnerability=Score.LOW)
    higher = replace(evaluate(level=Level.EXTREME), variables=given_variables)
    assert kinds(tuple(given(*OPENED).when(higher).run()))[0] is RiskEvaluated


def test_imminence_overrides_the_score() -> None:
    """Imminent danger is proposed as extreme, whatever the variables say."""
    calm = variables(threat=Score.LOW, vulnerability=Score.LOW, capacity=Score.HIGH)
    imminent = replace(evaluate(level=Level.ORDINARY), variables=calm, imminent=True)
    given(*OPENED).when(imminent).refused("reasons-needed")


def test_what_is_unknown_is_not_low() -> None:
    """Where no threat could be scored, no reason makes the risk ordinary."""
    blind = replace(evaluate(blind=True, level=Level.ORDINARY), departure=text("nothing was found"))
    given(*OPENED).when(blind).refused("unknown-is-not-low")
    given(*OPENED).when(replace(blind, level=Level.EXTRAORDINARY)).run()


@pytest.mark.parametrize(
    ("broken", "code"),
    [
        (variables()[1:], "not-scored"),
        ((*variables(), variables()[0]), "not-scored"),
        (variables(why=" "), "reasons-needed"),
        (tuple(replace(v, reason=None) for v in variables()), "reasons-needed"),
        (tuple(replace(v, source="rumour") for v in variables()), "source-needed"),
    ],
)
def test_every_variable_has_score_reason_and_source(broken: tuple[domain.RiskVariable, ...], code: str) -> None:
    """An evaluation that leaves one out has been struck down by courts."""
    given(*OPENED).when(replace(evaluate(), variables=broken)).refused(code)


def test_risk_is_evaluated_again_at_any_stage() -> None:
    """Risk changes; the stage stays."""
    again = tuple(given(*NOTIFIED).when(evaluate(100, number=2)).run())
    assert kinds(again) == [RiskEvaluated]
    assert domain.fold((*NOTIFIED, *again)).stage is domain.Stage.NOTIFIED


# Measures


def test_a_case_knows_its_measures_from_its_own_stream() -> None:
    """No table is asked which measures a case has."""
    given(*OPENED).when(add_measure()).then(MeasureAdded(measure_id=MEASURE))
    given(*EVALUATED).when(add_measure()).then()


def test_only_measures_of_the_pack_are_proposed() -> None:
    """The pack says who carries it out and by which article."""
    given(*OPENED).when(replace(add_measure(), measure="moat")).refused("measure-unknown")


# Resolution


def test_a_grant_names_its_measures_and_starts_the_notification() -> None:
    """The resolution's clock stops and the next duty begins."""
    issued, stopped, started = given(*EVALUATED).when(resolve(40)).run()
    assert issued == ResolutionIssued(
        resolution_id="resolution-1",
        granted=True,
        evaluation_id="evaluation-1",
        decided_by="coordinator-1",
        measures=(MEASURE,),
    )
    assert stopped == ClockStopped(clock="resolution", stopped_at=after(40), late=False, met=True)
    assert isinstance(started, ClockStarted)
    assert (started.clock, started.due) == ("notification", after(70))


def test_nothing_is_resolved_before_an_evaluation() -> None:
    """Neither granted nor denied: there is nothing to rest on."""
    given(*past(open_case(), report(), add_measure())).when(resolve()).refused("evaluation-needed")
    given(*OPENED).when(resolve(granted=False, reasons="no")).refused("evaluation-needed")


def test_a_grant_of_nothing_is_refused() -> None:
    """A paper that protects nobody is not a grant."""
    given(*EVALUATED).when(replace(resolve(), measures=())).refused("measure-needed")


def test_a_resolution_grants_only_what_was_proposed_in_the_case() -> None:
    """Nor does a denial grant anything, nor a second resolution what was granted before."""
    given(*EVALUATED).when(replace(resolve(), measures=("another",))).refused("measure-unknown")
    given(*EVALUATED).when(replace(resolve(reasons="no"), granted=False)).refused("measure-unknown")
    again = (*NOTIFIED, *domain.decide(domain.fold(NOTIFIED), evaluate(60, number=2)))
    given(*again).when(resolve(70, number=2)).refused("measure-unknown")


def test_a_denial_is_reasoned() -> None:
    """DS 004-2021-JUS art. 21: a denial without reasons is none."""
    given(*EVALUATED).when(resolve(granted=False)).refused("reasons-needed")
    events = tuple(given(*EVALUATED).when(resolve(granted=False, reasons="the risk has passed")).run())
    assert kinds(events) == [ResolutionIssued, ClockStopped, ClockStarted]


def test_dnh_22_a_denial_that_rests_on_missing_evidence_alone_is_refused() -> None:
    """Who could prove nothing because proof is dangerous is not sent away for it."""
    blind = past(open_case(), report(), evaluate(blind=True), add_measure())
    given(*blind).when(resolve(granted=False, reasons="no evidence")).refused("missing-evidence-alone")
    assert given(*blind).when(resolve()).run()


def test_another_resolution_needs_a_newer_evaluation() -> None:
    """Nothing is decided twice on the same facts."""
    given(*NOTIFIED).when(resolve(60, number=2)).refused("newer-evaluation-needed")


# Notification


def test_notifying_a_grant_leaves_the_case_open() -> None:
    """Measures are still to be carried out and followed up."""
    given(*RESOLVED).when(notify(50)).then(
        ResolutionNotified(resolution_id="resolution-1"),
        ClockStopped(clock="notification", stopped_at=after(50), late=False, met=True),
    )


def test_notifying_a_denial_closes_the_case() -> None:
    """Every clock that still runs ends unmet; nothing runs after the end."""
    denied = past(open_case(), evaluate(), resolve(granted=False, reasons="the risk has passed"))
    events = tuple(given(*denied).when(notify(50)).run())
    assert kinds(events) == [ResolutionNotified, ClockStopped, ClockStopped, CaseClosed]
    assert events[2] == ClockStopped(clock="preliminary_report", stopped_at=after(50), late=True, met=False)
    assert events[3] == CaseClosed(ground="denied")
    given(*denied, *events).when(notify()).then()


def test_a_later_denial_does_not_close_a_case_with_granted_measures() -> None:
    """What protects somebody stays in somebody's care."""
    events = NOTIFIED
    for command in (evaluate(60, number=2), resolve(70, granted=False, number=2, reasons="no more needed"), notify(75)):
        events = (*events, *domain.decide(domain.fold(events), command))
    assert domain.fold(events).stage is domain.Stage.NOTIFIED


def test_a_notice_needs_a_resolution() -> None:
    """And is recorded once."""
    given(*EVALUATED).when(notify()).refused("wrong-stage")
    given(*NOTIFIED).when(notify()).then()


# Silence


@pytest.mark.parametrize("rung", [50, 75, 100, 150])
def test_each_rung_of_silence_is_recorded_once(rung: int) -> None:
    """A timer may fire again after a restart; nobody is escalated twice for one silence."""
    noted = SilenceNoted(
        clock="resolution", rung=rung, due=after(90), told=PACK.clock("resolution", track="ordinary").told(rung)
    )
    silence = domain.NoteSilence(at=after(90 * rung / 100), clock="resolution", rung=rung)
    given(*OPENED).when(silence).then(noted)
    given(*OPENED, noted).when(silence).then()


def test_no_silence_is_noted_before_its_instant() -> None:
    """A timer that fires early wakes nobody."""
    given(*OPENED).when(domain.NoteSilence(at=after(44.999), clock="resolution", rung=50)).then()


def test_no_silence_is_noted_once_the_clock_stopped() -> None:
    """An answer ends the silence, also for rungs that were due before it."""
    reported = past(open_case(), report(40))
    given(*reported).when(domain.NoteSilence(at=after(41), clock="preliminary_report", rung=50)).then()
    given(*WITHDRAWN).when(domain.NoteSilence(at=after(200), clock="resolution", rung=100)).then()


@pytest.mark.parametrize(("clock", "rung"), [("resolution", 60), ("lunch", 50)])
def test_no_silence_is_noted_of_what_the_pack_does_not_have(clock: str, rung: int) -> None:
    """Neither rung nor clock is made up."""
    given(*OPENED).when(domain.NoteSilence(at=after(900), clock=clock, rung=rung)).then()


# Withdrawal and closing


def test_a_withdrawal_ends_every_clock_and_the_case() -> None:
    """None of the duties counts as done."""
    events = tuple(given(*OPENED).when(domain.Withdraw(at=after(5))).run())
    assert kinds(events) == [CaseWithdrawn, ClockStopped, ClockStopped, ClockStopped, CaseClosed]
    assert not any(event.met or event.late for event in events if isinstance(event, ClockStopped))
    given(*WITHDRAWN).when(domain.Withdraw(at=after(6))).then()


@pytest.mark.parametrize("command", [report(), evaluate(), add_measure()], ids=lambda command: type(command).__name__)
def test_nothing_is_done_in_a_closed_case(command: domain.Command) -> None:
    """Whoever acts learns that it is closed."""
    given(*WITHDRAWN).when(command).refused("case-closed")


def test_a_case_closes_once_its_measures_have_ended() -> None:
    """As long as one protects somebody, somebody watches it."""
    given(*NOTIFIED).when(domain.CloseCase(at=after(99), unfinished=(MEASURE,))).refused("case-unfinished")
    given(*RESOLVED).when(domain.CloseCase(at=after(99), unfinished=())).refused("case-unfinished")
    given(*NOTIFIED).when(domain.CloseCase(at=after(99), unfinished=())).then(CaseClosed(ground="ceased"))
    given(*WITHDRAWN).when(domain.CloseCase(at=after(99), unfinished=())).then()


def test_the_table_reaches_every_stage() -> None:
    """No stage is a dead word."""
    assert set(case_module.NEXT.values()) | {domain.Stage.UNOPENED} == set(domain.Stage)
