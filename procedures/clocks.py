"""The clock engine: when a duty is due, the instant of each rung, and why. Pure.

A due instant is computed once, when the clock starts, and recorded with the pack's version; it is never silently
computed anew.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from procedures.rules import EXACT, Clock, Limit, Unit


class CalendarNeeded(ValueError):
    """The limit is in business days, and no calendar was given to count them by."""


class Step(StrEnum):
    """What a line of an explanation says."""

    STARTS = "starts"
    ADDS = "adds"
    DUE = "due"


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line of the explanation of a due instant, structured so that any page can render it in any language.

    ``at`` is the instant reached by this line; ``amount`` and ``unit`` are what it adds, where it adds something;
    ``basis`` is its article.
    """

    step: Step
    at: datetime
    amount: int = 0
    unit: str = ""
    basis: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadline:
    """A computed deadline: ``due``, the ``explanation`` that leads to it line by line, and the ``rungs`` as (per cent,
    instant) in order."""

    clock: str
    start: datetime
    due: datetime
    explanation: tuple[Line, ...]
    rungs: tuple[tuple[int, datetime], ...]


Counting = Callable[[Clock, datetime, int], datetime]
"""Where a share of a limit ends: (clock, start, per cent of its limit) → instant. A calendar's way of counting
business days has this type."""


def due(clock: Clock, start: datetime, *, counting: Counting | None = None) -> Deadline:
    """The deadline of ``clock`` started at ``start`` (aware; given back in UTC).

    Seconds, hours and calendar days are exact durations (a calendar day is 24 hours). A limit in business days is
    counted by ``counting``; without one it raises `CalendarNeeded`. Raises ``ValueError`` for a naive ``start``.
    """
    if start.tzinfo is None:
        raise ValueError("the start of a clock needs its time zone")
    start = start.astimezone(UTC)
    ends = _exact if clock.limit.unit in EXACT else counting
    if ends is None:
        office = clock.calendar or "the office that must act"
        raise CalendarNeeded(f"{clock.name} is limited in {clock.limit.unit}: give the calendar of {office}")
    end = ends(clock, start, 100)
    return Deadline(
        clock=clock.name,
        start=start,
        due=end,
        explanation=(
            Line(step=Step.STARTS, at=start),
            Line(step=Step.ADDS, at=end, amount=clock.limit.amount, unit=clock.limit.unit, basis=clock.basis),
            Line(step=Step.DUE, at=end),
        ),
        rungs=tuple((rung.percent, ends(clock, start, rung.percent)) for rung in clock.rungs),
    )


def duration(limit: Limit) -> timedelta:
    """The length of an exact limit, scaled. Raises `CalendarNeeded` for business days, which have none."""
    if limit.unit is Unit.BUSINESS_DAYS:
        raise CalendarNeeded("business days have no length without a calendar")
    return EXACT[limit.unit] * limit.amount * limit.scale


def _exact(clock: Clock, start: datetime, percent: int) -> datetime:
    return start + duration(clock.limit) * percent / 100
