"""The page of settings: those of every process, and those that `make up` takes."""

import ast
import inspect
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from docs.generate.writing import line, page, says, table
from local import programs, stackfile
from runtime.settings import CHECKOUT, Settings

REPLACING = {
    "AMPARO_POSTGRES": "An administrator's URL of your PostgreSQL, in which databases and roles are made.",
    "AMPARO_KAFKA": "Bootstrap servers of your Kafka.",
    "AMPARO_TEMPORAL": "`host:port` of your Temporal.",
    "AMPARO_ISSUER": "The `iss` of your identity provider's tokens; the next two come with it.",
    "AMPARO_JWKS": "URL of its public keys.",
    "AMPARO_TOKEN_ENDPOINT": "Where clients get their tokens.",
}
CHOSEN = {
    "AMPARO_MECHANISM": "Prefix of sources, topics and databases. A data folder keeps the one it began with.",
    "AMPARO_PACK": "Rule pack of new cases; `drill:3` has limits three times as long.",
    "AMPARO_TEMPORAL_NAMESPACE": "Temporal's namespace.",
    "AMPARO_REPLICATION": "On how many brokers of your Kafka each topic is made.",
    "AMPARO_DRILL_SEED": "From which the simulated agencies draw their pace.",
}


def settings_page() -> str:
    """Each field of `Settings` with its docstring, and what `make up` reads."""
    said = _docstrings(Settings)
    given = _given_to()
    rows = []
    for name, field in Settings.model_fields.items():
        variable = str(field.validation_alias or f"AMPARO_{name.upper()}")
        secret = "" if field.repr else " May hold a password."
        rows.append((f"`{variable}`", _default(field.default), said[name] + secret, ", ".join(given.get(variable, ()))))
    replacing = [name for names in stackfile.REPLACEMENTS.values() for name in names]
    ports = ", ".join(f"`{name}`" for name in stackfile.port_names())
    return page(
        "Settings",
        says("""
            All of them come from the environment. A file `/run/secrets/amparo_database` stands for `AMPARO_DATABASE`,
            and so for each variable below; the variable wins. A process that lacks a setting it needs ends with
            status 2 and names it. The last column says which processes of the embedded stack are given the setting.
            """),
        table(("variable", "default", "what it is", "given to"), rows),
        "## What `make up` takes",
        says("""
            `AMPARO_HOME` is the data folder. Each of these replaces a component by yours, which is then not started. It
            is kept in `stack.env` for later starts; `embedded` in its place starts ours again:
            """),
        table(("variable", "what it is"), [(f"`{name}`", REPLACING[name]) for name in replacing]),
        "These are chosen once and kept in `stack.env` in the data folder, until another value is given:",
        table(
            ("variable", "at first", "what it is"),
            [(f"`{name}`", f"`{first}`", CHOSEN[name]) for name, first in stackfile.CHOICES.items()],
        ),
        "OpenTelemetry's own variables (`OTEL_…`) are handed to every process as they stand at `make up`.",
        says(
            "`stack.env` also keeps the ports, as `AMPARO_PORT_` with the name in upper case, `_` for `-`: "
            + ports
            + "."
        ),
    )


def _docstrings(model: type) -> Mapping[str, str]:
    """Each field's docstring, as one line. Fields written without a blank line between share the last one's."""
    found: dict[str, str] = {}
    waiting: list[str] = []
    (declared,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(declared, ast.ClassDef)
    ended = 0
    for statement in declared.body:
        if statement.lineno > ended + 1:
            waiting = []
        ended = statement.end_lineno or statement.lineno
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name)):
                waiting.append(name)
            case ast.Expr(value=ast.Constant(value=str(text))) if waiting:
                found |= {name: line(text) for name in waiting}
                waiting = []
    return found


def _default(value: object) -> str:
    if isinstance(value, Path):
        return f"`{value.relative_to(CHECKOUT)}`"
    return "" if value in (None, "") else f"`{value}`"


class _Anything(dict[str, str]):
    """A `stack.env` that knows every name."""

    def __missing__(self, name: str) -> str:
        return "0"


def _given_to() -> Mapping[str, Sequence[str]]:
    """Which of our processes the embedded stack gives each setting."""
    values = _Anything({"AMPARO_GIVEN": "", **{f"AMPARO_URL_{service.upper()}": "" for service in stackfile.SERVICES}})
    stack = stackfile.Stack(home=CHECKOUT, values=values)
    found: dict[str, list[str]] = {"OTEL_EXPORTER_OTLP_ENDPOINT": ["all"]}
    names = [program.name for program in programs.processes(stack)]
    for name in names:
        for variable in programs.environment(stack, name):
            found.setdefault(variable, []).append(name.partition("-")[0])
    every = {name.partition("-")[0] for name in names}
    return {variable: ["all"] if set(who) == every else list(dict.fromkeys(who)) for variable, who in found.items()}
