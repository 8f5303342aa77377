"""What a workflow is told of a request: its standing, folded from the stream."""

import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from amparo.activities.v1.activities_pb2 import Addressee, AskRequestStanding, RequestStanding
from eventlog.decider import Refused
from services.intake import projections
from services.intake.activities import activities
from tests.services.intake.conftest import Enter, Registry
from tests.services.intake.invented import consent, decided, decision, filed, post


async def standing(registry: Registry, case_id: str) -> RequestStanding:
    (request_standing,) = activities(registry.parts)
    found = await ActivityEnvironment().run(request_standing, AskRequestStanding(case_id=case_id))
    assert isinstance(found, RequestStanding)
    return found


async def test_a_workflow_is_told_whom_it_may_tell(enter: Enter, registry: Registry) -> None:
    """Consents, a decision, an exclusion, the request's end: each as it stands now."""
    client, staff, other = enter(), enter("coordinator", unit="mechanism"), enter("evaluator", unit="mechanism")
    case_id = (await filed(client, imminent=True, consents=[consent("a"), consent("b")]))["case_id"]
    path = f"/v1/requests/{case_id}"
    await post(client, f"{path}/exclusions", {"agency": "a"})
    await post(staff, f"{path}/disclosure-decisions", decision("mayor-test"))
    assert (await decided(staff, other, path, decision("c"))).status_code == 201
    assert await standing(registry, case_id) == RequestStanding(
        version=8,
        imminent=True,
        addressees=[
            Addressee(agency="b", consent_version=2),
            Addressee(agency="c", consent_version=3, two_person_decision=True),
        ],
    )
    await post(client, f"{path}/withdrawal", {})
    assert await standing(registry, case_id) == RequestStanding(version=9, imminent=True, withdrawn=True)


async def test_the_standing_does_not_rest_on_a_read_table(enter: Enter, registry: Registry) -> None:
    """A table that lags or is lost must not stop or start a referral."""
    case_id = (await filed(enter(), consents=[consent("a")]))["case_id"]
    async with registry.parts.engine.begin() as session:
        await session.execute(text("DELETE FROM requests WHERE case_id = :case_id"), {"case_id": case_id})
    assert [told.agency for told in (await standing(registry, case_id)).addressees] == ["a"]
    async with registry.parts.engine.begin() as session:
        await projections.rebuild(session, registry.parts.store)


async def test_a_case_that_was_never_filed_has_no_standing(registry: Registry) -> None:
    """The workflow is told so, and does not try again for ever."""
    with pytest.raises(Refused) as refusal:
        await standing(registry, "00000000-0000-4000-8000-000000000000")
    assert refusal.value.code == "not-found"
