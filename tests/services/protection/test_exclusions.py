"""DNH-5: whom the filer excluded finds no case, no measure and no clock here either, whatever its role."""

import uuid

import pytest
from google.protobuf.message import Message

from amparo.intake.v1 import events_pb2 as intake
from tests.services.protection.conftest import Enter, Granted, Office, evaluation
from tests.services.protection.test_cases_api import problem
from tests.services.protection.test_measures_api import ACTS


@pytest.mark.parametrize("role", ["coordinator", "evaluator"])
async def test_an_excluded_office_of_the_mechanism_finds_no_case(office: Office, enter: Enter, role: str) -> None:
    """The very answer of a case that is not there; every other office of the role sees it."""
    case_id = await office.filed(excluded=["office-out"])
    kept, other = enter(role, unit="office-out"), enter(role, unit="office-in")
    for path in ("/v1/cases/{}", "/v1/cases/{}/measures"):
        assert (await other.read(path.format(case_id))).status_code == 200
        assert problem(await kept.read(path.format(case_id))) == problem(await kept.read(path.format(uuid.uuid4())))
    assert case_id in (await other.read("/v1/cases?limit=200")).text
    assert case_id not in (await kept.read("/v1/cases?limit=200")).text


@pytest.mark.parametrize(
    "said",
    [intake.AgencyExcluded(agency="office-late"), intake.ConflictRecorded(agency="office-late", claimed=True)],
    ids=["excluded", "in conflict"],
)
async def test_an_office_that_is_kept_out_later_does_nothing_to_the_case_any_more(
    office: Office, enter: Enter, granted_measure: Granted, said: Message
) -> None:
    """From the record of the exclusion, or of the conflict (DNH-9), on; heard twice, it is one."""
    case_id, measure_id = granted_measure.case_id, granted_measure.measure_id
    kept = {role: enter(role, unit="office-late") for role in ("coordinator", "evaluator")}
    assert (await kept["coordinator"].read(f"/v1/measures/{measure_id}")).status_code == 200
    for repeat in (False, True):
        await office.hear(said, stream=f"request/{case_id}", correlation=case_id, repeat=repeat)
    before = await office.stored()
    assert case_id not in (await kept["coordinator"].read("/v1/cases?limit=200")).text
    assert problem(await kept["coordinator"].read(f"/v1/measures/{measure_id}")) == (404, "not-found")
    for path, (action, body) in ACTS.items():
        if action in ("measure.accept", "measure.confirm"):
            continue  # no office's
        desk = kept["evaluator" if action == "case.evaluate" else "coordinator"]
        where = path.format(case=case_id, measure=measure_id)
        assert problem(await desk.do(where, body)) == (404, "not-found"), path
    assert await office.stored() == before
    other = enter("evaluator", unit="office-in")
    assert (await other.do(f"/v1/cases/{case_id}/evaluations", evaluation())).status_code == 201
