"""Starting and stopping the whole: what waits for what, and nothing waits for more than it needs.

PostgreSQL, Kafka, Temporal and the keys go side by side; migrations wait for PostgreSQL; the services and workers wait
for all of them. A start resumes: what already runs is only asked whether it is well.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from local import kafka, keyring, ports, postgres, programs, stackfile, temporal
from local.faults import NotReady, StackFault
from local.locking import alone
from local.progress import Steps
from local.stackfile import SERVICES, Stack
from local.supervisor import TAIL_LINES, Supervisor

COMPONENT_SECONDS = 60
PROCESS_SECONDS = 90
COMMAND_SECONDS = 120
EXTERNAL_SECONDS = 10
TITLES = {postgres.NAME: "PostgreSQL", kafka.NAME: "Kafka", temporal.NAME: "Temporal"}
DRILLED = "drilled"  # a file in the data folder, once the drill has been shown


def up(home: Path, steps: Steps, *, new_ports: bool = False) -> Stack:
    """Start what does not run, in order, each when what it needs is well; the stack, ready.

    ``new_ports`` moves programs whose port somebody else has taken. Raises ``StackFault`` at the first part that fails;
    what runs by then goes on running, and another `up` resumes.
    """
    with alone(_lock(home)):
        supervisor = Supervisor(home)
        supervisor.end_orphans()
        stack = _settle(home, supervisor, new_ports=new_ports)
        stackfile.write(stack)
        table = [*programs.components(stack), *programs.processes(stack)]
        if supervisor.running() and (differing := supervisor.differing(table)):  # other addresses or settings
            if differing.isdisjoint(TITLES):
                supervisor.replace(table)
            else:
                _stop(supervisor)  # what stands on a component does not go on without it
        supervisor.start(table)
        with steps.showing():
            _Start(stack, supervisor, steps).run()
        return stack


def down(home: Path) -> bool:
    """Stop everything: services first, then Temporal and Kafka, PostgreSQL last. False when nothing ran."""
    supervisor = Supervisor(home)
    if not supervisor.running():
        return False
    with alone(_lock(home)):
        _stop(supervisor)
    return True


def reset(home: Path) -> None:
    """Stop everything and delete the data folder. Raises ``StackFault`` for a folder that is not a stack's."""
    if not home.exists():
        return
    if not (home / stackfile.FILE).exists() and any(entry.name != "lock" for entry in home.iterdir()):
        advice = "check AMPARO_HOME; delete the folder yourself if you are sure"
        raise StackFault("stack", f"{home} does not look like a stack's data folder", advice=advice)
    down(home)
    shutil.rmtree(home)


def drill(stack: Stack, arguments: Sequence[str] = ()) -> int:
    """Run the drill in this terminal; its exit code. A drill that ended well is noted in the data folder."""
    command = [*programs.drill_command(), *arguments]
    environment = _without_settings() | programs.outside(stack)
    code = subprocess.run(command, env=environment, check=False, cwd=stackfile.CHECKOUT).returncode
    if code == 0:
        (stack.home / DRILLED).touch(mode=0o600)
    return code


def was_drilled(stack: Stack) -> bool:
    return (stack.home / DRILLED).exists()


