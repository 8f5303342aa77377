"""The kept supervisor, with small programs in place of servers."""

import ast
import os
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from local import ports
from local.faults import NotReady, StackFault
from local.supervisor import Program, Supervisor
from tests.eventually import eventually

STAYS = "import signal; print('I am here', flush=True); signal.pause()"
DIES = "raise SystemExit('no such database')"
Run = Callable[..., Supervisor]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Start a supervisor with programs given as Python text."""
    started: list[Supervisor] = []

    def start(home: Path = tmp_path, **programs: str) -> Supervisor:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        supervisor = Supervisor(home)
        supervisor.start([script(home, name, text) for name, text in programs.items()])
        started.append(supervisor)
        return supervisor

    yield start
    for supervisor in started:
        supervisor.shutdown([])
        supervisor.end_orphans()


def script(folder: Path, name: str, text: str, **settings: str) -> Program:
    """A program of a few lines of Python."""
    file = folder / f"{name}.py"
    file.touch(mode=0o600)
    file.write_text(text)
    return Program(name=name, command=(sys.executable, str(file)), directory=folder, environment=settings)


def ready(supervisor: Supervisor, name: str) -> Callable[[], None]:
    def check() -> None:
        if "I am here" not in "".join(supervisor.tail(name)):
            raise NotReady("it has said nothing yet")

    return check


async def test_a_killed_program_comes_back(run: Run) -> None:
    """A crash at night needs nobody."""
    supervisor = run(intake=STAYS)
    supervisor.start_program("intake")
    supervisor.await_health("intake", ready(supervisor, "intake"), seconds=10)
    before = supervisor.states()["intake"].pid
    supervisor.kill("intake")
    after = await eventually(lambda: supervisor.states()["intake"].pid, accept=lambda pid: pid not in (0, before))
    assert psutil.pid_exists(after)
    await eventually(lambda: len(supervisor.tail("intake")) == 2)


async def test_a_program_that_keeps_dying_is_tried_for_ever(run: Run) -> None:
    """A database that is away for an hour must not leave a service down for good."""
    supervisor = run(intake="import sys; print('I am here', flush=True); sys.exit(1)")
    supervisor.start_program("intake")
    await eventually(lambda: len(supervisor.tail("intake")) >= 3, timeout=20)
    assert supervisor.states()["intake"].state in {"STARTING", "BACKOFF"}


def test_a_program_that_dies_while_starting_leaves_its_last_words(run: Run) -> None:
    """Who runs `make up` reads which program it was, what it said, and what to do."""
    supervisor = run(intake=DIES)
    supervisor.start_program("intake")
    with pytest.raises(StackFault, match="it ended while starting") as caught:
        supervisor.await_health("intake", ready(supervisor, "intake"), seconds=10)
    assert caught.value.part == "intake"
    assert caught.value.tail == ("no such database",)
    assert str(supervisor.log("intake")) in caught.value.advice
    assert supervisor.states()["intake"].pid == 0, "it is not tried on behind the message"


def test_a_program_that_never_gets_well_is_named_with_the_reason(run: Run) -> None:
    """A server that hangs is no less a fault than one that dies."""
    supervisor = run(intake="import signal; signal.pause()")
    supervisor.start_program("intake")
    with pytest.raises(StackFault, match=r"not healthy after 0 s \(it has said nothing yet\)"):
        supervisor.await_health("intake", ready(supervisor, "intake"), seconds=0.3)


def test_programs_get_their_own_settings_and_nothing_of_the_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable left in somebody's shell must not reach a service."""
    monkeypatch.setenv("AMPARO_DATABASE", "postgresql://somewhere/else")
    show = "import os; print({k: v for k, v in os.environ.items() if 'AMPARO' in k}); print('I am here', flush=True)"
    settings = {"AMPARO_ODD": "50% of 'it', and; more", "AMPARO_JSON": '{"a": [1, 2]}'}
    supervisor = Supervisor(tmp_path)
    supervisor.start([script(tmp_path, "intake", show + "\nimport signal; signal.pause()", **settings)])
    try:
        supervisor.start_program("intake")
        supervisor.await_health("intake", ready(supervisor, "intake"), seconds=10)
        assert ast.literal_eval(supervisor.tail("intake")[0]) == settings
    finally:
        supervisor.shutdown([])


def test_what_it_writes_is_private(run: Run, tmp_path: Path) -> None:
    """Its file of settings holds passwords, and logs are nobody else's business."""
    supervisor = run(intake=STAYS)
    supervisor.start_program("intake")
    supervisor.await_health("intake", ready(supervisor, "intake"), seconds=10)
    assert [path for path in tmp_path.rglob("*") if path.stat().st_mode & 0o077] == []


def test_a_long_folder_name_is_no_obstacle(run: Run, tmp_path: Path) -> None:
    """A socket's path has 108 bytes, a checkout may lie deeper."""
    supervisor = run(tmp_path.joinpath(*["a-folder-with-a-long-name"] * 6), intake=STAYS)
    supervisor.start_program("intake")
    supervisor.await_health("intake", ready(supervisor, "intake"), seconds=10)


async def test_what_a_killed_supervisor_left_is_ended(run: Run, tmp_path: Path) -> None:
    """Otherwise the next start finds its ports taken by its own past."""
    supervisor = run(intake=STAYS)
    supervisor.start_program("intake")
    supervisor.await_health("intake", ready(supervisor, "intake"), seconds=10)
    left = supervisor.states()["intake"].pid
    os.kill(int((tmp_path / "supervisor" / "pid").read_text()), signal.SIGKILL)
    await eventually(lambda: not supervisor.running())
    assert psutil.pid_exists(left)
    supervisor.end_orphans()
    await eventually(lambda: not psutil.pid_exists(left))


def test_a_taken_port_is_named_with_its_holder(run: Run, tmp_path: Path) -> None:
    """'Address already in use' does not tell an operator whom to end."""
    port = ports.choose(["any"])["any"]
    assert ports.is_free(port)
    listen = f"import socket; s = socket.create_server(('127.0.0.1', {port})); {STAYS}"
    supervisor = run(squatter=listen)
    supervisor.start_program("squatter")
    supervisor.await_health("squatter", ready(supervisor, "squatter"), seconds=10)
    assert not ports.is_free(port)
    assert f"(process {supervisor.states()['squatter'].pid})" in ports.holder(port)


def test_only_programs_with_other_settings_are_replaced(run: Run, tmp_path: Path) -> None:
    """Another rule pack is no reason to stop the database."""
    supervisor = run(postgres=STAYS, intake=STAYS, gone=STAYS)
    for name in ("postgres", "intake", "gone"):
        supervisor.start_program(name)
        supervisor.await_health(name, ready(supervisor, name), seconds=10)
    before = supervisor.states()
    kept = script(tmp_path, "postgres", STAYS)
    other = script(tmp_path, "intake", STAYS, AMPARO_PACK="drill:60")
    wanted = [kept, other, script(tmp_path, "new", STAYS)]
    assert supervisor.differing(wanted) == {"intake", "gone", "new"}
    supervisor.replace(wanted)
    after = supervisor.states()
    assert {name: state.pid != 0 for name, state in after.items()} == {"postgres": True, "intake": False, "new": False}
    assert after["postgres"].pid == before["postgres"].pid
    assert supervisor.differing(wanted) == frozenset()
    supervisor.start_program("intake")
    supervisor.await_health("intake", ready(supervisor, "intake"), seconds=10)
