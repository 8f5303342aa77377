"""The risk method: what is unknown is never low, imminence overrides, and every variable is scored."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from procedures import packs, risk
from procedures.risk import Axis, Level, NotScored, Score, Scored, propose

RULE = packs.load("drill").risk
KNOWN = [Score.LOW, Score.MEDIUM, Score.HIGH]


def scored(threat: Score, vulnerability: Score, capacity: Score) -> tuple[Scored, ...]:
    """Every variable of an axis with one score."""
    by_axis = {"threat": threat, "vulnerability": vulnerability, "capacity": capacity}
    return tuple(Scored(axis=Axis(axis), name=name, score=by_axis[axis]) for axis, name in RULE.variables)


evaluations = st.tuples(*(st.sampled_from(list(Score)) for _ in RULE.variables)).map(
    lambda scores: tuple(
        Scored(axis=Axis(axis), name=name, score=score)
        for (axis, name), score in zip(RULE.variables, scores, strict=True)
    )
)


@pytest.mark.parametrize(
    ("threat", "vulnerability", "capacity", "level"),
    [
        (Score.LOW, Score.LOW, Score.HIGH, Level.ORDINARY),
        (Score.LOW, Score.LOW, Score.LOW, Level.ORDINARY),
        (Score.MEDIUM, Score.MEDIUM, Score.MEDIUM, Level.EXTRAORDINARY),
        (Score.HIGH, Score.HIGH, Score.HIGH, Level.EXTRAORDINARY),
        (Score.HIGH, Score.MEDIUM, Score.LOW, Level.EXTREME),
        (Score.HIGH, Score.HIGH, Score.LOW, Level.EXTREME),
        (Score.UNKNOWN, Score.UNKNOWN, Score.UNKNOWN, Level.EXTRAORDINARY),
    ],
)
def test_threat_times_vulnerability_over_capacity(
    threat: Score, vulnerability: Score, capacity: Score, level: Level
) -> None:
    """Worked by hand: the thresholds of the pack are 2 and 6. Where nothing is known, risk is presumed."""
    assert propose(RULE, scored(threat, vulnerability, capacity), imminent=False).level is level


def test_one_grave_threat_is_enough() -> None:
    """A quiet past does not average a death threat away."""
    quiet = scored(Score.LOW, Score.HIGH, Score.LOW)
    grave = (replace(quiet[0], score=Score.HIGH), *quiet[1:])
    assert propose(RULE, quiet, imminent=False).level is Level.EXTRAORDINARY
    assert propose(RULE, grave, imminent=False).level is Level.EXTREME


@given(evaluation=evaluations)
def test_imminence_overrides_the_score(evaluation: tuple[Scored, ...]) -> None:
    """Whatever the number, danger that cannot wait is extreme and urgent."""
    proposal = propose(RULE, evaluation, imminent=True)
    assert (proposal.level, proposal.urgent) == (Level.EXTREME, True)


@given(evaluation=evaluations, data=st.data())
def test_unknown_is_never_low(evaluation: tuple[Scored, ...], data: st.DataObject) -> None:
    """Not knowing never proposes a lower level than the mildest thing that could have been known, and it urges."""
    at = data.draw(st.integers(0, len(evaluation) - 1))
    mildest = Score.HIGH if evaluation[at].axis is Axis.CAPACITY else Score.LOW
    unknown, known = (
        propose(RULE, (*evaluation[:at], replace(evaluation[at], score=score), *evaluation[at + 1 :]), imminent=False)
        for score in (Score.UNKNOWN, mildest)
    )
    assert unknown.level.rank >= known.level.rank
    assert unknown.urgent
    assert evaluation[at].name in unknown.unknown


@given(evaluation=evaluations, data=st.data())
def test_a_graver_score_never_lowers_the_level(evaluation: tuple[Scored, ...], data: st.DataObject) -> None:
    """Monotone: more threat or vulnerability, or less capacity, never proposes less protection."""
    at = data.draw(st.integers(0, len(evaluation) - 1))
    milder, graver = sorted(data.draw(st.tuples(st.sampled_from(KNOWN), st.sampled_from(KNOWN))), key=KNOWN.index)
    if evaluation[at].axis is Axis.CAPACITY:
        milder, graver = graver, milder
    lower, higher = (
        propose(RULE, (*evaluation[:at], replace(evaluation[at], score=score), *evaluation[at + 1 :]), imminent=False)
        for score in (milder, graver)
    )
    assert higher.value >= lower.value
    assert higher.level.rank >= lower.level.rank


def test_every_variable_is_scored_once() -> None:
    """A level that left a variable out has not been reasoned; the refusal names what is missing or strange."""
    whole = scored(Score.LOW, Score.LOW, Score.LOW)
    with pytest.raises(NotScored, match=r"^threat threats_received is missing$"):
        propose(RULE, whole[1:], imminent=False)
    with pytest.raises(NotScored, match=r"^threat past_attacks is scored twice$"):
        propose(RULE, (*whole, whole[1]), imminent=False)
    with pytest.raises(NotScored, match=r"^threat rumours is no variable of threat_vulnerability_capacity$"):
        propose(RULE, (*whole, Scored(axis=Axis.THREAT, name="rumours", score=Score.LOW)), imminent=False)


def test_a_method_says_which_version_it_is() -> None:
    """Years later, an evaluation can be computed again by the method that proposed it."""
    proposal = propose(RULE, scored(Score.LOW, Score.LOW, Score.LOW), imminent=False)
    assert (proposal.method, proposal.version) in risk.METHODS
