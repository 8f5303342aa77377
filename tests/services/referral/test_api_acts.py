"""An agency's acts over the API: each records, refuses with its code, and repeats quietly, with what is due next."""

from datetime import timedelta

import pytest

from eventlog.receipts import check_receipt
from tests.services.referral.asking import acted, post, problem
from tests.services.referral.conftest import NAME, Enter, Room
from tests.services.referral.invented import POLICE

NOBODYS = "00000000-0000-4000-8000-000000000000"
BODIES = {
    "acknowledgement": {},
    "acceptance": {},
    "rejection": {"ground": "no_means"},
    "answer": {"done": True},
    "recall": {"ground": "rerouted"},
}


def path(referral_id: str, act: str = "") -> str:
    return f"/v1/referrals/{referral_id}/{act}".rstrip("/")


async def test_an_act_is_answered_with_its_receipt_and_what_is_due_next(room: Room, enter: Enter) -> None:
    """An agency that reads nothing but the answers still knows its deadlines."""
    _, referral_id = await room.sent()
    body = await acted(enter(), referral_id, "acknowledgement")
    assert (body["state"], body["version"], body["stream"]) == ("acknowledged", 2, f"referral/{referral_id}")
    due = (room.clock() + timedelta(seconds=20)).isoformat().replace("+00:00", "Z")
    assert body["next"] == {"clock": "answer", "due": due}
    assert check_receipt(body["receipt"], verifier=room.parts.signer.verifier)[2].hex() == body["event_hash"]
    assert (await acted(enter(), referral_id, "acceptance"))["state"] == "accepted"
    answered = await acted(enter(), referral_id, "answer", done=True, answer="Two patrols a day.")
    assert (answered["state"], answered["next"]) == ("answered", None)


@pytest.mark.parametrize("act", BODIES)
async def test_the_same_request_again_gets_the_same_answer(room: Room, enter: Enter, act: str) -> None:
    """Bad lines make duplicates, also long after the first; a new key for the same act is quiet too."""
    _, referral_id = await room.sent()
    client = enter("dgdh", role="coordinator") if act == "recall" else enter()
    first = await post(client, path(referral_id, act), BODIES[act], key=f"{act}-{referral_id}")
    assert first.status_code == 201
    if act in ("acknowledgement", "acceptance"):
        await acted(client, referral_id, "answer", done=True)
    before = await room.stored()
    again = await post(client, path(referral_id, act), BODIES[act], key=f"{act}-{referral_id}")
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["etag"] == first.headers["etag"]
    assert await room.stored() == before
    quiet = await post(client, path(referral_id, act), BODIES[act], key=f"quiet-{act}-{referral_id}")
    assert (quiet.status_code, quiet.json()["event_hash"]) == (200, await _own_hash(room, first.json()))
    assert await room.stored() == before | {"acts": before["acts"] + 1}
    again = await post(client, path(referral_id, act), BODIES[act], key=f"quiet-{act}-{referral_id}")
    assert (again.status_code, again.json()["event_hash"]) == (200, quiet.json()["event_hash"])


async def test_a_key_whose_act_recorded_nothing_is_taken_all_the_same(room: Room, enter: Enter) -> None:
    """Else the same key with another body would be another act, which nobody would notice."""
    _, referral_id = await room.sent()
    await acted(enter(), referral_id, "acknowledgement")
    quiet = await post(enter(), path(referral_id, "acknowledgement"), key=f"second-{referral_id}")
    assert quiet.status_code == 200
    other = await post(enter(), path(referral_id, "answer"), {"done": True}, key=f"second-{referral_id}")
    assert problem(other) == (422, "idempotency-key-reused")
    assert await room.types(referral_id) == ["ReferralSent", "ReferralAcknowledged"]


async def _own_hash(room: Room, answer: dict[str, str]) -> str:
    """The hash of the act's last event: the first may be the acknowledgement that the act implied."""
    return check_receipt(answer["receipt"], verifier=room.parts.signer.verifier)[int(answer["version"])].hex()


