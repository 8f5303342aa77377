"""The policy: who may do what to which case, for what, in which state. The rules are in `rules/`, a file for each role.

Everything that is not permitted is denied, a ``forbid`` outranks every permission, and any error denies. Decisions are
functions of a role, an action and a few facts, so each is made once and remembered.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import cast

import structlog

from access.policy import telling
from access.policy.actions import ACTIONS, CASE_ACTIONS, INTERNAL, MECHANISM_ACTIONS, REFERRAL_ACTIONS, Action
from access.policy.deciding import POLICIES, decide
from access.policy.engine import BadPolicy, Decision, Question
from access.policy.facts import Case, DataClass, Mechanism, Purpose, Referral, Role, State, Subject, Thing

__all__ = [
    "ACTIONS",
    "CASE_ACTIONS",
    "INTERNAL",
    "MECHANISM_ACTIONS",
    "POLICIES",
    "REFERRAL_ACTIONS",
    "Action",
    "BadPolicy",
    "Case",
    "DataClass",
    "Decision",
    "Mechanism",
    "Purpose",
    "Reach",
    "Referral",
    "Role",
    "State",
    "Subject",
    "Thing",
    "may_at_all",
    "permit",
    "permit_all",
    "reach",
    "rights",
]

_log = structlog.get_logger("access.policy")


def permit(subject: Subject, action: Action, thing: Thing, *, purpose: Purpose = Purpose.PROCEDURE) -> Decision:
    """Whether the subject may do this to this thing. What is refused is logged, without any id."""
    return permit_all(subject, action, (thing,), purpose=purpose)[0]


def permit_all(
    subject: Subject, action: Action, things: Iterable[Thing], *, purpose: Purpose = Purpose.PROCEDURE
) -> tuple[Decision, ...]:
    """One decision for each thing, in their order: a worklist in one batch."""
    questions = [Question(subject.role, action, thing, purpose) for thing in things]
    decisions = decide(questions)
    telling.decided(
        subject.role, action, (q.thing for q, made in zip(questions, decisions, strict=True) if made.allowed)
    )
    refused = {question: made for question, made in zip(questions, decisions, strict=True) if not made.allowed}
    for question, made in refused.items():
        _tell(question, made)
    return decisions


@lru_cache(maxsize=1024)
def may_at_all(role: str, action: Action) -> bool:
    """Whether there is any thing to which the role may do this: what a route asks before it knows of which thing.

    Ties are granted by the rules and never taken from a permission by one, except those of `rules/never.cedar`; so the
    question is asked of a thing with every tie that helps, in each state.
    """
    return any(made.allowed for made in decide([Question(role, action, thing) for thing in _best(action)]))


def rights() -> Mapping[str, frozenset[Action]]:
    """What each role may do at all."""
    every = [cast(Action, name) for name in ACTIONS]
    return {role: frozenset(action for action in every if may_at_all(role, action)) for role in Role}


@dataclass(frozen=True, kw_only=True, slots=True)
class Reach:
    """Of which things a subject may do something: for the conditions of lists, so that a list and a read agree.

    ``all_of``: to those that nothing ties it to. ``own``: to its own case. ``addressed``: to what it was asked. What
    excludes it or is in conflict with it is never in reach.
    """

    all_of: bool
    own: bool
    addressed: bool

    @property
    def nothing(self) -> bool:
        """Whether nothing is in reach."""
        return not (self.all_of or self.own or self.addressed)


@cache
def _reach(role: str, action: Action) -> Reach:
    kind = Case if action in CASE_ACTIONS else Referral
    tied = Case(own=True) if kind is Case else Referral(addressee=True)
    stranger, own = ([Question(role, action, replace(one, state=each)) for each in State] for one in (kind(), tied))
    all_of, some = (any(made.allowed for made in decide(asked)) for asked in (stranger, own))
    return Reach(all_of=all_of, own=some and kind is Case, addressed=some and kind is Referral)


def reach(subject: Subject, action: Action) -> Reach:
    """See `Reach`. A subject's region narrows it besides: see `Subject.is_in`."""
    return _reach(subject.role, action)


def _best(action: Action) -> tuple[Thing, ...]:
    if action in CASE_ACTIONS:
        return tuple(Case(own=True, linked=True, state=state) for state in State)
    if action in REFERRAL_ACTIONS:
        return tuple(Referral(addressee=True, state=state) for state in State)
    return (Mechanism(),)


def _tell(question: Question, made: Decision) -> None:
    """A refusal, with its ground. Who it was and which case is for the record of reads, not for a log."""
    told = {
        "action": question.action,
        "role": question.role if question.role in set(Role) else "unknown",
        "thing": question.thing.kind.lower(),
        "purpose": question.purpose.value,
        "rules": list(made.rules),
    }
    if made.errors:
        _log.error("policy erred", **told, count=len(made.errors))
    else:
        _log.info("refused", **told)
