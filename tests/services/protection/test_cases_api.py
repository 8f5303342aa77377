"""A case's acts and pages at the API: each act records, is refused with its code, and stays quiet when repeated."""

import asyncio
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest

from eventlog.receipts import check_receipt
from procedures.risk import Level
from services.protection import projections
from services.protection.domain.events import (
    CaseClosed,
    ClockStopped,
    MeasureGranted,
    PreliminaryReportIssued,
    ResolutionIssued,
    ResolutionNotified,
    RiskEvaluated,
)
from tests.services.protection.conftest import Enter, Granted, Office, evaluation


def problem(answer: Any) -> tuple[int, str]:
    """Status and code of a refusal."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    return answer.status_code, answer.json()["type"].removeprefix("urn:amparo:problem:")


def blind(**changes: Any) -> dict[str, Any]:
    """An evaluation in which nobody could score a threat."""
    body = evaluation(level="extraordinary", **changes)
    for variable in body["variables"]:
        if variable["axis"] == "threat":
            variable["score"] = "unknown"
    return body


# Preliminary report


async def test_a_report_is_recorded_and_answered_with_a_receipt_that_proves_it(office: Office, enter: Enter) -> None:
    """The signed note holds the hashes of the report and of the clock that it stopped."""
    case_id = await office.filed()
    answer = await enter("coordinator").do(
        f"/v1/cases/{case_id}/preliminary-report", {"admissible": True, "reasons": "complete"}
    )
    assert answer.status_code == 201
    told = answer.json()
    events = await office.case_events(case_id)
    assert [type(each.event) for each in events[-2:]] == [PreliminaryReportIssued, ClockStopped]
    proven = check_receipt(told["receipt"], verifier=office.parts.signer.verifier)
    assert proven == {each.version: each.hash for each in events[-2:]}
    assert (told["event_hash"], told["version"]) == (events[-2].hash.hex(), events[-1].version)
    assert answer.headers["etag"] == f'"{told["version"]}"'


async def test_a_late_report_is_recorded_as_late(office: Office, enter: Enter) -> None:
    """Thirty seconds were given; it came after thirty-one."""
    case_id = await office.filed()
    office.hands.forward(31)
    answer = await enter("coordinator").do(f"/v1/cases/{case_id}/preliminary-report", {"admissible": True})
    assert answer.status_code == 201
    clocks = (await enter("coordinator").read(f"/v1/cases/{case_id}")).json()["clocks"]
    assert {clock["clock"]: clock["late"] for clock in clocks}["preliminary_report"] is True


async def test_reports_are_refused_with_their_code(office: Office, enter: Enter) -> None:
    """Without reasons, twice, or in a case that is not there; nothing is written."""
    case_id, coordinator = await office.filed(), enter("coordinator")
    path = f"/v1/cases/{case_id}/preliminary-report"
    before = await office.stored()
    assert problem(await coordinator.do(path, {"admissible": False})) == (422, "reasons-needed")
    assert problem(await coordinator.do(path.replace(case_id, str(uuid.uuid4())), {"admissible": True}))[0] == 404
    assert problem(await coordinator.do(path, {"admissible": "yes"})) == (422, "invalid-request")
    assert await office.stored() == before
    await coordinator.do(path, {"admissible": True})
    assert problem(await coordinator.do(path, {"admissible": True})) == (409, "already-reported")


async def test_a_repeated_act_gets_its_first_answer(office: Office, enter: Enter) -> None:
    """The same key and body: the same bytes, and nothing is written; another body under the key is refused."""
    case_id, evaluator = await office.filed(), enter("evaluator")
    path = f"/v1/cases/{case_id}/evaluations"
    first = await evaluator.do(path, evaluation(), key="once")
    before = await office.stored()
    again = await evaluator.do(path, evaluation(), key="once")
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert problem(await evaluator.do(path, blind(), key="once")) == (422, "idempotency-key-reused")
    assert await office.stored() == before


async def test_an_act_needs_a_key(office: Office, enter: Enter) -> None:
    """Without one, a lost answer could not be asked for again."""
    case_id = await office.filed()
    answer = await enter("coordinator").client.post(
        f"/v1/cases/{case_id}/preliminary-report", json={"admissible": True}
    )
    assert problem(answer) == (400, "missing-idempotency-key")


async def test_an_act_may_insist_on_the_version_it_saw(office: Office, enter: Enter) -> None:
    """Somebody acted meanwhile: read again, decide again."""
    case_id, coordinator = await office.filed(), enter("coordinator")
    seen = (await coordinator.read(f"/v1/cases/{case_id}")).headers["etag"]
    path = f"/v1/cases/{case_id}/preliminary-report"
    assert problem(await coordinator.do(path, {"admissible": True}, If_Match='"99"')) == (412, "precondition-failed")
    assert (await coordinator.do(path, {"admissible": True}, If_Match=seen)).status_code == 201


# Evaluation


async def test_an_evaluation_tells_what_was_proposed_and_decided(office: Office, enter: Enter) -> None:
    """Decided by the named person whose token it is."""
    case_id = await office.filed()
    answer = await enter("evaluator", sub="evaluator-7").do(f"/v1/cases/{case_id}/evaluations", evaluation())
    assert answer.status_code == 201
    assert (answer.json()["proposed"], answer.json()["level"]) == ("extreme", "extreme")
    evaluated = next(e.event for e in await office.case_events(case_id) if isinstance(e.event, RiskEvaluated))
    assert (evaluated.decided_by, evaluated.level) == ("evaluator-7", Level.EXTREME)
    assert evaluated.evaluation_id == answer.json()["evaluation_id"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (evaluation(level="ordinary"), "reasons-needed"),
        (blind() | {"level": "ordinary", "departure": "nothing was found"}, "unknown-is-not-low"),
        (evaluation() | {"variables": evaluation()["variables"][1:]}, "not-scored"),
        (evaluation(level="moderate"), "invalid-request"),
        (evaluation(colour="red"), "invalid-request"),
    ],
)
async def test_evaluations_are_refused_with_their_code(
    office: Office, enter: Enter, body: dict[str, Any], code: str
) -> None:
    """Nothing is written."""
    case_id = await office.filed()
    before = await office.stored()
    assert problem(await enter("evaluator").do(f"/v1/cases/{case_id}/evaluations", body))[1] == code
    assert await office.stored() == before


# Resolution and notification


async def test_a_grant_grants_each_measure_on_its_own_stream(office: Office, granted_measure: Granted) -> None:
    """In the same transaction, citing the resolution; and the next duty is told."""
    issued = next(e for e in await office.case_events(granted_measure.case_id) if isinstance(e.event, ResolutionIssued))
    assert issued.event.measures == (granted_measure.measure_id,)
    granted = (await office.measure_events(granted_measure.measure_id))[-1].event
    assert granted == MeasureGranted(resolution_id=issued.event.resolution_id, evaluation_id=issued.event.evaluation_id)


async def test_resolutions_are_refused_with_their_code(office: Office, enter: Enter) -> None:
    """No evaluation, no measure, no reasons, a measure of another case: nothing is written."""
    case_id, coordinator = await office.filed(), enter("coordinator")
    path = f"/v1/cases/{case_id}/resolutions"
    assert problem(await coordinator.do(path, {"granted": True})) == (409, "evaluation-needed")
    await enter("evaluator").do(f"/v1/cases/{case_id}/evaluations", evaluation())
    before = await office.stored()
    assert problem(await coordinator.do(path, {"granted": True})) == (409, "measure-needed")
    assert problem(await coordinator.do(path, {"granted": False})) == (422, "reasons-needed")
    another = {"granted": True, "measures": [str(uuid.uuid4())]}
    assert problem(await coordinator.do(path, another)) == (409, "measure-unknown")
    assert await office.stored() == before


async def test_dnh_22_a_denial_that_rests_on_missing_evidence_alone_is_refused(office: Office, enter: Enter) -> None:
    """Whatever reasons are written."""
    case_id = await office.filed()
    assert (await enter("evaluator").do(f"/v1/cases/{case_id}/evaluations", blind())).status_code == 201
    denial = {"granted": False, "reasons": "There is no evidence."}
    answer = await enter("coordinator").do(f"/v1/cases/{case_id}/resolutions", denial)
    assert problem(answer) == (409, "missing-evidence-alone")


async def test_what_a_beneficiary_refused_is_not_granted(office: Office, enter: Enter) -> None:
    """Left out of a grant of all that stands proposed; and a grant that names it is refused whole."""
    case_id, coordinator = await office.filed(), enter("coordinator")
    await enter("evaluator").do(f"/v1/cases/{case_id}/evaluations", evaluation())
    ids = []
    for name in ("patrol_home", "legal_aid"):
        proposal = {"measure": name, "implementer": "an-agency"}
        ids.append((await coordinator.do(f"/v1/cases/{case_id}/measures", proposal)).json()["measure_id"])
    await enter("filer").do(f"/v1/measures/{ids[0]}/refusal")
    path, before = f"/v1/cases/{case_id}/resolutions", await office.stored()
    assert problem(await coordinator.do(path, {"granted": True, "measures": ids})) == (409, "wrong-stage")
    assert await office.stored() == before
    assert (await coordinator.do(path, {"granted": True})).json()["measures"] == [ids[1]]


async def test_a_notification_is_recorded_once(office: Office, enter: Enter, granted_measure: Granted) -> None:
    """Its clock stops; a second one is quiet, and gets a receipt all the same."""
    coordinator, path = enter("coordinator"), f"/v1/cases/{granted_measure.case_id}/notification"
    assert (await coordinator.do(path)).status_code == 201
    events = await office.case_events(granted_measure.case_id)
    assert [type(each.event) for each in events[-2:]] == [ResolutionNotified, ClockStopped]
    again = await coordinator.do(path)
    assert (again.status_code, again.json()["version"]) == (201, events[-1].version)
    assert await office.case_events(granted_measure.case_id) == events


async def test_there_is_nothing_to_notify_before_a_resolution(office: Office, enter: Enter) -> None:
    """The refusal says so."""
    case_id = await office.filed()
    assert problem(await enter("coordinator").do(f"/v1/cases/{case_id}/notification")) == (409, "wrong-stage")


async def test_a_case_closes_when_its_measures_have_ended(
    office: Office, enter: Enter, granted_measure: Granted
) -> None:
    """Not before; then every act is told that it is closed."""
    coordinator, case = enter("coordinator"), f"/v1/cases/{granted_measure.case_id}"
    await coordinator.do(f"{case}/notification")
    assert problem(await coordinator.do(f"{case}/closure")) == (409, "case-unfinished")
    await enter("filer").do(f"/v1/measures/{granted_measure.measure_id}/refusal")
    assert (await coordinator.do(f"{case}/closure")).status_code == 201
    assert (await office.case_events(granted_measure.case_id))[-1].event == CaseClosed(ground="ceased")
    assert problem(await enter("evaluator").do(f"{case}/evaluations", evaluation())) == (409, "case-closed")
    assert (await coordinator.do(f"{case}/closure")).status_code == 201


# Pages


async def test_a_case_shows_its_stage_clocks_and_measures(enter: Enter, granted_measure: Granted) -> None:
    """With due instants, and no word of what was sealed."""
    answer = await enter("coordinator").read(f"/v1/cases/{granted_measure.case_id}")
    case = answer.json()
    assert (case["stage"], case["level"], case["granted"], case["reported"]) == ("resolved", "extreme", True, True)
    assert {clock["clock"]: clock["met"] for clock in case["clocks"]} == {
        "preliminary_report": True,
        "evaluation": True,
        "resolution": True,
        "notification": None,
    }
    received = datetime.fromisoformat(case["received_at"])
    assert datetime.fromisoformat(case["clocks"][2]["due"]) == received + timedelta(seconds=90)
    assert case["next_due"] == case["clocks"][3]["due"]
    assert [(measure["measure"], measure["state"]) for measure in case["measures"]] == [("patrol_home", "granted")]
    assert "told by the person" not in answer.text
    assert "twice a night" not in answer.text
    listed = (await enter("coordinator").read(f"/v1/cases/{granted_measure.case_id}/measures")).json()
    assert listed == {"items": case["measures"], "next_cursor": None}


async def test_who_filed_follows_their_own_case_and_no_other(office: Office, enter: Enter) -> None:
    """What is not theirs is told like what is not there."""
    case_id = await office.filed()
    assert (await enter("filer").read(f"/v1/cases/{case_id}")).status_code == 200
    stranger = enter("filer", unit="ngo-elsewhere")
    refusals = [
        await stranger.read(f"/v1/cases/{case_id}"),
        await stranger.read(f"/v1/cases/{uuid.uuid4()}"),
        await stranger.read(f"/v1/cases/{case_id}/measures"),
    ]
    assert {problem(answer) for answer in refusals} == {(404, "not-found")}
    assert (await stranger.read("/v1/cases")).json()["items"] == []


@pytest.mark.parametrize("role", ["police_unit", "prosecutor", "ombudsman", "ministry", "observer", "administrator"])
async def test_dnh_6_no_agency_reads_a_case(office: Office, enter: Enter, role: str) -> None:
    """What an agency learns, it learns by a referral that somebody consented to; the Ombudsman included."""
    case_id = await office.filed()
    desk = enter(role, unit="an-agency")
    for path in ("/v1/cases", f"/v1/cases/{case_id}", f"/v1/cases/{case_id}/measures"):
        assert problem(await desk.read(path)) == (403, "forbidden")


async def test_the_list_turns_its_pages(office: Office, enter: Enter) -> None:
    """Newest first, each case once, and filters hold."""
    filed = []
    for _ in range(5):
        office.hands.forward(1)
        filed.append(await office.filed(imminent=len(filed) == 2))
    filer, seen, cursor = enter("filer"), [], ""
    while True:
        page = (await filer.read(f"/v1/cases?limit=2{cursor}")).json()
        seen += [item["case_id"] for item in page["items"]]
        if page["next_cursor"] is None or len(seen) >= 5:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert seen[:5] == filed[::-1]
    urgent = (await filer.read("/v1/cases?track=extraordinary&stage=opened")).json()["items"]
    assert urgent[0]["case_id"] == filed[2]
    assert problem(await filer.read("/v1/cases?cursor=abc")) == (400, "invalid-cursor")
    assert problem(await filer.read("/v1/cases?limit=201")) == (422, "invalid-request")


async def test_a_rule_pack_is_public_to_whoever_acts_by_it(enter: Enter) -> None:
    """Clocks, measures, variables: what a client needs to fill in a form."""
    pack = (await enter("filer").read("/v1/packs/drill")).json()
    assert {clock["name"] for clock in pack["clocks"]} >= {"preliminary_report", "resolution"}
    assert problem(await enter("filer").read("/v1/packs/atlantis")) == (404, "not-found")


async def test_the_pages_can_be_made_anew_from_the_streams(
    office: Office, enter: Enter, granted_measure: Granted
) -> None:
    """The tables hold nothing that the streams do not say."""
    await enter("coordinator").do(f"/v1/cases/{granted_measure.case_id}/notification")
    tables = (projections.cases, projections.clocks, projections.measures)

    async def rows() -> list[list[Any]]:
        async with office.parts.engine.connect() as session:
            return [sorted(map(tuple, (await session.execute(table.select())).all()), key=repr) for table in tables]

    before = await rows()
    async with office.parts.engine.begin() as session:
        assert await projections.rebuild(session, office.parts.store) > 1
    assert await rows() == before


async def test_one_act_sent_twice_at_once_is_done_once(office: Office, enter: Enter) -> None:
    """An impatient client: both calls get the first answer, with the ids that the first was given."""
    case_id = await office.filed()
    body = {"measure": "patrol_home", "implementer": "police-north"}
    calls = [enter("coordinator").do(f"/v1/cases/{case_id}/measures", body, key="twice") for _ in range(4)]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["measure_id"] for answer in answers}) == 1
    assert len((await enter("coordinator").read(f"/v1/cases/{case_id}")).json()["measures"]) == 1


async def test_of_two_resolutions_at_once_one_is_refused(office: Office, enter: Enter) -> None:
    """Both read the same case; whoever comes second decides anew and learns that it was decided."""
    case_id, coordinator = await office.filed(), enter("coordinator")
    await enter("evaluator").do(f"/v1/cases/{case_id}/evaluations", evaluation())
    await coordinator.do(f"/v1/cases/{case_id}/measures", {"measure": "legal_aid", "implementer": "an-agency"})
    bodies = [{"granted": True}, {"granted": False, "reasons": "The danger has passed."}]
    answers = await asyncio.gather(*(coordinator.do(f"/v1/cases/{case_id}/resolutions", body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    issued = [e for e in await office.case_events(case_id) if isinstance(e.event, ResolutionIssued)]
    assert len(issued) == 1
