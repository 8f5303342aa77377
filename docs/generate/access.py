"""The page of the matrix: every role, tie, action and state, as the rules decide it; and the rules with their basis."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from access.policy import (
    CASE_ACTIONS,
    MECHANISM_ACTIONS,
    POLICIES,
    REFERRAL_ACTIONS,
    Case,
    DataClass,
    Mechanism,
    Referral,
    Role,
    State,
    Thing,
)
from access.policy.engine import Question
from access.policy.telling import EVERYTHING, told_of
from docs.generate.routes import application, routes
from docs.generate.writing import page, says, table
from local.stackfile import SERVICES
from runtime.answers import classes_of

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
NO = "·"
LETTERS: Mapping[DataClass, str] = {
    DataClass.IDENTITY: "I",
    DataClass.CONTACT: "C",
    DataClass.PLACE: "L",
    DataClass.NARRATIVE: "N",
    DataClass.RISK: "R",
    DataClass.CASE_FACTS: "F",
    DataClass.AGENCY_FACTS: "A",
    DataClass.EVIDENCE_METADATA: "E",
    DataClass.PUBLIC: "P",
}
"""How a cell of the matrix names a class."""


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
            here each column is one tie. A cell says that the act is allowed, in which states unless in all, and what
            its answer tells: `all`, or some of the classes below; `–` is an act without an answer, `·` is refused. What
            is not in a role's table is refused to it whatever ties it.
            """),
        ", ".join(f"**{letter}** {each}" for each, letter in LETTERS.items()) + ".",
        *parts,
        "## Routes",
        table(("service", "route", "action", "done to"), by_route),
        "## Fields of answers",
        says("""
            What a class does not tell is absent. A field of several classes is told to whom all of them are told.
            """),
        table(("service", "answer", "fields"), _fields()),
        "## Rules",
        table(("file", "rule", "effect", "says", "basis"), rules),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """A field of an answer, with its classes."""

    service: str
    model: str
    field: str
    classes: frozenset[DataClass]


@cache
def answered() -> tuple[Answered, ...]:
    """Every field that an answer of any service has, as the services describe it. What has no class of its own is told
    with the field that holds it.
    """
    found: dict[tuple[str, str, str], frozenset[DataClass]] = {}
    for service in SERVICES:
        described = application(service).openapi()
        schemas = described["components"]["schemas"]
        for path in described["paths"].values():
            for operation in path.values():
                answers = {status: said for status, said in operation["responses"].items() if status < "300"}
                for name, member, classes in _members(answers, schemas, frozenset(), set()):
                    found[service, name, member] = classes
    return tuple(
        Answered(service=service, model=model, field=name, classes=classes)
        for (service, model, name), classes in found.items()
    )


def _members(
    part: Any, schemas: Mapping[str, Any], held: frozenset[DataClass], seen: set[str]
) -> Iterator[tuple[str, str, frozenset[DataClass]]]:
    """Model, member and classes of everything that a part of a description refers to; ``held``: by what holds it."""
    if isinstance(part, list):
        for each in part:
            yield from _members(each, schemas, held, seen)
    elif isinstance(part, dict):
        if reference := part.get("$ref"):
            name = reference.rpartition("/")[2]
            if name not in seen:
                seen.add(name)
                for member, said in schemas[name].get("properties", {}).items():
                    classes = classes_of(said) or held
                    yield name, member, classes
                    yield from _members(said, schemas, classes, seen)
        for key, each in part.items():
            if key != "$ref":
                yield from _members(each, schemas, held, seen)


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
    if not allowed:
        return NO
    told = [told_of(role, action, thing) for thing in allowed]
    assert all(each == told[0] for each in told), f"{role}, {action}: what is told differs by state"
    letters = " ".join(letter for each, letter in LETTERS.items() if each in told[0]) or "–"
    said = "all" if told[0] == EVERYTHING else letters
    states = ", ".join(str(getattr(thing, "state", "")) for thing in allowed)
    return said if len(allowed) == len(things) else f"{states}: {said}"


def _cases(facts: Mapping[str, bool]) -> tuple[Thing, ...]:
    return tuple(Case(**facts, state=state) for state in State)


def _referrals(facts: Mapping[str, bool]) -> tuple[Thing, ...]:
    return tuple(Referral(**facts, state=state) for state in State)


def _fields() -> Iterator[tuple[str, str, str]]:
    """Each answer with its fields by class."""
    grouped: dict[tuple[str, str], dict[str, list[str]]] = {}
    for each in answered():
        classes = " and ".join(sorted(each.classes))
        grouped.setdefault((each.service, each.model), {}).setdefault(classes, []).append(f"`{each.field}`")
    for (service, model), by_class in sorted(grouped.items()):
        said = (f"**{classes}** {' '.join(sorted(names))}" for classes, names in sorted(by_class.items()))
        yield service, f"`{model}`", "; ".join(said)


def _kind(action: str) -> str:
    return "a case" if action in CASE_ACTIONS else "a referral" if action in REFERRAL_ACTIONS else "no case"
