"""Whatever agencies, coordinators and timers do, in whatever order: the rules of a referral hold."""

from datetime import timedelta
from functools import reduce

from hypothesis import given
from hypothesis import strategies as st

from eventlog.decider import Refused
from services.referral.domain import (
    ANSWER,
    NEXT,
    Accept,
    Acknowledge,
    Answer,
    Command,
    Event,
    NoteSilence,
    Recall,
    RecallGround,
    Referral,
    ReferralAcknowledged,
    ReferralAnswered,
    ReferralRecalled,
    ReferralRejected,
    Reject,
    RejectionGround,
    SilenceNoted,
    Stage,
    decide,
    evolve,
)
from tests.services.referral.invented import MONDAY, POLICE, PROSECUTOR, send

_AGENCY = st.sampled_from([POLICE, POLICE, POLICE, PROSECUTOR])
_NOW = st.integers(0, 10 * 24).map(lambda hours: MONDAY + timedelta(hours=hours))
_BASIS = st.sampled_from(["", "Ley 30714 G-39"])
_COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(send),
    st.builds(Acknowledge, agency=_AGENCY, now=_NOW, at=st.none() | _NOW),
    st.builds(Accept, agency=_AGENCY, now=_NOW, at=st.none() | _NOW),
    st.builds(Reject, agency=_AGENCY, now=_NOW, ground=st.sampled_from(RejectionGround), legal_basis=_BASIS),
    st.builds(Answer, agency=_AGENCY, now=_NOW, done=st.booleans()),
    st.builds(Recall, ground=st.sampled_from(RecallGround)),
    st.builds(
        NoteSilence,
        clock=st.sampled_from(["acknowledge", "answer"]),
        rung=st.sampled_from([50, 75, 100, 150]),
        reached=st.just(MONDAY),
        told=st.just(("coordinator",)),
        now=_NOW,
    ),
)


def lived(commands: list[Command]) -> list[Event]:
    """The stream that a sequence of commands leaves; refusals leave nothing."""
    state, stream = Referral(), []
    for command in commands:
        try:
            events = decide(state, command)
        except Refused:
            continue
        state = reduce(evolve, events, state)
        stream += events
    return stream


@given(st.lists(_COMMANDS, max_size=25))
def test_every_step_of_every_stream_stands_in_the_table(commands: list[Command]) -> None:
    """`NEXT` is the whole truth about what may follow what."""
    stage = Stage.UNSENT
    for event in lived(commands):
        assert (stage, type(event)) in NEXT
        stage = NEXT[stage, type(event)]


@given(st.lists(_COMMANDS, max_size=25))
def test_each_rung_is_recorded_at_most_once_and_never_after_its_clock_stopped(commands: list[Command]) -> None:
    """Silence never follows an answer, a rejection or a recall, nor a rung itself."""
    seen: set[tuple[str, int]] = set()
    stopped: set[str] = set()
    for event in lived(commands):
        if isinstance(event, SilenceNoted):
            assert event.clock not in stopped
            assert (event.clock, event.rung) not in seen
            seen.add((event.clock, event.rung))
        elif isinstance(event, ReferralAcknowledged):
            stopped.add("acknowledge")
        elif isinstance(event, ReferralAnswered | ReferralRejected | ReferralRecalled):
            stopped |= {"acknowledge", ANSWER}


@given(st.lists(_COMMANDS, max_size=25))
def test_only_the_addressee_leaves_a_trace_of_acts(commands: list[Command]) -> None:
    """The same sequence without the stranger's commands leaves the same stream."""
    without = [command for command in commands if getattr(command, "agency", POLICE) == POLICE]
    assert lived(commands) == lived(without)


@given(st.lists(_COMMANDS, max_size=15), _COMMANDS)
def test_a_command_given_twice_changes_nothing_the_second_time(commands: list[Command], command: Command) -> None:
    """Duplicates are the daily bread of bad lines: the second copy is quiet or refused, never a second event."""
    assert lived([*commands, command, command]) == lived([*commands, command])


@given(st.lists(_COMMANDS, max_size=25))
def test_an_acknowledgement_comes_before_any_other_act_of_the_agency(commands: list[Command]) -> None:
    """Whoever answered has received, and the record says so."""
    acts = [e for e in lived(commands) if not isinstance(e, SilenceNoted | ReferralRecalled)]
    assert len(acts) < 2 or isinstance(acts[1], ReferralAcknowledged)
