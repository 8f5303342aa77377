"""Who may do what to whose request: each act, by each role, to an own case and to another unit's.

The table is written by hand from the mechanism's rules, apart from the code that decides.
"""

import pytest

from access.authorization import Role
from tests.services.intake.conftest import Enter, Registry
from tests.services.intake.invented import consent, decision, filed, filing, post, report

MINE, ALL = "mine", "all"
FILERS = {Role.FILER: MINE, Role.DEFENDER: MINE}
STAFF = {Role.COORDINATOR: ALL, Role.EVALUATOR: ALL}
COORDINATOR = {Role.COORDINATOR: ALL}

BODIES = {
    "consents": consent("agency-scopes"),
    "consents/police-test/withdrawal": {},
    "exclusions": {"agency": "mayor-scopes"},
    "conflicts": {"agency": "mayor-scopes"},
    "disclosure-decisions": decision("agency-decided"),
    "evidence": {"description": "A shell."},
    "withdrawal": {},
}
REQUEST_ACTS: dict[str, dict[Role, str]] = {
    "consents": {**FILERS, **COORDINATOR, Role.OMBUDSMAN: MINE},
    "consents/police-test/withdrawal": {**FILERS, **COORDINATOR, Role.OMBUDSMAN: MINE},
    "exclusions": {**FILERS, **COORDINATOR, Role.OMBUDSMAN: MINE},
    "conflicts": {**FILERS, **COORDINATOR, Role.OMBUDSMAN: MINE},
    "disclosure-decisions": STAFF,
    "evidence": {**FILERS, **COORDINATOR, Role.OMBUDSMAN: MINE},  # which may file
    "withdrawal": {**FILERS, **COORDINATOR, Role.OMBUDSMAN: MINE},
}
READING = {**FILERS, **STAFF}
READING_REQUESTS = {**READING, Role.OMBUDSMAN: MINE}
LISTING = {**FILERS, **COORDINATOR, Role.OMBUDSMAN: MINE}
FILING = {Role.FILER, Role.DEFENDER, Role.COORDINATOR, Role.OMBUDSMAN}


def expected(allowed: dict[Role, str], role: Role, *, own: bool, done: int) -> int:
    """The status: ``done`` where the role may, the same as for nothing at all where the case is another's."""
    if role not in allowed:
        return 403
    return done if own or allowed[role] == ALL else 404


async def test_each_role_acts_on_what_is_its_to_act_on(enter: Enter, registry: Registry) -> None:
    """A police unit, an auditor, a machine: none of them touches a request."""
    for role in Role:
        for own in (True, False):
            actor = enter(role.value, unit="unit-scopes")
            filer = enter("filer", unit="unit-scopes" if own else "unit-elsewhere")
            for act, allowed in REQUEST_ACTS.items():
                case_id = (await filed(filer, consents=[consent()]))["case_id"]
                before = await registry.stored()
                status = (await post(actor, f"/v1/requests/{case_id}/{act}", BODIES[act])).status_code
                assert status == expected(allowed, role, own=own, done=201), (role, own, act)
                assert (await registry.stored() == before) == (status != 201)


async def test_each_role_reads_what_is_its_to_read(enter: Enter) -> None:
    """Reading, unsealing and listing follow one rule."""
    for role in Role:
        for own in (True, False):
            actor = enter(role.value, unit="unit-reads")
            filer = enter("filer", unit="unit-reads" if own else "unit-reads-not")
            case_id = (await filed(filer))["case_id"]
            incident_id = (await post(filer, "/v1/incidents", report())).json()["incident_id"]
            for path, readers in (
                (f"/v1/requests/{case_id}", READING_REQUESTS),
                (f"/v1/incidents/{incident_id}", READING),
            ):
                wanted = expected(readers, role, own=own, done=200)
                assert (await actor.get(path)).status_code == wanted, (role, own, path)
                assert (await actor.get(path, params={"unseal": "true"})).status_code == wanted, (role, own, path)
            for path, found, allowed in (
                ("/v1/requests", case_id, LISTING),
                ("/v1/incidents", incident_id, READING),
            ):
                answer = await actor.get(path, params={"limit": 200})
                assert answer.status_code == (200 if role in allowed else 403), (role, path)
                if role in allowed:
                    assert (found in answer.text) == (own or allowed[role] == ALL), (role, own, path)


async def test_who_may_file(enter: Enter, registry: Registry) -> None:
    """Also the Ombudsman; no agency that a case may be about."""
    for role in Role:
        actor = enter(role.value, unit="unit-files")
        for path, body in (("/v1/requests", filing()), ("/v1/incidents", report())):
            before = await registry.stored()
            status = (await post(actor, path, body)).status_code
            assert status == (201 if role in FILING else 403), (role, path)
            assert (await registry.stored() == before) == (status == 403)


async def test_who_judges_an_incident(enter: Enter) -> None:
    """The mechanism's own staff."""
    for role in Role:
        incident_id = (await post(enter(unit="unit-judged"), "/v1/incidents", report())).json()["incident_id"]
        actor = enter(role.value, unit="unit-judged")
        answer = await post(actor, f"/v1/incidents/{incident_id}/verification", {"verification": "corroborated"})
        assert answer.status_code == (201 if role in STAFF else 403), role