@pytest.mark.parametrize("act", BODIES)
async def test_an_act_needs_its_key_its_form_and_its_version(room: Room, enter: Enter, act: str) -> None:
    """Each malformed or conflicting request gets its problem and changes nothing."""
    _, referral_id = await room.sent()
    client = enter("dgdh", role="coordinator") if act == "recall" else enter()
    before = await room.stored()
    bare = await client.post(path(referral_id, act), json=BODIES[act])
    assert problem(bare) == (400, "missing-idempotency-key")
    misspelled = await post(client, path(referral_id, act), {**BODIES[act], "sensei": NAME})
    assert problem(misspelled) == (422, "invalid-request")
    assert NAME not in misspelled.text
    stale = await post(client, path(referral_id, act), BODIES[act], If_Match='"7"')
    assert problem(stale) == (412, "precondition-failed")
    assert problem(await post(client, path("not-an-id", act), BODIES[act])) == (422, "invalid-request")
    assert problem(await post(client, path(NOBODYS, act), BODIES[act])) == (404, "not-found")
    assert await room.stored() == before


async def test_a_key_used_for_another_referral_is_refused(room: Room, enter: Enter) -> None:
    """Otherwise the second referral would look acknowledged."""
    client = enter()
    first, second = (await room.sent())[1], (await room.sent())[1]
    await post(client, path(first, "acknowledgement"), key=f"key-{first}")
    answer = await post(client, path(second, "acknowledgement"), key=f"key-{first}")
    assert problem(answer) == (422, "idempotency-key-reused")


async def test_an_act_that_does_not_follow_is_refused(room: Room, enter: Enter) -> None:
    """No success is read for what did not happen."""
    _, referral_id = await room.sent()
    await acted(enter("dgdh", role="coordinator"), referral_id, "recall", ground="sent_in_error")
    for act in ("acknowledgement", "acceptance", "rejection", "answer"):
        assert problem(await post(enter(), path(referral_id, act), BODIES[act])) == (409, "wrong-stage")


async def test_a_refusal_without_its_article_is_refused(room: Room, enter: Enter) -> None:
    """Not receiving is no option: a refusal names its legal ground, and goes on record with it."""
    _, referral_id = await room.sent()
    bare = await post(enter(), path(referral_id, "rejection"), {"ground": "refused"})
    assert problem(bare) == (422, "legal-basis-missing")
    await acted(enter(), referral_id, "rejection", ground="refused", legal_basis="Ley 30714 G-39", reasons="None.")
    found = (await enter().get(path(referral_id))).json()
    assert (found["state"], found["ground"]) == ("rejected", "refused")
    texts = (await enter().get(path(referral_id, "texts"))).json()["texts"]
    assert [(t["field"], t["text"]) for t in texts] == [("legal_basis", "Ley 30714 G-39"), ("reasons", "None.")]


async def test_a_late_act_is_recorded_as_late_whatever_it_claims(room: Room, enter: Enter) -> None:
    """The agency's word stands beside the time of recording, which counts."""
    _, referral_id = await room.sent()
    sent = room.clock()
    room.clock.advance(seconds=60)
    claimed = (sent + timedelta(seconds=1)).isoformat()
    await acted(enter(), referral_id, "answer", done=True, at=claimed)
    found = (await enter().get(path(referral_id))).json()
    assert [(act["act"], act["late"]) for act in found["acts"]] == [("acknowledged", True), ("answered", True)]
    assert {act["at"] for act in found["acts"]} == {claimed.replace("+00:00", "Z")}
    assert [(clock["clock"], clock["late"]) for clock in found["clocks"]] == [("acknowledge", True), ("answer", True)]
    async with room.parts.engine.connect() as session:
        history = await room.parts.store.load(session, f"referral/{referral_id}")
    assert history.events[-1].occurred_at == sent + timedelta(seconds=1)
    assert history.events[-1].recorded_at == room.clock()


