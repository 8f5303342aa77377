"""What holds of the mechanism's rules whatever they say in detail: over every role, action and combination of facts."""

from dataclasses import replace
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from access.identity import Caller
from access.policy import (
    ACTIONS,
    CASE_ACTIONS,
    INTERNAL,
    POLICIES,
    REFERRAL_ACTIONS,
    Action,
    Case,
    Decision,
    Mechanism,
    Referral,
    Role,
    State,
    Subject,
    Thing,
    may_at_all,
    permit,
    permit_all,
    reach,
    rights,
)
from access.policy.engine import Question
from access.policy.facts import REGIONAL
from tests.access.policy.things import cases, referrals, things

AN_ACCOUNT = {
    *("referral.inbox", "referral.read", "figures.read"),
    *("referral.acknowledge", "referral.accept", "referral.reject", "referral.answer"),
}
"""What is left to an office of a referral that was taken back from it: the account of its own acts."""


@pytest.fixture(scope="module")
def decided() -> dict[tuple[str, str, Thing], Decision]:
    """Every question that there is, each decided in batches by the rules themselves."""
    found: dict[tuple[str, str, Thing], Decision] = {}
    for role in Role:
        for action in ACTIONS:
            asked = things(action)
            made = POLICIES.decide([Question(role, action, thing) for thing in asked])
            found |= {(role, action, thing): each for thing, each in zip(asked, made, strict=True)}
    return found


Decided = dict[tuple[str, str, Thing], Decision]


def test_no_question_errs(decided: Decided) -> None:
    """The schema knows every role and action that the code knows, each for the things it is done to."""
    assert {key: made.errors for key, made in decided.items() if made.errors} == {}


def test_whom_the_filer_excluded_does_nothing_to_the_case(decided: Decided) -> None:
    """DNH-5: whatever the role and whatever else ties it to the case."""
    leaks = [
        (role, action, thing)
        for (role, action, thing), made in decided.items()
        if made.allowed and isinstance(thing, Case | Referral) and thing.excluded
    ]
    assert [leak for leak in leaks if leak[1] in CASE_ACTIONS] == []
    for _, action, thing in leaks:
        assert action in AN_ACCOUNT
        assert isinstance(thing, Referral)
        assert thing.addressee
        assert thing.state is not State.OPEN


def test_whoever_has_a_conflict_of_interest_has_no_part_in_the_case(decided: Decided) -> None:
    """DNH-9: the mechanism's own staff too."""
    for (_, action, thing), made in decided.items():
        if made.allowed and isinstance(thing, Case | Referral) and thing.conflict:
            assert action in AN_ACCOUNT
            assert isinstance(thing, Referral)
            assert (thing.addressee, thing.state is State.OPEN) == (True, False)


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.OBSERVER])
def test_who_runs_or_watches_the_system_touches_no_case(role: Role, decided: Decided) -> None:
    """Not by any tie."""
    assert [key for key, made in decided.items() if key[0] == role and made.allowed and key[2] != Mechanism()] == []


def test_machines_do_one_thing_to_referrals_and_no_route_can(decided: Decided) -> None:
    """A token of a service, stolen, opens no case."""
    done = {action for (role, action, thing), made in decided.items() if role == "service" and made.allowed}
    assert done & (CASE_ACTIONS | REFERRAL_ACTIONS) == INTERNAL
    assert {role for role in Role if may_at_all(role, "mechanism.conduct")} == {Role.SERVICE}


def test_nobody_outside_a_case_reads_it_but_the_mechanism_and_its_auditors(decided: Decided) -> None:
    """Deny by default: without a tie there is nothing for anybody else. The Ombudsman asks who looked, and no more."""
    strangers = {
        (role, action)
        for (role, action, thing), made in decided.items()
        if action in CASE_ACTIONS and made.allowed and not (cast(Case, thing).own or cast(Case, thing).linked)
    }
    looks = {(Role.OMBUDSMAN, "accesses.read"), (Role.OMBUDSMAN, "accesses.examine")}
    assert looks < strangers
    assert {role for role, _ in strangers - looks} == {Role.COORDINATOR, Role.EVALUATOR, Role.AUDITOR}


def test_a_regional_office_deals_with_no_other_region(decided: Decided) -> None:
    """Coordinators and evaluators of a round table; a national office is in every region. But one field in danger,
    which another person reviews."""
    for (role, action, thing), made in decided.items():
        if role in (Role.COORDINATOR, Role.EVALUATOR) and isinstance(thing, Case | Referral) and not thing.same_region:
            in_danger = action in ("seal.open", "seal.read") and thing.state is State.OPEN
            assert in_danger or not made.allowed
            assert not made.allowed or not (thing.excluded or thing.conflict)


def test_what_a_role_may_at_all_is_what_it_may_to_something(decided: Decided) -> None:
    """The question of a route, asked of the best thing there is, misses nothing and adds nothing."""
    something = {(role, action) for (role, action, _), made in decided.items() if made.allowed}
    assert something == {(role, action) for role, actions in rights().items() for action in actions}
    assert not any(may_at_all("root", cast(Action, action)) for action in ACTIONS)


