"""Whoever copies a guide's commands, from top to bottom, sees what the guide shows."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import stack
from runtime.settings import CHECKOUT

GUIDES = CHECKOUT / "docs" / "guides"
ORDINARY = ("PATH", "HOME", "LANG", "TMPDIR")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
ENDS_BEFORE = {"operator": "\n## In production\n"}  # what needs a container engine
COMMAND_S = 300

pytestmark = [pytest.mark.slow, pytest.mark.servers]


@pytest.fixture(scope="module")
def drilled() -> Iterator[Path]:
    """The data folder of a stack that runs and has shown its drill, as `make up` leaves it."""
    home = Path(tempfile.mkdtemp(prefix="amparo-"))
    run(home, f"{sys.executable} -m local up")
    yield home
    stack.down(home)
    shutil.rmtree(home)


def run(home: Path, script: str) -> subprocess.CompletedProcess[str]:
    """A script in the checkout, as a user's shell would run it. Fails with the first command that fails."""
    environment = {name: os.environ[name] for name in ORDINARY if name in os.environ}
    done = subprocess.run(
        ["bash", "-ec", script],
        env=environment | {"AMPARO_HOME": str(home)},
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_S,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done


def blocks(guide: str) -> list[tuple[str, str]]:
    """The fenced blocks of a guide, with their language."""
    text = (GUIDES / f"{guide}.md").read_text(encoding="utf-8")
    return FENCED.findall(text.partition(ENDS_BEFORE.get(guide, "\0"))[0])


def is_the_same_each_time(line: str) -> bool:
    """Whether a line of output has no id, instant, hash or figure, and nothing was left out of it."""
    return bool(line) and not re.search(r"\d\d|…", line)


@pytest.mark.parametrize("guide", ["auditor", "agency", "coordinator", "operator"])
def test_a_guides_commands_give_what_it_shows(drilled: Path, guide: str) -> None:
    """An agency's first hour is not spent on a page that is wrong."""
    commands = "\n".join(body for language, body in blocks(guide) if language == "sh")
    said = run(drilled, commands).stdout
    seen = {line.strip() for line in said.splitlines()}
    shown = [
        line.strip() for language, body in blocks(guide) if language in ("json", "text") for line in body.splitlines()
    ]
    assert [line for line in shown if is_the_same_each_time(line) and line not in seen] == []
