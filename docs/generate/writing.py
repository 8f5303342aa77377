"""How a page is written: its title, paragraphs, tables."""

import re
import textwrap
from collections.abc import Iterable, Sequence

NOTE = "<!-- Written by `make docs` from the code: change the code, not this page. -->"
WIDTH = 150


def page(title: str, *paragraphs: str) -> str:
    """A whole page."""
    return "\n\n".join([f"# {title}", NOTE, *paragraphs]) + "\n"


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a bar in a cell is escaped."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in lines)


def says(text: str) -> str:
    """A paragraph."""
    return textwrap.fill(line(text), width=WIDTH, break_long_words=False, break_on_hyphens=False)


def line(text: str) -> str:
    """A docstring or comment as one line."""
    return " ".join(text.replace("``", "`").split())


def first_sentence(text: str) -> str:
    """The first sentence of a docstring."""
    return re.split(r"(?<=[.!?])\s", line(text), maxsplit=1)[0]
