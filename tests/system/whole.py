"""The whole stack in a data folder of its own: started, stopped and harmed as its user would, or a bad night would."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path

from rich.console import Console

from local import drill, programs, stackfile, status
from local.drill import Case, Outcome
from local.drill_view import Entry
from local.faults import NotReady
from local.party import Act, Party, at_once
from local.stackfile import CHECKOUT, Stack
from local.supervisor import Supervisor
from tests.eventually import eventually

COMMAND_S = 300
BACK_S = 120
PATIENCE_S = 400
ORDINARY = ("PATH", "HOME", "LANG", "TMPDIR")


class Whole:
    """One embedded stack. Everything it does to processes, it does to its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.supervisor = Supervisor(home)

    @property
    def stack(self) -> Stack:
        """Its settings as they stand now."""
        return stackfile.existing(self.home)

    @property
    def outside(self) -> Mapping[str, str]:
        """The settings of a client: addresses, and where its credentials are."""
        return programs.outside(self.stack)

    def local(self, *arguments: str) -> str:
        """One command of `python -m local`; what it said. Fails with it."""
        environment = {name: os.environ[name] for name in ORDINARY if name in os.environ}
        environment["AMPARO_HOME"] = str(self.home)
        command = (sys.executable, "-m", "local", *arguments)
        done = subprocess.run(
            command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=COMMAND_S
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def up(self) -> str:
        """Starts what does not run, and waits until all of it is well."""
        return self.local("up", "--no-drill")

    def is_well(self) -> bool:
        """Whether every program runs and says that it is well."""
        if not self.supervisor.running():
            return False
        return all(row.health == "well" for row in status.rows(self.stack))

    def programs(self) -> set[str]:
        """The names of everything that runs."""
        return set(self.supervisor.states())

    def stop(self, *names: str) -> None:
        """Stops programs in an orderly way and waits until they are gone."""
        self.supervisor.stop_programs(names)

    def start(self, *names: str) -> None:
        """Starts programs that were stopped; does not wait."""
        for name in names:
            self.supervisor.start_program(name)

    async def kill(self, name: str) -> int:
        """Kills a program as a failing machine does (signal 9); the process id that it had."""
        pid = (await asyncio.to_thread(self.supervisor.states))[name].pid
        assert pid, f"{name} does not run"
        await asyncio.to_thread(self.supervisor.kill, name)
        return pid

    async def back(self, name: str, *, after: int) -> None:
        """Waits until the supervisor has started a killed program again, and it is well."""

        def is_back() -> bool:
            state = self.supervisor.states()[name]
            assert state.pid not in (0, after), f"{name}: {state.state}"
            self.ask(name)
            return True

        await eventually(lambda: asyncio.to_thread(is_back), timeout=BACK_S)

    def ask(self, name: str) -> None:
        """Asks a program whether it is well; fails with what it says."""
        try:
            programs.check(self.stack, name)
        except NotReady as reason:
            raise AssertionError(f"{name}: {reason}") from reason

    def party(self, client: str) -> Party:
        """A client of the public APIs."""
        return Party(client, self.outside)

    def demo(self) -> Outcome:
        """One drill as `make demo` runs it."""
        return _read(self.local("demo", "--", "--json", "--patience", str(PATIENCE_S)))

    async def drill(
        self,
        *,
        seen: Callable[[Entry], None] = lambda entry: None,
        before: Callable[[str], Awaitable[None]] = at_once,
    ) -> Outcome:
        """One drill, seen by nobody but ``seen``, each act as soon as ``before`` lets it."""
        console = Console(quiet=True)
        return await drill.drill(self.outside, console, patience_s=PATIENCE_S, seen=seen, before=before)


def _read(document: str) -> Outcome:
    """What `python -m local.drill --json` wrote."""
    read = json.loads(document)
    return Outcome(
        started=datetime.fromisoformat(read["started"]),
        cases=[Case(**case) for case in read["cases"]],
        acts=[Act(**act) for act in read["acts"]],
        response_times=read["response_times"],
    )
