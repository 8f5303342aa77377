"""Response times by HTTP: the figures, the rows behind them, and who sees which."""

from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from amparo.intake.v1 import events_pb2 as intake
from services.timeline.taking import take
from tests.services.timeline.conftest import Enter
from tests.services.timeline.records import CASE, OMBUDSMAN, POLICE, PROSECUTOR, Story

URL = "/v1/response-times"


async def figures(enter: Enter, role: str = "coordinator", unit: str = "dgdh", **query: Any) -> dict[str, Any]:
    answer = await enter(role, unit).get(URL, params=query)
    assert answer.status_code == 200, answer.text
    return {item["agency"]: item["figures"] for item in answer.json()["items"]}


async def test_each_figure_names_its_records(told: Story, enter: Enter) -> None:
    """Whoever doubts a figure opens the records that it was made of."""
    found = await figures(enter)
    police = found[POLICE]
    assert police["referrals"] == {"n": 2, "records": {"pe.referral": [3, 10]}}
    assert police["acknowledged"]["records"] == {"pe.referral": [6]}
    assert police["to_acknowledge"]["median_ms"] == police["to_acknowledge"]["slowest_ms"] == 3000
    assert police["to_acknowledge"]["overdue"]["service_target"]["now"] == {"n": 1, "records": {"pe.referral": [10]}}
    assert police["to_answer"]["median_ms"] == 23_000
    (kind,) = police["to_answer"]["overdue"]
    assert police["to_answer"]["overdue"][kind]["late"]["n"] == 1
    assert police["open"]["records"] == {"pe.referral": [10]}
    assert found[PROSECUTOR]["rejected"]["n"] == 1
    assert found[OMBUDSMAN]["recalled"]["n"] == 1


async def test_the_open_ones_stand_beside_the_closed(told: Story, enter: Enter) -> None:
    """Two police referrals, one answered after 23 s, one open since 33 s: half is met at 23 s, nine tenths are not."""
    answer = (await enter().get(URL)).json()
    assert (answer["definition"], answer["measured_by"]) == ("response-times/1", "recorded_at")
    assert answer["as_of"] == "2026-03-02T12:01:00Z"
    police = (await figures(enter))[POLICE]["to_answer"]
    assert police["estimated_median"]["ms"] == 23_000
    assert police["estimated_p90"] == {"ms": None, "at_least_ms": 33_000, "low_ms": None, "high_ms": None}


async def test_an_agency_sees_its_own_figures_only(told: Story, enter: Enter) -> None:
    """A comparison between agencies is for those who oversee them."""
    assert set(await figures(enter, "police_unit", POLICE)) == {POLICE}
    assert set(await figures(enter, "prosecutor", PROSECUTOR)) == {PROSECUTOR}
    assert await figures(enter, "police_unit", "") == {}


@pytest.mark.parametrize(("role", "unit"), [("coordinator", "dgdh"), ("auditor", ""), ("ombudsman", OMBUDSMAN)])
async def test_oversight_sees_every_agency(role: str, unit: str, told: Story, enter: Enter) -> None:
    """Coordinator, auditor and Ombudsman compare."""
    assert set(await figures(enter, role, unit)) == {POLICE, PROSECUTOR, OMBUDSMAN}


@pytest.mark.parametrize("role", ["filer", "defender", "evaluator", "observer", "service", "administrator"])
async def test_others_see_no_figures(role: str, told: Story, enter: Enter) -> None:
    """DNH-16: figures name the slowest station; they are not public."""
    assert (await enter(role, "ngo-alpha").get(URL)).status_code == 403
    assert (await enter(role, "ngo-alpha").get(f"{URL}/{POLICE}/referrals")).status_code == 403


async def test_an_excluded_overseer_sees_nothing_of_the_case_and_an_agency_keeps_its_own(
    told: Story, database: AsyncEngine, enter: Enter
) -> None:
    """DNH-5: not in a figure either. But who was asked before stays answerable for its silence."""
    told.tell(intake.AgencyExcluded(agency=OMBUDSMAN), stream=f"request/{CASE}", second=50)
    async with database.begin() as session:
        await take(session, told.told[-1])
    found = await figures(enter, "ombudsman", OMBUDSMAN)
    assert set(found) == {OMBUDSMAN}
    assert found[OMBUDSMAN]["recalled"]["n"] == 1
    assert set(await figures(enter)) == {POLICE, PROSECUTOR, OMBUDSMAN}


