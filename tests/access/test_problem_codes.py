"""Every code that the source raises stands in the table: found in the source itself, not in a list of ours."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from access.problems import PROBLEMS

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("access", "eventlog", "procedures", "runtime", "services", "workflows")
RAISED_BY = {"Refused", "Problem", "answer"}
LISTED_BY = {"responses"}


def called(node: ast.Call) -> str:
    """The last part of what is called."""
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def codes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, code) of each literal code."""
    refusals = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        and any(getattr(base, "id", getattr(base, "attr", "")) in RAISED_BY for base in node.bases)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Call) and called(inner) == "__init__"
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = called(node)
        arguments = node.args if name in LISTED_BY else node.args[:1] if name in RAISED_BY or node in refusals else []
        for argument in arguments:
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                yield node.lineno, argument.value


@pytest.mark.parametrize("room", ROOMS)
def test_every_code_that_is_raised_stands_in_the_table(room: str) -> None:
    """Else a client would get a refusal whose status and title nobody chose."""
    missing = sorted(
        {
            f"{code} ({file.relative_to(ROOT)}:{line})"
            for file in (ROOT / room).rglob("*.py")
            for line, code in codes(ast.parse(file.read_text()))
            if code not in PROBLEMS
        }
    )
    assert not missing, f"add to access.problems.PROBLEMS: {', '.join(missing)}"


def test_the_search_finds_codes_however_they_are_raised() -> None:
    """A search that finds nothing would pass for ever."""
    source = """
raise Refused("one")
raise decider.Refused("two", f"{x}")
class KeyReused(Refused):
    def __init__(self):
        super().__init__("three", "text")
responses("four", "five", writes=True)
gone = Refused("six")
log.info("seven")
"""
    found = {code for _, code in codes(ast.parse(source))}
    assert found == {"one", "two", "three", "four", "five", "six"}
    assert len(list(codes(ast.parse((ROOT / "eventlog" / "store.py").read_text())))) >= 3


def test_codes_and_titles_are_of_one_form() -> None:
    """Codes are lower-case words with hyphens; titles are one sentence; the status is an error's."""
    for code, (status, title) in PROBLEMS.items():
        assert code == code.lower(), code
        assert all(word.isalpha() for word in code.split("-")), code
        assert 400 <= status < 600, code
        assert title[0].isupper(), code
        assert not title.endswith("."), code
        assert len(title) <= 140, code
