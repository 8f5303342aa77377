"""Who looked: what the person concerned is told, what those who examine it are, and what nobody else sees."""

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from amparo.vault.v1 import events_pb2 as vault
from services.timeline.taking import take
from tests.services.timeline.conftest import Enter
from tests.services.timeline.records import (
    CASE,
    FILER,
    OMBUDSMAN,
    POLICE,
    PROSECUTOR,
    Story,
    file,
    look,
    send,
    subject_of,
)

OTHER = "0d9f1b52-7c50-4d0e-8d43-2f7f3f7c0002"
DAY = "2026-03-02"


async def take_all(database: AsyncEngine, story: Story) -> None:
    """All records of a story, in the order in which they were told."""
    async with database.begin() as session:
        for record in story.told:
            await take(session, record)


async def looks(client: httpx.AsyncClient, case: str = CASE, **query: str) -> list[dict[str, object]]:
    """Who looked, as one who may ask is told."""
    answer = await client.get(f"/v1/cases/{case}/accesses", params=query)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, object]] = answer.json()["items"]
    return items


async def test_the_person_is_told_role_unit_purpose_and_day_and_nothing_else(told: Story, enter: Enter) -> None:
    """DNH-12: no officer, no hour, no class, no id."""
    found = await looks(enter("defender", FILER))
    common = {"day": DAY}
    assert found == [
        common | {"kind": "refused", "role": "evaluator", "unit": "elsewhere", "purpose": "intake.read", "times": 3},
        common | {"kind": "read", "role": "police_unit", "unit": POLICE, "purpose": "referral.disclosure", "times": 1},
    ]


async def test_who_looked_is_known_by_the_key_whatever_case_the_service_named(
    database: AsyncEngine, enter: Enter
) -> None:
    """A service that is taken over can hide no look behind another case; and one request over two cases is told to
    both."""
    story = Story()
    look(story, subject_of(CASE), subject_of(OTHER), case=OTHER, second=-5)
    file(story)
    file(story, case=OTHER, unit="ngo-beta", second=1)
    await take_all(database, story)
    assert [item["times"] for item in await looks(enter("filer", FILER))] == [1]
    assert [item["times"] for item in await looks(enter("filer", "ngo-beta"), OTHER)] == [1]


