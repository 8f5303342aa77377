"""Everything that the rules can be asked about: each combination of facts."""

from collections.abc import Iterator
from itertools import product

from access.policy import ACTIONS, CASE_ACTIONS, REFERRAL_ACTIONS, Case, Mechanism, Referral, State, Thing

YES_NO = (False, True)


def cases() -> Iterator[Case]:
    """Every case that the rules can tell from another."""
    for own, linked, near, conflict, excluded, state in product(YES_NO, YES_NO, YES_NO, YES_NO, YES_NO, State):
        yield Case(own=own, linked=linked, same_region=near, conflict=conflict, excluded=excluded, state=state)


def referrals() -> Iterator[Referral]:
    """Every referral that the rules can tell from another."""
    for addressee, near, conflict, excluded, state in product(YES_NO, YES_NO, YES_NO, YES_NO, State):
        yield Referral(addressee=addressee, same_region=near, conflict=conflict, excluded=excluded, state=state)


def things(action: str) -> tuple[Thing, ...]:
    """Everything to which the action can be done."""
    assert action in ACTIONS
    if action in CASE_ACTIONS:
        return tuple(cases())
    return tuple(referrals()) if action in REFERRAL_ACTIONS else (Mechanism(),)
