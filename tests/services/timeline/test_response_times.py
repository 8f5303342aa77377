"""The figures of response times, against published results and the definitions."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.timeline.response_times import Milestone, Times, by_agency, kaplan_meier, quantile

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

# Freireich et al. (1963), Blood 21: weeks in remission under 6-mercaptopurine, the example of survival textbooks.
MET = [6, 6, 6, 7, 10, 13, 16, 22, 23]
CENSORED = [6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]


def milestone(after: timedelta, index: int, late: bool | None = None) -> Milestone:
    return Milestone(at=NOON + after, claimed=NOON, index=index, late=late)


def referral(index: int = 0, *, agency: str = "police", **acts: Milestone) -> Times:
    """A referral sent at noon, its first act due in an hour, its answer in four."""
    given_acts = {name: acts.get(name) for name in ("acknowledged", "accepted", "rejected", "answered", "recalled")}
    return Times(
        source="pe.referral",
        referral_id=f"r{index}",
        case_id=f"c{index}",
        agency=agency,
        purpose="protect",
        round=1,
        pack="drill",
        sent=milestone(timedelta(), index),
        acknowledge_due=NOON + timedelta(hours=1),
        acknowledge_kind="service_target",
        answer_due=NOON + timedelta(hours=4),
        answer_kind="statutory",
        **given_acts,  # type: ignore[arg-type]
    )


def test_the_estimate_agrees_with_the_published_example() -> None:
    """S(6) = 0.857, S(7) = 0.807, … S(23) = 0.448; the median is 23 weeks, its log-log interval starts at 13 and is
    open upward.
    """
    curve = kaplan_meier(MET, CENSORED)
    shares = {step.ms: round(step.unmet, 3) for step in curve.steps}
    assert shares == {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}
    found = quantile(curve, 0.5, longest=35)
    assert (found.ms, found.at_least_ms, found.low_ms, found.high_ms) == (23, None, 13, None)


def test_a_quantile_that_is_not_reached_is_at_least_the_longest_known_time() -> None:
    """With most referrals open, a number would be an invention."""
    found = quantile(kaplan_meier([10], [20, 30, 40]), 0.5, longest=40)
    assert (found.ms, found.at_least_ms) == (None, 40)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=30))
def test_without_open_ones_the_estimate_is_the_plain_share(met: list[int]) -> None:
    """Nothing censored: the curve is the empirical one, and the median the least time that half have met."""
    curve = kaplan_meier(met, [])
    for step in curve.steps:
        assert step.unmet == pytest.approx(sum(ms > step.ms for ms in met) / len(met), abs=1e-9)
    found = quantile(curve, 0.5, longest=max(met))
    assert found.ms == sorted(met)[(len(met) + 1) // 2 - 1]


def test_open_referrals_raise_the_median() -> None:
    """An agency that answers its easy cases and leaves the others open must not look fast."""
    quick = [referral(n, answered=milestone(timedelta(minutes=n), 100 + n)) for n in range(1, 4)]
    left = [referral(n) for n in range(4, 7)]
    (figures,) = by_agency(quick + left, as_of=NOON + timedelta(hours=9))
    assert figures.to_answer.median_ms == 120_000
    assert figures.to_answer.estimated_median.ms == 180_000
    assert figures.to_answer.running == 3
    assert figures.to_answer.overdue["statutory"].now.records == {"pe.referral": (4, 5, 6)}


def test_the_first_act_acknowledges_whatever_it_is() -> None:
    """An agency that answers at once has acknowledged; it owes no form."""
    answered = referral(answered=milestone(timedelta(minutes=5), 7, late=False))
    (figures,) = by_agency([answered], as_of=NOON + timedelta(days=1))
    assert figures.acknowledged.n == 1
    assert figures.to_acknowledge.median_ms == figures.to_answer.median_ms == 300_000
    assert figures.to_acknowledge.records == {"pe.referral": (0, 7)}


def test_a_recalled_referral_is_never_overdue_and_stays_in_the_denominator() -> None:
    """What the mechanism takes back, the agency does not owe; but it was asked."""
    (figures,) = by_agency([referral(recalled=milestone(timedelta(minutes=5), 1))], as_of=NOON + timedelta(days=1))
    assert (figures.referrals.n, figures.recalled.n, figures.open.n) == (1, 1, 0)
    assert figures.to_answer.ended_unmet == figures.to_acknowledge.ended_unmet == 1
    assert figures.to_answer.overdue["statutory"].now.n == figures.to_acknowledge.overdue["service_target"].now.n == 0
    assert figures.to_answer.estimated_median.at_least_ms == 300_000


def test_a_rejection_acknowledges_but_does_not_answer() -> None:
    """Saying no is fast; it must not make the answers look fast."""
    (figures,) = by_agency([referral(rejected=milestone(timedelta(minutes=1), 1))], as_of=NOON + timedelta(days=1))
    assert (figures.rejected.n, figures.acknowledged.n, figures.answered.n) == (1, 1, 0)
    assert figures.to_answer.median_ms is None
    assert figures.to_answer.overdue["statutory"].now.n == 0


def test_late_and_overdue_are_told_apart() -> None:
    """Late has been done after its limit; overdue now has not been done."""
    late = referral(1, acknowledged=milestone(timedelta(hours=2), 5, late=True))
    waiting = referral(2)
    (figures,) = by_agency([late, waiting], as_of=NOON + timedelta(hours=3))
    assert figures.to_acknowledge.overdue["service_target"].late.records == {"pe.referral": (5,)}
    assert figures.to_acknowledge.overdue["service_target"].now.records == {"pe.referral": (2,)}
    assert figures.to_answer.overdue["statutory"].late.n == figures.to_answer.overdue["statutory"].now.n == 0


@pytest.mark.parametrize("act", ["rejected", "recalled"])
def test_a_silence_past_its_limit_is_not_undone(act: str) -> None:
    """An agency that rejects, or is relieved, after its limit was silent until then."""
    (figures,) = by_agency([referral(**{act: milestone(timedelta(hours=5), 6)})], as_of=NOON + timedelta(hours=6))
    assert figures.to_answer.overdue["statutory"].late.records == {"pe.referral": (6,)}
    assert figures.to_answer.overdue["statutory"].now.n == 0


def test_statutory_limits_and_targets_never_mix() -> None:
    """An agency that misses a target has broken no law, and a broken law is not hidden among missed targets."""
    target = replace(referral(1), answer_kind="service_target")
    (figures,) = by_agency([target, referral(2)], as_of=NOON + timedelta(hours=5))
    found = {kind: overdue.now.records for kind, overdue in figures.to_answer.overdue.items()}
    assert found == {"service_target": {"pe.referral": (1,)}, "statutory": {"pe.referral": (2,)}}


def test_an_acceptance_that_calls_the_answer_late_does_not_make_the_first_act_late() -> None:
    """What an act says of one limit is not taken for another."""
    accepted = referral(accepted=milestone(timedelta(minutes=30), 3, late=True))
    (figures,) = by_agency([accepted], as_of=NOON + timedelta(hours=1))
    assert figures.to_acknowledge.overdue["service_target"].late.n == 0


def test_an_earlier_instant_forgets_what_came_later() -> None:
    """The same question for the same instant gives the same figures, whenever it is asked."""
    answered = referral(1, answered=milestone(timedelta(hours=2), 5))
    (before,) = by_agency([answered, referral(2, agency="police")], as_of=NOON + timedelta(hours=1))
    assert (before.answered.n, before.open.n, before.to_answer.running) == (0, 2, 2)
    assert by_agency([answered], as_of=NOON - timedelta(seconds=1)) == ()
