"""The whole stack, started, harmed and stopped as its user would."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest
from rich.console import Console

from local import closing, programs, stack, stackfile, status
from local.faults import NotReady, StackFault
from local.progress import Steps
from local.stackfile import Stack
from local.supervisor import Supervisor
from services.intake.api.bodies import FilingBody
from tests.eventually import eventually
from tests.stack import Servers

SECONDS_TO_COME_BACK = 60
RESIDENT_LIMIT_MB = 3_000
TITLES = ("PostgreSQL", "Kafka", "Temporal", "migrations", "keys", "services", "workers")


def start(home: Path, *, new_ports: bool = False) -> tuple[Stack, str]:
    """Start a stack; what its user saw comes with it."""
    seen = io.StringIO()
    return stack.up(home, Steps(Console(file=seen)), new_ports=new_ports), seen.getvalue()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data folder; whatever runs in it is stopped in the end."""
    folder = tmp_path_factory.mktemp("stack") / "home"
    yield folder
    stack.down(folder)


@pytest.fixture
def running(home: Path) -> Stack:
    """The stack of that folder, well."""
    return start(home)[0]


def unwell(running: Stack) -> dict[str, str]:
    """Each program that is not well, with what it says."""
    return {row.name: row.health or row.state for row in status.rows(running) if row.health != "well"}


@pytest.mark.slow
@pytest.mark.servers
def test_every_program_is_well_once_up_returns(home: Path) -> None:
    """'Ready' means that a request filed now is taken."""
    running, seen = start(home)
    assert unwell(running) == {}
    assert [title for title in TITLES if f"✓ {title}" not in seen] == []


@pytest.mark.slow
@pytest.mark.servers
def test_the_whole_fits_a_small_machine(running: Stack) -> None:
    """An office has one old computer, not a cluster."""
    assert sum(row.megabytes for row in status.rows(running)) < RESIDENT_LIMIT_MB


@pytest.mark.slow
@pytest.mark.servers
def test_nothing_in_the_data_folder_is_for_others(running: Stack) -> None:
    """It holds keys, passwords and, sealed, what defenders told."""
    kafka_folder = running.home / "kafka" / "data"  # Kafka's own modes, below a folder that is closed
    open_to_others = [
        path
        for path in running.home.rglob("*")
        if path.lstat().st_mode & 0o077 and not path.is_relative_to(kafka_folder)
    ]
    assert open_to_others == []
    assert (running.home / "kafka").stat().st_mode & 0o077 == 0


