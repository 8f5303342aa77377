"""The servers of one test run: each started when first asked for, shared by the run's workers, stopped by the last.

A running stack is used instead when AMPARO_TEST_STACK names its env file. What a killed run left behind is cleared by
the next one.
"""

import contextlib
import os
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil

from local import kafka, ports, postgres, temporal
from local.locking import alone
from local.supervisor import Program, Supervisor
from runtime import database

START_SECONDS = 60
WHOLE = "whole"  # the data folder of a whole stack, see tests/system
FOLDER = Path(tempfile.gettempdir()) / f"amparo-tests-{os.getuid()}"
SETTINGS = {**postgres.SETTINGS, **postgres.UNSAFE_BUT_QUICK, "max_connections": "400"}


class Servers:
    """One run's servers; every process of the run makes one, and leaves in the end."""

    def __init__(self) -> None:
        given = os.environ.get("AMPARO_TEST_STACK")
        self._given = _read_env(Path(given)) if given else None
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"run-{os.getpid()}"
        self.folder = FOLDER / run
        self._users = self.folder / "users"
        with alone(FOLDER / "lock"):
            _clear_abandoned()
            self._users.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self._users / str(os.getpid())).touch()

    def postgres(self) -> str:
        """The administrator's URL."""
        return self._address("postgres", "AMPARO_POSTGRES", _start_postgres)

    def kafka(self) -> str:
        """The bootstrap address, ``host:port``."""
        return self._address("kafka", "AMPARO_KAFKA", _start_kafka)

    def temporal(self) -> str:
        """The front end's address, ``host:port``."""
        return self._address("temporal", "AMPARO_TEMPORAL", _start_temporal)

    def leave(self) -> None:
        """Stop the servers unless another process of the run still uses them."""
        with alone(FOLDER / "lock"):
            (self._users / str(os.getpid())).unlink(missing_ok=True)
            if not _in_use(self.folder):
                _remove(self.folder)

    def _address(self, name: str, variable: str, start: Callable[[Path], str]) -> str:
        if self._given is not None:
            return self._given[variable]
        folder = self.folder / name
        with alone(self.folder / f"{name}.lock"):
            address = folder / "address"
            if not address.exists():
                folder.mkdir(mode=0o700)
                address.write_text(start(folder))
            return address.read_text()


class Databases:
    """A mechanism of a test's own: a random prefix, and each service's database made when first asked for."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self.mechanism = f"t{secrets.token_hex(3)}"
        self._urls: dict[str, str] = {}

    def url(self, service: str, role: str = "app") -> str:
        """A role's URL. ``role`` is owner, app or sequencer; for service ``vault`` also intake or referral."""
        key = f"{service}_{role}"
        if key not in self._urls:
            self._urls |= postgres.provision(self.admin_url, mechanism=self.mechanism, services=[service])
        return self._urls[key]

    def migrate(self, *services: str) -> "Databases":
        """Apply the services' migrations, as ``python -m <package> migrate`` does."""
        for service in services:
            with ThreadPoolExecutor(1) as elsewhere:  # a running event loop must not notice
                elsewhere.submit(database.migrate, postgres.package(service), self.url(service, "owner")).result()
        return self

    def environment(self, service: str) -> dict[str, str]:
        """The settings of a service's process that concern its databases."""
        settings = {
            "AMPARO_ENVIRONMENT": "embedded",
            "AMPARO_MECHANISM": self.mechanism,
            "AMPARO_DATABASE": self.url(service),
            "AMPARO_SEQUENCER_DATABASE": self.url(service, "sequencer"),
        }
        if service in postgres.VAULT_CLIENTS:
            settings["AMPARO_VAULT_DATABASE"] = self.url("vault", service)
        return settings

    def drop(self) -> None:
        if self._urls:
            postgres.drop(self.admin_url, mechanism=self.mechanism)


def _start_postgres(folder: Path) -> str:
    where, port = folder / "postgres", ports.choose(["port"])["port"]
    program, url = postgres.program(where), postgres.admin_url(where, port=port)
    postgres.prepare(where, port=port, settings=SETTINGS)
    _run(folder, program, lambda: postgres.check(url))
    return url


def _start_kafka(folder: Path) -> str:
    where, chosen = folder / "kafka", ports.choose(["port", "controller_port"])
    program = kafka.program(where)
    kafka.prepare(where, port=chosen["port"], controller_port=chosen["controller_port"])
    address = f"{ports.LOOPBACK}:{chosen['port']}"
    _run(folder, program, lambda: kafka.check(address))
    return address


def _start_temporal(folder: Path) -> str:
    chosen = ports.choose(["port", "ui_port", "http_port", "metrics_port"])
    program = temporal.program(folder / "temporal", **chosen)
    address = f"{ports.LOOPBACK}:{chosen['port']}"
    _run(folder, program, lambda: temporal.check(address))
    return address


def _run(folder: Path, program: Program, check: Callable[[], None]) -> None:
    supervisor = Supervisor(folder)
    supervisor.start([program])
    supervisor.start_program(program.name)
    supervisor.await_health(program.name, check, seconds=START_SECONDS)


def _clear_abandoned() -> None:
    for folder in FOLDER.iterdir():
        if folder.is_dir() and not _in_use(folder):
            _remove(folder)


def _in_use(folder: Path) -> bool:
    users = folder / "users"
    return users.is_dir() and any(psutil.pid_exists(int(user.name)) for user in users.iterdir())


def _remove(folder: Path) -> None:
    with ThreadPoolExecutor() as pool:
        list(pool.map(_stop, _supervisors(folder)))
    shutil.rmtree(folder, ignore_errors=True)


def _stop(supervisor: Supervisor) -> None:
    supervisor.shutdown([])
    supervisor.end_orphans()


def _supervisors(folder: Path) -> Iterator[Supervisor]:
    with contextlib.suppress(OSError):
        for name in ("postgres", "kafka", "temporal", WHOLE):
            if (folder / name).is_dir():
                yield Supervisor(folder / name)


def _read_env(file: Path) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in file.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {name: "".join(shlex.split(value)) for name, value in pairs}
