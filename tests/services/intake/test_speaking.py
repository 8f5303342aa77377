"""Who is linked to a case consents for itself, per addressee, and learns nothing of the case by it (DNH-10, 20, 21)."""

from typing import Any

import httpx

from services.intake.activities import activities
from tests.services.intake.conftest import Enter, Registry
from tests.services.intake.invented import consent, filed, post

SUBJECTS = [{"name": "Illari Invented"}, {"linked": True, "name": "Wayra Invented"}]


async def of_two(client: httpx.AsyncClient, **changes: Any) -> tuple[str, str, str]:
    """A case of two: its path, the one in danger, and the one who is linked."""
    body = await filed(client, subjects=SUBJECTS, **changes)
    first, linked = (subject["subject_id"] for subject in body["subjects"])
    return f"/v1/requests/{body['case_id']}", first, linked


def code(answer: httpx.Response) -> str:
    """The problem of an answer."""
    found: str = answer.json()["type"].removeprefix("urn:amparo:problem:")
    return found


async def consents(registry: Registry, path: str) -> list[tuple[str, str, str]]:
    """Which subject lets which agency know, and how its word came in."""
    async with registry.parts.engine.connect() as session:
        history = await registry.parts.store.load(session, f"request/{path.rpartition('/')[2]}")
    given = [each.event for each in history.events if type(each.event).__name__ == "ConsentGiven"]
    return [(event.subject_id, event.agency, event.voice) for event in given]


async def test_nobody_who_files_consents_for_the_linked(enter: Enter, registry: Registry) -> None:
    """Not with the filing, not later; the mechanism writes down what the person tells it."""
    filer = enter(unit="unit-links")
    path, first, linked = await of_two(filer)
    refused = await post(filer, f"{path}/consents", consent(subject_id=linked))
    assert (refused.status_code, code(refused)) == (409, "consent-not-the-subjects")
    with_the_filing = {"subjects": SUBJECTS, "consents": [{**consent(), "subject": 1}]}
    body = {"filed_by": "defender", "incident": "threat", "region": "PE-UCA", "narrative": "A letter."}
    assert code(await post(filer, "/v1/requests", {**body, **with_the_filing})) == "consent-not-the-subjects"
    told = await post(enter("coordinator", unit="dgdh"), f"{path}/consents", consent(subject_id=linked))
    assert told.status_code == 201
    assert (await post(filer, f"{path}/consents", consent())).status_code == 201
    assert await consents(registry, path) == [(linked, "police-test", "recorded"), (first, "police-test", "")]


async def test_a_linked_person_consents_for_itself_and_for_nobody_else(enter: Enter, registry: Registry) -> None:
    """By its own account, per agency, in versions; it takes back what it gave, and nothing of the others."""
    filer, person = enter(unit="unit-links"), enter("defender", unit="", sub="wayra")
    path, first, linked = await of_two(filer)
    await post(filer, f"{path}/consents", consent())
    assert (await post(person, f"{path}/consents", consent())).status_code == 404  # nobody has named it
    assert (await post(filer, f"{path}/subjects/{linked}/account", {"account": "wayra"})).status_code == 201
    answer = await post(person, f"{path}/consents", consent())
    assert answer.status_code == 201
    assert set(answer.json()) == {"stream", "version", "recorded_at", "event_hash", "receipt", "case_id"}
    for foreign in (first, "00000000-0000-4000-8000-000000000000"):
        assert code(await post(person, f"{path}/consents", consent(subject_id=foreign))) == "unknown-subject"
    assert (await consents(registry, path))[-1] == (linked, "police-test", "own")
    withdrawn = await post(person, f"{path}/consents/police-test/withdrawal", {})
    assert withdrawn.status_code == 201
    left = (await filer.get(path)).json()["consents"]
    assert [(each["subject_id"], each["agency"]) for each in left] == [(first, "police-test")]


async def test_an_account_speaks_alone_for_its_subject(enter: Enter) -> None:
    """A child and a community that were filed for have a word of their own: nobody's stands in for it any more."""
    filer, child = enter(unit="unit-parents"), enter("defender", unit="", sub="child")
    path, first, _ = await of_two(filer)
    assert (await post(filer, f"{path}/subjects/{first}/account", {"account": "child"})).status_code == 201
    for client in (filer, enter("coordinator", unit="dgdh")):
        assert code(await post(client, f"{path}/consents", consent())) == "consent-not-the-subjects"
    assert (await post(child, f"{path}/consents", consent())).status_code == 201
    again = await post(filer, f"{path}/subjects/{first}/account", {"account": "parent"})
    assert code(again) == "account-known"


async def test_who_is_linked_learns_nothing_of_the_case(enter: Enter) -> None:
    """No read, no list; not whom it is kept from, nor that it was withdrawn."""
    filer, person = enter(unit="unit-links"), enter("defender", unit="", sub="wayra")
    path, _, linked = await of_two(filer, excluded=["office-left-out"])
    await post(filer, f"{path}/subjects/{linked}/account", {"account": "wayra"})
    assert (await person.get(path)).status_code == 404
    assert (await person.get("/v1/requests")).json()["items"] == []
    for act, body in (("exclusions", {"agency": "a"}), ("evidence", {"description": "A shell."}), ("withdrawal", {})):
        assert (await post(person, f"{path}/{act}", body)).status_code == 404, act
    assert (await post(person, f"{path}/consents", consent("office-left-out"))).status_code == 201
    await post(filer, f"{path}/withdrawal", {})
    assert (await post(person, f"{path}/consents", consent("b"))).status_code == 404


async def test_a_linked_persons_word_widens_what_was_asked_and_asks_nobody(enter: Enter, registry: Registry) -> None:
    """The newest word, whosever it is, numbers what an agency may be told; without the one in danger there is none."""
    filer, person = enter(unit="unit-links"), enter("defender", unit="", sub="wayra")
    path, _, linked = await of_two(filer)
    await post(filer, f"{path}/subjects/{linked}/account", {"account": "wayra"})
    (standing,) = activities(registry.parts)

    async def told() -> list[tuple[str, int]]:
        asked = type("Asked", (), {"case_id": path.rpartition("/")[2]})
        return [(each.agency, each.consent_version) for each in (await standing(asked)).addressees]

    await post(person, f"{path}/consents", consent())
    assert await told() == []
    await post(filer, f"{path}/consents", consent())
    assert await told() == [("police-test", 2)]
    await post(person, f"{path}/consents", consent(discloses=["identity", "contact"]))
    assert await told() == [("police-test", 3)]
