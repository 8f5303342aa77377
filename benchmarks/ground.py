"""Owns what is measured on: a stack as `make up` starts it, in a temporary folder, and databases beside its own."""

import asyncio
import contextlib
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from access.token_source import TokenSource
from eventlog import schema
from local import ports, postgres, presenting, programs, stack
from local.faults import NotReady
from local.progress import Steps
from local.stackfile import CHECKOUT, Stack
from local.supervisor import Supervisor

BENCH = "bench"
"""The mechanism whose databases are beside the stack's own."""
PACK = "drill:1000"
"""Limits of hours, so that no clock's rung is reached while something else is measured."""
START_SECONDS = 60


class Statements(list[str]):
    """Collects what a migration would execute."""

    def execute(self, sqltext: str) -> None:
        self.append(sqltext)


class Ground:
    """A running stack and what a measurement needs of it."""

    def __init__(self, running: Stack) -> None:
        self.stack = running
        self._supervisor = Supervisor(running.home)
        self._tokens: dict[str, TokenSource] = {}

    def value(self, variable: str) -> str:
        """A line of the stack's file."""
        return self.stack.values[variable]

    def port(self, name: str) -> int:
        """Where a process of the stack listens."""
        return self.stack.port(name)

    def tokens(self, client: str = "ngo") -> TokenSource:
        """The tokens of one of the stack's clients, from its issuer."""
        if client not in self._tokens:
            self._tokens[client] = presenting.source(self.stack, client)
        return self._tokens[client]

    async def credentials(self, client: str = "ngo") -> Mapping[str, Any]:
        """The ``token`` of one of the stack's clients, and the ``key`` that it is bound to."""
        source = self.tokens(client)
        return {"token": await source.token(), "key": source.prover.key.as_dict(private=True)}

    async def keep_only(self, *names: str) -> None:
        """Stops every program but these, so that what is measured has the machine for itself."""
        others = [name for name in self._supervisor.states() if name not in names]
        await asyncio.to_thread(self._supervisor.stop_programs, others)

    def databases(self, service: str) -> Mapping[str, str]:
        """The URLs of a fresh database ``bench_<service>``: keys ``owner``, ``app``, ``sequencer``."""
        urls = postgres.provision(self.value("AMPARO_POSTGRES"), mechanism=BENCH, services=[service])
        return {kind: urls[f"{service}_{kind}"] for kind in ("owner", "app", "sequencer")}

    def store(self, service: str) -> Mapping[str, str]:
        """As `databases`, with the tables of an event store."""
        urls = self.databases(service)
        statements = Statements()
        schema.upgrade(statements, database=f"{BENCH}_{service}", consuming=False)
        self.make(urls["owner"], *statements)
        return urls

    def settle(self) -> None:
        """Has PostgreSQL write out what earlier measurements left, so that no round pays for them."""
        with postgres.connect(self.value("AMPARO_POSTGRES")) as connection:
            connection.execute("CHECKPOINT")

    @staticmethod
    def make(owner: str, *statements: str) -> None:
        """Runs statements as a database's owner."""
        with postgres.connect(owner) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    @asynccontextmanager
    async def process(self, module: str, settings: Mapping[str, str]) -> AsyncIterator[int]:
        """A process of ours beside the stack, up to its end; gives its port once ``/healthz`` answers 200."""
        port = ports.choose([module])[module]
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
        environment |= {**settings, "AMPARO_HOST": ports.LOOPBACK, "AMPARO_PORT": str(port)}
        environment["AMPARO_PUBLIC_URLS"] = f"http://{ports.LOOPBACK}:{port}"
        log = self.stack.home / "logs" / f"{module}.log"
        with log.open("ab") as written:
            running = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module), cwd=CHECKOUT, env=environment, stdout=written, stderr=written
            )
            try:
                await _answers(port, running)
                yield port
            finally:
                with contextlib.suppress(ProcessLookupError):
                    running.terminate()
                await running.wait()


@contextmanager
def ground(console: Console) -> Iterator[Ground]:
    """A stack of its own for one run, deleted in the end."""
    for name in [name for name in os.environ if name.startswith("AMPARO_")]:
        del os.environ[name]  # another stack's addresses are not measured
    os.environ["AMPARO_PACK"] = PACK
    with tempfile.TemporaryDirectory(prefix="amparo-bench-") as folder:
        home = Path(folder) / "home"
        os.chmod(folder, 0o711)  # the database server runs as another user
        try:
            yield Ground(stack.up(home, Steps(console)))
        finally:
            stack.reset(home)


async def _answers(port: int, running: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            if running.returncode is not None:
                raise RuntimeError("a process of the benchmarks ended while it started; see its log")
            try:
                return await asyncio.to_thread(programs._ask, f"http://{ports.LOOPBACK}:{port}/healthz")
            except NotReady:
                await asyncio.sleep(0.1)
