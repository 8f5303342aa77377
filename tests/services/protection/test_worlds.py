"""Over random small worlds, for every caller: no list of cases shows what a read of it refuses."""

import random

import pytest

from access.authorization import Role
from amparo.intake.v1 import events_pb2 as intake
from tests.services.people import door
from tests.services.protection.conftest import Office
from tests.services.worlds import Shelf, check

UNITS = ("unit-one", "unit-two", "office-out", "office-late")
REGIONS = ("PE-UCA", "PE-LOR")
CASES = Shelf(listed="/v1/cases", member="case_id", read="/v1/cases/{}")
MEASURES = Shelf(listed="/v1/cases", member="case_id", read="/v1/cases/{}/measures")


@pytest.mark.parametrize("seed", range(3))
async def test_no_list_shows_what_a_read_refuses(office: Office, seed: int) -> None:
    """Cases with exclusions and conflicts, in two regions; absent and refused are one answer."""
    chance = random.Random(seed)
    cases = []
    for _ in range(6):
        out = [unit for unit in UNITS[2:] if chance.random() < 0.3]
        unit, region = chance.choice(UNITS[:2]), chance.choice(REGIONS)
        cases.append(await office.filed(excluded=out, region=region, unit=unit))
        if chance.random() < 0.5:
            said = chance.choice((intake.AgencyExcluded, intake.ConflictRecorded))(agency=chance.choice(UNITS[2:]))
            await office.hear(said, stream=f"request/{cases[-1]}", correlation=cases[-1])
    async with door(office.service, office.issuer) as opened:
        clients = {
            f"{role} of {unit} in {region}": opened.enter(role=role.value, unit=unit, region=region)
            for role in Role
            for unit in UNITS
            for region in (("PE", *REGIONS, "") if role in (Role.COORDINATOR, Role.EVALUATOR) else ("",))
        }
        shown = await check(clients, CASES, cases)
        assert len({frozenset(each) for each in shown.values()}) > 3, "everybody sees the same"
        await check(clients, MEASURES, cases)
