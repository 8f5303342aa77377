"""The drill in the README is one that was run."""

import pytest

from docs.generate.drill import README, TABLE, NoDrill, excerpt, pasted

OUTPUT = "\n".join(
    ["", "The drill: invented", "  river  a story", "", *(f"line {n}" for n in range(100)), TABLE, "agency", "pnp"]
)


def test_the_end_of_the_timeline_and_the_whole_table_are_shown() -> None:
    """A reader sees what comes out, on one screen or two."""
    shown = excerpt(OUTPUT)
    assert shown[:2] == ["The drill: invented", "  river  a story"]
    assert shown[-6:] == ["line 98", "line 99", "", TABLE, "agency", "pnp"]
    assert "…" in shown
    assert len(shown) < 45


def test_a_drill_that_did_not_end_is_not_shown() -> None:
    """The README never shows half of it."""
    with pytest.raises(NoDrill):
        pasted("<!-- drill -->\n<!-- /drill -->", OUTPUT.partition(TABLE)[0])


def test_the_readme_shows_one() -> None:
    """Pasting finds its marks, and leaves all else as it is."""
    page = README.read_text(encoding="utf-8")
    again = pasted(page, OUTPUT)
    assert "line 99" in again
    assert pasted(again, OUTPUT) == again
    assert [
        part
        for part in (page.partition("<!-- drill -->")[0], page.partition("<!-- /drill -->")[2])
        if part not in again
    ] == []
    assert TABLE in page
