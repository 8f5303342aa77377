"""What an answer tells is what the oracle says: role, act, tie, state and class, cell by cell; a row for each field."""

import pytest

from access.policy import ACTIONS, DataClass, Role
from access.policy.telling import told_of
from docs.generate.access import answered
from tests.access import oracle
from tests.access.oracle.test_acts import cell, named
from tests.access.policy.things import things


@pytest.mark.parametrize("role", Role)
def test_an_answer_tells_what_the_oracle_tells_and_nothing_else(role: Role) -> None:
    """Wherever the act is allowed: where it is not, there is no answer."""
    differences = []
    for action in sorted(ACTIONS):
        for thing in things(action):
            if not oracle.allows(role, action, thing):
                continue
            rules, meant = told_of(role, action, thing), oracle.tells(role, action, thing)
            for each in sorted(rules ^ meant):
                says = "tell it, the oracle does not" if each in rules else "do not, the oracle tells it"
                differences.append(f"{cell(role, action, thing)} × {each}: the rules {says}")
    assert not differences, named(differences)


def test_every_field_of_every_answer_has_the_class_that_its_row_says() -> None:
    """A new field without a row fails, and so does a row without a field."""
    found = {(each.service, each.model, each.field): each.classes for each in answered()}
    rows = oracle.fields_of_answers()
    assert sorted(set(found) - set(rows)) == []
    assert sorted(set(rows) - set(found)) == []
    assert {key: (classes, rows[key]) for key, classes in found.items() if classes != rows[key]} == {}
    assert len(found) > 200


def test_every_class_is_used_and_every_line_tells() -> None:
    """A class of no field, or a line that tells nothing, says nothing."""
    assert {each for classes in oracle.fields_of_answers().values() for each in classes} == set(DataClass)
    assert all(line.told for line in oracle.telling_lines())


def test_nobody_without_consent_is_told_who_where_or_what_was_said() -> None:
    """DNH-6: an office is, by the disclosure that the person consented to, while it is asked; nobody else outside."""
    personal = {DataClass.IDENTITY, DataClass.CONTACT, DataClass.PLACE}
    for role in (Role.POLICE_UNIT, Role.PROSECUTOR, Role.OMBUDSMAN, Role.MINISTRY, Role.JUDGE, Role.AUDITOR):
        for action in ACTIONS:
            for thing in things(action):
                told = told_of(role, action, thing)
                own = role == Role.OMBUDSMAN and getattr(thing, "own", False)  # what it filed itself
                officers = role == Role.OMBUDSMAN and action == "accesses.examine"  # DNH-12: who looked
                if told & personal and not own and not officers:
                    assert (action, str(getattr(thing, "state", ""))) == ("referral.disclosure", "open"), role
