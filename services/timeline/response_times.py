"""How fast an agency answers: the definitions, and the figures made by them. Pure.

Definitions, version 1. The clock of a referral starts when its sending is recorded and stops when the agency's act is
recorded: the receipt's instant, never the claimed one. *Acknowledged* is the agency's first act, whatever it is
(acknowledged, accepted, rejected, answered). *Answered* is the answer. A rejection and a recall end the wait for an
answer without one, a recall also the wait for the first act: from then on nothing is overdue, and the time so far is
censored there. A referral that is open at ``as_of`` is censored at ``as_of``. A wait that ended after its limit is
*late* whatever ended it: neither a rejection nor a recall makes a silence undone.

Figures from closed referrals only mislead, because the slow ones are still open; so each stands beside its Kaplan–Meier
estimate, which takes the open ones as "at least this long". Its interval is log-log (Greenwood's variance), and none is
given for fewer referrals than a distribution-free interval would need.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from statistics import median

DEFINITION = "response-times/1"
Z95 = 1.959963984540054
LEAST_FOR_INTERVAL = {0.5: 6, 0.9: 36}
TOLERANCE = 1e-9
"""A product of fractions that should reach exactly one half may miss it by rounding."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Milestone:
    """One recorded act on a referral: ``at`` as recorded, ``claimed`` as its actor says, the ``index`` of its record in
    the referral's source.

    ``late`` is what the record states, ``None`` where it states nothing.
    """

    at: datetime
    claimed: datetime
    index: int
    late: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Wait:
    """How long one obligation has run: ``ms`` until it was met or ended, or until ``as_of`` where it still runs.
    ``by`` is the act that ended it.
    """

    ms: int
    met: bool
    running: bool
    late: bool
    by: Milestone | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Times:
    """The recorded instants of one referral, and when what was due. A milestone not reached is ``None``."""

    source: str
    referral_id: str
    case_id: str
    agency: str
    purpose: str
    round: int
    pack: str
    sent: Milestone
    acknowledge_due: datetime | None
    acknowledge_kind: str
    answer_due: datetime | None
    answer_kind: str
    acknowledged: Milestone | None
    accepted: Milestone | None
    rejected: Milestone | None
    answered: Milestone | None
    recalled: Milestone | None

    def at(self, as_of: datetime) -> "Times":
        """The referral as it stood at ``as_of``, when it must have been sent: what was recorded later is forgotten."""
        later = {name: None for name in ACTS if (act := getattr(self, name)) is not None and act.at > as_of}
        return replace(self, **later) if later else self  # type: ignore[arg-type]

    def acknowledging(self, as_of: datetime) -> Wait:
        """The wait for the agency's first act."""
        met = _first(self.acknowledged, self.accepted, self.rejected, self.answered)
        stated = self.acknowledged  # what the other acts call late is the answer
        return _wait(self.sent, met=met, ended=self.recalled, stated=stated, due=self.acknowledge_due, as_of=as_of)

    def answering(self, as_of: datetime) -> Wait:
        """The wait for the answer."""
        ended = _first(self.rejected, self.recalled)
        stated = _first(self.answered, self.rejected)
        return _wait(self.sent, met=self.answered, ended=ended, stated=stated, due=self.answer_due, as_of=as_of)