async def test_the_rows_behind_a_figure(told: Story, enter: Enter) -> None:
    """Each instant with its record, the claimed one beside the recorded one."""
    answer = (await enter().get(f"{URL}/{POLICE}/referrals")).json()
    measure, first = answer["items"]
    assert (first["referral_id"], first["case_id"], first["purpose"]) == ("r-police", CASE, "protect")
    assert first["acknowledged"] == {
        "recorded_at": "2026-03-02T12:00:05Z",
        "claimed_at": "2026-03-02T12:00:04Z",
        "record": "pe.referral:6",
        "late": False,
    }
    assert first["to_answer"]["state"] == "met"
    assert (first["to_answer"]["overdue"], first["to_answer"]["waited_ms"]) == (True, 23_000)
    assert (measure["to_answer"]["state"], measure["to_answer"]["overdue"]) == ("waiting", True)
    assert measure["to_answer"]["waited_ms"] == 33_000


async def test_an_agency_reads_its_rows_without_the_case(told: Story, enter: Enter) -> None:
    """DNH-5: two agencies that compare rows must not find out that they were asked about the same case."""
    answer = await enter("police_unit", POLICE).get(f"{URL}/{POLICE}/referrals")
    assert ["case_id" in item for item in answer.json()["items"]] == [False, False]
    refused = await enter("police_unit", POLICE).get(f"{URL}/{PROSECUTOR}/referrals")
    absent = await enter("police_unit", POLICE).get(f"{URL}/nobody/referrals")
    assert (refused.status_code, absent.status_code) == (404, 404)
    assert refused.json() | {"instance": ""} == absent.json() | {"instance": ""}
    assert (await enter().get(f"{URL}/nobody/referrals")).status_code == 404


async def test_rows_come_in_pages(told: Story, enter: Enter) -> None:
    """The latest sent first."""
    first = (await enter().get(f"{URL}/{POLICE}/referrals", params={"limit": 1})).json()
    second = await enter().get(f"{URL}/{POLICE}/referrals", params={"limit": 1, "cursor": first["next_cursor"]})
    assert [item["referral_id"] for item in (*first["items"], *second.json()["items"])] == ["r-measure", "r-police"]
    assert second.json()["next_cursor"] is None


async def test_filters_narrow_the_cohort(told: Story, enter: Enter) -> None:
    """By purpose and by when they were sent: from is included, to is not."""
    assert set(await figures(enter, purpose="investigate")) == {PROSECUTOR}
    sent = {"from": "2026-03-02T12:00:02.5Z", "to": "2026-03-02T12:00:27Z"}
    assert set(await figures(enter, **sent)) == {PROSECUTOR, OMBUDSMAN}


async def test_an_earlier_instant_gives_what_was_known_then(told: Story, enter: Enter) -> None:
    """As of noon and ten seconds, the police had acknowledged and not answered."""
    found = await figures(enter, as_of="2026-03-02T12:00:10Z")
    assert (found[POLICE]["acknowledged"]["n"], found[POLICE]["answered"]["n"]) == (1, 0)
    assert found[POLICE]["referrals"]["n"] == 1
    rows = (await enter().get(f"{URL}/{POLICE}/referrals", params={"as_of": "2026-03-02T12:00:10Z"})).json()
    assert [item["answered"] for item in rows["items"]] == [None]


@pytest.mark.parametrize(
    "query",
    [
        {"as_of": "2026-03-02T12:02:00Z"},
        {"as_of": "2026-03-02T12:00:00"},
        {"from": "yesterday"},
        {"purpose": "a b"},
        {"at_least": "referral"},
    ],
)
async def test_a_question_that_makes_no_sense_is_a_problem(query: dict[str, str], told: Story, enter: Enter) -> None:
    """The future, an instant without its zone, words for instants."""
    answer = await enter().get(URL, params=query)
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:amparo:problem:invalid-request")


@pytest.mark.parametrize(
    ("query", "error"),
    [
        ({"as_of": "2036-01-01T00:00:00Z"}, {"parameter": "as_of", "reason": "in-future"}),
        (
            {"from": "2026-03-02T12:00:01Z", "to": "2026-03-02T12:00:00Z"},
            {"parameter": "to", "reason": "out-of-order"},
        ),
        ({"purpos": "protect"}, {"parameter": "purpos", "reason": "unknown"}),
        ({"from": "2026-03-02T12:00:01"}, {"parameter": "from", "reason": "time-zone-missing"}),
    ],
)
async def test_a_question_that_cannot_be_meant_is_refused_with_its_place(
    told: Story, enter: Enter, query: dict[str, str], error: dict[str, str]
) -> None:
    """An empty table, or one of everything, would be taken for the answer."""
    for path in (URL, f"{URL}/{POLICE}/referrals"):
        answer = await enter().get(path, params=query)
        assert answer.status_code == 422
        assert answer.json()["errors"] == [error]
