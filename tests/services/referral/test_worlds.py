"""Over random small worlds, for every caller: no inbox shows what a read of the referral refuses."""

import random

import pytest

from access.authorization import Role
from amparo.intake.v1 import events_pb2 as intake
from tests.services.referral.conftest import Enter, Room
from tests.services.referral.invented import OMBUDSMAN, POLICE, PROSECUTOR
from tests.services.worlds import Shelf, check

ASKED = (POLICE, PROSECUTOR, OMBUDSMAN)
INBOX = Shelf(listed="/v1/inbox", member="referral_id", read="/v1/referrals/{}")


@pytest.mark.parametrize("seed", range(3))
async def test_no_inbox_shows_what_a_read_refuses(room: Room, enter: Enter, seed: int) -> None:
    """Referrals that were sent, recalled by exclusions and conflicts, and withdrawn; absent and refused are one."""
    chance = random.Random(seed)
    sent = []
    for _ in range(5):
        agency = chance.choice(ASKED)
        case, referral_id = await room.sent(agency)
        sent.append(referral_id)
        if chance.random() < 0.5:
            said = chance.choice((intake.AgencyExcluded, intake.ConflictRecorded))
            await case.feed(said(agency=chance.choice(ASKED)))
        if chance.random() < 0.2:
            await case.feed(intake.RequestWithdrawn(case_id=case.case_id))
    clients = {
        f"{role} of {unit} in {region}": enter(unit, role=role.value, region=region)
        for role in Role
        for unit in (*ASKED, "office-elsewhere")
        for region in (("PE", "PE-LOR", "") if role is Role.COORDINATOR else ("",))
    }
    shown = await check(clients, INBOX, sent)
    assert set().union(*shown.values()) == set(sent)
