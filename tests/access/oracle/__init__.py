"""The oracle: what may be done and told, as a person wrote it down, to compare the rules with. Beside `docs/access.md`.

`acts.yaml` and `routes.csv` are its tables; nothing here asks the policy.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from access.policy import Role, State, Thing

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line: a role, tied so (fact → value; ``thing`` is the kind), in these states, may do these."""

    role: str
    tie: str
    facts: Mapping[str, bool]
    thing: str
    states: frozenset[str]
    may: frozenset[str]

    def covers(self, thing: Thing) -> bool:
        """Whether the thing is one of those that the line is about."""
        if thing.kind != self.thing:
            return False
        known = {each.name: getattr(thing, each.name) for each in fields(thing)}
        return known.pop("state", State.OPEN) in self.states and all(
            known[fact] is value for fact, value in self.facts.items()
        )


@cache
def lines() -> tuple[Line, ...]:
    """All lines of `acts.yaml`."""
    table = _read("acts.yaml")
    ties = table.pop("ties")
    return tuple(_line(role, each, ties) for role, rows in table.items() for each in rows)


def allows(role: str, action: str, thing: Thing) -> bool:
    """What the oracle says of one cell."""
    return any(line.role == role and action in line.may and line.covers(thing) for line in lines())


def routes() -> Iterator[Mapping[str, str]]:
    """The rows of `routes.csv`: service, method, path, action, thing."""
    with (HERE / "routes.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _line(role: str, row: Mapping[str, Any], ties: Mapping[str, Any]) -> Line:
    if set(row) != {"tie", "states", "may"}:
        raise ValueError(f"{role}: a line has tie, states, may; not {sorted(row)}")
    facts = dict(ties[row["tie"]])
    states = frozenset(State) if row["states"] == "any" else frozenset(State(each) for each in row["states"])
    thing = facts.pop("thing")
    may = frozenset(row["may"])
    return Line(role=Role(role), tie=row["tie"], facts=facts, thing=thing, states=states, may=may)


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HERE / name).read_text(encoding="utf-8"))
    return found
