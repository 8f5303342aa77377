"""Rules that are not wholly understood start no process; a rule that errs when asked allows nothing."""

from pathlib import Path

import pytest

from access.policy import Case, Purpose
from access.policy.engine import RULES, SCHEMA, BadPolicy, Decision, Policies, Question

OWN = Question("filer", "case.read", Case(own=True))
PERMITS = """
@id("own") @basis("art. 1") @says("One's own.")
permit (principal == Role::"filer", action == Action::"case.read", resource is Case) when { resource.own };
"""
OVERFLOWS = "9223372036854775807 + 1 > 0"
"""Passes validation, and cannot be computed."""


def policies(*rules: str) -> Policies:
    """A set of these rules."""
    return Policies({f"file-{n}": rule for n, rule in enumerate(rules)}, schema=SCHEMA.read_text())


def test_the_mechanisms_own_rules_are_understood() -> None:
    """Strict validation of every file; each rule has its basis and its sentence."""
    rules = Policies.read().rules
    assert {rule.file for rule in rules} == {file.stem for file in RULES.glob("*.cedar")}
    assert all(rule.says.endswith(".") and rule.basis for rule in rules)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("resource.own", "resource.onw"),
        ('Role::"filer"', 'Role::"filler"'),
        ('Action::"case.read"', 'Action::"case.raed"'),
        ("resource.own", 'resource.state == State::"opne"'),
        ("resource.own", 'context.purpose == Purpose::"protct"'),
        ("resource.own", "resource.own == 1"),
        ("resource is Case", "resource is Csae"),
        ("permit (", "permitt ("),
        ('@basis("art. 1")', ""),
        ('@says("One\'s own.")', ""),
        ('@id("own")', ""),
    ],
)
def test_a_rule_that_is_misspelled_or_has_no_basis_starts_no_process(right: str, wrong: str) -> None:
    """At run time a `forbid` that asks for an unknown fact would be skipped, and so allow."""
    policies(PERMITS)
    assert right in PERMITS
    with pytest.raises(BadPolicy):
        policies(PERMITS.replace(right, wrong))


def test_two_rules_of_one_name_start_no_process() -> None:
    """A log that names a rule names one."""
    with pytest.raises(BadPolicy, match="own"):
        policies(PERMITS, PERMITS)


def test_no_rules_at_all_start_no_process(tmp_path: Path) -> None:
    """A folder that was not delivered is not a mechanism that denies everything."""
    with pytest.raises(BadPolicy):
        Policies.read(tmp_path)


def test_a_forbid_that_errs_denies() -> None:
    """Cedar itself skips it and says Allow."""
    assert policies(PERMITS).decide([OWN])[0].allowed
    erring = f'@id("never") @basis("-") @says("-.") forbid (principal, action, resource) when {{ {OVERFLOWS} }};'
    (decision,) = policies(PERMITS, erring).decide([OWN])
    assert not decision.allowed
    assert len(decision.errors) == 1


def test_a_permission_that_errs_denies_beside_one_that_permits() -> None:
    """Whatever is wrong with the rules, nobody gains by it."""
    erring = f'@id("other") @basis("-") @says("-.") permit (principal, action, resource) when {{ {OVERFLOWS} }};'
    (decision,) = policies(PERMITS, erring).decide([OWN])
    assert not decision.allowed
    assert decision.rules == ("own",)


def test_what_no_rule_permits_is_denied() -> None:
    """By no rule, and without an error."""
    assert policies(PERMITS).decide([Question("filer", "case.read", Case())]) == (Decision(False),)


@pytest.mark.parametrize(
    "question",
    [
        Question("root", "case.read", Case(own=True)),
        Question("", "case.read", Case(own=True)),
        Question('filer" , ', "case.read", Case(own=True)),
        Question("filer", "case.raed", Case(own=True)),
        Question("filer", "agency.read", Case(own=True)),
        Question("filer", "case.read", Case(own=True), "curiosity"),  # type: ignore[arg-type]
        Question("filer", "case.read", Case(own=True, state="half-open")),  # type: ignore[arg-type]
    ],
)
def test_a_question_that_the_schema_does_not_know_is_denied(question: Question) -> None:
    """An unknown role, action, purpose or state; an action on what it is not for."""
    for asked in ([question], [OWN, question]):
        decision = policies(PERMITS).decide(asked)[-1]
        assert not decision.allowed
        assert decision.errors


def test_a_question_in_a_batch_does_not_change_the_others() -> None:
    """Each is decided by itself, in its place."""
    asked = [OWN, Question("filer", "case.read", Case()), Question("evaluator", "case.read", Case(own=True)), OWN]
    one_by_one = tuple(decision for question in asked for decision in policies(PERMITS).decide([question]))
    assert policies(PERMITS).decide(asked) == one_by_one
    assert policies(PERMITS).decide([]) == ()


def test_a_purpose_is_part_of_the_question() -> None:
    """What is allowed for one is not allowed for another."""
    rule = PERMITS.replace("resource.own", 'context.purpose == Purpose::"protect"')
    protect, follow = (Question("filer", "case.read", Case(), purpose) for purpose in (Purpose.PROTECT, Purpose.FOLLOW))
    assert [decision.allowed for decision in policies(rule).decide([protect, follow])] == [True, False]