def test_a_list_reaches_exactly_what_a_read_allows(decided: Decided) -> None:
    """Every row's decision follows from the list's conditions: a tie that reaches, nothing that keeps from it."""
    for (role, action, thing), made in decided.items():
        if not isinstance(thing, Case | Referral) or thing.state is not State.OPEN:
            continue
        if not thing.same_region or (isinstance(thing, Case) and thing.linked):
            continue
        reached = reach(Subject(role=role), cast(Action, action))
        tied = thing.own and reached.own if isinstance(thing, Case) else thing.addressee and reached.addressed
        in_list = (reached.all_of or tied) and not (thing.excluded or thing.conflict)
        assert in_list == made.allowed, (role, action, thing)


def test_remembered_decisions_are_those_of_the_rules(decided: Decided) -> None:
    """Asked again, one by one or as a list."""
    for role in (Role.FILER, Role.COORDINATOR, Role.POLICE_UNIT):
        for action, asked in (("case.read", tuple(cases())), ("referral.disclosure", tuple(referrals()))):
            for _ in range(2):
                made = permit_all(Subject(role=role), cast(Action, action), asked)
                assert made == tuple(decided[role, action, thing] for thing in asked)


def test_a_refusal_is_logged_without_saying_who_or_which_case() -> None:
    """Role, action, ground: neither the person, nor the unit, nor the case."""
    canary = Subject(role="coordinator", unit="unit-canary", id="person-canary", region="PE-CAN")
    thing = Case.seen_by(canary, owner="unit:other-canary", excluded=["unit-canary"], region="PE-CAN")
    with capture_logs() as logged:
        assert not permit(canary, "case.read", thing).allowed
        assert permit(Subject(role="filer", unit="u"), "case.read", Case(own=True)).allowed
    (line,) = logged
    assert (line["event"], line["rules"]) == ("refused", ["excluded-never-learns"])
    assert "canary" not in str(line).lower()
    assert "PE-CAN" not in str(line)


@pytest.mark.parametrize(
    ("facts", "tied"),
    [
        ({"owner": "unit:ngo"}, {"own": True}),
        ({"owner": "unit:other"}, {}),
        ({"owner": "actor:me"}, {}),
        ({"owner": "unit:other", "excluded": ["ngo"]}, {"excluded": True}),
        ({"owner": "unit:other", "conflicted": ["ngo"]}, {"conflict": True}),
        ({"owner": "unit:other", "region": "PE-LOR"}, {"same_region": False}),
        ({"owner": "unit:other", "region": ""}, {"same_region": False}),
    ],
)
def test_facts_are_what_ties_a_subject_to_a_case(facts: dict[str, Any], tied: dict[str, bool]) -> None:
    """Of the unit where there is one; a region that is not known is not one's own."""
    subject = Subject(role="filer", unit="ngo", id="me", region="PE-UCA")
    assert Case.seen_by(subject, **{"region": "PE-UCA", **facts}) == Case(**tied)


def test_who_acts_for_no_unit_is_tied_by_themselves_and_by_no_empty_name() -> None:
    """Two people without an organisation are strangers, and no unit is called the empty word."""
    alone = Subject(role="defender", id="me")
    assert Case.seen_by(alone, owner="actor:me").own
    assert not Case.seen_by(alone, owner="actor:other", excluded=[""], conflicted=[""]).own
    assert not Case.seen_by(alone, owner="actor:other", excluded=[""]).excluded
    assert not Referral.seen_by(alone, agency="").addressee


@pytest.mark.parametrize(
    ("role", "named", "region", "near"),
    [
        ("coordinator", "PE-UCA", "PE-UCA", True),
        ("coordinator", "PE-UCA", "PE-LOR", False),
        ("coordinator", "PE-UCA", "", False),
        ("coordinator", "PE", "PE-LOR", True),
        ("coordinator", "", "PE-LOR", False),
        ("evaluator", "", "", False),
        ("evaluator", "Ucayali", "PE-UCA", False),
        ("auditor", "", "PE-LOR", True),
    ],
)
def test_an_office_is_where_its_token_says_and_else_nowhere(role: str, named: str, region: str, near: bool) -> None:
    """What is not known ties nobody to anything; of whom no rule asks it, it narrows nothing."""
    subject = Subject.of(Caller(id="me", role=role, unit="office", region=named))
    assert Case.seen_by(subject, owner="unit:other", region=region).same_region is near


def test_the_rules_ask_for_the_region_of_regional_offices_only(decided: Decided) -> None:
    """Whose region matters to a rule is whose region is taken from the token."""
    asked = set()
    for (role, action, thing), made in decided.items():
        near = isinstance(thing, Case | Referral) and made.allowed and thing.same_region
        if near and not decided[role, action, replace(thing, same_region=False)].allowed:
            asked.add(role)
    assert asked == REGIONAL
