"""The data folder and its one file of settings, ``stack.env``: ports, addresses, passwords. Everything reads it.

Mode 0600; lines of NAME=VALUE that a shell can read. What the user gives in the environment replaces a component and is
kept here under the same name, listed in AMPARO_GIVEN, for every later start; the value ``embedded`` gives it up.
"""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from local import kafka, ports, postgres, temporal
from local.faults import StackFault

CHECKOUT = Path(__file__).resolve().parents[1]
FILE = "stack.env"
SERVICES = ("intake", "protection", "referral", "timeline", "vault")
AGENCIES = ("police-ucayali", "prosecutor-ucayali", "ombudsman-ucayali")  # those that are simulated
COMPONENTS: Mapping[str, tuple[str, ...]] = {
    postgres.NAME: ("postgres",),
    kafka.NAME: ("kafka", "kafka_controller"),
    temporal.NAME: ("temporal", "temporal_ui", "temporal_http", "temporal_metrics"),
}
# The variable that replaces each part, and those that must come with it.
REPLACEMENTS: Mapping[str, tuple[str, ...]] = {
    postgres.NAME: ("AMPARO_POSTGRES",),
    kafka.NAME: ("AMPARO_KAFKA",),
    temporal.NAME: ("AMPARO_TEMPORAL",),
    "issuer": ("AMPARO_ISSUER", "AMPARO_JWKS", "AMPARO_TOKEN_ENDPOINT"),
}
EMBEDDED = "embedded"
"""In place of an address: the component is run here again."""
# Settings that a user may choose at the first `up`, with their embedded defaults.
CHOICES: Mapping[str, str] = {
    "AMPARO_MECHANISM": "pe",
    "AMPARO_PACK": "drill",
    "AMPARO_TEMPORAL_NAMESPACE": temporal.NAMESPACE,
    "AMPARO_REPLICATION": "1",
    "AMPARO_DRILL_SEED": "7",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Stack:
    """A data folder with its settings: ``values`` are the lines of its file."""

    home: Path
    values: Mapping[str, str]

    @property
    def mechanism(self) -> str:
        return self.values["AMPARO_MECHANISM"]

    def given(self, part: str) -> bool:
        """Whether the user replaced this part by a URL, so that it is not started here."""
        return part in self.values["AMPARO_GIVEN"].split()

    def port(self, name: str) -> int:
        return int(self.values[_port_variable(name)])

    def database(self, key: str) -> str:
        """A role's URL by its key of `postgres.role_urls`."""
        return self.values[f"AMPARO_DATABASE_{key.upper()}"]

    def databases(self) -> dict[str, str]:
        prefix = "AMPARO_DATABASE_"
        return {n.removeprefix(prefix).lower(): v for n, v in self.values.items() if n.startswith(prefix)}


def home_folder() -> Path:
    """AMPARO_HOME, or ``.amparo`` in the checkout."""
    return Path(os.environ.get("AMPARO_HOME") or CHECKOUT / ".amparo").absolute()


def read(home: Path) -> dict[str, str]:
    """The lines of the folder's file; none before the first `up`."""
    file = home / FILE
    if not file.exists():
        return {}
    pairs = (line.split("=", 1) for line in file.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {name: "".join(shlex.split(value)) for name, value in pairs}


def existing(home: Path) -> Stack:
    """The stack of a folder. Raises ``StackFault`` when none was ever started there."""
    values = read(home)
    if not values:
        raise StackFault("stack", f"nothing was started in {home}", advice="run `make up`")
    return Stack(home=home, values={**CHOICES, **values})  # an older file does not have them all


def write(stack: Stack) -> None:
    """Replace the file at once, so that no reader sees half of it."""
    lines = [f"{name}={shlex.quote(value)}" for name, value in sorted(stack.values.items())]
    part = stack.home / f"{FILE}.part"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("# Addresses and passwords of this stack, written by `up`.\n" + "\n".join(lines) + "\n")
    part.replace(stack.home / FILE)


def settle(home: Path, environment: Mapping[str, str], *, new_ports: frozenset[str] = frozenset()) -> Stack:
    """The settings for this start: those of the last one, what ``environment`` replaces, and new ones for the rest.

    ``new_ports`` names ports to choose anew. Raises ``StackFault`` when a replacement is given without what belongs
    to it, or when a mechanism is asked for that is not the folder's.
    """
    old = read(home)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.chmod(0o700)
    given = _given(old, environment)
    values = {name: environment.get(name) or old.get(name) or default for name, default in CHOICES.items()}
    if old.get("AMPARO_MECHANISM", values["AMPARO_MECHANISM"]) != values["AMPARO_MECHANISM"]:
        advice = "give it a folder of its own in AMPARO_HOME, or run `make reset`"
        raise StackFault("stack", f"{home} holds mechanism {old['AMPARO_MECHANISM']}", advice=advice)
    values |= {
        "AMPARO_HOME": str(home),
        "AMPARO_ENVIRONMENT": "embedded",
        "AMPARO_AUDIENCE": f"amparo:{values['AMPARO_MECHANISM']}",
        "AMPARO_GIVEN": " ".join(given),
    }
    values |= _ports(old, new_ports)
    for part in given:
        values |= given[part]
    values |= {name: value for name, value in _own_addresses(home, values).items() if name not in values}
    known = Stack(home=home, values=old).databases()
    urls = postgres.role_urls(values["AMPARO_POSTGRES"], mechanism=values["AMPARO_MECHANISM"], known=known)
    values |= {f"AMPARO_DATABASE_{key.upper()}": url for key, url in urls.items()}
    return Stack(home=home, values=values)


def port_names() -> list[str]:
    """Every port of the stack, by the program that listens on it."""
    components = [name for names in COMPONENTS.values() for name in names]
    return [*components, "issuer", *SERVICES, "workflows", *(f"simulator-{agency}" for agency in AGENCIES)]


def _given(old: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The parts that the user replaces, with their addresses: those given now, and those that were given before.

    A start that forgot one would go on with an empty component of ours, as if nothing had ever been filed.
    """
    was_given = old.get("AMPARO_GIVEN", "").split()
    given = {}
    for part, names in REPLACEMENTS.items():
        first, *others = names
        value = environment.get(first)
        if value == EMBEDDED:
            continue
        if not value or value == old.get(first):  # not set, or read back from the file
            if part in was_given:
                given[part] = {name: environment.get(name) or old[name] for name in names}
            continue
        missing = [name for name in others if not environment.get(name)]
        if missing:
            raise StackFault(part, f"{first} is given without {', '.join(missing)}", advice="set all of them, or none")
        given[part] = {name: environment[name] for name in names}
    return given


def _ports(old: Mapping[str, str], new_ports: frozenset[str]) -> dict[str, str]:
    kept = {_port_variable(n): old[_port_variable(n)] for n in port_names() if _port_variable(n) in old}
    wanted = [name for name in port_names() if name in new_ports or _port_variable(name) not in kept]
    return kept | {_port_variable(name): str(port) for name, port in ports.choose(wanted).items()}


def _own_addresses(home: Path, values: Mapping[str, str]) -> dict[str, str]:
    def web(name: str) -> str:
        return f"http://{ports.LOOPBACK}:{values[_port_variable(name)]}"

    addresses = {
        "AMPARO_KAFKA": f"{ports.LOOPBACK}:{values[_port_variable('kafka')]}",
        "AMPARO_TEMPORAL": f"{ports.LOOPBACK}:{values[_port_variable('temporal')]}",
        "AMPARO_TEMPORAL_UI": web("temporal_ui"),
        "AMPARO_ISSUER": web("issuer"),
        "AMPARO_JWKS": f"{web('issuer')}/.well-known/jwks.json",
        "AMPARO_TOKEN_ENDPOINT": f"{web('issuer')}/token",
        **{f"AMPARO_URL_{service.upper()}": web(service) for service in SERVICES},
    }
    if "AMPARO_POSTGRES" not in values:
        folder = home / postgres.NAME
        folder.mkdir(mode=0o700, exist_ok=True)
        port = int(values[_port_variable("postgres")])
        addresses["AMPARO_POSTGRES"] = postgres.admin_url(folder, port=port)
    return addresses


def _port_variable(name: str) -> str:
    return f"AMPARO_PORT_{name.upper().replace('-', '_')}"
