"""The rules say what the oracle says: every role, action, tie and state, cell by cell; and every route has its row."""

from dataclasses import fields

import pytest

from access.policy import ACTIONS, CASE_ACTIONS, POLICIES, REFERRAL_ACTIONS, Role, Thing
from access.policy.engine import Question
from docs.generate.routes import routes as served
from tests.access import oracle
from tests.access.policy.things import things

MOST_NAMED = 40
"""Differences named in one failure: one wrong rule may be wrong of hundreds of cells."""


def cell(role: str, action: str, thing: Thing) -> str:
    """A cell by name, such as ``judge × referral.read × addressee, open``."""
    facts = [each.name for each in fields(thing) if getattr(thing, each.name) is True]
    state = [str(thing.state)] if hasattr(thing, "state") else []
    return f"{role} × {action} × {', '.join([*(facts or ['no tie']), *state])}"


def named(differences: list[str]) -> str:
    """The differences for a failure's text."""
    more = [f"… and {len(differences) - MOST_NAMED} more"] if len(differences) > MOST_NAMED else []
    return "\n".join([f"{len(differences)} cells differ", *differences[:MOST_NAMED], *more])


@pytest.mark.parametrize("role", Role)
def test_the_rules_allow_what_the_oracle_allows_and_nothing_else(role: Role) -> None:
    """Whoever changes a rule changes the table that a person answers for, or learns which cells differ."""
    differences = []
    for action in sorted(ACTIONS):
        asked = things(action)
        made = POLICIES.decide([Question(role, action, thing) for thing in asked])
        for thing, decision in zip(asked, made, strict=True):
            if decision.allowed != oracle.allows(role, action, thing):
                says = "allow, the oracle refuses" if decision.allowed else "refuse, the oracle allows"
                differences.append(f"{cell(role, action, thing)}: the rules {says} ({', '.join(decision.rules)})")
    assert not differences, named(differences)


def test_the_oracle_knows_every_role_and_action_and_invents_none() -> None:
    """A new role or action without its line is a question that nobody answered."""
    assert {line.role for line in oracle.lines()} == set(Role)
    assert {action for line in oracle.lines() for action in line.may} == ACTIONS


def test_every_line_of_the_oracle_is_about_something() -> None:
    """A line that covers no thing, or whose action is not done to its kind, would say nothing."""
    for line in oracle.lines():
        for action in line.may:
            assert any(line.covers(thing) for thing in things(action)), (line.role, line.tie, action)


def test_every_route_has_its_row() -> None:
    """A new route without a row fails, and so does a row without a route."""
    found = {(route.service, route.method, route.path, route.action) for route in served()}
    rows = [(row["service"], row["method"], row["path"], row["action"]) for row in oracle.routes()]
    assert sorted(found - set(rows)) == []
    assert sorted(set(rows) - found) == []
    assert len(rows) == len(set(rows))


def test_every_route_is_about_the_kind_of_thing_that_its_row_says() -> None:
    """What an action is done to is part of the question."""
    kinds = dict.fromkeys(CASE_ACTIONS, "Case") | dict.fromkeys(REFERRAL_ACTIONS, "Referral")
    for row in oracle.routes():
        assert kinds.get(row["action"], "Mechanism") == row["thing"], row
