"""Incidents over the registry's API: reported, listed, judged."""

import asyncio
from datetime import timedelta

import pytest

from runtime.clock import system_clock
from tests.services.intake.conftest import Enter, Registry
from tests.services.intake.invented import filed, post, problem, report


async def test_an_incident_is_registered_without_case_or_evidence(enter: Enter) -> None:
    """What is refused at one counter is registered at this one."""
    client = enter()
    answer = await post(client, "/v1/incidents", report(office="station-test", place="At the counter"))
    assert answer.status_code == 201
    body = answer.json()
    assert (body["stream"], body["version"], answer.headers["etag"]) == (f"incident/{body['incident_id']}", 1, '"1"')
    assert body["receipt"].startswith("amparo.receipt/v1\n")
    found = (await client.get(f"/v1/incidents/{body['incident_id']}")).json()
    assert (found["kind"], found["office"], found["verification"]) == ("complaint_refused", "station-test", "reported")
    assert (found["harmful_act"], found["narrative"], found["place"]) == ("other_harmful_act", None, None)
    opened = (await client.get(f"/v1/incidents/{body['incident_id']}", params={"unseal": "true"})).json()
    assert (opened["narrative"], opened["place"]) == (report()["narrative"], "At the counter")


async def test_an_incident_of_a_case_is_sealed_under_its_first_subjects_key(enter: Enter, registry: Registry) -> None:
    """Destroying that key destroys all that was said of the person."""
    client = enter()
    case = await filed(client)
    answer = (await post(client, "/v1/incidents", report(case_id=case["case_id"]))).json()
    async with registry.parts.engine.connect() as session:
        (recorded,) = (await registry.parts.store.load(session, answer["stream"])).events
    assert recorded.correlation == case["case_id"]
    assert recorded.event.subject_id == recorded.event.narrative.key_id == case["subjects"][0]["subject_id"]
    listed = (await client.get("/v1/incidents", params={"case_id": case["case_id"]})).json()["items"]
    assert [item["incident_id"] for item in listed] == [answer["incident_id"]]


async def test_nobody_reports_into_another_units_case(enter: Enter, registry: Registry) -> None:
    """And the refusal does not tell whether there is such a case."""
    case_id = (await filed(enter()))["case_id"]
    before = await registry.stored()
    stranger = enter(unit="ngo-other")
    for wanted in (case_id, "00000000-0000-4000-8000-000000000000"):
        assert problem(await post(stranger, "/v1/incidents", report(case_id=wanted))) == (404, "not-found")
    assert await registry.stored() == before


async def test_a_report_sent_many_times_at_once_is_recorded_once(enter: Enter, registry: Registry) -> None:
    """A real race: six connections, one key; with a case and without."""
    client = enter()
    case_id = (await filed(client))["case_id"]
    for body in (report(), report(case_id=case_id)):
        before = await registry.stored()
        key = "race-" + str(body.get("case_id", ""))
        answers = await asyncio.gather(*(post(client, "/v1/incidents", body, key=key) for _ in range(6)))
        assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
        after = await registry.stored()
        assert (after["events"] - before["events"], after["incidents"] - before["incidents"]) == (1, 1)


async def test_an_incident_is_not_dated_in_the_future(enter: Enter, registry: Registry) -> None:
    """The registry's clock is the measure, to within a device's error."""
    before = await registry.stored()
    later = (system_clock() + timedelta(hours=1)).isoformat()
    answer = await post(enter(), "/v1/incidents", report(happened_at=later))
    assert problem(answer) == (409, "happened-in-future")
    assert await registry.stored() == before
    earlier = (system_clock() - timedelta(days=1)).isoformat()
    assert (await post(enter(), "/v1/incidents", report(happened_at=earlier))).status_code == 201


@pytest.mark.parametrize(
    ("changes", "code"),
    [({"charges": ["rioting"]}, "charges-unexpected"), ({"violence": ["economic"]}, "violence-unexpected")],
)
async def test_what_belongs_to_another_kind_is_refused(enter: Enter, changes: dict[str, list[str]], code: str) -> None:
    """Figures by kind must not count the same thing twice."""
    assert problem(await post(enter(), "/v1/incidents", report(**changes))) == (409, code)
    fitting = {"charges": "criminalisation", "violence": "gender_violence"}[next(iter(changes))]
    assert (await post(enter(), "/v1/incidents", report(kind=fitting, **changes))).status_code == 201


async def test_an_incident_is_judged_in_steps_by_named_persons(enter: Enter) -> None:
    """Reported, corroborated, verified; and who reported it does not judge it."""
    filer, judge = enter(), enter("evaluator", unit="mechanism", sub="person-a")
    path = f"/v1/incidents/{(await post(filer, '/v1/incidents', report())).json()['incident_id']}"
    assert problem(await post(filer, f"{path}/verification", {"verification": "corroborated"})) == (403, "forbidden")
    assert problem(await post(judge, f"{path}/verification", {"verification": "verified"})) == (409, "wrong-stage")
    judged = {"verification": "corroborated", "reason": "Two accounts agree."}
    first = await post(judge, f"{path}/verification", judged)
    assert (first.status_code, first.json()["version"]) == (201, 2)
    assert (await post(judge, f"{path}/verification", judged)).json()["event_hash"] == first.json()["event_hash"]
    late = await post(judge, f"{path}/verification", {"verification": "verified"}, If_Match='"1"')
    assert problem(late) == (412, "precondition-failed")
    assert (await post(judge, f"{path}/verification", {"verification": "verified"})).status_code == 201
    found = (await judge.get(path, params={"unseal": "true"})).json()
    assert (found["verification"], found["version"], found["reasons"]) == ("verified", 3, ["Two accounts agree."])
    (row,) = [
        item
        for item in (await filer.get("/v1/incidents", params={"verification": "verified"})).json()["items"]
        if item["incident_id"] == found["incident_id"]
    ]
    assert row["version"] == 3


async def test_a_duplicate_names_an_incident_that_exists(enter: Enter) -> None:
    """A duplicate of nothing would be a report that disappears."""
    filer, judge = enter(), enter("coordinator", unit="mechanism")
    one, two = [(await post(filer, "/v1/incidents", report())).json()["incident_id"] for _ in range(2)]
    path = f"/v1/incidents/{two}/verification"
    assert problem(await post(judge, path, {"verification": "duplicate"})) == (409, "duplicate-of-missing")
    nothing = {"verification": "duplicate", "duplicate_of": "00000000-0000-4000-8000-000000000000"}
    assert problem(await post(judge, path, nothing)) == (404, "not-found")
    assert (await post(judge, path, {"verification": "duplicate", "duplicate_of": one})).status_code == 201
    assert (await filer.get(f"/v1/incidents/{two}")).json()["duplicate_of"] == one


async def test_another_units_incident_looks_absent(enter: Enter) -> None:
    """In reading and in the list."""
    incident_id = (await post(enter(), "/v1/incidents", report())).json()["incident_id"]
    stranger = enter(unit="ngo-other-still")
    assert problem(await stranger.get(f"/v1/incidents/{incident_id}")) == (404, "not-found")
    assert (await stranger.get("/v1/incidents")).json() == {"items": [], "next_cursor": None}
