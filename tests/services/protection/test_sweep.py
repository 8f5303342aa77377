"""Nobody learns from an answer of protection whether a case or a measure exists that is not theirs."""

from access.authorization import Role
from tests.services.protection.conftest import Enter, Granted, Office
from tests.services.sweeping import STAFF, calls, differences


async def test_no_route_tells_a_foreign_id_from_an_absent_one(
    office: Office, enter: Enter, granted_measure: Granted
) -> None:
    """Every route with an id × every role at another unit: same status, body and headers."""
    ids = {"case_id": granted_measure.case_id, "measure_id": granted_measure.measure_id}
    swept = list(calls(office.service.app(), ids, public=frozenset({"pack_id"})))
    assert len(swept) >= 15
    before = await office.stored()
    found = []
    for role in Role:
        if role in STAFF:
            continue
        stranger = enter(role.value, unit="ngo-two")
        for call in swept:
            found += await differences(stranger.client, call, role=role)
    assert found == []
    assert await office.stored() == before
    owner = enter("filer")
    own = [await differences(owner.client, call, role="filer") for call in swept]
    assert sum(map(bool, own)) >= 6, "the sweep would not see a difference"
