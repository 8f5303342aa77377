"""The page of commands: the Makefile's targets and the embedded stack's command line."""

import inspect
import re
from collections.abc import Mapping

from docs.generate.writing import line, page, says, table
from local.__main__ import app as command_line
from runtime.settings import CHECKOUT


def commands_page() -> str:
    """The targets of the Makefile, and the embedded stack's command line."""
    local = []
    for command in command_line.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__
        local.append((f"`python -m local {name}`", line(inspect.getdoc(command.callback) or "")))
    return page(
        "Commands",
        "## make",
        table(("target", "what it does"), [(f"`make {name}`", text) for name, text in targets().items()]),
        "## python -m local",
        says("""
            What the targets call, in the virtual environment (`.venv/bin/python`); `--help` after a command shows its
            options.
            """),
        table(("command", "what it does"), local),
    )


def targets() -> Mapping[str, str]:
    """The Makefile's targets, each with the comment behind it."""
    found = re.findall(r"^([a-z-]+):[^#\n]*##\s*(.+)$", (CHECKOUT / "Makefile").read_text(), flags=re.MULTILINE)
    return dict(found)
