"""docker-compose.yml as tests read it: services with their settings, users, secrets and files."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
DEPLOY = CHECKOUT / "deploy"
FILE = CHECKOUT / "docker-compose.yml"
GIVEN = {"IDENTITY_URL": "https://id.amparo.example"}
PROCESSES = ("intake", "protection", "referral", "timeline", "vault", "workflows")
_VARIABLE = re.compile(r"\$\$|\$\{(\w+)(?::([-?])([^}]*))?\}")


@dataclass(frozen=True, slots=True)
class Mounted:
    """A file or folder of the repository in a container."""

    source: Path
    target: str
    is_read_only: bool


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the file, variables filled in."""

    name: str
    row: Mapping[str, Any]

    @property
    def is_job(self) -> bool:
        return self.row.get("restart") == "no"

    @property
    def user(self) -> int:
        return int(self.row["user"].partition(":")[0])

    @property
    def command(self) -> list[str]:
        return [*self.row.get("entrypoint", ()), *self.row.get("command", ())]

    @property
    def environment(self) -> dict[str, str]:
        return {name: str(value) for name, value in self.row.get("environment", {}).items()}

    @property
    def networks(self) -> set[str]:
        return set(self.row.get("networks", ()))

    @property
    def secrets(self) -> dict[str, str]:
        """Secret → the path that the container finds it at."""
        found = {}
        for one in self.row.get("secrets", ()):
            source, target = (one, one) if isinstance(one, str) else (one["source"], one["target"])
            found[source] = target if target.startswith("/") else f"/run/secrets/{target}"
        return found

    @property
    def health(self) -> list[str]:
        return list(self.row["healthcheck"]["test"])

    @property
    def mounted(self) -> list[Mounted]:
        binds = [one for one in self.row.get("volumes", ()) if isinstance(one, dict)]
        return [Mounted(CHECKOUT / one["source"], one["target"], bool(one.get("read_only"))) for one in binds]


@cache
def document() -> Mapping[str, Any]:
    """The whole file."""
    found: Mapping[str, Any] = _filled(yaml.safe_load(FILE.read_text()))
    return found


@cache
def services() -> Mapping[str, Service]:
    return {name: Service(name, row) for name, row in document()["services"].items()}


def configuration(name: str) -> Any:
    """A file of deploy/, read as YAML, of which JSON is a part."""
    return yaml.safe_load((DEPLOY / name).read_text())


def leaves(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every single value of a document, with the keys that lead to it."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, (*path, str(key)))
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, path)
    else:
        yield path, value


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _filled(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner) for inner in value]
    return _VARIABLE.sub(_value, value) if isinstance(value, str) else value


def _value(found: re.Match[str]) -> str:
    name, kind, rest = found.groups()
    if name is None:
        return "$"
    if name in GIVEN:
        return GIVEN[name]
    if kind != "-":
        raise LookupError(f"{name} has no default, and deploy/example.env does not name it")
    return str(rest)