async def test_a_person_who_acts_for_no_unit_sees_only_their_own(enter: Enter) -> None:
    """Two defenders without an organisation are strangers to each other."""
    one, other = enter("defender", unit="", sub="person-1"), enter("defender", unit="", sub="person-2")
    case_id = (await filed(one))["case_id"]
    assert (await one.get(f"/v1/requests/{case_id}")).status_code == 200
    assert (await other.get(f"/v1/requests/{case_id}")).status_code == 404
    assert (await other.get("/v1/requests")).json()["items"] == []


async def test_whom_the_filer_excludes_finds_nothing_of_the_case(enter: Enter, registry: Registry) -> None:
    """DNH-5: an office of the mechanism itself too; not the request, not its incidents, in no list, by no act."""
    filer = enter("filer", unit="unit-excluding")
    case_id = (await filed(filer, excluded=["office-left-out"]))["case_id"]
    incident = {**report(), "case_id": case_id}
    incident_id = (await post(filer, "/v1/incidents", incident)).json()["incident_id"]
    absent = "00000000-0000-4000-8000-000000000000"
    for role in ("coordinator", "evaluator"):
        kept, other = enter(role, unit="office-left-out"), enter(role, unit="office-elsewhere")
        for path, kept_out in ((f"/v1/requests/{case_id}", case_id), (f"/v1/incidents/{incident_id}", incident_id)):
            assert (await other.get(path)).status_code == 200, (role, path)
            refused, nothing = await kept.get(path), await kept.get(path.replace(kept_out, absent))
            assert (refused.status_code, refused.json()["title"]) == (404, nothing.json()["title"])
        for path, found in (("/v1/requests", case_id), ("/v1/incidents", incident_id)):
            if role == "coordinator" or path == "/v1/incidents":
                assert found in (await other.get(path, params={"limit": 200})).text
                assert found not in (await kept.get(path, params={"limit": 200})).text
        assert (await kept.get("/v1/incidents", params={"case_id": case_id})).json()["items"] == []
    before = await registry.stored()
    coordinator = enter("coordinator", unit="office-left-out")
    for act, body in BODIES.items():
        assert (await post(coordinator, f"/v1/requests/{case_id}/{act}", body)).status_code == 404, act
    judged = await post(coordinator, f"/v1/incidents/{incident_id}/verification", {"verification": "corroborated"})
    assert judged.status_code == 404
    assert (await post(coordinator, "/v1/incidents", incident)).status_code == 404
    assert await registry.stored() == before


@pytest.mark.parametrize("act", ["exclusions", "conflicts"])
async def test_an_office_that_is_kept_out_later_loses_sight_of_the_case(enter: Enter, act: str) -> None:
    """From the act on, for which the person's word is enough (DNH-9); and whoever is not of that office does not
    notice.
    """
    filer, kept = enter("filer", unit="unit-later"), enter("coordinator", unit="office-later")
    case_id = (await filed(filer))["case_id"]
    assert (await kept.get(f"/v1/requests/{case_id}")).status_code == 200
    incident = {**report(), "case_id": case_id}
    incident_id = (await post(filer, "/v1/incidents", incident)).json()["incident_id"]
    assert (await post(filer, f"/v1/requests/{case_id}/{act}", {"agency": "office-later"})).status_code == 201
    assert (await kept.get(f"/v1/requests/{case_id}")).status_code == 404
    assert (await kept.get(f"/v1/incidents/{incident_id}")).status_code == 404
    for path, found in (("/v1/requests", case_id), ("/v1/incidents", incident_id)):
        assert found not in (await kept.get(path, params={"limit": 200})).text
    assert (await enter("coordinator", unit="").get(f"/v1/requests/{case_id}")).status_code == 200


async def test_a_regional_office_sees_its_own_region(enter: Enter, registry: Registry) -> None:
    """Another region's case is not there for it: by no id, in no list, by no act. A token that names no region is of
    none; one that names the country is of all.
    """
    filer = enter(unit="unit-regions")
    case_id = (await filed(filer, region="PE-LOR"))["case_id"]
    incident_id = (await post(filer, "/v1/incidents", {**report(), "region": "PE-LOR"})).json()["incident_id"]
    for role in (Role.COORDINATOR, Role.EVALUATOR):
        for region, sees in (("PE-LOR", True), ("PE", True), ("PE-UCA", False), ("", False), ("Loreto", False)):
            office = enter(role.value, unit="office-elsewhere", region=region)
            for path in (f"/v1/requests/{case_id}", f"/v1/incidents/{incident_id}"):
                assert (await office.get(path)).status_code == (200 if sees else 404), (role, region, path)
            listed = [("/v1/incidents", incident_id)]
            if role is Role.COORDINATOR:
                listed.append(("/v1/requests", case_id))
            for path, found in listed:
                assert (found in (await office.get(path, params={"limit": 200})).text) == sees, (role, region, path)
    before = await registry.stored()
    far = enter("coordinator", unit="office-elsewhere", region="PE-UCA")
    for act, body in BODIES.items():
        assert (await post(far, f"/v1/requests/{case_id}/{act}", body)).status_code == 404, act
    assert await registry.stored() == before
