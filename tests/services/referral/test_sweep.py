"""Nobody learns from an answer of referral whether a referral exists that is not theirs (DNH-5)."""

from access.authorization import Role
from tests.services.referral.conftest import Enter, Room
from tests.services.referral.invented import POLICE
from tests.services.sweeping import STAFF, calls, differences

SEES_ALL = frozenset({*STAFF, Role.COORDINATOR})


async def test_no_route_tells_a_foreign_id_from_an_absent_one(room: Room, enter: Enter) -> None:
    """Every route with an id × every role at another unit: same status, body and headers."""
    case, referral_id = await room.sent(POLICE)
    ids = {"referral_id": referral_id, "case_id": case.case_id}
    swept = list(calls(room.service.app(), ids, public=frozenset({"agency"})))
    assert len(swept) >= 8
    before = await room.stored()
    found = []
    for role in Role:
        if role in SEES_ALL:
            continue
        stranger = enter("another-office", role=role.value)
        for call in swept:
            found += await differences(stranger, call, role=role)
    assert found == []
    assert await room.stored() == before
    own = [await differences(enter(POLICE), call, role="police_unit") for call in swept]
    assert sum(map(bool, own)) >= 6, "the sweep would not see a difference"
