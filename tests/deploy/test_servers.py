"""The deployment's own settings and jobs on real servers: PostgreSQL, one Kafka, a cluster of three."""

import json
import os
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url

from deploy import make_secrets, provision, realm
from eventlog.kafka import KafkaError, open_producer
from local import jars, kafka, ports, postgres, privileges
from local.supervisor import Program, Supervisor
from runtime.settings import Settings
from tests.deploy.compose import DEPLOY, services

NODES = (1, 2, 3)
HERE = ["listen_addresses", "shared_buffers"]
"""What a test's PostgreSQL does otherwise than production's."""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A PostgreSQL with production's settings, and the secrets of a deployment that speaks to it."""
    home, port = tmp_path_factory.mktemp("deployed"), ports.choose(["any"])["any"]
    folder = home / "postgres"
    base, admin = postgres.program(folder), postgres.admin_url(folder, port=port)
    postgres.prepare(folder, port=port)
    here = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "", "shared_buffers": "64MB"}
    for name in ("postgresql.conf", "pg_hba.conf"):
        shutil.copy(DEPLOY / "postgres" / name, folder / name)
        privileges.give(folder / name)
        here["config_file" if name == "postgresql.conf" else "hba_file"] = str(folder / name)
    options = [word for name, value in here.items() for word in ("-c", f"{name}={value}")]
    program = Program(name=base.name, command=(*base.command, *options), directory=folder, stop_signal="INT")
    supervisor = Supervisor(home)
    supervisor.start([program])
    supervisor.start_program(program.name)
    supervisor.await_health(program.name, lambda: postgres.check(admin), seconds=60)
    run = home / "secrets"
    make_secrets.make(run, mechanism="pe", owned=False, table=realm.clients())
    for file in run.iterdir():
        file.write_text(file.read_text().replace("@postgres:5432/", f"@127.0.0.1:{port}/"))
    (run / "postgres_admin_url").write_text(admin)
    yield run
    supervisor.shutdown([])


def urls(run: Path) -> dict[str, str]:
    """Every role's URL."""
    found: dict[str, str] = json.loads((run / "databases.json").read_text())
    return found


@pytest.mark.servers
def test_databases_are_made_twice_without_harm(deployed: Path) -> None:
    """The job may run at each start: roles keep their passwords, databases their owners."""
    provision.databases(deployed, mechanism="pe")
    provision.databases(deployed, mechanism="pe")
    for url in urls(deployed).values():
        with postgres.connect(url) as connection:
            row = connection.execute("SELECT current_user, current_database()").fetchone()
        assert row == (make_url(url).username, make_url(url).database)


@pytest.mark.servers
@pytest.mark.parametrize("role", ["temporal", "keycloak", "intake_app", "vault_referral", "intake_owner"])
def test_a_role_gets_into_its_own_databases_only(deployed: Path, role: str) -> None:
    """Neither Temporal nor Keycloak nor another service reaches what is not its own, and none is a superuser."""
    provision.databases(deployed, mechanism="pe")
    known = urls(deployed)
    with postgres.connect(known[role]) as connection:
        assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
    own = {str(make_url(known[role]).database), *make_secrets.PLATFORM.get(role, ())}
    others = {str(make_url(url).database) for url in known.values()} | {"postgres", "template1"}
    for database in others - own:
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            postgres.connect(known[role], database=database).close()


@pytest.mark.servers
def test_temporal_and_keycloak_own_what_they_need(deployed: Path) -> None:
    """They make their own tables, in each of their databases."""
    provision.databases(deployed, mechanism="pe")
    for role, databases in make_secrets.PLATFORM.items():
        for database in databases:
            with postgres.connect(urls(deployed)[role], database=database) as connection:
                connection.execute("CREATE TABLE tried (x int)")
                connection.execute("DROP TABLE tried")


@pytest.mark.servers
def test_production_postgresql_keeps_acts_and_logs_no_statement(deployed: Path) -> None:
    """Commits are on disk, passwords are SCRAM, and what somebody filed reaches no log."""
    expected = {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "password_encryption": "scram-sha-256",
        "log_statement": "none",
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
        "log_parameter_max_length_on_error": "0",
        "TimeZone": "UTC",
        "data_checksums": "on",
    }
    with postgres.connect((deployed / "postgres_admin_url").read_text()) as connection:
        for name, value in expected.items():
            assert connection.execute("SELECT current_setting(%s)", [name]).fetchone() == (value,), name
        refused = connection.execute("SELECT name FROM pg_file_settings WHERE NOT applied AND name <> ALL (%s)", [HERE])
        assert refused.fetchall() == []
        rules = connection.execute("SELECT DISTINCT auth_method, error FROM pg_hba_file_rules").fetchall()
        assert rules == [("scram-sha-256", None)]


