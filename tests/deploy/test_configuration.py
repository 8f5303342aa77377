"""Every configuration file of the deployment: readable by its parser, about servers that exist, about metrics that are
measured."""

import ast
import configparser
import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path

import pytest
import yaml

from runtime.otlp import METRICS
from tests.deploy.compose import CHECKOUT, DEPLOY, configuration, services

SUFFIXES = {"histogram": ("_bucket", "_count", "_sum"), "counter": ("_total",), "gauge": ("",)}
ON_EVERY_SERIES = {"job", "instance"}
FILES = sorted(file for file in DEPLOY.rglob("*.*") if not {"secrets", "__pycache__"} & set(file.parts))
SCRIPTS = sorted([*DEPLOY.rglob("*.sh"), DEPLOY / "make-secrets"])
NAME = re.compile(r"\b(?:amparo|http|messaging)_[a-z_]+\b(?=[\s({\[)]|$)")


def series() -> dict[str, set[str]]:
    """The series that Prometheus gets of Amparo's processes, with their labels.

    Names are made as the collector's `prometheus` exporter makes them by `UnderscoreEscapingWithSuffixes`: dots become
    underscores, the unit in words and a counter's `_total` are added, a unit in braces is not.
    """
    found = {}
    for name, (kind, unit, _) in METRICS.items():
        base = name.replace(".", "_") + {"s": "_seconds"}.get(unit, "")
        assert unit == "s" or unit.startswith("{"), f"{name}: say here how {unit} is written"
        for suffix in SUFFIXES[kind]:
            found[base + suffix] = labels(name) | ON_EVERY_SERIES | ({"le"} if suffix == "_bucket" else set())
    return found


def labels(metric: str) -> set[str]:
    """The attributes that the code gives a metric, as Prometheus writes them."""
    given: set[str] = set()
    for file in (CHECKOUT / "runtime").glob("*.py"):
        for call in ast.walk(ast.parse(file.read_text())):
            if isinstance(call, ast.Call) and call.args and _constant(call.args[0]) == metric:
                for keyword in call.keywords:
                    names = [keyword.arg] if keyword.arg else [_constant(key) for key in _keys(keyword.value)]
                    given.update(str(name).replace(".", "_") for name in names)
    assert given, f"nothing measures {metric}"
    return given


def queries() -> Iterator[tuple[str, str]]:
    """Every PromQL expression of the deployment, with its place."""
    for file in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json")):
        for panel in json.loads(file.read_text())["panels"]:
            for target in panel["targets"]:
                yield f"{file.stem}: {panel['title']}", target["expr"]
    for group in configuration("prometheus/alerts.yaml")["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]


every_query = pytest.mark.parametrize("query", [text for _, text in queries()], ids=[place for place, _ in queries()])


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(DEPLOY)))
def test_every_file_can_be_read_by_its_parser(file: Path) -> None:
    """YAML, JSON, properties and settings of PostgreSQL have no slip of the pen."""
    match file.suffix:
        case ".yaml":
            assert yaml.safe_load(file.read_text())
        case ".json":
            assert json.loads(file.read_text())
        case ".properties":
            parser = configparser.ConfigParser(interpolation=None, strict=True, delimiters=("=",))
            parser.read_string("[all]\n" + file.read_text())
            assert all(value for _, value in parser["all"].items())
        case ".conf" if file.name == "postgresql.conf":
            lines = [line.split("#")[0].strip() for line in file.read_text().splitlines()]
            settings = [line for line in lines if line]
            assert all(re.fullmatch(r"[a-z_]+ = ('[^']*'|-?[\w.]+)", line) for line in settings)
            assert len({line.split(" = ")[0] for line in settings}) == len(settings)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_every_script_is_one_of_its_shell(script: Path) -> None:
    """The shell that its first line names reads it, it stops at the first failure, and it may be run."""
    shell = script.read_text().splitlines()[0].removeprefix("#!")
    assert shell in ("/bin/sh", "/bin/bash")
    assert subprocess.run([shell, "-n", str(script)], check=False).returncode == 0
    assert "set -eu" in script.read_text()
    assert script.stat().st_mode & 0o111


