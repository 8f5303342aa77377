"""Requests over the registry's API: filed, read, consented to, withdrawn."""

import asyncio
import base64
import json

import pytest

from eventlog.receipts import check_receipt
from eventlog.transparency.note import NoteVerifier
from tests.services.intake.conftest import Enter, Registry
from tests.services.intake.invented import consent, decision, filed, filing, post, problem

NOBODYS_CASE = "00000000-0000-4000-8000-000000000000"


async def test_a_filing_is_registered_with_a_signed_receipt(enter: Enter, registry: Registry) -> None:
    """The filer holds at once what proves the filing, whoever denies it later."""
    answer = await post(enter(), "/v1/requests", filing(consents=[consent()]))
    assert answer.status_code == 201
    body = answer.json()
    assert answer.headers["etag"] == '"2"'
    assert body["version"] == 2
    assert body["stream"] == f"request/{body['case_id']}"
    proven = check_receipt(body["receipt"], verifier=registry.parts.signer.verifier)
    assert proven[1].hex() == body["event_hash"]
    assert "full_receipt" not in {name for name, value in body.items() if value is not None}
    assert [subject["linked"] for subject in body["subjects"]] == [False]
    assert isinstance(registry.parts.signer.verifier, NoteVerifier)


async def test_ids_that_leave_the_registry_carry_no_time(enter: Enter) -> None:
    """DNH-2: an id seen somewhere must not tell when somebody filed."""
    body = await filed(enter())
    for found in (body["case_id"], body["subjects"][0]["subject_id"]):
        assert found[14] == "4"


@pytest.mark.parametrize("choice", ["signed", "full", "neutral", "none"])
async def test_the_filer_chooses_what_to_hold(enter: Enter, choice: str) -> None:
    """DNH-3: a note found on somebody must not mark them, if they did not want one that does."""
    body = await filed(enter(), receipt=choice)
    match choice:
        case "none":
            assert body["receipt"] is None
        case "neutral":
            code = body["receipt"].replace("-", "")
            assert base64.b32decode(code) == bytes.fromhex(body["event_hash"])[:10]
        case _:
            assert body["receipt"].startswith("amparo.receipt/v1\n")
    assert (body["full_receipt"] is not None) == (choice == "full")


async def test_a_full_receipt_opens_every_text_that_was_filed(enter: Enter) -> None:
    """The filer can prove what was filed, field by field."""
    subjects = [{"name": "Illari Invented", "place": "By the river"}, {"linked": True, "contact": "By radio"}]
    body = await filed(enter(), subjects=subjects, evidence=[{"description": "A shell."}], receipt="full")
    paths = {"narrative", "subjects.0.name", "subjects.0.place", "subjects.1.contact", "2.description"}
    assert set(body["full_receipt"]) == paths
    assert {len(base64.b64decode(opener)) for opener in body["full_receipt"].values()} == {32}


async def test_the_same_request_again_gets_the_same_answer(enter: Enter, registry: Registry) -> None:
    """A line that breaks after the filing must not make a second case."""
    client = enter()
    body = filing(subjects=[{"name": "Illari Invented"}], receipt="full")
    first = await post(client, "/v1/requests", body, key="once")
    before = await registry.stored()
    again = await post(client, "/v1/requests", body, key="once")
    assert (again.status_code, again.content) == (201, first.content)
    assert await registry.stored() == before


async def test_a_key_used_for_something_else_is_refused(enter: Enter, registry: Registry) -> None:
    """Otherwise a second person's filing would vanish behind the first's answer."""
    client = enter()
    await post(client, "/v1/requests", filing(), key="twice")
    before = await registry.stored()
    other = await post(client, "/v1/requests", filing(imminent=True), key="twice")
    assert problem(other) == (422, "idempotency-key-reused")
    assert await registry.stored() == before