class _Start:
    """One start, as futures that wait for each other."""

    def __init__(self, stack: Stack, supervisor: Supervisor, steps: Steps) -> None:
        self.stack = stack
        self.supervisor = supervisor
        self.steps = steps

    def run(self) -> None:
        ask_the_vault = keyring.may_vault_hold_keys(self.stack)  # before our server makes its cluster
        with ThreadPoolExecutor(max_workers=32) as pool:
            database = pool.submit(self.component, postgres.NAME)
            prepared = [pool.submit(self.component, name) for name in (kafka.NAME, temporal.NAME)]
            migrated = pool.submit(self.migrations, after=database)
            keys = pool.submit(self.keys, after=migrated if ask_the_vault else None)
            agencies = pool.submit(self.agencies, after=[migrated, keys])
            ground = [database, *prepared, keys, migrated, agencies]
            services = pool.submit(self.group, "services", self.services(), after=ground)
            workers = pool.submit(self.group, "workers", [programs.WORKERS, *programs.SIMULATORS], after=ground)
            try:
                _all([*ground, services, workers])
            except BaseException:
                self.supervisor.give_up_waiting()
                raise

    def services(self) -> list[str]:
        return [*SERVICES, *([] if self.stack.given(programs.ISSUER) else [programs.ISSUER])]

    def component(self, name: str) -> None:
        if self.stack.given(name):
            with self.steps.step(TITLES[name], "yours"):
                self._await_given(name)
            return
        with self.steps.step(TITLES[name]):
            if not self._runs(name):
                self._prepare(name)
            self._start(name, seconds=COMPONENT_SECONDS, deaths=0)

    def keys(self, *, after: Future[None] | None) -> None:
        """``after`` is the vault's migration, where it has to be asked before a keyring is made."""
        if after is not None:
            after.result()
            keyring.refuse_where_lost(self.stack)
        with self.steps.step("keys"):
            _command("keys", programs.keys_command(self.stack.home / "keys", self.stack.mechanism), {})

    def migrations(self, *, after: Future[None]) -> None:
        after.result()
        with self.steps.step("migrations"):
            admin, known = self.stack.values["AMPARO_POSTGRES"], self.stack.databases()
            try:
                postgres.provision(admin, mechanism=self.stack.mechanism, known=known)
                # One after the other within this process: what takes time is to load Alembic, once is enough.
                for service in postgres.SERVICES:
                    self.migrate(service)
            except psycopg.Error as error:
                advice = "check that AMPARO_POSTGRES is an administrator's URL, and run `make up` again"
                raise StackFault("databases", str(error).strip(), advice=advice) from error

    def agencies(self, *, after: Sequence[Future[None]]) -> None:
        """Where nothing was ever recorded of agencies, those that a fresh system knows are registered."""
        for future in after:
            future.result()
        with postgres.connect(self.stack.database("referral_app")) as connection:
            if connection.execute("SELECT FROM events LIMIT 1").fetchone() is not None:
                return
        with self.steps.step("agencies"):
            _command("agencies", programs.seed_command(), programs.environment(self.stack, "referral"))

    def migrate(self, service: str) -> None:
        from runtime.database import migrate

        try:
            migrate(postgres.package(service), self.stack.database(f"{service}_owner"))
        except SQLAlchemyError as error:
            said = str(error).splitlines()[-TAIL_LINES:]
            advice = "its database is as it was before; see the lines above"
            raise StackFault(f"migrations of {service}", "a revision failed", advice=advice, tail=said) from error

    def group(self, title: str, names: Sequence[str], *, after: Sequence[Future[None]]) -> None:
        for future in after:
            future.result()
        with self.steps.step(title), ThreadPoolExecutor(len(names)) as pool:
            _all([pool.submit(self._start, name, seconds=PROCESS_SECONDS, deaths=1) for name in names])

    def _start(self, name: str, *, seconds: float, deaths: int) -> None:
        self.supervisor.start_program(name)
        self.supervisor.await_health(name, lambda: programs.check(self.stack, name), seconds=seconds, deaths=deaths)

    def _runs(self, name: str) -> bool:
        state = self.supervisor.states().get(name)
        return state is not None and state.pid != 0

    def _prepare(self, name: str) -> None:
        folder, port = self.stack.home / name, self.stack.port
        if name == postgres.NAME:
            postgres.prepare(folder, port=port("postgres"))
        elif name == kafka.NAME:
            kafka.prepare(folder, port=port("kafka"), controller_port=port("kafka_controller"))

    def _await_given(self, name: str) -> None:
        reason = ""
        for _ in range(3):
            try:
                return programs.check(self.stack, name)
            except NotReady as error:
                reason = str(error)
        variable = stackfile.REPLACEMENTS[name][0]
        raise StackFault(TITLES[name], f"yours does not answer ({reason})", advice=f"check {variable}")


def _stop(supervisor: Supervisor) -> None:
    own = [name for name in supervisor.states() if name not in TITLES]
    supervisor.shutdown([own, [temporal.NAME, kafka.NAME], [postgres.NAME]])


def _settle(home: Path, supervisor: Supervisor, *, new_ports: bool) -> Stack:
    """The settings of this start, with every port of a program that does not run found free."""
    stack = stackfile.settle(home, os.environ)
    taken = _taken_ports(stack, supervisor)
    if not taken:
        return stack
    if new_ports:
        return stackfile.settle(home, os.environ, new_ports=frozenset(name for _, name, _ in taken))
    program, name, port = taken[0]
    raise StackFault(
        program,
        f"port {port} ({name}), which it had at the last start, is taken by {ports.holder(port)}",
        advice="end that program, or run `.venv/bin/python -m local up --new-ports` to move ours",
    )


def _taken_ports(stack: Stack, supervisor: Supervisor) -> list[tuple[str, str, int]]:
    running = {name for name, state in supervisor.states().items() if state.pid}
    return [
        (program.name, name, port)
        for program in (*programs.components(stack), *programs.processes(stack))
        if program.name not in running
        for name, port in programs.ports_of(stack, program.name)
        if not ports.is_free(port)
    ]


def _command(part: str, command: Sequence[str], settings: dict[str, str]) -> None:
    environment = _without_settings() | settings
    try:
        done = subprocess.run(
            command,
            env=environment,
            cwd=stackfile.CHECKOUT,
            capture_output=True,
            text=True,
            check=False,
            timeout=COMMAND_SECONDS,
            umask=0o077,
        )
    except subprocess.TimeoutExpired as error:
        raise StackFault(part, f"not done after {COMMAND_SECONDS} s", advice="run `make up` again") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).splitlines()[-TAIL_LINES:]
        raise StackFault(part, f"ended with code {done.returncode}", advice="see the lines above", tail=said)


def _all(futures: Sequence[Future[None]]) -> None:
    """Wait for all; raise the first failure as soon as it comes."""
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()


def _without_settings() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("AMPARO_")}


def _lock(home: Path) -> Path:
    return home / "lock"
