"""Nobody learns from an answer of the registry whether a request or an incident exists that is not theirs."""

from datetime import timedelta

from access.authorization import Role
from tests.services.intake.conftest import Enter, Registry
from tests.services.intake.invented import decision, filed, post, report
from tests.services.sweeping import STAFF, calls, differences


async def test_no_route_tells_a_foreign_id_from_an_absent_one(registry: Registry, enter: Enter) -> None:
    """Every route with an id × every role at another unit: same status, body and headers."""
    owner = enter("filer", unit="ngo-one")
    reported = await post(owner, "/v1/incidents", report())
    body = await filed(owner)
    case_id = body["case_id"]
    staff = enter("coordinator", unit="mechanism")
    proposed = await post(staff, f"/v1/requests/{case_id}/disclosure-decisions", decision())
    helper = enter("coordinator", unit="mechanism", sub="helper", proved=timedelta())
    opening = {"field": "place", "ground": "disappeared", "justification": "Nobody has seen him."}
    opened = await post(helper, f"/v1/requests/{case_id}/openings", opening)
    ids = {
        "case_id": case_id,
        "incident_id": reported.json()["incident_id"],
        "proposal_id": proposed.json()["proposal_id"],
        "subject_id": body["subjects"][0]["subject_id"],
        "opening_id": opened.json()["opening_id"],
    }
    swept = list(calls(registry.service.app(), ids, public=frozenset({"agency"})))
    assert len(swept) >= 9
    before = await registry.stored()
    found = []
    for role in Role:
        if role in STAFF:
            continue
        stranger = enter(role.value, unit="ngo-two")
        for call in swept:
            found += await differences(stranger, call, role=role)
    assert found == []
    assert await registry.stored() == before
    own = [await differences(owner, call, role="filer") for call in swept]
    assert sum(map(bool, own)) >= 6, "the sweep would not see a difference"
