"""Owns how the rules are read, checked and asked: Cedar, through `cedarpy`, parsed once.

A rule set that is not wholly understood keeps the process from starting: strict validation against the schema, and an
id, a basis and a sentence on every rule. When asked, an error in any rule denies, whatever the other rules say: Cedar
skips a rule that errs, so a ``forbid`` that cannot be evaluated would otherwise allow.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cedarpy

from access.policy.facts import Purpose, Thing

HERE = Path(__file__).parent
SCHEMA = HERE / "mechanism.cedarschema"
RULES = HERE / "rules"


class BadPolicy(Exception):
    """The rules cannot be trusted: the text says which, and why."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided. ``rules`` are the ids of the rules that decided, none where no rule permits; any of ``errors``
    denies.
    """

    allowed: bool
    rules: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule as it is documented. ``file`` is the role's, or ``never``."""

    id: str
    file: str
    effect: str
    basis: str
    says: str


@dataclass(frozen=True, slots=True)
class Question:
    """One thing that is asked. ``by``, with an action of `TELLING`: the act to whose answer the field belongs."""

    role: str
    action: str
    thing: Thing
    purpose: Purpose = Purpose.PROCEDURE
    by: str = ""


class Policies:
    """A set of rules that passed strict validation."""

    def __init__(self, sources: Mapping[str, str], *, schema: str) -> None:
        """``sources``: file name → rules in Cedar. Raises `BadPolicy`."""
        text = "\n".join(sources.values())
        result = cedarpy.validate_policies(text, schema)
        if not result.validation_passed:
            raise BadPolicy("; ".join(str(error) for error in result.errors))
        self.rules = tuple(rule for name, source in sources.items() for rule in _rules(name, source))
        ids = [rule.id for rule in self.rules]
        if len(set(ids)) != len(ids):
            raise BadPolicy(f"two rules have one id: {sorted({each for each in ids if ids.count(each) > 1})}")
        self._schema = cedarpy.Schema.from_str(schema)
        self._policies = cedarpy.PolicySet.from_str(text)

    @classmethod
    def read(cls, folder: Path = RULES, schema: Path = SCHEMA) -> "Policies":
        """The rules of a folder, a file for each role. Raises `BadPolicy`."""
        sources = {file.stem: file.read_text(encoding="utf-8") for file in sorted(folder.glob("*.cedar"))}
        if not sources:
            raise BadPolicy(f"no rules in {folder.name}")
        return cls(sources, schema=schema.read_text(encoding="utf-8"))

    def decide(self, questions: Sequence[Question]) -> tuple[Decision, ...]:
        """One decision for each question, in their order, in one call."""
        if not questions:
            return ()
        entities: dict[str, Mapping[str, Any]] = {}
        requests = []
        for question in questions:
            name = _name(question.thing)
            entities[name] = _entity(question.thing, name)
            requests.append(
                {
                    "principal": {"type": "Role", "id": question.role},
                    "action": {"type": "Action", "id": question.action},
                    "resource": {"type": question.thing.kind, "id": name},
                    "context": _circumstance(question),
                }
            )
        given = json.dumps([entity for entity in entities.values() if entity["attrs"]])
        results = cedarpy.is_authorized_batch(requests, self._policies, given, self._schema)
        return tuple(_decision(result) for result in results)


def _decision(result: cedarpy.AuthzResult) -> Decision:
    errors = tuple(result.diagnostics.errors)
    named = result.diagnostics.id_annotations_by_reason
    rules = tuple(sorted(named.get(reason, reason) for reason in result.diagnostics.reasons))
    return Decision(allowed=result.allowed and not errors, rules=rules, errors=errors)


def _rules(file: str, source: str) -> Iterable[Rule]:
    found = json.loads(cedarpy.policies_to_json_str(source))["staticPolicies"]
    for key in sorted(found, key=lambda name: int(name.removeprefix("policy"))):
        annotations = found[key].get("annotations", {})
        if missing := [name for name in ("id", "basis", "says") if not annotations.get(name)]:
            raise BadPolicy(f"{file}.cedar: rule {annotations.get('id', key)} has no @{missing[0]}")
        yield Rule(
            id=annotations["id"],
            file=file,
            effect=found[key]["effect"],
            basis=annotations["basis"],
            says=annotations["says"],
        )


def _name(thing: Thing) -> str:
    """A name for a thing that is nothing but its facts."""
    if not fields(thing):
        return thing.kind.lower()
    return ",".join(str(getattr(thing, each.name)) for each in fields(thing))


def _entity(thing: Thing, name: str) -> Mapping[str, Any]:
    facts = {each.name: getattr(thing, each.name) for each in fields(thing)}
    told = {key: value if isinstance(value, bool) else _word("State", value) for key, value in facts.items()}
    return {"uid": {"type": thing.kind, "id": name}, "attrs": told, "parents": []}


def _circumstance(question: Question) -> Mapping[str, Any]:
    given = {"purpose": _word("Purpose", question.purpose)}
    return {**given, "by": _word("Act", question.by)} if question.by else given


def _word(kind: str, value: str) -> Mapping[str, Any]:
    return {"__entity": {"type": kind, "id": str(value)}}
