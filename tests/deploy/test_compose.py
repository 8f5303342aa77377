"""What docker-compose.yml promises of every container: no root, nothing to write on, no password, a health check."""

import re
from ipaddress import ip_address
from pathlib import Path

import pytest

from deploy.make_secrets import FILES
from tests.deploy.compose import CHECKOUT, DEPLOY, FILE, GIVEN, Service, configuration, document, leaves, services

ROOT = {"make-secrets"}
"""The services that run as root; the file says why, above each."""
SERVERS = {
    *("postgres", "kafka-1", "kafka-2", "kafka-3", "temporal", "temporal-ui", "keycloak", "openbao"),
    *("collector", "jaeger", "prometheus", "grafana"),
}
PINNED = re.compile(r"[a-z0-9][a-z0-9_-]*(/[a-z0-9][a-z0-9_-]*)?:v?\d+\.\d+(\.\d+)?(-[a-z0-9.]+)*")
SECRET_NAME = re.compile(r"password|passwd|pwd|secret|private|(?<!public)[_-]key$", re.IGNORECASE)
CREDENTIALS = re.compile(r"://[^/\s:@]+:[^/\s@]+@")

every_service = pytest.mark.parametrize("service", services().values(), ids=lambda service: service.name)


def test_every_part_of_production_is_there() -> None:
    """Each server, each of Amparo's processes, and the jobs that prepare them."""
    jobs = {"provision", "topics", "temporal-schema", "namespace", "make-secrets"}
    processes = {"intake", "protection", "referral", "timeline", "vault", "workflows"}
    migrations = {f"migrate-{name}" for name in processes}
    assert set(services()) == SERVERS | jobs | processes | migrations
    assert {name for name, service in services().items() if service.is_job} == jobs | migrations


@every_service
def test_a_container_has_no_power_that_it_does_not_need(service: Service) -> None:
    """Read-only root, no capabilities, no way to new privileges, a bound on processes; whoever is root says why."""
    assert service.row["read_only"] is True
    assert service.row["cap_drop"] == ["ALL"]
    assert service.row["security_opt"] == ["no-new-privileges:true"]
    assert service.row["pids_limit"] > 0
    assert "privileged" not in service.row
    if service.name in ROOT:
        above = FILE.read_text().split(f"\n  {service.name}:\n")[0].rpartition("\n\n")[2]
        assert "As root" in above
    else:
        assert service.user > 0
        assert "cap_add" not in service.row


@every_service
def test_an_image_has_its_version_and_names_no_registry(service: Service) -> None:
    """A name of its hub and a full version: what runs tomorrow is what runs today."""
    assert PINNED.fullmatch(service.row["image"]), service.row["image"]


def test_images_that_are_built_start_from_pinned_ones() -> None:
    """Each FROM of the Dockerfile names a version, or an earlier stage; each stage that compose builds exists."""
    text = (DEPLOY / "Dockerfile").read_text()
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE))
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", text, re.MULTILINE)
    for base, _ in stages:
        filled = re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], base)
        assert PINNED.fullmatch(filled), base
    assert text.count("\nFROM ") == len(stages)
    built = [service.row["build"]["target"] for service in services().values() if "build" in service.row]
    assert set(built) <= {stage for _, stage in stages}
    assert sorted(built) == sorted(set(built))


