"""Writes `docs/reference/` and `docs/access-matrix.md`: `python -m docs.generate`. With `check` it writes nothing,
names the pages that differ from the code, and ends with 1 where there are any.
"""

import sys
from collections.abc import Callable, Mapping, Sequence

from docs.generate.access import matrix_page
from docs.generate.commands import commands_page
from docs.generate.events import events_page
from docs.generate.routes import problems_page, routes_page
from docs.generate.settings import settings_page
from runtime.settings import CHECKOUT

FOLDER = CHECKOUT / "docs"
PAGES: Mapping[str, Callable[[], str]] = {
    "access-matrix.md": matrix_page,
    "reference/settings.md": settings_page,
    "reference/events.md": events_page,
    "reference/problems.md": problems_page,
    "reference/routes.md": routes_page,
    "reference/commands.md": commands_page,
}


def stale() -> Sequence[str]:
    """The pages that are not what the code says, by their path in `docs`."""
    return [
        name
        for name, made in PAGES.items()
        if not (FOLDER / name).exists() or (FOLDER / name).read_text(encoding="utf-8") != made()
    ]


def main() -> int:
    """The command line."""
    match sys.argv[1:]:
        case []:
            (FOLDER / "reference").mkdir(exist_ok=True)
            for name, made in PAGES.items():
                (FOLDER / name).write_text(made(), encoding="utf-8")
            return 0
        case ["check"]:
            for name in (different := stale()):
                print(f"docs/{name} is not what the code says: run `make docs`")
            return 1 if different else 0
        case _:
            print("usage: python -m docs.generate [check]", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main())