ACTS = ("acknowledged", "accepted", "rejected", "answered", "recalled")
Records = Mapping[str, tuple[int, ...]]
"""The records a figure comes from: source → indexes, in order."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """A number of referrals."""

    n: int
    records: Records


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantile:
    """A time in ms within which a share of referrals is met. ``ms`` is ``None`` where the estimate does not reach it:
    it is ``at_least_ms`` then.

    ``low_ms`` and ``high_ms`` bound it with 95 % confidence; both ``None`` where there are too few, ``high_ms`` alone
    where it is open upward.
    """

    ms: int | None
    at_least_ms: int | None = None
    low_ms: int | None = None
    high_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Overdue:
    """What has not kept a limit: ``now`` still waits at ``as_of``, ``late`` ended after it, whatever ended it."""

    now: Count
    late: Count


@dataclass(frozen=True, kw_only=True, slots=True)
class Speed:
    """How fast one obligation is met. ``median_ms``, ``p90_ms`` and ``slowest_ms`` know the met ones only;
    ``estimated_…`` count the others as censored.
    """

    met: int
    running: int
    ended_unmet: int
    median_ms: int | None
    p90_ms: int | None
    slowest_ms: int | None
    estimated_median: Quantile
    estimated_p90: Quantile
    overdue: Mapping[str, Overdue]
    records: Records


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """One agency's figures over the referrals sent to it. ``packs`` are the rule packs that set their limits."""

    agency: str
    as_of: datetime
    packs: tuple[str, ...]
    referrals: Count
    acknowledged: Count
    accepted: Count
    rejected: Count
    answered: Count
    recalled: Count
    open: Count
    to_acknowledge: Speed
    to_answer: Speed


def by_agency(referrals: Iterable[Times], *, as_of: datetime) -> tuple[Figures, ...]:
    """The figures of each agency, by name, as things stood at ``as_of``; referrals sent later are left out."""
    known = sorted(
        (t.at(as_of) for t in referrals if t.sent.at <= as_of), key=lambda t: (t.agency, t.source, t.sent.index)
    )
    return tuple(
        _figures(agency, tuple(group), as_of=as_of) for agency, group in groupby(known, key=lambda t: t.agency)
    )


def _figures(agency: str, sent: Sequence[Times], *, as_of: datetime) -> Figures:
    answering = [(t, t.answering(as_of)) for t in sent]
    return Figures(
        agency=agency,
        as_of=as_of,
        packs=tuple(sorted({t.pack for t in sent})),
        referrals=_count((t, t.sent) for t in sent),
        acknowledged=_count((t, by) for t in sent if (wait := t.acknowledging(as_of)).met and (by := wait.by)),
        accepted=_count((t, t.accepted) for t in sent if t.accepted),
        rejected=_count((t, t.rejected) for t in sent if t.rejected),
        answered=_count((t, t.answered) for t in sent if t.answered),
        recalled=_count((t, t.recalled) for t in sent if t.recalled),
        open=_count((t, t.sent) for t, wait in answering if wait.running),
        to_acknowledge=_speed(
            [(t, t.acknowledging(as_of), t.acknowledge_kind, t.acknowledge_due) for t in sent], as_of=as_of
        ),
        to_answer=_speed([(t, wait, t.answer_kind, t.answer_due) for t, wait in answering], as_of=as_of),
    )


Limited = tuple[Times, Wait, str, datetime | None]
"""A referral, its wait, and the kind and instant of the limit."""


def _speed(waits: Sequence[Limited], *, as_of: datetime) -> Speed:
    met = sorted(wait.ms for _, wait, _, _ in waits if wait.met)
    censored = [wait.ms for _, wait, _, _ in waits if not wait.met]
    curve = kaplan_meier(met, censored)
    longest = max([*met, *censored], default=None)
    return Speed(
        met=len(met),
        running=sum(wait.running for _, wait, _, _ in waits),
        ended_unmet=sum(not wait.met and not wait.running for _, wait, _, _ in waits),
        median_ms=round(median(met)) if met else None,
        p90_ms=met[math.ceil(0.9 * len(met)) - 1] if met else None,
        slowest_ms=met[-1] if met else None,
        estimated_median=quantile(curve, 0.5, longest=longest),
        estimated_p90=quantile(curve, 0.9, longest=longest),
        overdue={
            kind: _overdue([limited for limited in waits if limited[2] == kind], as_of=as_of)
            for kind in sorted({kind for _, _, kind, _ in waits})
        },
        records=_records([(t, act) for t, wait, _, _ in waits for act in (t.sent, wait.by) if act]),
    )


