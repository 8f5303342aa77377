"""A measure's acts at the API: the beneficiary's word, and changes on a newer evaluation only."""

import uuid
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from access.policy import rights
from runtime.settings import Settings
from services.protection.domain.events import (
    MeasureAccepted,
    MeasureAdded,
    MeasureCeased,
    MeasureConfirmed,
    MeasureFoundIneffective,
    MeasureModified,
    MeasureProposed,
    MeasureRefused,
    MeasureSuspended,
)
from tests.accesses import accesses
from tests.services.protection.conftest import Desk, Enter, Granted, Office, evaluation
from tests.services.protection.test_cases_api import problem

PROPOSAL = {"measure": "police_protection", "implementer": "police-north", "details": "at the river crossing"}


async def in_place(office: Office, filer: Desk, measure_id: str) -> None:
    """The measure is accepted and sent."""
    assert (await filer.do(f"/v1/measures/{measure_id}/acceptance")).status_code == 201
    await office.sent(measure_id, referral_id=str(uuid.uuid4()))


async def test_a_proposal_begins_a_measure_and_is_named_in_its_case(office: Office, enter: Enter) -> None:
    """One act, two streams, one transaction; what the pack says of the measure is kept with it."""
    case_id = await office.filed()
    answer = await enter("coordinator").do(f"/v1/cases/{case_id}/measures", PROPOSAL, key="p")
    assert answer.status_code == 201
    measure_id = answer.json()["measure_id"]
    (proposed,) = await office.measure_events(measure_id)
    assert isinstance(proposed.event, MeasureProposed)
    assert (proposed.event.urgent, proposed.event.family) == (True, "physical")
    assert (await office.case_events(case_id))[-1].event == MeasureAdded(measure_id=measure_id)
    before = await office.stored()
    again = await enter("coordinator").do(f"/v1/cases/{case_id}/measures", PROPOSAL, key="p")
    assert again.json() == answer.json()
    assert await office.stored() == before


async def test_proposals_are_refused_with_their_code(office: Office, enter: Enter) -> None:
    """A measure that the pack does not have, or no such case: nothing is written."""
    case_id, coordinator = await office.filed(), enter("coordinator")
    before = await office.stored()
    unknown = PROPOSAL | {"measure": "moat"}
    assert problem(await coordinator.do(f"/v1/cases/{case_id}/measures", unknown)) == (409, "measure-not-in-pack")
    assert problem(await coordinator.do(f"/v1/cases/{uuid.uuid4()}/measures", PROPOSAL)) == (404, "not-found")
    assert await office.stored() == before


async def test_an_implementer_that_is_not_registered_is_refused(office: Office, enter: Enter) -> None:
    """A misspelled one would never be asked, and nobody would learn of it."""
    case_id, coordinator = await office.filed(), enter("coordinator")
    before = await office.stored()
    misspelled = PROPOSAL | {"implementer": "police-nroth"}
    answer = await coordinator.do(f"/v1/cases/{case_id}/measures", misspelled)
    assert problem(answer) == (409, "unknown-agency")
    assert answer.json()["errors"] == [{"pointer": "#/implementer", "reason": "not-registered"}]
    assert "nroth" not in answer.text
    assert await office.stored() == before
    office.referrals.register("police-new")
    known = PROPOSAL | {"implementer": "police-new"}
    assert (await coordinator.do(f"/v1/cases/{case_id}/measures", known)).status_code == 201


async def test_a_beneficiary_reads_what_it_accepts_and_the_vault_records_it(
    office: Office, enter: Enter, granted_measure: Granted, protection_settings: Settings, postgres: str
) -> None:
    """How a measure is carried out is the beneficiary's to know; whoever filed elsewhere finds nothing."""
    path = f"/v1/measures/{granted_measure.measure_id}/texts"
    assert problem(await enter("filer", unit="ngo-elsewhere").read(path)) == (404, "not-found")
    assert problem(await enter("police_unit", unit="police-north").read(path)) == (403, "forbidden")
    assert problem(await enter("filer").read(f"/v1/measures/{uuid.uuid4()}/texts")) == (404, "not-found")
    answer = await enter("filer").read(path)
    assert answer.status_code == 200
    assert answer.json()["texts"] == [{"version": 1, "path": "details", "text": "twice a night"}]
    await enter("filer").do(f"/v1/measures/{granted_measure.measure_id}/refusal", {"reason": "They would be seen."})
    later = (await enter("filer").read(path)).json()["texts"]
    assert [text["text"] for text in later] == ["twice a night", "They would be seen."]
    vault = create_async_engine(f"{postgres.rsplit('/', 1)[0]}/{protection_settings.mechanism}_vault")
    stream = f"measure/{granted_measure.measure_id}"
    recorded = [each for each in await accesses(vault) if stream in str(each.payload.about)]
    assert [each.event.actor.unit for each in recorded if each.kind == "PersonalDataRead"] == ["ngo-test", "ngo-test"]
    assert "ngo-elsewhere" in {each.event.actor.unit for each in recorded if each.kind == "PersonalDataRefused"}
    await vault.dispose()


