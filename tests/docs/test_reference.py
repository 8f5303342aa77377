"""The reference pages say what the code says."""

import pytest

from access.problems import PROBLEMS, responses
from docs.generate.__main__ import FOLDER, PAGES
from docs.generate.commands import targets
from docs.generate.events import events_page
from docs.generate.routes import documented, routes
from runtime.settings import CHECKOUT, Settings


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_what_the_code_says(name: str) -> None:
    """Whoever looks something up finds what holds; `make docs` writes the page anew."""
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name]()


def test_nothing_is_left_out() -> None:
    """A setting, a problem, a route or a target that is in the code is on its page."""
    pages = {name: (FOLDER / name).read_text(encoding="utf-8") for name in PAGES}
    for field in Settings.model_fields:
        assert (f"`AMPARO_{field.upper()}`" if field != "otlp_endpoint" else "`OTEL_EXPORTER_") in pages[
            "reference/settings.md"
        ]
    assert all(f"| `{code}` |" in pages["reference/problems.md"] for code in PROBLEMS)
    assert len(routes()) >= 40
    assert all(f"| {route.name} | `{route.action}` |" in pages["reference/routes.md"] for route in routes())
    written = [line.partition(":")[0] for line in (CHECKOUT / "Makefile").read_text().splitlines() if "## " in line]
    assert written == list(targets())


# Answered before a route is found, by another name (``not-found``), or to the mechanism's own workflows.
OF_NO_ROUTE = {
    *("method-not-allowed", "not-your-referral"),
    *("consent-missing", "conflict-of-interest", "request-withdrawn", "nothing-to-ask", "unknown-purpose"),
    *("unknown-clock", "unknown-rung", "rung-not-reached"),
}


def test_each_problem_is_documented_by_a_route_or_known_to_be_of_none() -> None:
    """A code that a route raises and no route documents would meet a client that nobody warned."""
    everywhere = set(documented(responses(writes=True)))
    assert set(PROBLEMS) - everywhere - {code for route in routes() for code in route.codes} == OF_NO_ROUTE


def test_sealed_fields_are_marked() -> None:
    """An integrator sees which fields never travel in clear."""
    filed = events_page().partition("**RequestFiled**")[2].partition("\n**")[0]
    assert "| `narrative` | text, **sealed** |" in filed
    assert "| `region` | text |" in filed
