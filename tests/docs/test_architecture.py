"""The picture in `docs/architecture.md` is the imports of the code."""

import re
from pathlib import Path

import grimp

ROOMS = ("access", "eventlog", "local", "procedures", "runtime", "services", "workflows")
PAGE = Path(__file__).parents[2] / "docs" / "architecture.md"


def room(module: str) -> str:
    """The room of a module: its top package, or the service."""
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] == "services" else parts[0]


def imported() -> set[tuple[str, str]]:
    """Which room imports which, from the code."""
    graph = grimp.build_graph(*ROOMS, cache_dir=None)
    pairs = {
        (room(module), room(target))
        for module in graph.modules
        for target in graph.find_modules_directly_imported_by(module)
    }
    return {(here, there) for here, there in pairs if here != there}


def test_the_picture_equals_the_imports() -> None:
    """A newcomer who trusts the picture is not misled, and a new arrow is a decision that somebody saw."""
    picture = PAGE.read_text(encoding="utf-8").split("```mermaid")[1].split("```")[0]
    drawn = set(re.findall(r"^\s+([a-z.]+) --> ([a-z.]+)$", picture, flags=re.MULTILINE))
    assert drawn == imported()