async def test_nothing_said_of_a_measure_is_stored_in_clear(office: Office, enter: Enter) -> None:
    """Not in the event, not in a table."""
    case_id = await office.filed()
    await enter("coordinator").do(f"/v1/cases/{case_id}/measures", PROPOSAL)
    async with office.owner.connect() as connection:
        for table in ("events", "acts", "cases", "measures"):
            rows = (await connection.execute(text(f"SELECT {table}::text AS row FROM {table}"))).scalars().all()
            assert not any(
                word in row or word.encode().hex() in row for row in rows for word in ("river crossing", "in-person")
            )


@pytest.mark.parametrize(
    ("act", "body", "event"),
    [("acceptance", {}, MeasureAccepted), ("refusal", {"reason": "They would be seen."}, MeasureRefused)],
)
async def test_the_beneficiary_accepts_or_refuses(
    office: Office, enter: Enter, granted_measure: Granted, act: str, body: dict[str, Any], event: type
) -> None:
    """Recorded once; nobody else can, and whoever filed elsewhere finds nothing."""
    path = f"/v1/measures/{granted_measure.measure_id}/{act}"
    assert problem(await enter("filer", unit="ngo-elsewhere").do(path, body)) == (404, "not-found")
    assert problem(await enter("coordinator").do(path, body)) == (403, "forbidden")
    answer = await enter("defender").do(path, body)
    assert answer.status_code == 201
    events = await office.measure_events(granted_measure.measure_id)
    assert isinstance(events[-1].event, event)
    again = await enter("defender").do(path, body)
    assert (again.status_code, again.json()["version"]) == (201, answer.json()["version"])
    assert await office.measure_events(granted_measure.measure_id) == events


async def test_a_key_whose_act_recorded_nothing_is_taken_all_the_same(
    office: Office, enter: Enter, granted_measure: Granted
) -> None:
    """The second acceptance changes nothing, and yet its key belongs to it."""
    path, defender = f"/v1/measures/{granted_measure.measure_id}", enter("defender")
    await defender.do(f"{path}/acceptance", key=f"first-{path}")
    quiet = await defender.do(f"{path}/acceptance", key=f"second-{path}")
    assert (await defender.do(f"{path}/acceptance", key=f"second-{path}")).json() == quiet.json()
    assert problem(await defender.do(f"{path}/refusal", key=f"second-{path}")) == (422, "idempotency-key-reused")
    assert isinstance((await office.measure_events(granted_measure.measure_id))[-1].event, MeasureAccepted)


async def test_what_is_not_granted_cannot_be_accepted(office: Office, enter: Enter) -> None:
    """A proposal promises nothing."""
    case_id = await office.filed()
    proposed = await enter("coordinator").do(f"/v1/cases/{case_id}/measures", PROPOSAL)
    answer = await enter("filer").do(f"/v1/measures/{proposed.json()['measure_id']}/acceptance")
    assert problem(answer) == (409, "wrong-stage")


async def test_only_the_beneficiary_confirms_that_a_measure_is_in_place(
    office: Office, enter: Enter, granted_measure: Granted
) -> None:
    """Granted is not implemented; a second confirmation is quiet."""
    filer, path = enter("filer"), f"/v1/measures/{granted_measure.measure_id}"
    assert problem(await filer.do(f"{path}/confirmation")) == (409, "wrong-stage")
    await in_place(office, filer, granted_measure.measure_id)
    assert problem(await enter("coordinator").do(f"{path}/confirmation")) == (403, "forbidden")
    assert (await filer.do(f"{path}/confirmation")).status_code == 201
    assert (await filer.read(path)).json()["state"] == "implemented"
    events = await office.measure_events(granted_measure.measure_id)
    assert events[-1].event == MeasureConfirmed()
    await filer.do(f"{path}/confirmation")
    assert await office.measure_events(granted_measure.measure_id) == events