@pytest.mark.slow
@pytest.mark.servers
def test_the_request_that_up_shows_can_be_filed(running: Stack) -> None:
    """The first thing that a new user tries works as printed."""
    environment = os.environ | {"AMPARO_HOME": str(running.home)}
    lines = "\n".join(closing.curl(running.values)).replace(".venv/bin/python", sys.executable)
    done = subprocess.run(
        ["sh", "-c", lines], env=environment, cwd=stackfile.CHECKOUT, capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["receipt"].startswith("amparo.receipt/v1\n")


@pytest.mark.slow
@pytest.mark.servers
def test_the_addresses_that_up_shows_answer(running: Stack) -> None:
    """A printed address that leads nowhere costs a newcomer the first hour."""
    shown = [word for line in closing.closing_lines(running.values) for word in line.split() if word.startswith("http")]
    pages = [url for url in shown if url.endswith("/docs") or url == running.values["AMPARO_TEMPORAL_UI"]]
    assert len(pages) == 5
    for page in pages:
        assert httpx.get(page, trust_env=False).status_code == httpx.codes.OK


@pytest.mark.slow
@pytest.mark.servers
async def test_each_program_that_is_killed_comes_back_well(running: Stack) -> None:
    """Nobody sits beside the machine at night."""
    supervisor = Supervisor(running.home)
    before = {name: state.pid for name, state in supervisor.states().items()}
    for name in before:
        supervisor.kill(name)
    await eventually(
        lambda: [n for n, s in supervisor.states().items() if s.pid in (0, before[n])],
        accept=lambda waiting: not waiting,
        timeout=SECONDS_TO_COME_BACK,
    )
    await eventually(lambda: unwell(running), accept=lambda ill: not ill, timeout=SECONDS_TO_COME_BACK)


@pytest.mark.slow
@pytest.mark.servers
async def test_up_goes_on_after_the_supervisor_itself_was_killed(running: Stack) -> None:
    """Its programs lived on without it; the next start ends them and uses the same ports again."""
    os.kill(int((running.home / "supervisor" / "pid").read_text()), signal.SIGKILL)
    await eventually(lambda: not Supervisor(running.home).running())
    again, _ = start(running.home)
    assert unwell(again) == {}
    assert again.values == running.values


@pytest.mark.slow
@pytest.mark.servers
def test_what_is_lost_while_stopped_is_made_anew_and_a_taken_port_is_told(running: Stack) -> None:
    """Kafka and Temporal are no evidence: without their data the stack comes up from the stores.

    Who finds a port taken reads by whom, and can move ours.
    """
    pids = [state.pid for state in Supervisor(running.home).states().values()]
    assert stack.down(running.home)
    assert [pid for pid in pids if psutil.pid_exists(pid)] == []
    assert not stack.down(running.home), "nothing runs any more"
    shutil.rmtree(running.home / "kafka")
    shutil.rmtree(running.home / "temporal")
    port = running.port("timeline")
    listen = f"import socket; s = socket.create_server(('127.0.0.1', {port})); print(flush=True); s.accept()"
    with subprocess.Popen([sys.executable, "-c", listen], stdout=subprocess.PIPE) as squatter:
        try:
            assert squatter.stdout is not None
            squatter.stdout.readline()
            with pytest.raises(StackFault, match=rf"timeline: port {port} .*process {squatter.pid}") as caught:
                start(running.home)
            assert "--new-ports" in caught.value.advice
            moved, _ = start(running.home, new_ports=True)
        finally:
            squatter.kill()
    assert moved.port("timeline") != port
    assert moved.port("intake") == running.port("intake")
    assert unwell(moved) == {}


@pytest.mark.slow
@pytest.mark.servers
def test_servers_given_by_url_are_used_and_not_started(
    servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An operator who has a cluster runs only Amparo's own processes here."""
    given = {
        "AMPARO_POSTGRES": servers.postgres(),
        "AMPARO_KAFKA": servers.kafka(),
        "AMPARO_TEMPORAL": servers.temporal(),
        "AMPARO_MECHANISM": "given",
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    home = tmp_path / "home"
    try:
        running, seen = start(home)
        names = {row.name for row in status.rows(running)}
        assert names == {"issuer", *stackfile.SERVICES, programs.WORKERS, *programs.SIMULATORS}
        assert unwell(running) == {}
        assert seen.count("yours") == 3
    finally:
        stack.down(home)


@pytest.mark.servers
def test_a_server_given_by_a_wrong_url_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user reads which of the variables is wrong, not which service failed in the end."""
    monkeypatch.setenv("AMPARO_POSTGRES", "postgresql://nobody:x@127.0.0.1:1/postgres")
    monkeypatch.setenv("AMPARO_KAFKA", "127.0.0.1:1")
    monkeypatch.setenv("AMPARO_TEMPORAL", "127.0.0.1:1")
    try:
        with pytest.raises(StackFault, match="yours does not answer") as caught:
            start(tmp_path / "home")
        assert caught.value.advice in {"check AMPARO_POSTGRES", "check AMPARO_KAFKA", "check AMPARO_TEMPORAL"}
    finally:
        stack.down(tmp_path / "home")


def test_reset_deletes_only_a_stacks_folder(tmp_path: Path) -> None:
    """A slip in AMPARO_HOME must not cost somebody a home folder."""
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(StackFault, match="does not look like a stack's data folder"):
        stack.reset(tmp_path)
    assert (tmp_path / "letters.txt").exists()
    stack.reset(tmp_path / "not-there")
    ours = stackfile.settle(tmp_path / "home", {})
    stackfile.write(ours)
    stack.reset(ours.home)
    assert not ours.home.exists()


def test_the_request_that_up_shows_is_one_that_the_registry_takes() -> None:
    """The example cannot drift from the interface."""
    FilingBody.model_validate_json((stackfile.CHECKOUT / "local" / "request.json").read_bytes())


def test_a_program_that_does_not_listen_is_not_well(tmp_path: Path) -> None:
    """A process that is there but mute is not called ready."""
    with pytest.raises(NotReady):
        programs.check(stackfile.settle(tmp_path, {}), "intake")
