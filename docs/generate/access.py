"""The page of the matrix: every role, tie, action and state, as the rules decide it; and the rules with their basis."""

from collections.abc import Iterator, Mapping, Sequence

from access.policy import (
    CASE_ACTIONS,
    MECHANISM_ACTIONS,
    POLICIES,
    REFERRAL_ACTIONS,
    Case,
    Mechanism,
    Referral,
    Role,
    State,
    Thing,
)
from access.policy.engine import Question
from docs.generate.routes import routes
from docs.generate.writing import page, says, table

TIED_CASES: Mapping[str, Mapping[str, bool]] = {
    "own": {"own": True, "same_region": False},
    "linked": {"linked": True, "same_region": False},
    "of its region": {"same_region": True},
    "of another region": {"same_region": False},
    "own, in conflict": {"own": True, "linked": True, "conflict": True},
    "own, excluded": {"own": True, "linked": True, "excluded": True},
}
TIED_REFERRALS: Mapping[str, Mapping[str, bool]] = {
    "asked": {"addressee": True, "same_region": False},
    "of its region": {"same_region": True},
    "of another region": {"same_region": False},
    "asked, in conflict": {"addressee": True, "conflict": True},
    "asked, excluded": {"addressee": True, "excluded": True},
    "in conflict": {"conflict": True},
    "excluded": {"excluded": True},
}
YES, NO = "yes", "·"


def matrix_page() -> str:
    """The whole page."""
    parts = [part for role in Role for part in _of_role(role)]
    rules = [(f"`{rule.file}`", f"`{rule.id}`", rule.effect, rule.says, rule.basis) for rule in POLICIES.rules]
    by_route = [
        (route.service, route.name, f"`{route.action}`", _kind(route.action))
        for route in sorted(routes(), key=lambda each: (each.service, each.path, each.method))
    ]
    return page(
        "The matrix of access",
        says("""
            What the rules decide, asked of the rules themselves. [Who may do what](access.md) explains it, by hand, and
            [tests/access/oracle](../tests/access/oracle/acts.yaml) is compared with it in every combination of facts;
            here each column is one tie. A cell says in which states it is allowed: `yes` in all, `·` in none. What is
            not in a role's table is refused to it whatever ties it.
            """),
        *parts,
        "## Routes",
        table(("service", "route", "action", "done to"), by_route),
        "## Rules",
        table(("file", "rule", "effect", "says", "basis"), rules),
    )


def _of_role(role: Role) -> Iterator[str]:
    yield f"## {role}"
    yield from _table("to a case", role, CASE_ACTIONS, {tie: _cases(facts) for tie, facts in TIED_CASES.items()})
    yield from _table(
        "to a referral", role, REFERRAL_ACTIONS, {tie: _referrals(facts) for tie, facts in TIED_REFERRALS.items()}
    )
    yield from _table("to no case", role, MECHANISM_ACTIONS, {"the mechanism": (Mechanism(),)})


def _table(heading: str, role: Role, actions: frozenset[str], ties: Mapping[str, Sequence[Thing]]) -> Iterator[str]:
    rows = []
    for action in sorted(actions):
        cells = [_cell(role, action, things) for things in ties.values()]
        if any(cell != NO for cell in cells):
            rows.append((f"`{action}`", *cells))
    if rows:
        yield table((heading, *ties), rows)


def _cell(role: Role, action: str, things: Sequence[Thing]) -> str:
    """In which states it is allowed."""
    made = POLICIES.decide([Question(role, action, thing) for thing in things])
    allowed = [thing for thing, decision in zip(things, made, strict=True) if decision.allowed]
    if len(allowed) in (0, len(things)):
        return YES if allowed else NO
    return ", ".join(str(getattr(thing, "state", "")) for thing in allowed)


def _cases(facts: Mapping[str, bool]) -> tuple[Thing, ...]:
    return tuple(Case(**facts, state=state) for state in State)


def _referrals(facts: Mapping[str, bool]) -> tuple[Thing, ...]:
    return tuple(Referral(**facts, state=state) for state in State)


def _kind(action: str) -> str:
    return "a case" if action in CASE_ACTIONS else "a referral" if action in REFERRAL_ACTIONS else "no case"
