"""The clock engine: exact limits, rungs, explanations, and the refusal to guess at business days."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procedures.clocks import CalendarNeeded, Step, due
from procedures.rules import Clock, ClockKind, Limit, Rung, Unit

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANSWER = Clock(
    name="answer",
    starts_on="ReferralSent",
    stops_on=("ReferralAnswered",),
    limit=Limit(amount=72, unit=Unit.HOURS),
    duty="police",
    kind=ClockKind.STATUTORY,
    basis="art. 27",
    rungs=tuple(Rung(percent=percent, told=("coordinator",)) for percent in (50, 75, 100, 150)),
)

instants = st.datetimes(min_value=datetime(2020, 1, 1), max_value=datetime(2060, 1, 1), timezones=st.just(UTC))
exact = st.builds(
    Limit,
    amount=st.integers(1, 4000),
    unit=st.sampled_from([Unit.SECONDS, Unit.HOURS, Unit.CALENDAR_DAYS]),
    scale=st.sampled_from([1.0, 0.1, 2.5]),
)


@pytest.mark.parametrize(
    ("amount", "unit", "lasts"),
    [
        (6, Unit.SECONDS, timedelta(seconds=6)),
        (72, Unit.HOURS, timedelta(hours=72)),
        (5, Unit.CALENDAR_DAYS, timedelta(days=5)),
    ],
)
def test_an_exact_limit_is_a_duration(amount: int, unit: Unit, lasts: timedelta) -> None:
    """Seconds, hours and calendar days need no calendar."""
    assert due(replace(ANSWER, limit=Limit(amount=amount, unit=unit)), NOON).due == NOON + lasts


def test_rungs_are_shares_of_the_limit() -> None:
    """The last rung comes after the due instant: a long silence has a step of its own."""
    assert due(ANSWER, NOON).rungs == (
        (50, NOON + timedelta(hours=36)),
        (75, NOON + timedelta(hours=54)),
        (100, NOON + timedelta(hours=72)),
        (150, NOON + timedelta(hours=108)),
    )


def test_an_explanation_ends_at_the_due_instant_and_names_the_article() -> None:
    """Whoever reads a deadline can see what it rests on."""
    deadline = due(ANSWER, NOON)
    assert [line.step for line in deadline.explanation] == [Step.STARTS, Step.ADDS, Step.DUE]
    assert deadline.explanation[1].basis == "art. 27"
    assert deadline.explanation[-1].at == deadline.due


def test_business_days_are_refused_without_a_calendar() -> None:
    """A guess at a holiday could make a late agency look punctual."""
    limited = replace(ANSWER, limit=Limit(amount=30, unit=Unit.BUSINESS_DAYS), calendar="PE-LMA")
    with pytest.raises(CalendarNeeded, match="answer is limited in business_days: give the calendar of PE-LMA"):
        due(limited, NOON)


def test_business_days_are_counted_by_the_calendar_given() -> None:
    """The calendar's own way of counting gives the due instant and every rung."""

    def twice_as_long(clock: Clock, start: datetime, percent: int) -> datetime:
        return start + timedelta(days=2) * clock.limit.amount * percent / 100

    limited = replace(ANSWER, limit=Limit(amount=10, unit=Unit.BUSINESS_DAYS))
    deadline = due(limited, NOON, counting=twice_as_long)
    assert deadline.due == NOON + timedelta(days=20)
    assert deadline.rungs[0] == (50, NOON + timedelta(days=10))


def test_a_start_without_a_time_zone_is_refused() -> None:
    """Five hours lie between Lima and UTC: a naive instant is a different day."""
    with pytest.raises(ValueError, match="time zone"):
        due(ANSWER, datetime(2026, 3, 2, 12))


def test_a_deadline_is_given_in_utc() -> None:
    """The same instant told in Lima's time has the same deadline."""
    lima = NOON.astimezone(timezone(timedelta(hours=-5)))
    assert due(ANSWER, lima) == due(ANSWER, NOON)
    assert due(ANSWER, lima).due.tzinfo is UTC


@given(limit=exact, start=instants, later=st.timedeltas(min_value=timedelta(), max_value=timedelta(days=400)))
def test_who_starts_later_is_due_later(limit: Limit, start: datetime, later: timedelta) -> None:
    """Monotone in its start, by exactly the difference."""
    clock = replace(ANSWER, limit=limit)
    assert due(clock, start + later).due - due(clock, start).due == later


@given(limit=exact, start=instants)
def test_rungs_rise_and_the_hundredth_is_the_due_instant(limit: Limit, start: datetime) -> None:
    """No rung comes before the start, and one is the deadline itself."""
    deadline = due(replace(ANSWER, limit=limit), start)
    at = [instant for _, instant in deadline.rungs]
    assert at == sorted(at)
    assert at[0] > start
    assert dict(deadline.rungs)[100] == deadline.due
