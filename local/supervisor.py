"""The kept supervisor (supervisord) and its API: which programs it keeps running, and what it says about them.

It restarts a program that dies, for ever, each failed start one second later than the one before. It starts nothing by
itself: `local.stack` starts each program when what it needs is healthy.
"""

import contextlib
import hashlib
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xmlrpc.client
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from supervisor.xmlrpc import SupervisorTransport

from local.faults import NotReady, StackFault

POLL_SECONDS = 0.05
RESTARTS_FOR_EVER = 1_000_000
LOG_BYTES = 20_000_000
TAIL_LINES = 15
ORPHAN_SECONDS = 20
LONGEST_SOCKET_PATH = 100  # the kernel's limit is 108 bytes
ALIVE = frozenset({"STARTING", "RUNNING", "STOPPING", "BACKOFF"})
# What a program may inherit from the terminal that ran `up`; all else comes from the stack's own table.
INHERITED = ("PATH", "HOME", "LANG", "TZ", "TMPDIR", "SSL_CERT_FILE")


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """One supervised process. ``environment`` is added to the few inherited variables."""

    name: str
    command: Sequence[str]
    directory: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_seconds: int = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What the supervisor knows of a program: its state's name, process id (0: none) and seconds since its start."""

    name: str
    state: str
    pid: int
    started: int
    description: str


