"""The page for lawyers names, for each role, exactly what the table beside it allows."""

import re

import pytest

from access.policy import Role
from runtime.settings import CHECKOUT
from tests.access import oracle

PAGE = (CHECKOUT / "docs" / "access.md").read_text(encoding="utf-8")
SECTIONS = dict(section.split("\n", 1) for section in PAGE.split("\n## ")[1:])


@pytest.mark.parametrize("role", Role)
def test_a_role_s_section_names_what_the_table_allows_it(role: Role) -> None:
    """A right that stands in one of them only is a right that nobody explained, or one that nobody has."""
    named = set(re.findall(r"`([a-z_]+\.[a-z_]+)`", SECTIONS[role]))
    assert named == {action for line in oracle.lines() if line.role == role for action in line.may}


@pytest.mark.parametrize("role", Role)
def test_a_role_s_rights_have_a_basis(role: Role) -> None:
    """Each row ends with one; a section without a table states it."""
    rows = [
        row for row in SECTIONS[role].splitlines() if row.startswith("| ") and not row.startswith(("| may", "| ---"))
    ]
    assert rows or "Basis: " in SECTIONS[role]
    for row in rows:
        assert re.search(r"(DS \d|DNH-\d|LPAG|CPP|Ley \d|Lineamientos)", row.split("|")[-2]), row