@every_query
def test_a_query_asks_for_what_is_measured(query: str) -> None:
    """Dashboards and alerts name series that Amparo's processes send, and labels that those have."""
    known = series()
    named = set(NAME.findall(query)) - set(chain.from_iterable(known.values()))
    if query != "up == 0":
        assert named
    assert named <= set(known)
    allowed = set.union(ON_EVERY_SERIES, *(known[name] for name in named))
    used = [word for group in re.findall(r"(?:by|on) \(([^)]*)\)", query) for word in group.split(",")]
    used += re.findall(r"[{,]\s*([a-z_]+)\s*[=!]", query)
    assert {word.strip() for word in used} <= allowed


@every_query
def test_a_querys_brackets_are_closed(query: str) -> None:
    """What Prometheus would not parse is mostly a bracket too few."""
    for opened, closed in ("()", "[]", "{}"):
        assert query.count(opened) == query.count(closed)


def test_legends_name_labels_that_their_query_keeps() -> None:
    """A legend with an empty name tells nobody which line it is."""
    for file in (DEPLOY / "grafana" / "dashboards").glob("*.json"):
        for target in chain.from_iterable(panel["targets"] for panel in json.loads(file.read_text())["panels"]):
            kept = {
                name.strip() for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for name in group.split(",")
            }
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept


def test_a_dashboard_uses_the_data_sources_that_are_there() -> None:
    """By the identifier that they are provisioned with; panels have numbers of their own."""
    known = {source["uid"]: source["type"] for source in configuration("grafana/datasources.yaml")["datasources"]}
    for file in (DEPLOY / "grafana" / "dashboards").glob("*.json"):
        panels = json.loads(file.read_text())["panels"]
        assert len({panel["id"] for panel in panels}) == len(panels)
        for panel in panels:
            for source in (panel["datasource"], *(target["datasource"] for target in panel["targets"])):
                assert known[source["uid"]] == source["type"]


def test_grafana_finds_what_is_provisioned() -> None:
    """Paths in its settings are those that compose mounts the files at."""
    grafana = services()["grafana"]
    (mounted,) = [one.target for one in grafana.mounted if one.source == DEPLOY / "grafana"]
    (provider,) = configuration("grafana/dashboards.yaml")["providers"]
    assert provider["options"]["path"] == f"{mounted}/dashboards"
    home = grafana.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (DEPLOY / "grafana" / home.removeprefix(f"{mounted}/")).exists()


def test_measurements_find_their_way() -> None:
    """Processes → collector → Jaeger and Prometheus → Grafana: each address is one that the other listens on, on a
    network that both are on."""
    collector, jaeger = configuration("collector/collector.yaml"), configuration("jaeger/jaeger.yaml")
    scraped = {job["job_name"]: job for job in configuration("prometheus/prometheus.yaml")["scrape_configs"]}
    sources = {one["name"]: one["url"] for one in configuration("grafana/datasources.yaml")["datasources"]}
    temporal = configuration("temporal/server.yaml")["global"]["metrics"]["prometheus"]["listenAddress"]
    listens = {
        "collector": {_port(collector["receivers"]["otlp"]["protocols"]["http"]["endpoint"])}
        | {_port(collector["exporters"]["prometheus"]["endpoint"])},
        "jaeger": {_port(jaeger["receivers"]["otlp"]["protocols"]["grpc"]["endpoint"])}
        | {_port(jaeger["extensions"]["jaeger_query"]["http"]["endpoint"])},
        "temporal": {_port(temporal)},
        "keycloak": {"9000"},  # its management interface, where it has metrics and health
        "prometheus": {"9090"},
    }
    asked = [
        ("intake", services()["intake"].environment["OTEL_EXPORTER_OTLP_ENDPOINT"]),
        ("collector", collector["exporters"]["otlp_grpc"]["endpoint"]),
        *(("prometheus", scraped[name]["static_configs"][0]["targets"][0]) for name in ("amparo", "temporal")),
        ("prometheus", scraped["keycloak"]["static_configs"][0]["targets"][0]),
        *(("grafana", url) for url in sources.values()),
    ]
    for caller, address in asked:
        host, port = address.removeprefix("http://").split(":")
        assert port in listens[host], address
        assert services()[caller].networks & services()[host].networks, address
    assert scraped["amparo"]["honor_labels"] is True
    assert services()["keycloak"].environment["KC_METRICS_ENABLED"] == "true"


