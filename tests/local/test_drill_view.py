"""What the drill shows, for whoever sees the system for the first time."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console

from local.drill_view import HELD_S, CaseView, Feed, print_response_times

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
NARROW = 80


def speed(*, late: int = 0, waiting: tuple[int, ...] = ()) -> dict[str, Any]:
    """One obligation's figures, as the timeline answers them; ``waiting`` are the records of overdue sendings."""
    now = {"n": len(waiting), "records": {"pe.referral": list(waiting)} if waiting else {}}
    overdue = {"service_target": {"now": now, "late": {"n": late, "records": {}}}}
    return {"median_ms": 11_234, "slowest_ms": 123_400, "overdue": overdue}


def table(*figures: dict[str, Any]) -> list[str]:
    """The lines of the table, on a narrow terminal."""
    said = io.StringIO()
    name = "Defensoría del Pueblo - Oficina Defensorial de Ucayali"
    counts: dict[str, Any] = {name: {"n": 120} for name in ("referrals", "acknowledged", "answered")}
    items = [{"agency": "dp-ucayali", "name": name, "figures": counts | each} for each in figures]
    print_response_times({"items": items}, Console(file=said, width=NARROW))
    return said.getvalue().splitlines()


def test_the_table_fits_a_narrow_terminal() -> None:
    """Every figure can be read, and nothing is cut off; the agency's id stands beside its name."""
    lines = table({"to_acknowledge": speed(late=10), "to_answer": speed(waiting=(4,))})
    assert lines[:2] == ["", "How fast each agency answered"]
    assert [line for line in lines if len(line) > NARROW or "…" in line or line != line.rstrip()] == []
    assert lines[-2] == "dp-ucayali  Defensoría del Pueblo - Oficina Defensorial de Ucayali"
    figures = ["120", "120", "120", "1", "11.2 s", "123.4 s", "10", "11.2 s", "123.4 s", "0"]
    assert lines[-1].split() == " ".join(figures).split()


def test_a_referral_is_overdue_once() -> None:
    """One that was neither acknowledged nor answered waits beyond two limits and is one referral."""
    (*_, line) = table({"to_acknowledge": speed(waiting=(4,)), "to_answer": speed(waiting=(4, 9))})
    assert line.split()[3] == "2"


def test_late_and_overdue_are_told_apart() -> None:
    """What was answered late waits no more."""
    (*_, line) = table({"to_acknowledge": speed(late=1), "to_answer": speed(late=1)})
    assert line.split()[3] == "0"


def test_lines_come_in_the_order_in_which_they_were_recorded() -> None:
    """Whichever case's timeline was read first: who compares two cases is not misled."""
    said, elapsed = io.StringIO(), 0.0
    feed = Feed(Console(file=said), clock=lambda: elapsed)
    feed.add(NOON + timedelta(seconds=2), "third")
    feed.add(NOON, "first")
    feed.release()
    assert said.getvalue() == ""
    elapsed = HELD_S / 2
    feed.add(NOON + timedelta(seconds=1), "second")
    elapsed = HELD_S
    feed.release()
    assert said.getvalue().split() == ["first"]
    feed.release(everything=True)
    assert said.getvalue().split() == ["first", "second", "third"]


async def test_what_is_held_is_shown_when_the_drill_fails() -> None:
    """The last lines before a fault are those that matter."""
    said = io.StringIO()
    feed = Feed(Console(file=said))
    try:
        async with feed.printing():
            feed.add(NOON, "last")
            raise TimeoutError
    except TimeoutError:
        pass
    assert said.getvalue().split() == ["last"]


async def test_a_line_says_late_beside_the_time_and_not_of_the_asking() -> None:
    """'After it was asked late' blamed the one who asked."""
    said = io.StringIO()
    feed = Feed(Console(file=said, width=NARROW))
    entry = {
        "id": "pe.referral:1",
        "kind": "referral.answered",
        "recorded_at": NOON.isoformat(),
        "actor": {"unit": "mp-fema-ucayali", "role": "prosecutor"},
        "agency": "mp-fema-ucayali",
        "details": {},
        "after_ms": 23_000,
        "since": "referral",
        "limit": {"late": True},
    }
    view = CaseView(case_id="c", title="river", feed=feed)
    view._show(entry)
    feed.release(everything=True)
    assert said.getvalue().endswith(" late     23.0 s after asking\n")