@pytest.mark.servers
def test_a_topic_on_too_few_brokers_is_told(kafka: str) -> None:
    """What a service made alone on one broker is not taken for safe."""
    settings = Settings(kafka=kafka, mechanism=f"t{secrets.token_hex(4)}")
    expected = [f"amparo.{settings.mechanism}.{name}" for name in make_secrets.STORES]
    assert provision.topics(settings) == expected
    assert provision.topics(settings) == expected
    with pytest.raises(provision.BadTopic, match="on 1 brokers"):
        provision.topics(settings.model_copy(update={"replication": 3}))


@pytest.mark.slow
@pytest.mark.servers
def test_three_brokers_outlive_one(kafka: str, tmp_path: Path) -> None:
    """The cluster's settings make a cluster: topics on three brokers; one may die and records are still acknowledged,
    two may not."""
    given = ports.choose([f"{kind}-{node}" for kind in ("broker", "controller") for node in NODES])
    cluster_id = "A" * 22
    folders = {node: _node(tmp_path / f"kafka-{node}", node, given, cluster_id) for node in NODES}
    supervisor = Supervisor(tmp_path)
    programs = [_program(folder, node) for node, folder in folders.items()]
    supervisor.start(programs)
    try:
        for node, program in zip(NODES, programs, strict=True):
            supervisor.start_program(program.name)
            address = f"127.0.0.1:{given[f'broker-{node}']}"
            if node != NODES[0]:  # the first needs another to elect a controller
                supervisor.await_health(program.name, lambda at=address: _check(at), seconds=120)  # type: ignore[misc]
        bootstrap = ",".join(f"127.0.0.1:{given[f'broker-{node}']}" for node in NODES)
        for node in NODES:
            _health(given[f"broker-{node}"])
        settings = Settings(kafka=bootstrap, mechanism="pe", replication=len(NODES))
        topic = provision.topics(settings)[0]
        producer = open_producer(bootstrap)
        try:
            producer.send(topic, b"all are there").get(30)
            supervisor.stop_programs([programs[0].name])
            producer.send(topic, b"one is gone").get(30)
            supervisor.stop_programs([programs[1].name])
            with pytest.raises(KafkaError):
                producer.send(topic, b"too few").get(40)
        finally:
            producer._sender.force_close()
            producer.close(timeout=0)
    finally:
        supervisor.shutdown([])


def _node(folder: Path, node: int, given: dict[str, int], cluster_id: str) -> Path:
    folder.mkdir()
    text = (DEPLOY / "kafka" / "server.properties").read_text().replace("@NODE@", str(node))
    text = text.replace("log.dirs=/var/lib/kafka/data", f"log.dirs={folder / 'data'}")
    text = text.replace("PLAINTEXT://:9092", f"PLAINTEXT://127.0.0.1:{given[f'broker-{node}']}")
    text = text.replace("CONTROLLER://:9093", f"CONTROLLER://127.0.0.1:{given[f'controller-{node}']}")
    for other in NODES:
        text = text.replace(f"kafka-{other}:9092", f"127.0.0.1:{given[f'broker-{other}']}")
        text = text.replace(f"kafka-{other}:9093", f"127.0.0.1:{given[f'controller-{other}']}")
    assert "909" not in text
    (folder / "server.properties").write_text(text)
    start = (DEPLOY / "kafka" / "start.sh").read_text()
    assert "format --ignore-formatted" in start
    assert "/tmp" in services()[f"kafka-{node}"].row["tmpfs"]
    command = [*_java(), "kafka.tools.StorageTool", "format", "--ignore-formatted"]
    command += ["--cluster-id", cluster_id, "--config", str(folder / "server.properties")]
    for _ in range(2):  # as at a second start
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder


def _java() -> list[str]:
    return [str(kafka._java()), "-Xmx256m", *kafka.JAVA_OPTIONS, "-cp", kafka._class_path(jars.cache())]


def _program(folder: Path, node: int) -> Program:
    command = (*_java(), "kafka.Kafka", str(folder / "server.properties"))
    return Program(name=f"kafka-{node}", command=command, directory=folder, stop_signal="KILL")


def _check(address: str) -> None:
    kafka.check(address)


def _health(port: int) -> None:
    """The container's health check, on this broker and on nobody."""
    script = DEPLOY / "kafka" / "healthcheck.sh"
    for asked, code in ((port, 0), (ports.choose(["none"])["none"], 1)):
        environment = {**os.environ, "KAFKA_PORT": str(asked)}
        done = subprocess.run([str(script)], env=environment, capture_output=True, check=False)
        assert done.returncode == code