@pytest.mark.parametrize("stage", ["amparo", "keycloak", "openbao", "collector"])
def test_an_image_of_ours_ends_as_the_user_that_compose_names(stage: str) -> None:
    """The last USER of a stage is numeric and is that of its services."""
    body = re.split(r"^FROM \S+ AS ", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    (found,) = [part for part in body if part.startswith(f"{stage}\n")]
    user = re.findall(r"^USER (\S+)$", found, re.MULTILINE)[-1]
    users = {
        service.row["user"]
        for service in services().values()
        if service.row["image"].startswith("amparo:" if stage == "amparo" else f"amparo-{stage}:")
    }
    assert users - {"0:0"} == {user}


@every_service
def test_what_goes_on_running_is_asked_whether_it_is_well(service: Service) -> None:
    """Every server and process has a health check; a job is over when it is done, and somebody waits for it."""
    if not service.is_job:
        assert service.health[0] == "CMD"
        assert set(service.row["healthcheck"]) == {"test", "interval", "timeout", "start_period", "retries"}
        assert service.row["restart"] == "unless-stopped"
    elif "profiles" not in service.row:
        assert any(service.name in other.row.get("depends_on", ()) for other in services().values())


@every_service
def test_waiting_has_a_condition_that_can_come_true(service: Service) -> None:
    """For a job until it has succeeded, for a server until it is healthy."""
    for name, wait in service.row.get("depends_on", {}).items():
        job = services()[name].is_job
        assert wait == {"condition": "service_completed_successfully" if job else "service_healthy"}, name


def test_nobody_waits_for_himself() -> None:
    """Following depends_on always ends."""
    waits = {name: set(service.row.get("depends_on", ())) for name, service in services().items()}
    while ready := {name for name, others in waits.items() if not others}:
        waits = {name: others - ready for name, others in waits.items() if name not in ready}
    assert waits == {}


@every_service
def test_only_what_the_edge_needs_is_published_and_only_here(service: Service) -> None:
    """Published ports are on 127.0.0.1, and whoever has one is on the edge; nobody else is."""
    ports = service.row.get("ports", [])
    assert bool(ports) == ("edge" in service.networks)
    for port in ports:
        address, outer, _inner = port.split(":")
        assert ip_address(address).is_loopback
        assert int(outer) > 1024


def test_networks_keep_apart_what_need_not_meet() -> None:
    """Data and telemetry have no way out; what shows figures cannot reach what holds data; each port is given once."""
    networks = document()["networks"]
    assert {name for name, row in networks.items() if (row or {}).get("internal")} == {"data", "telemetry"}
    telemetry = {"collector", "jaeger", "prometheus", "grafana"}
    assert all("data" not in services()[name].networks for name in telemetry)
    stores = ("postgres", "kafka-1", "kafka-2", "kafka-3", "openbao")
    assert all(services()[name].networks == {"data"} for name in stores)
    outer = [port.split(":")[1] for service in services().values() for port in service.row.get("ports", ())]
    assert len(outer) == len(set(outer))


def test_no_file_of_the_deployment_holds_a_password() -> None:
    """A setting that is a secret by its name holds the path of one, and no URL has somebody's credentials."""
    for path, value in leaves(document()["services"]):
        if SECRET_NAME.search(path[-1]) and path[-1] not in ("secrets", "source", "target"):
            assert str(value).startswith("/run/secrets/"), path
    files = [FILE, *(file for file in _tracked(DEPLOY))]
    assert len(files) > 25
    for file in files:
        text = file.read_text()
        assert not CREDENTIALS.search(text), file
        assert not re.search(r"""password\s*[=:]\s*["']""", text, re.IGNORECASE), file
        assert "BEGIN PRIVATE KEY" not in text, file


@every_service
def test_every_secret_belongs_to_the_user_that_reads_it(service: Service) -> None:
    """A secret's file is made by make-secrets, and with mode 0600 only the container's own user reads it."""
    for name in service.secrets:
        assert document()["secrets"][name] == {"file": f"./deploy/secrets/{name}"}
        assert FILES[name] == service.user, name


def test_no_secret_is_made_or_declared_for_nobody() -> None:
    """Files that make-secrets writes, secrets that compose declares, and those that services read are the same."""
    read = {name for service in services().values() for name in service.secrets}
    assert read == set(document()["secrets"]) == set(FILES)


@every_service
def test_files_that_are_mounted_exist_and_cannot_be_written(service: Service) -> None:
    """Configuration comes from the repository, read-only; only make-secrets writes, into the folder of secrets."""
    for one in service.mounted:
        assert one.source.exists(), one.source
        assert one.is_read_only or one.source == DEPLOY / "secrets"
    for path in (word for word in [*service.command[:1], *_health(service)[:1]] if word.endswith(".sh")):
        script = _behind(service, path)
        assert script.stat().st_mode & 0o111, script


def test_volumes_and_networks_are_declared_and_used() -> None:
    """No volume or network is named that is not declared, or declared and not used."""
    named = {
        one.partition(":")[0]
        for service in services().values()
        for one in service.row.get("volumes", ())
        if isinstance(one, str)
    }
    assert named == set(document()["volumes"])
    assert {name for service in services().values() for name in service.networks} == set(document()["networks"])


def test_the_example_of_settings_names_every_variable() -> None:
    """Whatever compose takes from outside stands in deploy/example.env, and nothing else does."""
    example = dict(
        line.split("=", 1) for line in (DEPLOY / "example.env").read_text().splitlines() if re.match(r"[A-Z_]+=", line)
    )
    assert set(re.findall(r"\$\{([A-Z_]+)", FILE.read_text())) == set(example)
    assert GIVEN.items() <= example.items()


def test_grafana_and_kafka_have_no_default_sign_in() -> None:
    """Grafana's administrator has a password from a file; nobody signs up or comes in without a name."""
    settings = services()["grafana"].environment
    assert settings["GF_SECURITY_ADMIN_PASSWORD__FILE"] == services()["grafana"].secrets["grafana_admin_password"]
    assert settings["GF_AUTH_ANONYMOUS_ENABLED"] == settings["GF_USERS_ALLOW_SIGN_UP"] == "false"
    assert configuration("grafana/datasources.yaml")["datasources"][0]["editable"] is False


def _tracked(folder: Path) -> list[Path]:
    kept = folder / "secrets"
    return [file for file in folder.rglob("*") if file.is_file() and kept not in file.parents and file.suffix != ".pyc"]


def _health(service: Service) -> list[str]:
    return service.health[1:] if "healthcheck" in service.row else []


def _behind(service: Service, path: str) -> Path:
    """The file of the repository that is at a path in the container: mounted there, or copied by the Dockerfile."""
    for one in service.mounted:
        if path.startswith(f"{one.target}/"):
            return one.source / path.removeprefix(f"{one.target}/")
    name = Path(path).name
    (copied,) = [
        word
        for line in re.findall(r"^COPY (.+) /opt/amparo/$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
        for word in line.split()
        if Path(word).name == name
    ]
    return CHECKOUT / copied
