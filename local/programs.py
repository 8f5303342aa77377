"""The table of programs: what runs, with which command, settings and port, and how each says that it is well."""

import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from pathlib import Path

from local import kafka, postgres, temporal
from local.faults import NotReady
from local.ports import LOOPBACK
from local.stackfile import AGENCIES, CHECKOUT, COMPONENTS, SERVICES, Stack
from local.supervisor import Program

ISSUER = "issuer"
WORKERS = "workflows"
SIMULATORS = tuple(f"simulator-{agency}" for agency in AGENCIES)
HEALTH_SECONDS = 5
STOP_SECONDS = 15

# Settings that every process of the mechanism gets as they stand in the stack's file.
SHARED = (
    "AMPARO_HOME",
    "AMPARO_ENVIRONMENT",
    "AMPARO_MECHANISM",
    "AMPARO_AUDIENCE",
    "AMPARO_ISSUER",
    "AMPARO_JWKS",
    "AMPARO_TOKEN_ENDPOINT",
)
WITHIN = (  # besides, those of the services and the workers, not of what stands outside
    "AMPARO_KAFKA",
    "AMPARO_REPLICATION",
    "AMPARO_TEMPORAL",
    "AMPARO_TEMPORAL_NAMESPACE",
    "AMPARO_PACK",
)


def components(stack: Stack) -> list[Program]:
    """The servers that are run here. Raises ``StackFault`` when one's program is missing."""
    found = []
    if not stack.given(postgres.NAME):
        found.append(postgres.program(stack.home / postgres.NAME))
    if not stack.given(kafka.NAME):
        found.append(kafka.program(stack.home / kafka.NAME))
    if not stack.given(temporal.NAME):
        names = {"port": "temporal", "ui_port": "temporal_ui", "http_port": "temporal_http"}
        chosen = {option: stack.port(name) for option, name in names.items()}
        metrics_port = stack.port("temporal_metrics")
        found.append(temporal.program(stack.home / temporal.NAME, **chosen, metrics_port=metrics_port))
    return found


def processes(stack: Stack) -> list[Program]:
    """Amparo's own processes, in the order of the table."""
    rows: list[tuple[str, tuple[str, ...]]] = [
        *([] if stack.given(ISSUER) else [(ISSUER, ("access.issuer",))]),
        *((service, (f"services.{service}",)) for service in SERVICES),
        (WORKERS, ("workflows",)),
        *((name, ("local.simulator", name.removeprefix("simulator-"))) for name in SIMULATORS),
    ]
    return [_process(stack, name, module) for name, module in rows]


def environment(stack: Stack, name: str) -> dict[str, str]:
    """The settings of one process, secrets included."""
    settings = outside(stack) | {"AMPARO_HOST": LOOPBACK, "AMPARO_PORT": str(port(stack, name))}
    keys = stack.home / "keys"
    if name in (*SERVICES, WORKERS):
        settings |= {variable: stack.values[variable] for variable in WITHIN}
        settings["AMPARO_DATABASE"] = stack.database(f"{name}_app")
        settings["AMPARO_TRANSPORT_KEY"] = str(keys / "transport")
    if name in SERVICES:
        settings["AMPARO_SEQUENCER_DATABASE"] = stack.database(f"{name}_sequencer")
        settings["AMPARO_KEYRING"] = str(keys / "keyring")
        settings["AMPARO_RECEIPT_KEY"] = str(keys / "receipts" / f"{stack.mechanism}.{name}")
    if name in postgres.VAULT_CLIENTS:
        settings["AMPARO_VAULT_DATABASE"] = stack.database(f"vault_{name}")
    if name == ISSUER:
        settings["AMPARO_KEYRING"] = str(keys)
    else:
        settings |= client(stack, name.removeprefix("simulator-"))
    if name in SIMULATORS:
        settings["AMPARO_DRILL_SEED"] = stack.values["AMPARO_DRILL_SEED"]
    return settings


def client(stack: Stack, client_id: str) -> dict[str, str]:
    """The settings with which a process shows who it is to the token endpoint."""
    return {
        "AMPARO_CLIENT_ID": client_id,
        "AMPARO_CLIENT_KEY": str(stack.home / "keys" / "clients" / f"{client_id}.jwk"),
    }


def port(stack: Stack, name: str) -> int:
    """Where a process listens."""
    return stack.port(name)


def check(stack: Stack, name: str) -> None:
    """Ask a program whether it is well, as what depends on it would. Raises ``NotReady``."""
    checks: dict[str, Callable[[], None]] = {
        postgres.NAME: lambda: postgres.check(stack.values["AMPARO_POSTGRES"]),
        kafka.NAME: lambda: kafka.check(stack.values["AMPARO_KAFKA"]),
        temporal.NAME: lambda: temporal.check(
            stack.values["AMPARO_TEMPORAL"], stack.values["AMPARO_TEMPORAL_NAMESPACE"]
        ),
    }
    checks.get(name, lambda: _ask(f"http://{LOOPBACK}:{port(stack, name)}/healthz"))()


def ports_of(stack: Stack, name: str) -> Iterable[tuple[str, int]]:
    """The ports of a program, each with its name in the stack's file."""
    for listed in COMPONENTS.get(name, (name,)):
        yield listed, stack.port(listed)


def _process(stack: Stack, name: str, module: tuple[str, ...]) -> Program:
    return Program(
        name=name,
        command=(sys.executable, "-m", *module),
        directory=CHECKOUT,
        environment=environment(stack, name) | _telemetry() | {"PYTHONUNBUFFERED": "1"},
        stop_seconds=STOP_SECONDS,
    )


def _telemetry() -> dict[str, str]:
    """OpenTelemetry's own variables, as the user's terminal has them."""
    return {name: value for name, value in os.environ.items() if name.startswith("OTEL_")}


def _ask(url: str) -> None:
    try:
        # Proxies of the user's environment are for the world outside.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=HEALTH_SECONDS):
            return
    except urllib.error.HTTPError as error:
        raise NotReady(_unwell(error.read()) or f"HTTP {error.code}") from error
    except OSError as error:
        raise NotReady(str(getattr(error, "reason", error))) from error


def _unwell(body: bytes) -> str:
    try:
        checks = json.loads(body)["checks"]
    except (ValueError, KeyError, TypeError):
        return ""
    return json.dumps(checks)


def keys_command(folder: Path, mechanism: str) -> list[str]:
    """The command that makes the keys that are missing."""
    return [sys.executable, "-m", "access.keys", "init", "--folder", str(folder), "--mechanism", mechanism]


def seed_command() -> list[str]:
    """The command that registers the agencies that a fresh system knows."""
    return [sys.executable, "-m", "services.referral", "seed"]


def drill_command() -> list[str]:
    return [sys.executable, "-m", "local.drill"]


def outside(stack: Stack) -> dict[str, str]:
    """The settings of what stands outside, as the drill does: addresses and credentials, no database, no broker."""
    settings = {variable: stack.values[variable] for variable in SHARED}
    return settings | {
        variable: value for variable, value in stack.values.items() if variable.startswith("AMPARO_URL_")
    }