async def test_a_filing_sent_many_times_at_once_is_filed_once(enter: Enter, registry: Registry) -> None:
    """A real race: eight connections, one key."""
    client = enter()
    await filed(client)  # keys are made, connections are open
    before = await registry.stored()
    body = filing(subjects=[{"name": "Illari Invented"}])
    answers = await asyncio.gather(*(post(client, "/v1/requests", body, key="race") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    after = await registry.stored()
    grown = {table: after[table] - before[table] for table in after}
    assert grown == {"events": 1, "pending": 1, "acts": 1, "requests": 1, "incidents": 0, "openings": 0}


async def test_a_filing_needs_its_key(enter: Enter, registry: Registry) -> None:
    """Without one a repetition could not be told from a second case."""
    before = await registry.stored()
    answer = await enter().post("/v1/requests", json=filing())
    assert problem(answer) == (400, "missing-idempotency-key")
    assert await registry.stored() == before


async def test_a_request_is_read_without_its_texts(enter: Enter) -> None:
    """Reading where a case stands must not open what was said in it."""
    client = enter()
    body = await filed(client, subjects=[{"name": "Illari Invented"}], consents=[consent()], excluded=["mayor-test"])
    answer = await client.get(f"/v1/requests/{body['case_id']}")
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"2"'
    found = answer.json()
    assert found["stage"] == "open"
    assert found["excluded"] == ["mayor-test"]
    assert [(ground["agency"], ground["consent_version"]) for ground in found["consents"]] == [("police-test", 1)]
    assert found["pack"] == "drill"
    assert found["unsealed"] is False
    assert found["narrative"] is found["subjects"][0]["name"] is None
    assert "Illari" not in answer.text


async def test_the_filers_unit_reads_its_texts_and_the_vault_records_it(enter: Enter, registry: Registry) -> None:
    """Whoever looked can be told to the person concerned."""
    client = enter()
    subject = {"name": "Illari Invented", "activities": ["teacher"], "factors": {"disability": []}}
    body = await filed(
        client, subjects=[subject], wanted="A light on the path.", evidence=[{"description": "A shell."}]
    )
    answer = await client.get(f"/v1/requests/{body['case_id']}", params={"unseal": "true"})
    found = answer.json()
    assert found["subjects"][0]["name"] == "Illari Invented"
    assert json.loads(found["subjects"][0]["profile"]) == {"activities": ["teacher"], "factors": {"disability": []}}
    assert found["narrative"] == filing()["narrative"]
    assert found["wanted"] == "A light on the path."
    assert found["evidence"][0]["description"] == "A shell."
    assert found["destroyed"] == []


async def test_another_units_case_looks_absent(enter: Enter) -> None:
    """An office that guesses an id learns nothing from the answer, not even that the case exists."""
    case_id = (await filed(enter()))["case_id"]
    stranger = enter(unit="ngo-other")
    for path in (f"/v1/requests/{case_id}", f"/v1/requests/{NOBODYS_CASE}"):
        assert problem(await stranger.get(path)) == (404, "not-found")
        assert problem(await stranger.get(path, params={"unseal": "true"})) == (404, "not-found")
        assert problem(await post(stranger, f"{path}/consents", consent())) == (404, "not-found")
    alone = enter(unit="", sub="somebody")
    assert problem(await alone.get(f"/v1/requests/{case_id}")) == (404, "not-found")


async def test_lists_show_each_unit_its_own_and_the_coordinator_all(enter: Enter) -> None:
    """The list is where authorization is forgotten most."""
    mine, theirs = enter(unit="ngo-mine"), enter(unit="ngo-theirs")
    own = {(await filed(mine))["case_id"] for _ in range(3)}
    other = {(await filed(theirs))["case_id"]}
    listed = (await mine.get("/v1/requests")).json()
    assert {item["case_id"] for item in listed["items"]} == own
    assert "owner" not in listed["items"][0]
    everything = (await enter("coordinator", unit="mechanism").get("/v1/requests", params={"limit": 200})).json()
    assert own | other <= {item["case_id"] for item in everything["items"]}


async def test_pages_follow_each_other_without_gap_or_repetition(enter: Enter) -> None:
    """A case that falls between two pages is a case that nobody attends to."""
    client = enter(unit="ngo-pages")
    made = [(await filed(client))["case_id"] for _ in range(5)]
    seen: list[str] = []
    cursor = None
    while True:
        answer = await client.get("/v1/requests", params={"limit": 2, **({"cursor": cursor} if cursor else {})})
        page = answer.json()
        seen += [item["case_id"] for item in page["items"]]
        if (cursor := page["next_cursor"]) is None:
            break
    assert seen == made[::-1]


@pytest.mark.parametrize("cursor", ["", "x", "ä", "MjAyNi0wMS0wMSBh", "AAAA", "OTk5OS0wMS0wMVQwMDowMDowMCswMDowMCAA"])
async def test_an_invented_cursor_is_refused(enter: Enter, cursor: str) -> None:
    """It is the list's own word, and no way into the query."""
    assert problem(await enter().get("/v1/requests", params={"cursor": cursor})) == (400, "invalid-cursor")


async def test_cases_of_one_cause_project_or_territory_are_found_together(enter: Enter) -> None:
    """Attacks over one concession are one conflict, whoever filed them."""
    client = enter(unit="ngo-clusters")
    clustered = (await filed(client, causes=["titling", "consultation"], project="p-1", territory="t-1"))["case_id"]
    await filed(client, causes=["titling"])
    for chosen in ({"cause": "consultation"}, {"project": "p-1"}, {"territory": "t-1"}):
        listed = (await client.get("/v1/requests", params=chosen)).json()["items"]
        assert [item["case_id"] for item in listed] == [clustered]


async def test_what_follows_a_filing_is_recorded_in_order(enter: Enter) -> None:
    """Consent, its withdrawal, exclusion, evidence, the request's end: each with its receipt and version."""
    client = enter()
    path = f"/v1/requests/{(await filed(client))['case_id']}"
    acts = [
        ("consents", consent()),
        ("consents/police-test/withdrawal", {}),
        ("consents", consent("prosecutor-test")),
        ("exclusions", {"agency": "prosecutor-test"}),
        ("evidence", {"description": "A photograph.", "digest": "ab" * 32}),
        ("withdrawal", {"reason": "She has moved away."}),
    ]
    versions = []
    for name, body in acts:
        answer = await post(client, f"{path}/{name}", body)
        assert answer.status_code == 201, answer.text
        versions.append(answer.json()["version"])
    assert versions == [2, 3, 4, 6, 7, 8]
    found = (await client.get(path)).json()
    assert (found["stage"], found["consents"], found["excluded"]) == ("withdrawn", [], ["prosecutor-test"])
    row = (await client.get("/v1/requests")).json()["items"][0]
    assert (row["stage"], row["version"], row["evidence"]) == ("withdrawn", 8, 1)


async def test_an_act_repeated_under_its_key_is_done_once(enter: Enter) -> None:
    """The repetition gets the first receipt."""
    client = enter()
    path = f"/v1/requests/{(await filed(client))['case_id']}/evidence"
    first = await post(client, path, {"description": "A shell."}, key="evidence-1")
    again = await post(client, path, {"description": "A shell."}, key="evidence-1")
    assert again.content == first.content
    other = await post(client, path, {"description": "A knife."}, key="evidence-1")
    assert problem(other) == (422, "idempotency-key-reused")


async def test_an_act_that_changes_nothing_answers_with_what_stands(enter: Enter, registry: Registry) -> None:
    """Said twice under two keys, it is recorded once, and the receipt still proves it."""
    client = enter()
    path = f"/v1/requests/{(await filed(client))['case_id']}/exclusions"
    first = (await post(client, path, {"agency": "mayor-test"})).json()
    before = await registry.stored()
    again = await post(client, path, {"agency": "mayor-test"}, key="again")
    assert again.status_code == 201
    assert again.json()["event_hash"] == first["event_hash"]
    assert (
        check_receipt(again.json()["receipt"], verifier=registry.parts.signer.verifier)[2].hex() == first["event_hash"]
    )
    assert await registry.stored() == before | {"acts": before["acts"] + 1}
    other = await post(client, path, {"agency": "prosecutor-test"}, key="again")
    assert problem(other) == (422, "idempotency-key-reused"), "the key belongs to the act that changed nothing"


async def test_an_act_on_what_has_moved_on_is_refused_where_it_asks_for_that(enter: Enter) -> None:
    """Who decides on an old page decides on something else."""
    client = enter()
    path = f"/v1/requests/{(await filed(client))['case_id']}/consents"
    assert problem(await post(client, path, consent(), If_Match='"7"')) == (412, "precondition-failed")
    assert problem(await post(client, path, consent(), If_Match="seven")) == (412, "precondition-failed")
    assert (await post(client, path, consent(), If_Match='"1"')).status_code == 201


async def test_acts_that_race_are_all_recorded(enter: Enter) -> None:
    """Each decides anew on what the others left; none is lost, none is doubled."""
    client = enter()
    path = f"/v1/requests/{(await filed(client))['case_id']}"
    for _ in range(3):  # the loser of three races tells its client to send again; here nobody loses more than two
        answers = await asyncio.gather(*(post(client, f"{path}/consents", consent(f"agency-{n}")) for n in range(3)))
        assert {answer.status_code for answer in answers} <= {201, 409}
    found = (await client.get(path)).json()
    assert sorted(ground["agency"] for ground in found["consents"]) == ["agency-0", "agency-1", "agency-2"]
    assert sorted(ground["consent_version"] for ground in found["consents"]) == [1, 2, 3]
    assert found["version"] == 4


async def test_an_exclusion_outranks_a_consent(enter: Enter, registry: Registry) -> None:
    """DNH-5, in the filing and after it."""
    client = enter()
    before = await registry.stored()
    both = filing(excluded=["police-test"], consents=[consent()])
    assert problem(await post(client, "/v1/requests", both)) == (409, "agency-excluded")
    assert await registry.stored() == before
    path = f"/v1/requests/{(await filed(client, excluded=['police-test']))['case_id']}"
    assert problem(await post(client, f"{path}/consents", consent())) == (409, "agency-excluded")
    staff = enter("coordinator", unit="mechanism")
    assert problem(await post(staff, f"{path}/disclosure-decisions", decision())) == (409, "agency-excluded")


async def test_two_persons_decide_for_who_cannot_answer_each_by_a_token_of_its_own(
    enter: Enter, registry: Registry
) -> None:
    """DNH-6: whoever holds one token is one person, whatever it says; and the filer is none of the two."""
    filer, staff, other = enter(), enter("coordinator", unit="mechanism"), enter("evaluator", unit="mechanism")
    impeded = await filed(filer, filed_by="third_party_grave_impediment", impediment="Nobody reaches him.")
    request = f"/v1/requests/{impeded['case_id']}"
    path = f"{request}/disclosure-decisions"
    assert problem(await post(filer, path, decision())) == (403, "forbidden")
    named = decision(first_person="person-a", second_person="person-b")
    assert problem(await post(staff, path, named)) == (422, "invalid-request")
    proposed = await post(staff, path, decision(), key="proposal")
    again = await post(staff, path, decision(), key="proposal")
    assert proposed.status_code == 201, proposed.text
    assert again.json() == proposed.json()
    seen = (await other.get(request, params={"unseal": "true"})).json()
    assert seen["consents"] == []
    (proposal,) = seen["proposals"]
    assert (proposal["proposal_id"], proposal["confirmed"]) == (proposed.json()["proposal_id"], False)
    assert proposal["reason"] == decision()["reason"]
    confirmation = f"{path}/{proposal['proposal_id']}/confirmation"
    before = await registry.stored()
    assert problem(await post(staff, confirmation, {})) == (409, "two-persons-needed")
    assert problem(await post(filer, confirmation, {})) == (403, "forbidden")
    assert problem(await post(other, f"{path}/{NOBODYS_CASE}/confirmation", {})) == (404, "not-found")
    assert await registry.stored() == before
    assert (await post(other, confirmation, {})).status_code == 201
    (ground,) = (await staff.get(request)).json()["consents"]
    assert (ground["agency"], ground["by_two"]) == ("police-test", True)
    async with registry.parts.engine.connect() as session:
        history = await registry.parts.store.load(session, f"request/{impeded['case_id']}")
    last = history.events[-1].event
    assert (last.first_person, last.first_role) == (history.events[-2].actor.id, "coordinator")
    assert (last.second_person, last.second_role) == (history.events[-1].actor.id, "evaluator")
    assert problem(await post(other, path, decision())) == (409, "decided-already")


async def test_what_the_person_says_in_between_outranks_a_proposal(enter: Enter) -> None:
    """DNH-5 and 6: an exclusion, a withdrawal, an answer of the subject's own."""
    filer, staff, other = enter(), enter("coordinator", unit="mechanism"), enter("evaluator", unit="mechanism")
    between = {
        "agency-excluded": [("exclusions", {"agency": "police-test"})],
        "subject-has-decided": [("consents", consent()), ("consents/police-test/withdrawal", {})],
        "wrong-stage": [("withdrawal", {})],
    }
    for code, acts in between.items():
        path = f"/v1/requests/{(await filed(filer))['case_id']}"
        proposed = (await post(staff, f"{path}/disclosure-decisions", decision())).json()["proposal_id"]
        for name, body in acts:
            assert (await post(filer, f"{path}/{name}", body)).status_code == 201
        answer = await post(other, f"{path}/disclosure-decisions/{proposed}/confirmation", {})
        assert problem(answer) == (409, code)
        assert (await filer.get(path)).json()["consents"] == []


async def test_only_the_authority_files_on_its_own_motion(enter: Enter) -> None:
    """A filer cannot open a case in the authority's name."""
    own = filing(filed_by="own_motion")
    assert problem(await post(enter(), "/v1/requests", own)) == (403, "own-motion-not-yours")
    assert (await post(enter("coordinator", unit="mechanism"), "/v1/requests", own)).status_code == 201


@pytest.mark.parametrize("kind", ["person", "family", "community", "collective", "organisation"])
async def test_whoever_is_in_danger_can_be_the_subject(enter: Enter, kind: str) -> None:
    """A collective is a subject in its own right."""
    body = await filed(enter(), subjects=[{"kind": kind}, {"kind": "person", "linked": True, "relation": "lawyer"}])
    assert [(subject["kind"], subject["linked"]) for subject in body["subjects"]] == [(kind, False), ("person", True)]


async def test_a_longer_text_than_an_event_holds_is_refused_clearly(enter: Enter, registry: Registry) -> None:
    """The filer is told to send it as a document, and nothing is half stored."""
    before = await registry.stored()
    long = filing(narrative="ꬅ" * 8_000, wanted="ꬅ" * 2_000, evidence=[{"description": "ꬅ" * 2_000}] * 4)
    answer = await post(enter(), "/v1/requests", long)
    assert answer.status_code in {413, 422}
    assert problem(answer)[1] in {"too-large", "text-too-long", "event-too-long"}
    huge = filing(narrative="x" * 70_000)
    assert problem(await post(enter(), "/v1/requests", huge)) == (413, "too-large")
    assert await registry.stored() == before