async def test_the_beneficiary_may_find_a_measure_ineffective(
    office: Office, enter: Enter, granted_measure: Granted
) -> None:
    """Only where somebody was asked to carry it out."""
    filer, path = enter("filer"), f"/v1/measures/{granted_measure.measure_id}"
    assert problem(await filer.do(f"{path}/ineffectiveness")) == (409, "wrong-stage")
    await in_place(office, filer, granted_measure.measure_id)
    assert (await filer.do(f"{path}/ineffectiveness", {"reason": "Nobody came."})).status_code == 201
    assert isinstance((await office.measure_events(granted_measure.measure_id))[-1].event, MeasureFoundIneffective)


@pytest.mark.parametrize(
    ("act", "body", "event", "state"),
    [
        ("modification", {"details": "Once a night."}, MeasureModified, "modified"),
        ("suspension", {"reason": "The person travels."}, MeasureSuspended, "suspended"),
        ("cessation", {"reason": "The danger has passed."}, MeasureCeased, "ceased"),
    ],
)
async def test_a_measure_is_changed_only_on_a_newer_evaluation(
    office: Office, enter: Enter, granted_measure: Granted, act: str, body: dict[str, str], event: type, state: str
) -> None:
    """Refused on the evaluation that it was granted on; with a newer one, recorded with a reason."""
    coordinator, path = enter("coordinator"), f"/v1/measures/{granted_measure.measure_id}"
    assert problem(await coordinator.do(f"{path}/{act}", body)) == (409, "newer-evaluation-needed")
    again = await enter("evaluator").do(f"/v1/cases/{granted_measure.case_id}/evaluations", evaluation())
    assert problem(await coordinator.do(f"{path}/{act}", {})) == (422, "invalid-request")
    assert problem(await enter("filer").do(f"{path}/{act}", body)) == (403, "forbidden")
    assert (await coordinator.do(f"{path}/{act}", body)).status_code == 201
    changed = (await office.measure_events(granted_measure.measure_id))[-1].event
    assert isinstance(changed, event)
    assert changed.evaluation_id == again.json()["evaluation_id"]
    assert (await coordinator.read(path)).json()["state"] == state


async def test_a_measure_is_read_by_staff_and_by_whoever_filed(enter: Enter, granted_measure: Granted) -> None:
    """To everybody else it is not there, or forbidden."""
    path = f"/v1/measures/{granted_measure.measure_id}"
    mine = await enter("filer").read(path)
    assert (mine.status_code, mine.headers["etag"]) == (200, '"2"')
    assert mine.json() == (await enter("evaluator").read(path)).json()
    assert problem(await enter("defender", unit="ngo-elsewhere").read(path)) == (404, "not-found")
    assert problem(await enter("police_unit", unit="police-north").read(path)) == (403, "forbidden")
    assert problem(await enter("filer").read(f"/v1/measures/{uuid.uuid4()}")) == (404, "not-found")


ACTS = {
    "/v1/cases/{case}/preliminary-report": ("case.report", {"admissible": True}),
    "/v1/cases/{case}/evaluations": ("case.evaluate", evaluation()),
    "/v1/cases/{case}/measures": ("measure.propose", PROPOSAL),
    "/v1/cases/{case}/resolutions": ("case.resolve", {"granted": True}),
    "/v1/cases/{case}/notification": ("case.resolve", {}),
    "/v1/cases/{case}/closure": ("case.resolve", {}),
    "/v1/measures/{measure}/acceptance": ("measure.accept", {}),
    "/v1/measures/{measure}/refusal": ("measure.accept", {}),
    "/v1/measures/{measure}/confirmation": ("measure.confirm", {}),
    "/v1/measures/{measure}/ineffectiveness": ("measure.confirm", {}),
    "/v1/measures/{measure}/modification": ("measure.change", {"details": "less"}),
    "/v1/measures/{measure}/suspension": ("measure.change", {"reason": "rest"}),
    "/v1/measures/{measure}/cessation": ("measure.change", {"reason": "over"}),
}


@pytest.mark.parametrize("path", ACTS)
async def test_an_act_is_forbidden_to_every_role_that_does_not_have_it(
    office: Office, enter: Enter, granted_measure: Granted, path: str
) -> None:
    """Whatever their unit; nothing is written."""
    action, body = ACTS[path]
    where = path.format(case=granted_measure.case_id, measure=granted_measure.measure_id)
    before = await office.stored()
    for role, actions in rights().items():
        if action not in actions:
            assert problem(await enter(role).do(where, body)) == (403, "forbidden"), role
    assert await office.stored() == before
