"""What the pages name exists: files, links, make targets, commands, routes, problems."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from access.problems import PROBLEMS, TYPE_PREFIX
from docs.generate.commands import targets
from docs.generate.routes import routes
from local.__main__ import app as command_line
from runtime.settings import CHECKOUT, Settings

PAGES = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")])
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
MADE_BY_A_START = ("AMPARO_PORT_", "AMPARO_DATABASE_", "AMPARO_URL_")
ONLY_IN_STACK_ENV = {"AMPARO_POSTGRES", "AMPARO_TEMPORAL_UI", "AMPARO_DRILL_SEED", "AMPARO_GIVEN"}

pytestmark = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))


def commands(page: Path) -> str:
    """What a reader would copy: fenced blocks that are no output, and spans of code."""
    text = page.read_text(encoding="utf-8")
    blocks = [body for language, body in FENCED.findall(text) if language in ("", "sh", "python")]
    return "\n".join([*blocks, *CODE.findall(FENCED.sub("", text))])


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as Git hosts make them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text(encoding="utf-8")), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_leads_somewhere(page: Path) -> None:
    """A reader under pressure does not follow a dead link."""
    text = CODE.sub("", FENCED.sub("", page.read_text(encoding="utf-8")))
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(found), f"{target}: no such heading"


def test_every_make_target_exists(page: Path) -> None:
    """What a page tells its reader to run can be run."""
    named = set(re.findall(r"\bmake ([a-z][a-z-]*)\b", commands(page)))
    assert named <= set(targets()), f"the Makefile has no {named - set(targets())}"


def test_every_module_that_is_run_exists(page: Path) -> None:
    """Nor is it told to run a module or a command of the stack that is not there."""
    ours = {entry.name for entry in CHECKOUT.iterdir()}
    known = {command.name or command.callback.__name__ for command in command_line.registered_commands}
    for module, argument in re.findall(r"python -m ([\w.]+)(?: ([a-z][a-z-]*))?", commands(page)):
        if module.partition(".")[0] not in ours:
            continue  # somebody else's
        place = CHECKOUT / module.replace(".", "/")
        assert place.with_suffix(".py").exists() or (place / "__main__.py").exists(), f"no module {module}"
        assert module != "local" or not argument or argument in known, f"python -m local has no {argument}"


def test_every_file_that_is_named_exists(page: Path) -> None:
    """A path in a page is a path in the checkout, unless it has a placeholder."""
    ours = {entry.name for entry in CHECKOUT.iterdir() if not entry.name.startswith(".git")}
    for span in re.split(r"\s", commands(page)):
        path = span.strip("\"'(),;:@").rstrip("/.")
        first, slash, _ = path.partition("/")
        if not slash or first not in ours - {".venv", ".amparo"} or re.search(r"[<>$…{}=|]", path):
            continue
        assert list(CHECKOUT.glob(path)), f"{path} is not there"


def test_every_route_exists(page: Path) -> None:
    """A command that a reader copies meets a route of that service."""
    for service, path in re.findall(r"\$\{?AMPARO_URL_([A-Z]+)\}?(/v1/[^\s\"'?\\)]*)", commands(page)):
        known = [route.path for route in routes() if route.service == service.lower()]
        assert any(_fits(path, pattern) for pattern in known), f"{service.lower()} has no {path}"


def _fits(path: str, pattern: str) -> bool:
    given, asked = path.strip("/").split("/"), pattern.strip("/").split("/")
    return len(given) == len(asked) and all(a.startswith("{") or a == g for g, a in zip(given, asked, strict=True))


def test_every_setting_exists(page: Path) -> None:
    """Nobody looks for the effect of a variable that nothing reads."""
    fields = {f"AMPARO_{field.upper()}" for field in Settings.model_fields} | ONLY_IN_STACK_ENV
    for name in set(re.findall(r"AMPARO_[A-Z_]+[A-Z]", commands(page))) - fields:
        assert name.startswith(MADE_BY_A_START), f"nothing reads {name}"


def test_every_problem_exists(page: Path) -> None:
    """A client that acts on a code acts on one that comes."""
    for code in re.findall(re.escape(TYPE_PREFIX) + r"([a-z][a-z-]+)", page.read_text(encoding="utf-8")):
        assert code in PROBLEMS


def test_it_is_nobody_elses_machine(page: Path) -> None:
    """No page holds a path of somebody's machine."""
    text = page.read_text(encoding="utf-8")
    assert not [place for place in _machine_paths(text) if not place.startswith("/tmp/")]


def _machine_paths(text: str) -> Iterator[str]:
    yield from re.findall(r"(?<![\w.])/(?:home|root|work|Users|tmp)/[\w./-]+", text)
