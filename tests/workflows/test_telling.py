"""What a workflow makes of signals that come twice, late, or in disorder."""

from datetime import UTC, datetime, timedelta

from amparo.activities.v1.activities_pb2 import Clock, Happened, Rung
from eventlog.codec import timestamp
from workflows.clockwork import Telling, next_rung
from workflows.ids import TOLD, WORKFLOW_OF, workflow_told

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def happened(version: int, stream: str = "request/7d") -> Happened:
    return Happened(source="pe.intake", stream=stream, version=version, type="amparo.intake.v1.ConsentGiven")


def test_news_wakes_and_an_answer_that_holds_it_settles_it() -> None:
    """A consent that was told of is asked for once."""
    telling = Telling()
    telling.tell(happened(2))
    assert telling
    assert telling.news_of("request")
    telling.take("request")
    telling.knows("request/7d", 2)
    assert not telling


def test_a_copy_of_what_is_known_wakes_nobody() -> None:
    """The bridge tells at least once: a second copy costs no question."""
    telling = Telling()
    telling.knows("request/7d", 3)
    telling.tell(happened(3))
    telling.tell(happened(2))
    assert not telling


def test_news_that_comes_while_the_question_is_under_way_is_kept() -> None:
    """What is recorded after the answer was folded must be asked for again."""
    telling = Telling()
    telling.tell(happened(2))
    telling.take("request")
    telling.tell(happened(3))
    telling.knows("request/7d", 2)
    assert telling.news_of("request")


def test_the_earliest_rung_of_all_clocks_comes_first() -> None:
    """The nearest silence is noted first, whatever the order of the clocks."""

    def clock(name: str, *minutes: int) -> Clock:
        rungs = [Rung(percent=50 + n, at=timestamp(NOON + timedelta(minutes=m))) for n, m in enumerate(minutes)]
        return Clock(name=name, rungs=rungs)

    clocks = [clock("answer", 10, 20), clock("acknowledge", 3, 6)]
    assert next_rung(clocks) == ("acknowledge", 50, NOON + timedelta(minutes=3))
    assert next_rung([clock("answer")]) is None


def test_an_event_of_a_stream_without_clocks_is_told_to_its_case() -> None:
    """A consent concerns the case that waits for it."""
    told = workflow_told(event_type="amparo.intake.v1.ConsentGiven", stream="request/7d", case_id="7d")
    assert told == "case/7d"


def test_nobody_is_told_of_what_moves_no_clock() -> None:
    """Each telling costs history: a recorded silence is known to the workflow that had it recorded."""
    assert workflow_told(event_type="amparo.referral.v1.SilenceNoted", stream="referral/1", case_id="7d") is None


def test_every_stream_that_is_told_itself_has_a_workflow() -> None:
    """A name in the table without a workflow would stop the bridge."""
    own = {name.split(".")[1] for name, whose in TOLD.items() if whose == "own stream"}
    assert own <= {"protection", "referral"}
    assert set(WORKFLOW_OF) == {"case", "referral"}
