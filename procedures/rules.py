"""What a rule pack says, typed: tracks, stages, clocks with their rungs, purposes of referrals, measures and the risk
method. Pure.

`procedures.packs` reads these values from YAML and checks them; nobody else makes them, except tests.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Status(StrEnum):
    """How far a pack may be relied on: checked against the law, read but not checked, or an exercise."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    DRILL = "drill"


class Unit(StrEnum):
    """What a limit is counted in."""

    SECONDS = "seconds"
    HOURS = "hours"
    CALENDAR_DAYS = "calendar_days"
    BUSINESS_DAYS = "business_days"


EXACT: dict[Unit, timedelta] = {
    Unit.SECONDS: timedelta(seconds=1),
    Unit.HOURS: timedelta(hours=1),
    Unit.CALENDAR_DAYS: timedelta(days=1),
}
"""The units that are durations. Business days are none: they need a calendar."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limit:
    """How long a clock runs. ``scale`` shortens or stretches limits of exercises; it is 1 in a pack of law."""

    amount: int
    unit: Unit
    scale: float = 1.0


class ClockKind(StrEnum):
    """Where a limit comes from: a legal text, or the mechanism's own stricter promise. Figures of the two never mix."""

    STATUTORY = "statutory"
    SERVICE_TARGET = "service_target"


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """A step of escalation: at ``percent`` of the limit these roles are told that nobody has acted yet."""

    percent: int
    told: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Clock:
    """One duty with its limit.

    ``starts_on`` and ``stops_on`` name events. ``duty`` is the role that must act. ``calendar`` names the office whose
    calendar counts (an UBIGEO or ISO 3166-2 prefix), empty where the limit is an exact duration. ``track`` or
    ``purpose`` say where the clock belongs; empty means every track, or no referral.
    """

    name: str
    starts_on: str
    stops_on: tuple[str, ...]
    limit: Limit
    duty: str
    kind: ClockKind
    basis: str
    rungs: tuple[Rung, ...]
    track: str = ""
    purpose: str = ""
    calendar: str = ""

    def told(self, percent: int) -> tuple[str, ...]:
        """The roles told at a rung. Raises ``KeyError`` for a rung that the pack does not have."""
        for rung in self.rungs:
            if rung.percent == percent:
                return rung.told
        raise KeyError(percent)


@dataclass(frozen=True, kw_only=True, slots=True)
class Track:
    """A speed of the procedure. ``imminent`` marks the one that a case takes when danger cannot wait."""

    name: str
    imminent: bool
    basis: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Purpose:
    """What a referral asks an agency for. ``at_filing`` are the kinds of agency that are asked for it as soon as a
    request is filed; ``needs``, the classes of data without which it cannot be done: no other is disclosed for it."""

    name: str
    needs: tuple[str, ...]
    at_filing: tuple[str, ...]
    basis: str
    clocks: tuple[Clock, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureRule:
    """A measure of protection: its family, which kind of agency carries it out, whether the police give an opinion
    before it is granted."""

    name: str
    family: str
    implementer: str
    urgent: bool
    prior_police_opinion: bool
    basis: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RiskRule:
    """The risk method of a pack and the variables that an evaluation has to score.

    ``variables`` are (axis, name). ``thresholds`` are (level, least value at which it is proposed), from low to high,
    as the method counts.
    """

    method: str
    version: str
    variables: tuple[tuple[str, str], ...]
    thresholds: tuple[tuple[str, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pack:
    """One rule pack in one version. A case keeps the pack and version of its filing date.

    ``version`` names the scale where it is not 1 (``1x0.2``), so that whoever holds pack and version computes the same
    instants again.
    """

    id: str
    version: str
    status: Status
    title: str
    tracks: tuple[Track, ...]
    stages: tuple[str, ...]
    clocks: tuple[Clock, ...]
    purposes: tuple[Purpose, ...]
    measures: tuple[MeasureRule, ...]
    risk: RiskRule

    def track_for(self, *, imminent: bool) -> str:
        """The name of the track that a new case takes."""
        return next(track.name for track in self.tracks if track.imminent is imminent)

    def case_clocks(self, track: str) -> tuple[Clock, ...]:
        """The clocks of a case on ``track``. A clock declared for the track stands before one of the same name
        declared for all."""
        own = {clock.name: clock for clock in self.clocks if clock.track == track}
        return tuple(own.get(clock.name, clock) for clock in self.clocks if clock.track == "") + tuple(
            clock for clock in own.values() if not any(c.name == clock.name and c.track == "" for c in self.clocks)
        )

    def purpose_for(self, kind: str) -> str | None:
        """What an agency of this kind (``police``) is asked for when a request is filed; ``None`` where it is asked
        for nothing then."""
        return next((purpose.name for purpose in self.purposes if kind in purpose.at_filing), None)

    def purpose(self, name: str) -> Purpose:
        """A purpose by name. Raises ``KeyError`` where the pack has none."""
        for purpose in self.purposes:
            if purpose.name == name:
                return purpose
        raise KeyError(name)

    def clock(self, name: str, *, purpose: str = "", track: str = "") -> Clock:
        """A clock by name: of a referral with that purpose, or of a case on that track. Raises ``KeyError`` where the
        pack has none."""
        for clock in self.purpose(purpose).clocks if purpose else self.case_clocks(track):
            if clock.name == name:
                return clock
        raise KeyError(name)

    def measure(self, name: str) -> MeasureRule:
        """A measure by name. Raises ``KeyError`` where the pack has none."""
        for measure in self.measures:
            if measure.name == name:
                return measure
        raise KeyError(name)
