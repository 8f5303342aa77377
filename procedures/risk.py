"""Risk methods: from scored variables to a proposed level, with what led to it. Pure. The method proposes; a named
person decides.

`threat_vulnerability_capacity`, after Front Line Defenders and Protection International: threat × vulnerability ÷
capacity. Each method has a version, recorded with every evaluation, and never changes under it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from procedures.rules import RiskRule


class Axis(StrEnum):
    """The side of the risk that a variable speaks to."""

    THREAT = "threat"
    VULNERABILITY = "vulnerability"
    CAPACITY = "capacity"


class Score(StrEnum):
    """What is known of a variable. ``UNKNOWN`` is no low score: it says that nobody could find out."""

    UNKNOWN = "unknown"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Level(StrEnum):
    """Levels of risk, from low to high as they are declared."""

    ORDINARY = "ordinary"
    EXTRAORDINARY = "extraordinary"
    EXTREME = "extreme"

    @property
    def rank(self) -> int:
        return list(Level).index(self)


class NotScored(ValueError):
    """Variables of the method that are missing, given twice, or not the method's. The text names them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scored:
    """One variable with its score."""

    axis: Axis
    name: str
    score: Score


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """What a method proposes.

    ``value`` is the number it came to, ``axes`` the number of each axis, ``unknown`` the variables nobody could score.
    ``urgent`` asks for the shorter track: the danger is imminent, or something is unknown that could be grave.
    """

    method: str
    version: str
    level: Level
    urgent: bool
    imminent: bool
    value: Fraction
    axes: tuple[tuple[Axis, Fraction], ...]
    unknown: tuple[str, ...]


Method = Callable[[RiskRule, Iterable[Scored], bool], Proposal]

WEIGHT: Mapping[Score, int] = {Score.LOW: 1, Score.MEDIUM: 2, Score.HIGH: 3, Score.UNKNOWN: 2}
"""Threat and vulnerability: what is unknown counts as medium, so that missing evidence never lowers a risk."""

STRENGTH: Mapping[Score, int] = {Score.LOW: 1, Score.MEDIUM: 2, Score.HIGH: 3, Score.UNKNOWN: 1}
"""Capacity lowers a risk, so what is unknown counts as none."""


def propose(rule: RiskRule, scored: Iterable[Scored], *, imminent: bool) -> Proposal:
    """The level that the pack's method proposes. Raises `NotScored` unless each variable of the method is scored
    exactly once."""
    scored = tuple(scored)
    given = [(variable.axis.value, variable.name) for variable in scored]
    faults = (
        [f"{axis} {name} is missing" for axis, name in rule.variables if (axis, name) not in given]
        + [
            f"{axis} {name} is no variable of {rule.method}"
            for axis, name in given
            if (axis, name) not in rule.variables
        ]
        + sorted({f"{axis} {name} is scored twice" for axis, name in given if given.count((axis, name)) > 1})
    )
    if faults:
        raise NotScored("; ".join(faults))
    return METHODS[rule.method, rule.version](rule, scored, imminent)


def threat_vulnerability_capacity(rule: RiskRule, scored: Iterable[Scored], imminent: bool) -> Proposal:
    """The gravest threat × the gravest vulnerability ÷ the mean capacity, from 1/3 to 9. Imminent danger is extreme
    whatever the number."""
    scored = tuple(scored)
    threat, vulnerability = (
        Fraction(max(WEIGHT[variable.score] for variable in scored if variable.axis is axis))
        for axis in (Axis.THREAT, Axis.VULNERABILITY)
    )
    strengths = [STRENGTH[variable.score] for variable in scored if variable.axis is Axis.CAPACITY]
    capacity = Fraction(sum(strengths), len(strengths))
    value = threat * vulnerability / capacity
    level = Level.ORDINARY
    for name, least in rule.thresholds:
        if value >= least:
            level = Level(name)
    unknown = tuple(variable.name for variable in scored if variable.score is Score.UNKNOWN)
    return Proposal(
        method=rule.method,
        version=rule.version,
        level=Level.EXTREME if imminent else level,
        urgent=imminent or bool(unknown),
        imminent=imminent,
        value=value,
        axes=((Axis.THREAT, threat), (Axis.VULNERABILITY, vulnerability), (Axis.CAPACITY, capacity)),
        unknown=unknown,
    )


METHODS: Mapping[tuple[str, str], Method] = {("threat_vulnerability_capacity", "1"): threat_vulnerability_capacity}
"""Every method that a pack may name, by name and version."""
