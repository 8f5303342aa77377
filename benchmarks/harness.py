"""Owns the arithmetic: quantiles, ratios within a round, medians over rounds, and the order in which forms take turns.

Rates and times of a shared machine drift by tens of per cent within minutes. So nothing is compared with another run:
in every round each form has its turn, right after the other, and the figure is the median of the rounds' ratios.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, TypeVar

T = TypeVar("T")


class Verdict(StrEnum):
    """How a figure stands to its goal."""

    AIM = "aim reached"
    MET = "met"
    MISSED = "missed"
    NONE = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """What a figure should be. ``at_most``: smaller is better. ``aim`` is what is hoped for beyond the goal."""

    goal: float
    at_most: bool
    aim: float | None = None

    def verdict(self, value: float) -> Verdict:
        """Whether the value is as good as the aim, as the goal, or neither."""
        if self.aim is not None and self._reaches(value, self.aim):
            return Verdict.AIM
        if self._reaches(value, self.goal):
            return Verdict.AIM if self.aim is None else Verdict.MET
        return Verdict.MISSED

    def _reaches(self, value: float, mark: float) -> bool:
        return value <= mark if self.at_most else value >= mark


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One line of the table: a value, what it was made of, and what it should be.

    ``value`` is the median over rounds, ``lowest`` and ``highest`` are single rounds. ``ours`` and ``other`` are the
    medians of what a ratio compares, in ``unit``; of a figure that is no ratio, ``other`` is ``None``.
    """

    group: str
    name: str
    value: float
    lowest: float
    highest: float
    rounds: int
    is_ratio: bool
    unit: str
    ours: float
    other: float | None = None
    target: Target | None = None

    @property
    def verdict(self) -> Verdict:
        """How it stands to its target."""
        return self.target.verdict(self.value) if self.target else Verdict.NONE

    def to_json(self) -> dict[str, Any]:
        """Plain members, the verdict among them."""
        return {**asdict(self), "verdict": self.verdict.value}

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> "Figure":
        """Reads `to_json`'s form; the verdict is judged anew."""
        given = {name: value for name, value in members.items() if name != "verdict"}
        target = Target(**given.pop("target")) if given.get("target") else None
        return cls(**{**given, "target": target})


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest value that at least the share ``q`` of the values does not exceed (nearest rank), 0 < q ≤ 1.

    Raises ``ValueError`` for no values or another ``q``.
    """
    if not values or not 0 < q <= 1:
        raise ValueError("a quantile needs values, and a share above 0 and at most 1")
    ordered = sorted(values)
    rank = math.ceil(round(len(ordered) * q, 9))  # the product of 100 and 0.07 is a little more than 7
    return ordered[rank - 1]


def turns(forms: Sequence[T], *, rounds: int) -> Iterator[tuple[int, T]]:
    """(round, form): every form once in each round, the first one changing from round to round.

    So no form is always the one that comes after another one's dirty pages.
    """
    for number in range(rounds):
        shift = number % len(forms)
        for form in (*forms[shift:], *forms[:shift]):
            yield number, form


def ratio(
    ours: Sequence[float], other: Sequence[float], *, group: str, name: str, unit: str, target: Target | None = None
) -> Figure:
    """The median over rounds of ours by the other's. Raises ``ValueError`` where the rounds are not pairs."""
    if not ours or len(ours) != len(other):
        raise ValueError("a ratio needs both forms of every round")
    ratios = [mine / its for mine, its in zip(ours, other, strict=True)]
    return Figure(
        group=group,
        name=name,
        value=statistics.median(ratios),
        lowest=min(ratios),
        highest=max(ratios),
        rounds=len(ratios),
        is_ratio=True,
        unit=unit,
        ours=statistics.median(ours),
        other=statistics.median(other),
        target=target,
    )


def plain(values: Sequence[float], *, group: str, name: str, unit: str, target: Target | None = None) -> Figure:
    """The median over rounds of a value that is compared with nothing."""
    middle = statistics.median(values)
    return Figure(
        group=group,
        name=name,
        value=middle,
        lowest=min(values),
        highest=max(values),
        rounds=len(values),
        is_ratio=False,
        unit=unit,
        ours=middle,
        target=target,
    )
