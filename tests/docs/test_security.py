"""What the pages on security claim is shown by tests that exist, and no requirement is passed over."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from runtime.settings import CHECKOUT

TESTS = CHECKOUT / "tests"
FOLDER = CHECKOUT / "docs" / "security"
PAGES = sorted(FOLDER.glob("*.md"))
TEST_ID = re.compile(r"`([a-z_]+(?:\.[a-z_]+)*\.test_[a-z_0-9]+\.(?:\*|test_\w+))`")
STATES = {"holds", "partly", "not yet", "outside", "n/a"}
# The numbers of the standard's requirements at levels 1 and 2 (version 5.0.0), by section: 253.
REQUIREMENTS = """
1.1: 1 2
1.2: 1 2 3 4 5 6 7 8 9
1.3: 1 2 3 4 5 6 7 8 9 10 11
1.4: 1 2 3
1.5: 1 2
2.1: 1 2 3
2.2: 1 2 3
2.3: 1 2 3 4
2.4: 1
3.2: 1 2
3.3: 1 2 3 4
3.4: 1 2 3 4 5 6
3.5: 1 2 3 4 5
3.7: 1 2
4.1: 1 2 3
4.2: 1
4.3: 1 2
4.4: 1 2 3 4
5.1: 1
5.2: 1 2 3
5.3: 1 2
5.4: 1 2 3
6.1: 1 2 3
6.2: 1 2 3 4 5 6 7 8 9 10 11 12
6.3: 1 2 3 4
6.4: 1 2 3 4
6.5: 1 2 3 4 5
6.6: 1 2 3
6.8: 1 2 3 4
7.1: 1 2 3
7.2: 1 2 3 4
7.3: 1 2
7.4: 1 2 3 4 5
7.5: 1 2
7.6: 1 2
8.1: 1 2
8.2: 1 2 3
8.3: 1
8.4: 1
9.1: 1 2 3
9.2: 1 2 3 4
10.1: 1 2
10.2: 1 2
10.3: 1 2 3 4
10.4: 1 2 3 4 5 6 7 8 9 10 11
10.5: 1 2 3 4 5
10.6: 1 2
10.7: 1 2 3
11.1: 1 2
11.2: 1 2 3
11.3: 1 2 3
11.4: 1 2 3 4
11.5: 1
11.6: 1
12.1: 1 2 3
12.2: 1 2
12.3: 1 2 3 4
13.1: 1
13.2: 1 2 3 4 5
13.3: 1 2
13.4: 1 2 3 4 5
14.1: 1 2
14.2: 1 2 3 4
14.3: 1 2 3
15.1: 1 2 3
15.2: 1 2 3
15.3: 1 2 3 4 5 6 7
16.1: 1
16.2: 1 2 3 4 5
16.3: 1 2 3 4
16.4: 1 2 3
16.5: 1 2 3
17.1: 1
17.2: 1 2 3 4
17.3: 1 2
"""


@cache
def functions(file: Path) -> frozenset[str]:
    """The names of a file's test functions."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return frozenset(
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    )


def exists(test: str) -> bool:
    """Whether the checkout has a test of this id."""
    *folders, module, name = test.split(".")
    file = TESTS.joinpath(*folders, f"{module}.py")
    return file.exists() and (name == "*" or name in functions(file))


def rows() -> list[list[str]]:
    """The rows of the table of requirements: numbers, state, fact, tests."""
    lines = (FOLDER / "asvs.md").read_text(encoding="utf-8").splitlines()
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if re.match(r"\| \d+\.", line)]
    assert all(len(row) == 4 for row in found)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_is_named_exists(page: Path) -> None:
    """A claim whose test was renamed or removed is no claim."""
    text = page.read_text(encoding="utf-8")
    named = TEST_ID.findall(text)
    assert len(named) > 30
    assert [test for test in named if not exists(test)] == []
    spans = [span for span in re.findall(r"`([^`\n]+)`", text) if ".test_" in span]
    assert set(spans) == set(named), "a span that looks like a test's id, and is none"


def test_every_requirement_has_exactly_one_row() -> None:
    """None is passed over, none is answered twice."""
    wanted = [
        f"{section}.{number}"
        for section, numbers in (line.split(": ") for line in REQUIREMENTS.split("\n") if line)
        for number in numbers.split()
    ]
    assert len(wanted) == 253
    answered = [number for row in rows() for number in row[0].split(", ")]
    assert sorted(answered) == sorted(wanted)


def test_every_row_says_how_it_stands() -> None:
    """What holds is shown by a test; what does not is said in words."""
    for numbers, state, fact, tests in rows():
        assert state in STATES, numbers
        assert len(fact) > 10, numbers
        assert state != "holds" or TEST_ID.search(tests), f"{numbers} holds, and no test shows it"


def test_every_line_of_the_threat_model_is_shown_accepted_or_said_not_to_hold() -> None:
    """Nobody reads a line as a promise that nothing keeps."""
    lines = (FOLDER / "threat-model.md").read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if re.match(r"\| (surrender|achieve)", line)]
    assert len(lines) > 40
    for line in lines:
        assert TEST_ID.search(line) or "*Accepted:*" in line or "**Not held:**" in line, line