class Supervisor:
    """The supervisord of one data folder. Every call is safe from any thread."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.folder = home / "supervisor"
        self.logs = home / "logs"
        self._config = self.folder / "supervisord.conf"
        self._given_up = threading.Event()

    @property
    def socket(self) -> Path:
        inside = self.folder / "s"
        if len(os.fsencode(inside)) <= LONGEST_SOCKET_PATH:
            return inside
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"amparo-{os.getuid()}-{digest}" / "s"

    def running(self) -> bool:
        """Whether this folder's supervisord answers."""
        try:
            self._call("getState")
        except (OSError, xmlrpc.client.Error):
            return False
        return True

    def start(self, programs: Sequence[Program]) -> None:
        """Run supervisord with these programs, none of them started; nothing when it runs already.

        Raises ``StackFault`` if it does not come up.
        """
        if self.running():
            return
        for folder in (self.folder, self.logs, self.socket.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.socket.parent.stat().st_uid != os.getuid():
            raise StackFault("supervisor", f"{self.socket.parent} belongs to another user", advice="remove that folder")
        _write_private(self._config, self._render(programs))
        environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
        done = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._config)],
            env=environment | {"PYTHONWARNINGS": "ignore"},
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            umask=0o077,
        )
        deadline = time.monotonic() + 10
        while done.returncode == 0 and time.monotonic() < deadline:
            if self.running():
                return
            time.sleep(POLL_SECONDS)
        said = [*done.stdout.splitlines()[-TAIL_LINES:], *self.tail("supervisord")]
        raise StackFault("supervisor", "supervisord did not start", advice=f"see {self.logs}", tail=said)

    def end_orphans(self) -> None:
        """End what a supervisord of this folder that was itself killed has left running."""
        if self.running():
            return
        ours = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get("SUPERVISOR_SERVER_URL") == f"unix://{self.socket}":
                    ours.append(process)
        heads = [process for process in ours if process.ppid() not in {other.pid for other in ours}]
        for process in heads:
            with contextlib.suppress(psutil.Error):
                # To PostgreSQL, TERM means to wait for every client.
                process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)
        _, lingering = psutil.wait_procs(heads, timeout=ORPHAN_SECONDS)
        for process in lingering:
            process.kill()
        psutil.wait_procs(lingering, timeout=ORPHAN_SECONDS)

    def differing(self, programs: Sequence[Program]) -> frozenset[str]:
        """Names of the programs that supervisord was started without or otherwise, and of those it has besides.

        All, where its own settings are others.
        """
        had, wanted = _sections(self._config.read_text()), _sections(self._render(programs))
        names = had.keys() | wanted.keys()
        alike = had[""] == wanted[""]
        return frozenset(name for name in names - {""} if not alike or had.get(name) != wanted.get(name))

    def replace(self, programs: Sequence[Program]) -> None:
        """Have these programs instead: those that differ are stopped and known anew, not started; the others go on.

        Raises ``StackFault`` where one does not stop.
        """
        _write_private(self._config, self._render(programs))
        ((added, changed, removed),) = self._call("reloadConfig")
        self.stop_programs([*changed, *removed])
        for name in [*changed, *removed]:
            try:
                self._call("removeProcessGroup", name)
            except xmlrpc.client.Fault as fault:
                raise StackFault(name, "it does not stop", advice="run `make down`, then `make up`") from fault
        for name in [*added, *changed]:
            self._call("addProcessGroup", name)

    def states(self) -> dict[str, State]:
        """Every program's state by name; empty when supervisord does not run."""
        try:
            rows = self._call("getAllProcessInfo")
        except (OSError, xmlrpc.client.Error):
            return {}
        return {row["name"]: _state(row) for row in rows}

    def start_program(self, name: str) -> None:
        """Start a program unless it runs; returns at once."""
        try:
            self._call("startProcess", name, False)
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise StackFault(name, fault.faultString, advice=self.look(name), tail=self.tail(name)) from fault

    def kill(self, name: str, signal_name: str = "KILL") -> None:
        """Send a signal; the supervisor starts the program again if that ends it."""
        self._call("signalProcess", name, signal_name)

    def await_health(self, name: str, check: Callable[[], None], *, seconds: float, deaths: int = 0) -> None:
        """Ask ``check`` until it stops raising ``NotReady``.

        Raises ``StackFault`` with the program's last log lines when the program dies more than ``deaths`` times, or
        when the time is over.
        """
        deadline = time.monotonic() + seconds
        seen: set[int] = set()
        while True:
            state = self.states().get(name)
            if state is None:
                raise StackFault(name, "the supervisor is gone", advice="run `make up` again", tail=self.tail(name))
            if self._given_up.is_set():
                raise StackFault(name, "not waited for any more", advice="run `make up` again")
            if state.pid:
                seen.add(state.pid)
            died = len(seen) - 1 if state.pid else max(len(seen), 1)
            if died > deaths:
                self._give_up(name)
                raise StackFault(name, f"it ended while starting ({state.description})", **self._last_words(name))
            try:
                return check()
            except NotReady as reason:
                if time.monotonic() > deadline:
                    what = f"not healthy after {seconds:.0f} s ({reason})"
                    raise StackFault(name, what, **self._last_words(name)) from reason
            time.sleep(POLL_SECONDS)

    def give_up_waiting(self) -> None:
        """End every `await_health` of this object, now and later."""
        self._given_up.set()

    def stop_programs(self, names: Sequence[str], *, seconds: float = 60) -> None:
        """Stop programs side by side and wait until they are gone (the supervisor kills one that lingers)."""
        for name, state in self.states().items():
            if name in names and state.state in ALIVE:
                self._give_up(name)
        deadline = time.monotonic() + seconds
        while any(s.state in ALIVE for n, s in self.states().items() if n in names) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def shutdown(self, order: Sequence[Sequence[str]]) -> None:
        """Stop the programs group by group, whatever else is left, then supervisord itself."""
        for group in order:
            self.stop_programs(group)
        self.stop_programs(list(self.states()))
        try:
            self._call("shutdown")
        except (OSError, xmlrpc.client.Error):
            return
        deadline = time.monotonic() + 20
        while self.running() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def log(self, name: str) -> Path:
        return self.logs / f"{name}.log"

    def tail(self, name: str, lines: int = TAIL_LINES) -> list[str]:
        """The last lines of a program's log."""
        try:
            with self.log(name).open(errors="replace") as written:
                return [line.rstrip() for line in deque(written, maxlen=lines)]
        except OSError:
            return []

    def look(self, name: str) -> str:
        return f"see {self.log(name)}, then run `make up` again"

    def _last_words(self, name: str) -> dict[str, Any]:
        return {"advice": self.look(name), "tail": self.tail(name)}

    def _give_up(self, name: str) -> None:
        with contextlib.suppress(xmlrpc.client.Fault):  # it may be gone already
            self._call("stopProcess", name, False)

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        try:
            proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
            return getattr(proxy.supervisor, method)(*arguments)
        finally:
            transport.close()

    def _render(self, programs: Sequence[Program]) -> str:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        files = 8192 if hard == resource.RLIM_INFINITY else min(8192, hard)
        lines = [
            "[supervisord]",
            f"logfile={_escape(self.log('supervisord'))}",
            f"pidfile={_escape(self.folder / 'pid')}",
            f"childlogdir={_escape(self.logs)}",
            f"logfile_maxbytes={LOG_BYTES}",
            "logfile_backups=1",
            "umask=077",
            f"minfds={files}",
            *(["user=root"] if os.geteuid() == 0 else []),
            "",
            "[unix_http_server]",
            f"file={_escape(self.socket)}",
            "chmod=0600",
            "",
            "[rpcinterface:supervisor]",
            "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        ]
        for program in programs:
            lines += ["", *self._render_program(program)]
        return "\n".join(lines) + "\n"

    def _render_program(self, program: Program) -> list[str]:
        settings = sorted(program.environment.items())
        quoted = ((name, "'" if '"' in value else '"', _escape(value)) for name, value in settings)
        environment = ",".join(f"{name}={quote}{value}{quote}" for name, quote, value in quoted)
        return [
            f"[program:{program.name}]",
            f"command={_escape(shlex.join(program.command))}",
            f"directory={_escape(program.directory)}",
            *([f"environment={environment}"] if environment else []),
            "autostart=false",
            "autorestart=true",
            "startsecs=2",
            f"startretries={RESTARTS_FOR_EVER}",
            f"stopsignal={program.stop_signal}",
            f"stopwaitsecs={program.stop_seconds}",
            "stopasgroup=false",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={_escape(self.log(program.name))}",
            f"stdout_logfile_maxbytes={LOG_BYTES}",
            "stdout_logfile_backups=2",
        ]


def _sections(config: str) -> dict[str, str]:
    """Each program's lines by its name; what stands before them by the empty one."""
    first, *programs = config.split("[program:")
    return {"": first.strip()} | {text.partition("]")[0]: text.strip() for text in programs}


def _state(row: Mapping[str, Any]) -> State:
    return State(
        name=row["name"],
        state=row["statename"],
        pid=row["pid"],
        started=row["start"],
        description=row["spawnerr"] or row["description"],
    )


def _escape(value: object) -> str:
    """A value for supervisord's file. Raises ``StackFault`` for one that its format cannot hold."""
    text = str(value)
    if "\n" in text or re.search(r"\s[;#]", text):
        raise StackFault(
            "supervisor",
            f"its settings cannot hold {text!r}",
            advice="use a path or setting without line ends, and without ; or # after a space",
        )
    return text.replace("%", "%%")


def _write_private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
