"""Case timelines and the list of cases by HTTP, on a real PostgreSQL."""

import asyncio
from datetime import datetime
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from amparo.intake.v1 import events_pb2 as intake
from amparo.protection.v1 import events_pb2 as protection
from services.timeline.taking import take
from tests.services.timeline.conftest import Enter
from tests.services.timeline.records import (
    CASE,
    FILER,
    OMBUDSMAN,
    POLICE,
    PROSECUTOR,
    Story,
    at,
    file,
    whole_story,
)

ABSENT = "00000000-0000-4000-8000-000000000000"


async def take_all(database: AsyncEngine, story: Story) -> None:
    async with database.begin() as session:
        for record in story.told:
            await take(session, record)


async def lines(client: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    answer = await client.get(f"/v1/cases/{CASE}/timeline", params={"limit": 200, **query})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def of(found: list[dict[str, Any]], kind: str, agency: str | None = None) -> dict[str, Any]:
    (line,) = (line for line in found if line["kind"] == kind and agency in (None, line["agency"]))
    return line


async def test_a_line_says_how_long_after_it_was_asked_and_against_which_limit(told: Story, enter: Enter) -> None:
    """An agency's act is measured from its referral's sending, by recorded instants, with the claimed one beside."""
    found = await lines(enter())
    acknowledged = of(found, "referral.acknowledged")
    assert (acknowledged["agency"], acknowledged["since"], acknowledged["after_ms"]) == (POLICE, "referral", 3000)
    assert acknowledged["limit"] == {"clock": "", "kind": "", "due": "2026-03-02T12:00:08Z", "late": False}
    answered = of(found, "referral.answered")
    assert (answered["after_ms"], answered["limit"]["late"]) == (23_000, True)
    assert answered["actor"] == {"role": "police_unit", "unit": POLICE}
    filed = of(found, "request.filed")
    assert (filed["since"], filed["occurred_at"]) == (None, "2026-03-02T11:59:30Z")
    assert filed["id"] == "pe.intake:0"


async def test_a_stage_is_measured_from_the_filing_and_against_the_clock_it_stopped(told: Story, enter: Enter) -> None:
    """The act that meets a duty is the one that is compared with its limit."""
    found = await lines(enter())
    for kind in ("preliminary_report.issued", "clock.stopped"):
        line = of(found, kind)
        assert (line["since"], line["after_ms"]) == ("filing", 20_000)
        assert line["limit"] == {
            "clock": "preliminary_report",
            "kind": "service_target",
            "due": "2026-03-02T12:00:30Z",
            "late": False,
        }
    assert of(found, "risk.evaluated")["limit"] is None


async def test_a_duty_that_ended_unmet_is_no_limit_of_what_ended_it(database: AsyncEngine, enter: Enter) -> None:
    """A case that is closed did not thereby report in time."""
    story = Story()
    file(story)
    story.tell(protection.CaseClosed(ground="withdrawn"), stream=f"case/{CASE}", second=9)
    story.tell(protection.ClockStopped(clock="preliminary_report", met=False), stream=f"case/{CASE}", second=9)
    await take_all(database, story)
    found = await lines(enter())
    assert of(found, "case.closed")["limit"] is None
    assert of(found, "clock.stopped")["details"]["met"] is False


async def test_a_measure_is_measured_from_the_referral_that_asked_for_it(told: Story, enter: Enter) -> None:
    """Granted is not implemented: what counts is when the beneficiary confirms, after the agency was asked."""
    confirmed = of(await lines(enter()), "measure.confirmed")
    assert (confirmed["since"], confirmed["after_ms"], confirmed["agency"]) == ("referral", 13_000, POLICE)


async def test_lines_come_by_instant_then_source_then_index(told: Story, enter: Enter) -> None:
    """The same case reads the same for everybody, whatever came first."""
    found = await lines(enter())
    assert len(found) == len(told.told) - 5  # the agencies belong to no case, and who looked is for others
    keys = [(datetime.fromisoformat(line["recorded_at"]), line["source"], line["index"]) for line in found]
    assert keys == sorted(keys)


async def test_pages_together_are_the_whole(told: Story, enter: Enter) -> None:
    """Nothing is lost or doubled at the edge of a page."""
    client = enter()
    whole = [line["id"] for line in await lines(client)]
    paged, query = [], {"limit": "4"}
    while True:
        answer = (await client.get(f"/v1/cases/{CASE}/timeline", params=query)).json()
        paged += [line["id"] for line in answer["items"]]
        if answer["next_cursor"] is None:
            break
        query["cursor"] = answer["next_cursor"]
    assert paged == whole


@pytest.mark.parametrize("cursor", ["", "x", "W10", "WzEsMiwzXQ", "bnVsbA", "WyIyMDI2LTAxLTAxIiwicGUiLDFd", "🙂"])
async def test_a_cursor_that_was_not_given_is_a_problem(cursor: str, told: Story, enter: Enter) -> None:
    """Malformed, of another list, or without a time zone: never a fault."""
    answer = await enter().get(f"/v1/cases/{CASE}/timeline", params={"cursor": cursor})
    assert (answer.status_code, answer.json()["type"]) == (400, "urn:amparo:problem:invalid-cursor")


async def test_filters_narrow_a_timeline(told: Story, enter: Enter) -> None:
    """By source, by type or kind, by agency."""
    client = enter()
    assert {line["source"] for line in await lines(client, source="pe.protection")} == {"pe.protection"}
    assert {line["kind"] for line in await lines(client, type="referral.sent")} == {"referral.sent"}
    by_type = await lines(client, type="amparo.referral.v1.ReferralSent")
    assert by_type == await lines(client, type="referral.sent")
    assert [line["kind"] for line in await lines(client, agency=PROSECUTOR)] == [
        "consent.given",
        "referral.sent",
        "referral.rejected",
    ]


@pytest.mark.parametrize(
    ("role", "unit"), [("coordinator", "dgdh"), ("evaluator", "dgdh"), ("auditor", ""), ("filer", FILER)]
)
async def test_staff_auditors_and_whoever_filed_read_a_timeline(
    role: str, unit: str, told: Story, enter: Enter
) -> None:
    """The filer's organisation follows its own case."""
    assert len(await lines(enter(role, unit))) > 20


@pytest.mark.parametrize(
    "role", ["police_unit", "prosecutor", "ministry", "ombudsman", "observer", "administrator", "service"]
)
async def test_agencies_and_machines_read_no_timeline(role: str, told: Story, enter: Enter) -> None:
    """What an agency needs of a case is in its referral."""
    answer = await enter(role, POLICE).get(f"/v1/cases/{CASE}/timeline")
    assert answer.status_code == 403
    assert (await enter(role, POLICE).get("/v1/cases")).status_code == 403


@pytest.mark.parametrize(("role", "unit"), [("filer", "ngo-beta"), ("filer", ""), ("defender", "")])
async def test_a_case_of_others_and_no_case_are_the_same_answer(
    role: str, unit: str, told: Story, enter: Enter
) -> None:
    """Whether somebody filed must not be found out by asking."""
    client = enter(role, unit)
    answers = [await client.get(f"/v1/cases/{case}/timeline") for case in (CASE, ABSENT)]
    documents = [{**answer.json(), "instance": ""} for answer in answers]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert documents[0] == documents[1]
    assert documents[0]["type"] == "urn:amparo:problem:not-found"
    assert (await client.get("/v1/cases")).json()["items"] == []


async def test_an_excluded_office_has_no_such_case_whatever_its_role(database: AsyncEngine, enter: Enter) -> None:
    """DNH-5: whom the filer names never learns of the case, not even the mechanism's own staff there."""
    story = Story()
    file(story, excluded=("dgdh",))
    await take_all(database, story)
    client = enter("coordinator", "dgdh")
    assert (await client.get(f"/v1/cases/{CASE}/timeline")).status_code == 404
    assert (await client.get("/v1/cases")).json()["items"] == []
    assert len((await enter("coordinator", "vm").get("/v1/cases")).json()["items"]) == 1


async def test_an_exclusion_that_comes_later_takes_the_case_away(
    told: Story, database: AsyncEngine, enter: Enter
) -> None:
    """DNH-5: it counts from the record on."""
    assert len(await lines(enter("coordinator", OMBUDSMAN))) > 20
    told.tell(intake.AgencyExcluded(agency=OMBUDSMAN), stream=f"request/{CASE}", second=50)
    async with database.begin() as session:
        await take(session, told.told[-1])
    assert (await enter("coordinator", OMBUDSMAN).get(f"/v1/cases/{CASE}/timeline")).status_code == 404


async def test_a_case_exists_for_an_office_once_its_filing_is_here(database: AsyncEngine, enter: Enter) -> None:
    """DNH-5: another source's record may come before the one that names who must not know."""
    story = Story()
    story.tell(protection.CaseOpened(case_id=CASE, track="ordinary"), stream=f"case/{CASE}", second=1)
    await take_all(database, story)
    assert (await enter("coordinator", "dgdh").get(f"/v1/cases/{CASE}/timeline")).status_code == 404
    assert (await enter("auditor", "").get(f"/v1/cases/{CASE}/timeline")).status_code == 200


async def test_at_least_waits_for_what_the_caller_did(database: AsyncEngine, enter: Enter) -> None:
    """Whoever acts and looks sees the act."""
    story = Story()
    file(story)
    await take_all(database, story)
    story.tell(intake.EvidenceAdded(evidence_id="e-1"), stream=f"request/{CASE}", second=5)

    async def later() -> None:
        await asyncio.sleep(0.1)
        async with database.begin() as session:
            await take(session, story.told[-1])

    reading = enter().get(f"/v1/cases/{CASE}/timeline", params={"at_least": f"request/{CASE}:4"})
    answer, _ = await asyncio.gather(reading, later())
    assert answer.json()["stale"] is False
    assert answer.json()["items"][-1]["kind"] == "evidence.added"


async def test_at_least_says_when_it_is_stale(told: Story, enter: Enter) -> None:
    """After a second the reader gets what there is, and is told so."""
    found = (await enter().get(f"/v1/cases/{CASE}/timeline", params={"at_least": f"request/{CASE}:99"})).json()
    assert found["stale"] is True
    assert found["items"]


async def test_waiting_tells_nobody_that_a_case_exists(told: Story, enter: Enter) -> None:
    """A quick refusal for a case that exists would answer the question that was not to be asked."""
    client = enter("filer", "ngo-beta")
    now = asyncio.get_running_loop().time
    for case in (CASE, ABSENT):
        started = now()
        answer = await client.get(f"/v1/cases/{case}/timeline", params={"at_least": f"request/{case}:1"})
        assert (answer.status_code, now() - started > 0.9) == (404, True)


async def test_the_list_shows_the_latest_active_case_first_and_nothing_of_anybody(
    told: Story, database: AsyncEngine, enter: Enter
) -> None:
    """A list is read over shoulders."""
    other = Story()
    file(other, case=ABSENT, second=-500, unit="ngo-beta")
    other.records["pe.intake"] = [*told.records["pe.intake"], *other.records["pe.intake"]]
    shifted = _after(told, other)
    async with database.begin() as session:
        for record in shifted:
            await take(session, record)
    answer = (await enter().get("/v1/cases", params={"limit": 1})).json()
    (first,) = answer["items"]
    assert (first["case_id"], first["last"]["kind"]) == (CASE, "referral.recalled")
    assert set(first) == {"case_id", "filed_at", "imminent", "withdrawn_at", "closed_at", "entries", "last"}
    following = (await enter().get("/v1/cases", params={"limit": 1, "cursor": answer["next_cursor"]})).json()
    assert [item["case_id"] for item in following["items"]] == [ABSENT]
    assert following["next_cursor"] is None
    mine = (await enter("filer", "ngo-beta").get("/v1/cases")).json()
    assert [item["case_id"] for item in mine["items"]] == [ABSENT]


def _after(earlier: Story, later: Story) -> list[bytes]:
    """The later story's records, with the indexes that follow the earlier's."""
    from amparo.record.v1 import record_pb2

    counts = {source: len(found) for source, found in earlier.records.items()}
    moved = []
    for record in later.told:
        framed = record_pb2.Record.FromString(record)
        framed.index = counts[framed.source]
        counts[framed.source] += 1
        moved.append(framed.SerializeToString(deterministic=True))
    return moved


async def test_the_answer_names_its_instant(told: Story, enter: Enter) -> None:
    """A page that is printed must say when it was true."""
    found = (await enter().get(f"/v1/cases/{CASE}/timeline")).json()
    assert found["as_of"] == at(60).isoformat().replace("+00:00", "Z")
    assert found["filed_at"] == at(0).isoformat().replace("+00:00", "Z")


def test_the_story_tells_every_kind_of_agency_act() -> None:
    """The tests of this room stand on it."""
    assert {name.rpartition(".")[2] for name in whole_story().records} == {"intake", "protection", "referral", "vault"}
