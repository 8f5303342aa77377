"""The oracle: what may be done and told, as a person wrote it down, to compare the rules with. Beside `docs/access.md`.

`acts.yaml`, `tells.yaml`, `fields.yaml` and `routes.csv` are its tables; nothing here asks the policy.
"""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from access.policy import DataClass, Role, State, Thing

HERE = Path(__file__).parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One line: a role, tied so (fact → value; ``thing`` is the kind), in these states, may do these; or is told the
    classes of ``told`` by these, none named meaning by any.
    """

    role: str
    tie: str
    facts: Mapping[str, bool]
    thing: str
    states: frozenset[str]
    may: frozenset[str]
    told: frozenset[str] = frozenset()

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


@cache
def telling_lines() -> tuple[Line, ...]:
    """All lines of `tells.yaml`."""
    ties = _read("acts.yaml")["ties"]
    return tuple(_line(role, each, ties) for role, rows in _read("tells.yaml").items() for each in rows)


def tells(role: str, action: str, thing: Thing) -> frozenset[str]:
    """Which classes the oracle says that the answer tells."""
    found = [line for line in telling_lines() if line.role == role and (not line.may or action in line.may)]
    return frozenset(told for line in found if line.covers(thing) for told in line.told)


def fields_of_answers() -> Mapping[tuple[str, str, str], frozenset[str]]:
    """The classes of each field of `fields.yaml`, by (service, model, field)."""
    found: dict[tuple[str, str, str], set[str]] = {}
    for service, models in _read("fields.yaml").items():
        for model, classes in models.items():
            for name, members in classes.items():
                for member in members:
                    found.setdefault((service, model, member), set()).add(DataClass(name))
    return {key: frozenset(classes) for key, classes in found.items()}


def routes() -> Iterator[Mapping[str, str]]:
    """The rows of `routes.csv`: service, method, path, action, thing."""
    with (HERE / "routes.csv").open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _line(role: str, row: Mapping[str, Any], ties: Mapping[str, Any]) -> Line:
    if set(row) not in ({"tie", "states", "may"}, {"tie", "states", "by", "told"}):
        raise ValueError(f"{role}: a line has tie, states, may; or tie, states, by, told; not {sorted(row)}")
    facts = dict(ties[row["tie"]])
    states = frozenset(State) if row["states"] == "any" else frozenset(State(each) for each in row["states"])
    by = row.get("may", row.get("by"))
    return Line(
        role=Role(role),
        tie=row["tie"],
        thing=facts.pop("thing"),
        facts=facts,
        states=states,
        may=frozenset() if by == "any" else frozenset(by),
        told=frozenset(DataClass(each) for each in row.get("told", ())),
    )


def _read(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((HERE / name).read_text(encoding="utf-8"))
    return found
