"""Over random small worlds, for every caller: no list of the registry shows what a read of it refuses."""

import random
from collections.abc import Mapping
from datetime import timedelta

import httpx
import pytest

from access.authorization import Role
from tests.services.intake.conftest import Enter
from tests.services.intake.invented import filed, post, report
from tests.services.worlds import Shelf, check

UNITS = ("unit-one", "unit-two", "office-left-out", "office-later")
REGIONS = ("PE-UCA", "PE-LOR")
REQUESTS = Shelf(listed="/v1/requests", member="case_id", read="/v1/requests/{}")
INCIDENTS = Shelf(listed="/v1/incidents", member="incident_id", read="/v1/incidents/{}")
OPENINGS = Shelf(listed="/v1/openings", member="opening_id", read="/v1/openings/{}")
WHY = {"ground": "disappeared", "justification": "Nobody has seen her.", "field": "place"}


def callers(enter: Enter) -> Mapping[str, httpx.AsyncClient]:
    """Every role, for some units and regions; and persons who act for no unit, one of whom is linked."""
    found = {}
    for role in Role:
        for unit in UNITS:
            for region in ("PE", *REGIONS, "") if role in (Role.COORDINATOR, Role.EVALUATOR) else ("",):
                found[f"{role} of {unit} in {region or 'no region'}"] = enter(role.value, unit=unit, region=region)
    for person in ("person-a", "person-b"):
        found[person] = enter("defender", unit="", sub=person)
    return found


@pytest.mark.parametrize("seed", range(3))
async def test_no_list_shows_what_a_read_refuses(enter: Enter, seed: int) -> None:
    """Filings, incidents, openings; exclusions, conflicts, withdrawals, links. Absent and refused are one answer."""
    chance = random.Random(seed)
    cases, incidents, opened = [], [], []
    for _ in range(5):
        unit, region = chance.choice(("unit-one", "unit-two", "")), chance.choice(REGIONS)
        filer = enter("defender", unit=unit, sub="" if unit else chance.choice(("person-a", "person-b")))
        out = [office for office in UNITS[2:] if chance.random() < 0.3]
        body = await filed(filer, region=region, excluded=out, subjects=[{}, {"linked": True}])
        cases.append(body["case_id"])
        path = f"/v1/requests/{body['case_id']}"
        if chance.random() < 0.6:
            helper = enter("evaluator", unit="unit-two", sub="helper", proved=timedelta())
            opened.append((await post(helper, f"{path}/openings", WHY)).json()["opening_id"])
        told = {**report(), "region": chance.choice(REGIONS)}
        if chance.random() < 0.7:
            told["case_id"] = body["case_id"]
        incidents.append((await post(filer, "/v1/incidents", told)).json()["incident_id"])
        if chance.random() < 0.5:
            person = {"account": chance.choice(("person-a", "person-b"))}
            await post(filer, f"{path}/subjects/{body['subjects'][1]['subject_id']}/account", person)
        if chance.random() < 0.4:
            await post(filer, f"{path}/{chance.choice(('exclusions', 'conflicts'))}", {"agency": "office-later"})
        if chance.random() < 0.2:
            await post(filer, f"{path}/withdrawal", {})
    clients = callers(enter)
    shown = await check(clients, REQUESTS, cases)
    assert {len(each) for each in shown.values()} > {0}, "everybody sees the same: the world shows nothing"
    await check(clients, INCIDENTS, incidents)
    await check(clients, OPENINGS, opened)