@pytest.mark.parametrize("name", ["collector", "jaeger"])
def test_pipelines_are_made_of_parts_that_are_declared(name: str) -> None:
    """No receiver, processor, exporter or extension is named and missing, or there and unused."""
    found = configuration(f"{name}/{name}.yaml")
    for part in ("receivers", "processors", "exporters"):
        used = set(chain.from_iterable(pipeline[part] for pipeline in found["service"]["pipelines"].values()))
        assert used == set(found[part])
    assert set(found["service"]["extensions"]) == set(found["extensions"])


def test_a_health_check_asks_where_the_server_listens() -> None:
    """The ports of health checks are those of the configuration files."""
    collector, jaeger = configuration("collector/collector.yaml"), configuration("jaeger/jaeger.yaml")
    expected = {
        "collector": _port(collector["extensions"]["health_check"]["endpoint"]),
        "jaeger": _port(jaeger["extensions"]["healthcheckv2"]["http"]["endpoint"]),
        "temporal": str(configuration("temporal/server.yaml")["services"]["frontend"]["rpc"]["httpPort"]),
        "temporal-ui": services()["temporal-ui"].environment["TEMPORAL_UI_PORT"],
        "prometheus": "9090",
        "grafana": "3000",
    }
    for name, port in expected.items():
        assert re.search(r"http://127\.0\.0\.1:(\d+)/", services()[name].health[-1])[1] == port, name  # type: ignore[index]


def test_alerts_say_what_is_wrong() -> None:
    """Each alert has a sentence for whoever is woken."""
    names = [rule["alert"] for group in configuration("prometheus/alerts.yaml")["groups"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for group in configuration("prometheus/alerts.yaml")["groups"]:
        for rule in group["rules"]:
            assert rule["annotations"]["summary"]


def test_openbao_uses_the_secrets_and_folders_that_it_has() -> None:
    """Files that its configuration reads are mounted secrets; its data is on the volume that belongs to its user."""
    text = (DEPLOY / "openbao" / "openbao.hcl").read_text()
    openbao = services()["openbao"]
    assert set(re.findall(r"/run/secrets/\w+", text)) == set(openbao.secrets.values())
    assert re.search(r'path\s+= "/openbao/data"', text)
    assert "openbao:/openbao/data" in openbao.row["volumes"]
    assert text.count("{") == text.count("}")


def test_the_dockerfile_copies_what_exists_and_git_keeps() -> None:
    """Every source of a COPY from the repository is there, and .dockerignore lets it in; every package of the wheel
    that is there is copied, but for the embedded stack's."""
    allowed = [line[1:] for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = []
    for line in re.findall(r"^COPY (?!--from)(.+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE):
        copied += line.split()[:-1]
    for source in copied:
        assert list(CHECKOUT.glob(source)), source
        assert any(source == one or source.startswith(f"{one}/") for one in allowed), source
    wheel = re.search(r"^packages = \[(.+)\]$", (CHECKOUT / "pyproject.toml").read_text(), re.MULTILINE)
    assert wheel
    packages = re.findall(r'"([^"]+)"', wheel[1])
    assert {package for package in packages if (CHECKOUT / package).exists()} - set(copied) == {"local"}


def _constant(node: ast.expr | None) -> object:
    return node.value if isinstance(node, ast.Constant) else None


def _keys(node: ast.expr) -> list[ast.expr | None]:
    return node.keys if isinstance(node, ast.Dict) else []


def _port(endpoint: str) -> str:
    return endpoint.rpartition(":")[2]


def test_names_of_series_are_made_as_written_here() -> None:
    """The rule on one example of each kind."""
    known: Mapping[str, set[str]] = series()
    assert "http_response_status_code" in known["http_server_request_duration_seconds_count"]
    assert known["messaging_client_sent_messages_total"] >= {"topic", "job"}
    assert "source" in known["amparo_relay_lag"]
