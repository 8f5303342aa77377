"""The roles and their acts, as they are meant: written by hand beside the rules."""

from typing import cast

import httpx
import pytest

from access.authorization import ACTIONS, Action, Role, allowed, may
from access.policy import rights
from tests.access.problems_asserts import assert_problem
from tests.access.service import Signer

ADDRESSEES = {Role.POLICE_UNIT, Role.PROSECUTOR, Role.OMBUDSMAN, Role.MINISTRY, Role.JUDGE}
CONCERNED = {Role.FILER, Role.DEFENDER}


def roles_with(action: str) -> set[str]:
    """Everybody who may."""
    return {role for role, actions in rights().items() if action in actions}


def test_every_role_has_a_row_and_every_action_somebody() -> None:
    """An action that nobody may is a route that nobody can use."""
    assert set(rights()) == set(Role)
    assert {action for action in ACTIONS if not roles_with(action)} == set()


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.OBSERVER, Role.SERVICE])
def test_who_runs_or_watches_the_system_sees_no_case(role: Role) -> None:
    """Running a machine is no ground to know whom it protects."""
    rooms = ("request.", "case.", "incident.", "measure.", "referral.", "timeline.")
    assert {action for action in rights()[role] if action.startswith(rooms)} == set()


@pytest.mark.parametrize("role", sorted(ADDRESSEES))
def test_an_addressee_reads_what_was_disclosed_and_no_case(role: Role) -> None:
    """DNH-6: by referral only; a unit may be under contract to the company complained of."""
    forbidden = ("request.read", "request.list", "case.", "incident.read", "measure.", "timeline.", "records.")
    own = {"request.read", "request.list"} if role is Role.OMBUDSMAN else set()  # it files, and reads what it filed
    assert {action for action in rights()[role] if action.startswith(forbidden)} == own


def test_only_addressees_answer_referrals() -> None:
    """The mechanism cannot accept in an agency's name."""
    for act in ("inbox", "acknowledge", "accept", "reject", "answer", "disclosure"):
        assert roles_with(f"referral.{act}") == ADDRESSEES, act


def test_only_the_person_concerned_answers_for_a_measure() -> None:
    """A measure is in place when the beneficiary says so."""
    assert roles_with("measure.accept") == roles_with("measure.confirm") == CONCERNED


def test_only_the_mechanism_decides_in_place_of_a_person() -> None:
    """Two of them, whom the domain compares."""
    assert roles_with("referral.decide") == {Role.COORDINATOR, Role.EVALUATOR}
    assert roles_with("case.resolve") == {Role.COORDINATOR}


def test_stores_are_read_by_services_and_auditors_only() -> None:
    """Records are sealed, and still tell who dealt with whom."""
    assert roles_with("records.read") == {Role.SERVICE, Role.AUDITOR}
    assert roles_with("dead_letters.retry") == {Role.ADMINISTRATOR}


@pytest.mark.parametrize("role", ["", "root", "FILER", "filer ", "None"])
def test_a_role_that_is_not_in_the_table_may_nothing(role: str) -> None:
    """A new or misspelled role starts with nothing."""
    assert not any(allowed(role, cast(Action, action)) for action in ACTIONS)


def test_a_route_cannot_declare_an_action_that_does_not_exist() -> None:
    """The process does not start with it."""
    with pytest.raises(ValueError, match=r"request\.fly"):
        may(cast(Action, "request.fly"))


async def test_no_token_and_a_good_one_that_may_not(http: httpx.AsyncClient, signer: Signer) -> None:
    """401 says how to authenticate, 403 says that it would not help."""
    assert_problem(await http.get("/v1/things"), "unauthenticated")
    assert_problem(await http.get("/v1/things", auth=signer.holder()), "forbidden")
    auditor = signer.holder(amparo_role="auditor", amparo_unit="u-1")
    assert (await http.get("/v1/things", auth=auditor)).json() == {"unit": "u-1"}
