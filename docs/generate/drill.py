"""Pastes a drill that was run into the README: its stories, the end of its timelines, and its table.

`.venv/bin/python -m local demo -- --plain | .venv/bin/python -m docs.generate.drill`
"""

import re
import sys
from collections.abc import Sequence

from runtime.settings import CHECKOUT

README = CHECKOUT / "README.md"
PLACE = re.compile(r"(<!-- drill -->\n).*?(<!-- /drill -->)", flags=re.DOTALL)
TABLE = "How fast each agency answered"
LAST_LINES = 28


class NoDrill(ValueError):
    """What came is not the output of a drill that ended well."""


def excerpt(output: str) -> Sequence[str]:
    """About forty lines of a drill's output. Raises `NoDrill`."""
    lines = [line.rstrip() for line in output.strip().splitlines()]
    if TABLE not in lines or "" not in lines:
        raise NoDrill(f"no line says {TABLE!r}: did the drill end?")
    stories, table = lines.index(""), lines.index(TABLE)
    timeline = [line for line in lines[stories + 1 : table] if line]
    shown = timeline if len(timeline) <= LAST_LINES else ["…", *timeline[-LAST_LINES:]]
    return [*lines[:stories], "", *shown, "", *lines[table:]]


def pasted(page: str, output: str) -> str:
    """The page with the excerpt between its marks. Raises `NoDrill`."""
    body = "\n".join(["```text", *excerpt(output), "```"])
    return PLACE.sub(lambda found: f"{found[1]}{body}\n{found[2]}", page, count=1)


def main() -> int:
    """Reads a drill from the standard input; 1 where it is none, and then the README stays."""
    try:
        page = pasted(README.read_text(encoding="utf-8"), sys.stdin.read())
    except NoDrill as refused:
        print(refused, file=sys.stderr)
        return 1
    README.write_text(page, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
