"""PostgreSQL and Kafka as the stack runs them: what they refuse, what they never write, how they fail."""

import os
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest

from local import kafka, ports, postgres
from local.faults import StackFault
from local.supervisor import Supervisor

SECRET = "her name is in here"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[tuple[Supervisor, str]]:
    """A PostgreSQL with the settings of the stack, and its administrator's URL."""
    folder, port = tmp_path / "postgres", ports.choose(["any"])["any"]
    program, url = postgres.program(folder), postgres.admin_url(folder, port=port)
    postgres.prepare(folder, port=port)
    supervisor = Supervisor(tmp_path)
    supervisor.start([program])
    supervisor.start_program(program.name)
    supervisor.await_health(program.name, lambda: postgres.check(url), seconds=30)
    yield supervisor, url
    supervisor.shutdown([])


@pytest.mark.servers
def test_postgresql_keeps_what_it_acknowledged_and_tells_no_secrets(database: tuple[Supervisor, str]) -> None:
    """An acknowledged act survives a power cut, and a failed statement does not carry a name into the log."""
    supervisor, url = database
    with postgres.connect(url) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert connection.execute("SHOW data_checksums").fetchone() == ("on",)
        connection.execute("CREATE TABLE people (name text UNIQUE)")
        connection.execute("INSERT INTO people VALUES (%s)", [SECRET])
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("INSERT INTO people VALUES (%s)", [SECRET])
        with pytest.raises(psycopg.errors.SyntaxError):
            connection.execute(f"INSERT '{SECRET}'")
        postgres.provision(url, mechanism="xx", services=["intake"])
    log = supervisor.log(postgres.NAME).read_text()
    assert SECRET not in log
    assert "SCRAM" not in log
    if os.geteuid() == 0:
        assert psutil.Process(supervisor.states()[postgres.NAME].pid).username() == "nobody"


@pytest.mark.servers
def test_a_broken_broker_says_why(tmp_path: Path) -> None:
    """The user reads the broker's own words, not that something timed out."""
    chosen = ports.choose(["port", "controller_port"])
    program = kafka.program(tmp_path / "kafka")
    kafka.prepare(tmp_path / "kafka", port=chosen["port"], controller_port=chosen["controller_port"])
    settings = tmp_path / "kafka" / "server.properties"
    settings.write_text(settings.read_text().replace("node.id=1", "node.id=none"))
    supervisor = Supervisor(tmp_path)
    supervisor.start([program])
    try:
        supervisor.start_program(program.name)
        with pytest.raises(StackFault, match="it ended while starting") as caught:
            supervisor.await_health(program.name, lambda: kafka.check(f"127.0.0.1:{chosen['port']}"), seconds=30)
        assert any("Invalid value none for configuration broker.id" in line for line in caught.value.tail)
    finally:
        supervisor.shutdown([])


def test_what_an_interrupted_initdb_left_is_made_anew(tmp_path: Path) -> None:
    """A first start that was broken off does not leave a folder that no start can use."""
    postgres.program(tmp_path)
    (tmp_path / "data" / "base").mkdir()
    postgres.prepare(tmp_path, port=1, settings={**postgres.SETTINGS, **postgres.UNSAFE_BUT_QUICK})
    assert (tmp_path / "data" / "PG_VERSION").read_text() == "18\n"