@pytest.mark.parametrize("at", ["2026-03-02T15:05:01Z", "2999-01-01T00:00:00Z"])
async def test_a_claim_from_the_future_is_refused(room: Room, enter: Enter, at: str) -> None:
    """Five minutes are forgiven, since clocks differ."""
    _, referral_id = await room.sent()
    answer = await post(enter(), path(referral_id, "acknowledgement"), {"at": at})
    assert problem(answer) == (422, "claimed-instant-ahead")
    await acted(enter(), referral_id, "acknowledgement", at="2026-03-02T15:05:00Z")


async def test_a_claim_needs_its_time_zone(room: Room, enter: Enter) -> None:
    """Lima's midnight and Greenwich's are five hours apart."""
    _, referral_id = await room.sent()
    answer = await post(enter(), path(referral_id, "acknowledgement"), {"at": "2026-03-02T15:00:00"})
    assert problem(answer) == (422, "invalid-request")


async def test_an_act_at_a_version_is_taken_at_that_version(room: Room, enter: Enter) -> None:
    """A clerk who decided on what is no longer so decides again."""
    _, referral_id = await room.sent()
    read = await enter().get(path(referral_id))
    answer = await post(enter(), path(referral_id, "acceptance"), If_Match=read.headers["etag"])
    assert (answer.status_code, answer.headers["etag"]) == (201, '"3"')


async def test_the_disclosure_is_read_in_clear_while_open(room: Room, enter: Enter) -> None:
    """And it is gone, as if it had never been, once the referral is not."""
    _, referral_id = await room.sent(POLICE, "identity", no_accompaniment=True)
    found = (await enter().get(path(referral_id, "disclosure"))).json()
    assert {value["path"] for value in found["values"]} == {"subjects.0.name"}
    assert found["no_accompaniment"] is True
    assert NAME in {value["text"] for value in found["values"]}
    await acted(enter(), referral_id, "rejection", ground="not_our_jurisdiction")
    assert problem(await enter().get(path(referral_id, "disclosure"))) == (404, "not-found")


async def test_what_was_written_is_read_by_the_mechanism_and_by_who_wrote_it(room: Room, enter: Enter) -> None:
    """An answer that nobody can read is none."""
    _, referral_id = await room.sent()
    await acted(enter(), referral_id, "answer", done=True, answer="Two patrols a day.")
    for client in (enter(), enter("dgdh", role="coordinator")):
        found = (await client.get(path(referral_id, "texts"))).json()
        assert found["texts"] == [{"version": 3, "field": "answer", "text": "Two patrols a day."}]


async def test_dnh_5_an_agency_is_not_told_why_a_referral_was_recalled(room: Room, enter: Enter) -> None:
    """It could guess who distrusts it. The mechanism's own people see the ground."""
    case, referral_id = await room.sent()
    await case.withdraw(1)
    own, staff = enter(), enter("dgdh", role="coordinator")
    told = await own.get(path(referral_id))
    assert told.json()["state"] == "recalled"
    assert "withdrawn" not in told.text
    assert told.json()["mechanism"] is None
    assert (await staff.get(path(referral_id))).json()["mechanism"]["recall_ground"] == "consent_withdrawn"


async def test_dnh_11_an_agency_sees_no_line_that_gives_away_distance_or_region(room: Room, enter: Enter) -> None:
    """Due instants and their basis, not how they were counted; and nowhere where the person is."""
    _, referral_id = await room.sent()
    for answer in (await enter().get(path(referral_id)), await enter().get("/v1/inbox", params={"limit": 200})):
        assert "PE-UCA" not in answer.text
        assert "explanation" not in answer.text
    clock = (await enter().get(path(referral_id))).json()["clocks"][0]
    assert set(clock) == {"clock", "kind", "basis", "due", "stopped_at", "late"}
