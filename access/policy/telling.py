"""Owns which classes of data the answer to a request may tell. Asked once for each role, act and combination of facts.

A request begins with what the act tells in the worst case; once `access.policy.permit` has decided about the things
that the answer is about, with what is told of all of them. Whatever is serialised asks `told`, wherever that happens;
outside a request there is nothing but what is public.
"""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, lru_cache
from itertools import product

from access.policy.actions import CASE_ACTIONS, REFERRAL_ACTIONS, TELLING
from access.policy.deciding import decide
from access.policy.engine import Question
from access.policy.facts import Case, DataClass, Mechanism, Referral, Role, State, Thing

Classes = frozenset[DataClass]

EVERYTHING: Classes = frozenset(DataClass)
ONLY_PUBLIC: Classes = frozenset({DataClass.PUBLIC})


@dataclass(slots=True)
class Telling:
    """What the answer to one request may tell. ``classes`` is ``None`` until a thing was decided about."""

    role: str
    action: str
    classes: Classes | None = field(default=None)


_telling: ContextVar[Telling | None] = ContextVar("telling", default=None)


def begin(role: str, action: str) -> None:
    """A request: this role does this."""
    _telling.set(Telling(role, action))


def decided(role: str, action: str, things: Iterable[Thing]) -> None:
    """The request's act is allowed on these: its answer tells what may be told of each of them."""
    telling = _telling.get()
    if telling is None or telling.action != action or telling.role != role:
        return
    for thing in things:
        classes = told_of(role, action, thing)
        telling.classes = classes if telling.classes is None else telling.classes & classes


def told() -> Classes:
    """What may be told here and now."""
    telling = _telling.get()
    if telling is None:
        return ONLY_PUBLIC
    return telling.classes if telling.classes is not None else told_at_least(telling.role, telling.action)


@lru_cache(maxsize=8192)
def told_of(role: str, action: str, thing: Thing) -> Classes:
    """What the answer to the act tells of this thing, where the act is allowed."""
    made = decide([Question(role, name, thing, by=action) for name in TELLING.values()])
    return frozenset(each for each, decision in zip(TELLING, made, strict=True) if decision.allowed)


@cache
def told_at_least(role: str, action: str) -> Classes:
    """What the answer tells of every thing to which the role may do this: for lists, and for what begins a thing."""
    things = _things(action)
    made = decide([Question(role, action, thing) for thing in things])
    reached = [told_of(role, action, thing) for thing, each in zip(things, made, strict=True) if each.allowed]
    return frozenset.intersection(*reached) if reached else frozenset()


@cache
def kept_from_some(action: str) -> Classes:
    """Which classes are absent from the act's answer for some who may do it: what a client cannot rely on."""
    asked = list(product(Role, _things(action)))
    made = decide([Question(role, action, thing) for role, thing in asked])
    done = [told_of(role, action, thing) for (role, thing), each in zip(asked, made, strict=True) if each.allowed]
    return EVERYTHING - frozenset.intersection(EVERYTHING, *done)


def _things(action: str) -> tuple[Thing, ...]:
    """What is kept from nobody, in every tie and state."""
    if action in CASE_ACTIONS:
        ties = product((False, True), (False, True), (False, True), State)
        return tuple(Case(own=own, linked=linked, same_region=near, state=state) for own, linked, near, state in ties)
    if action in REFERRAL_ACTIONS:
        asked = product((False, True), (False, True), State)
        return tuple(Referral(addressee=own, same_region=near, state=state) for own, near, state in asked)
    return (Mechanism(),)