def _overdue(waits: Sequence[Limited], *, as_of: datetime) -> Overdue:
    return Overdue(
        now=_count((t, t.sent) for t, wait, _, due in waits if wait.running and due is not None and as_of > due),
        late=_count((t, wait.by) for t, wait, _, _ in waits if wait.late and wait.by),
    )


def _first(*acts: Milestone | None) -> Milestone | None:
    return min((act for act in acts if act), key=lambda act: act.index, default=None)


def _wait(
    sent: Milestone,
    *,
    met: Milestone | None,
    ended: Milestone | None,
    stated: Milestone | None,
    due: datetime | None,
    as_of: datetime,
) -> Wait:
    """``stated`` is the act whose own ``late`` speaks of this limit; any other is compared with ``due``."""
    by = _first(met, ended)
    if by is None:
        return Wait(ms=milliseconds(sent.at, as_of), met=False, running=True, late=False, by=None)
    own = by.late if by is stated else None
    late = due is not None and by.at > due if own is None else own
    return Wait(ms=milliseconds(sent.at, by.at), met=by is met, running=False, late=late, by=by)


def milliseconds(start: datetime, end: datetime) -> int:
    """Whole milliseconds from ``start`` to ``end``, rounded down; negative where two services' clocks disagree."""
    span = end - start
    return (span.days * 86_400 + span.seconds) * 1000 + span.microseconds // 1000


def _count(found: Iterable[tuple[Times, Milestone]]) -> Count:
    pairs = list(found)
    return Count(n=len(pairs), records=_records(pairs))


def _records(pairs: Iterable[tuple[Times, Milestone]]) -> Records:
    found: dict[str, set[int]] = {}
    for times, act in pairs:
        found.setdefault(times.source, set()).add(act.index)
    return {source: tuple(sorted(found[source])) for source in sorted(found)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """The Kaplan–Meier curve from time ``ms`` on: the share still unmet, and its 95 % band."""

    ms: int
    unmet: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """The estimated share of referrals still unmet over time, of ``n`` referrals in all."""

    n: int
    steps: tuple[Step, ...]


def kaplan_meier(met: Iterable[int], censored: Iterable[int]) -> Curve:
    """The product-limit estimate from times met and times censored, in any unit. One censored at the time of an act
    counts as at risk then.
    """
    acts = sorted([(ms, True) for ms in met] + [(ms, False) for ms in censored])
    at_risk, unmet, variance, steps = len(acts), 1.0, 0.0, []
    for ms, group in groupby(acts, key=lambda act: act[0]):
        here = [done for _, done in group]
        if done := sum(here):
            unmet *= 1 - done / at_risk
            variance += done / (at_risk * (at_risk - done)) if at_risk > done else 0.0
            steps.append(_step(ms, unmet, variance))
        at_risk -= len(here)
    return Curve(n=len(acts), steps=tuple(steps))


def _step(ms: int, unmet: float, variance: float) -> Step:
    if unmet <= TOLERANCE:
        return Step(ms=ms, unmet=0.0, low=0.0, high=math.nan)  # all are met: the upper band is undefined, not zero
    width = Z95 * math.sqrt(variance) / abs(math.log(unmet))
    return Step(ms=ms, unmet=unmet, low=unmet ** math.exp(width), high=unmet ** math.exp(-width))


def quantile(curve: Curve, share: float, *, longest: int | None) -> Quantile:
    """The time within which ``share`` is met. ``longest`` is the longest time known, met or not: a quantile not reached
    is at least that.
    """

    def first(value: Callable[[Step], float]) -> int | None:
        return next((step.ms for step in curve.steps if value(step) <= 1 - share + TOLERANCE), None)

    reached = first(lambda step: step.unmet)
    enough = curve.n >= LEAST_FOR_INTERVAL[share]
    return Quantile(
        ms=reached,
        at_least_ms=longest if reached is None else None,
        low_ms=first(lambda step: step.low) if enough else None,
        high_ms=first(lambda step: step.high) if enough else None,
    )
