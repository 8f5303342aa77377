"""Nobody learns from an answer of the timeline whether a case exists that is not theirs."""

from access.authorization import Role
from runtime.service import Service
from tests.services.sweeping import STAFF, calls, differences
from tests.services.timeline.conftest import Enter
from tests.services.timeline.records import CASE, Story

SEES_ALL = frozenset({*STAFF, Role.AUDITOR})


async def test_no_route_tells_a_foreign_id_from_an_absent_one(service: Service, told: Story, enter: Enter) -> None:
    """Every route with an id × every role at another unit: same status, body and headers."""
    ids = {"case_id": CASE}
    swept = [
        call
        for call in calls(service.app(), ids, public=frozenset({"agency"}))
        if call.template != "/v1/stream"  # it does not end; what it tells is shown in test_live
    ]
    assert swept
    found = []
    for role in Role:
        if role in SEES_ALL:
            continue
        stranger = enter(role.value, "ngo-two")
        for call in swept:
            found += await differences(stranger, call, role=role)
    assert found == []
    owner = enter()
    own = [await differences(owner, call, role="coordinator") for call in swept]
    assert any(own), "the sweep would not see a difference"
