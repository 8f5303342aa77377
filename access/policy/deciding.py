"""Owns the mechanism's own rules as they were read when the process started, and the decisions that were made."""

from collections.abc import Sequence

from access.policy.engine import Decision, Policies, Question

POLICIES = Policies.read()
"""A process does not start with rules that are not understood."""

MOST_REMEMBERED = 8192
"""More than all questions that are asked in use; a bound all the same."""

_remembered: dict[Question, Decision] = {}


def decide(questions: Sequence[Question]) -> tuple[Decision, ...]:
    """One decision for each question, in their order; what was asked before is remembered."""
    known = {question: _remembered.get(question) for question in questions}
    if new := [question for question, made in known.items() if made is None]:
        answers = dict(zip(new, POLICIES.decide(new), strict=True))
        if len(_remembered) + len(answers) > MOST_REMEMBERED:
            _remembered.clear()
        _remembered.update(answers)
        known.update(answers)
    return tuple(made for question in questions if (made := known[question]) is not None)