async def test_looks_are_counted_by_day_and_come_in_pages(database: AsyncEngine, enter: Enter) -> None:
    """The latest day first; no page tells the hour."""
    story = Story()
    file(story)
    for day in range(3):
        for unit in (POLICE, PROSECUTOR):
            for second in range(day + 1):
                look(story, subject_of(CASE), case=CASE, unit=unit, second=60 + day * 86_400 + second)
    await take_all(database, story)
    client, seen, cursor = enter("filer", FILER), [], None
    while True:
        query = {"limit": "4"} | ({"cursor": cursor} if cursor else {})
        page = (await client.get(f"/v1/cases/{CASE}/accesses", params=query)).json()
        seen += [(item["day"][-2:], item["unit"], item["times"]) for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    units = (PROSECUTOR, POLICE)
    assert seen == [(f"0{2 + day}", unit, day + 1) for day in (2, 1, 0) for unit in units]
    for wrong in ("x", "WyJ4Il0", "WyJ4IiwieCIsIngiLCJ4IiwieCJd"):
        assert (await client.get(f"/v1/cases/{CASE}/accesses", params={"cursor": wrong})).status_code == 400


async def test_only_the_ombudsman_is_told_the_officer(told: Story, enter: Enter) -> None:
    """DNH-12: the person asks the Ombudsman, who was asked about the case; the auditor proves each record."""
    path = f"/v1/cases/{CASE}/accesses/records"
    (refused, read) = (await enter("auditor", "").get(path)).json()["items"]
    assert (read["id"], read["rule"], read["classes"], read["about"]) == (
        "pe.vault:0",
        "consent:1",
        ["place"],
        ["referral/r-police"],
    )
    assert ("officer" in read, "officer" in refused) == (False, False)
    (refused, read) = (await enter("ombudsman", OMBUDSMAN).get(path)).json()["items"]
    assert (read["officer"], read["service"], refused["times"]) == ("person-police_unit", "referral", 3)
    first = (await enter("auditor", "").get(path, params={"limit": 1})).json()
    rest = (await enter("auditor", "").get(path, params={"cursor": first["next_cursor"]})).json()
    assert [item["id"] for item in (*first["items"], *rest["items"])] == ["pe.vault:1", "pe.vault:0"]
    assert (await enter("defender", FILER).get(path)).status_code == 403


async def test_who_may_not_read_the_case_is_not_told_who_looked(told: Story, enter: Enter) -> None:
    """Another organisation's case is not there, nor is one for an Ombudsman that was not asked, or was excluded
    (DNH-5)."""
    assert (await enter("filer", "ngo-beta").get(f"/v1/cases/{CASE}/accesses")).status_code == 404
    assert (await enter("ombudsman", "another").get(f"/v1/cases/{CASE}/accesses")).status_code == 404
    for role in ("coordinator", "evaluator", "police_unit", "prosecutor", "administrator", "observer", "service"):
        assert (await enter(role, "dgdh").get(f"/v1/cases/{CASE}/accesses")).status_code == 403, role


async def test_an_excluded_ombudsman_is_not_told(database: AsyncEngine, enter: Enter) -> None:
    """DNH-5 outranks oversight."""
    story = Story()
    file(story, excluded=(OMBUDSMAN,))
    send(story, "r-ombudsman", agency=OMBUDSMAN)
    look(story, subject_of(CASE), case=CASE)
    await take_all(database, story)
    assert (await enter("ombudsman", OMBUDSMAN).get(f"/v1/cases/{CASE}/accesses")).status_code == 404


async def test_that_somebody_looked_does_not_show_to_the_case_s_readers(told: Story, enter: Enter) -> None:
    """An insider who could see the Ombudsman look would be warned: no line, no count, no latest activity."""
    client = enter("coordinator")
    page = (await client.get(f"/v1/cases/{CASE}/timeline", params={"limit": 200})).json()
    assert not [item for item in page["items"] if item["kind"].startswith("personal_data")]
    (case,) = (await client.get("/v1/cases")).json()["items"]
    assert case["entries"] == len(page["items"])
    assert case["last"]["kind"] == "referral.recalled"
    mark = {"at_least": f"access/{CASE}:1"}
    assert (await client.get(f"/v1/cases/{CASE}/timeline", params=mark)).json()["stale"] is True
    audited = (await enter("auditor", "").get(f"/v1/cases/{CASE}/timeline", params={"limit": 200} | mark)).json()
    (read,) = [item for item in audited["items"] if item["kind"] == "personal_data.read"]
    assert (read["actor"], read["details"]) == (
        {"role": "police_unit", "unit": POLICE},
        {"purpose": "referral.disclosure"},
    )


async def test_keys_released_to_seal_are_told_as_such(database: AsyncEngine, enter: Enter) -> None:
    """Who adds to a case had its key; that is shown, and not as a reading."""
    story = Story()
    file(story)
    sealed = vault.PersonalDataSealed(subjects=[subject_of(CASE)], asked=1, released=1, service="protection")
    story.tell(sealed, stream=f"access/{CASE}", second=9, unit="dgdh")
    await take_all(database, story)
    (found,) = await looks(enter("filer", FILER))
    assert (found["kind"], found["role"], found["purpose"]) == ("sealed", "coordinator", "seal")


async def test_no_look_is_found_by_scanning(database: AsyncEngine) -> None:
    """Both ways to a case's looks have an index."""
    async with database.connect() as session:
        await session.execute(text("SET LOCAL enable_seqscan = off"))
        query = (
            "EXPLAIN SELECT * FROM accesses WHERE cases @> ARRAY['c'] OR subjects &&"
            " (SELECT array_agg(subject_id) FROM subjects WHERE case_id = 'c')"
        )
        plan = "\n".join((await session.execute(text(query))).scalars())
    assert "accesses_by_case" in plan
    assert "accesses_by_subject" in plan
