"""An agency's inbox: nothing is missed, nothing comes twice, and waiting costs nothing."""

import asyncio
import uuid
from datetime import timedelta
from typing import Any

import httpx
import pytest

from services.referral.bell import Bell
from tests.eventually import eventually
from tests.services.referral.asking import acted, problem
from tests.services.referral.conftest import Enter, Room


@pytest.fixture
async def station(room: Room) -> str:
    """A police unit with an empty inbox."""
    agency = f"station-{uuid.uuid4().hex[:8]}"
    await room.register(agency)
    return agency


async def page(client: httpx.AsyncClient, **query: Any) -> dict[str, Any]:
    answer = await client.get("/v1/inbox", params=query)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def ids(found: dict[str, Any]) -> list[str]:
    return [item["referral_id"] for item in found["items"]]


async def test_the_inbox_holds_the_referrals_in_the_order_of_their_arrival(
    room: Room, enter: Enter, station: str
) -> None:
    """With what is owed next, and no word of the person."""
    sent = [(await room.sent(station))[1] for _ in range(3)]
    found = await page(enter(station))
    assert ids(found) == sent
    item = found["items"][0]
    assert (item["state"], item["purpose"], item["discloses"]) == (
        "sent",
        "protect",
        ["contact", "identity", "narrative", "place"],
    )
    assert item["next"] == {"clock": "acknowledge", "due": item["acknowledge_due"]}
    assert set(item) == {
        *("referral_id", "case_id", "purpose", "measure_id", "state", "imminent", "no_accompaniment", "discloses"),
        *("measure", "measure_family", "measure_urgent"),
        *("sent_at", "acknowledge_due", "answer_due", "next", "version", "arrival", "changed"),
    }


async def test_polling_by_cursor_gives_each_referral_once(room: Room, enter: Enter, station: str) -> None:
    """Also while many are being sent at once: the order in which they become visible is the order of the cursor."""
    cases = [await room.registry.file() for _ in range(12)]
    for case in cases:
        await case.consent(station)
    client, seen, cursor = enter(station), [], None
    sending = asyncio.gather(*(room.send(case, station) for case in cases))
    while True:
        over = sending.done()
        found = await page(client, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += ids(found)
        cursor = found["next_cursor"] or cursor
        if over and not found["items"]:
            break
    assert sorted(seen) == sorted(await sending)


async def test_in_the_order_of_change_a_recall_comes_to_who_polls(room: Room, enter: Enter, station: str) -> None:
    """Whoever has read a disclosure learns that it was taken back."""
    case, first = await room.sent(station)
    _, second = await room.sent(station)
    client = enter(station)
    cursor = (await page(client, order="change"))["next_cursor"]
    await case.withdraw(1, station)
    found = await page(client, order="change", cursor=cursor)
    assert [(item["referral_id"], item["state"]) for item in found["items"]] == [(first, "recalled")]
    assert ids(await page(client, order="change")) == [second, first]
    assert problem(await client.get("/v1/inbox", params={"order": "arrival", "cursor": cursor}))[1] == "invalid-cursor"


async def test_the_inbox_is_filtered_by_state_sending_and_due(room: Room, enter: Enter, station: str) -> None:
    """A unit at work asks for what is still owed, and what is owed soonest."""
    _, old = await room.sent(station)
    room.clock.advance(seconds=60)
    _, new = await room.sent(station)
    client = enter(station)
    await acted(client, old, "acknowledgement")
    assert ids(await page(client, state="sent")) == [new]
    assert ids(await page(client, state=["sent", "acknowledged"])) == [old, new]
    assert ids(await page(client, since=room.clock().isoformat())) == [new]
    assert ids(await page(client, due_before=(room.clock() + timedelta(seconds=1)).isoformat())) == [old]
    await acted(client, old, "answer", done=True)
    assert ids(await page(client, due_before="2999-01-01T00:00:00Z")) == [new]


async def test_an_unchanged_inbox_is_not_sent_again(room: Room, enter: Enter, station: str) -> None:
    """Bad lines are dear. Whatever happens to a referral changes the tag."""
    _, referral_id = await room.sent(station)
    client = enter(station)
    tag = (await client.get("/v1/inbox")).headers["etag"]
    answer = await client.get("/v1/inbox", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)
    await acted(client, referral_id, "acknowledgement")
    assert (await client.get("/v1/inbox", headers={"If-None-Match": tag})).status_code == 200


async def test_who_waits_is_answered_when_something_comes(room: Room, enter: Enter, station: str) -> None:
    """By this process's own bell, and by the one that another process rings."""
    case = await room.registry.file()
    await case.consent(station)
    waiting = asyncio.create_task(page(enter(station), wait=20))
    await _until_waited_for(room.parts.bell, station)
    referral_id = await room.send(case, station)
    async with asyncio.timeout(10):
        assert ids(await waiting) == [referral_id]

    listening = asyncio.create_task(room.parts.bell.listen())
    elsewhere = Bell(room.parts.engine)
    with room.parts.bell.at(station) as rung:
        async with asyncio.timeout(10):
            while not rung.is_set():  # until the listener listens, rings are lost
                elsewhere.ring(station)
                await elsewhere.close()
                await asyncio.sleep(0)
    listening.cancel()


async def test_a_withdrawal_wakes_who_waits_for_changes(room: Room, enter: Enter, station: str) -> None:
    """The consumer's transaction rings as it commits."""
    case, referral_id = await room.sent(station)
    listening = asyncio.create_task(room.parts.bell.listen())
    client = enter(station)
    cursor = (await page(client, order="change"))["next_cursor"]
    waiting = asyncio.create_task(page(client, order="change", cursor=cursor, wait=2))
    await _until_waited_for(room.parts.bell, station)
    await case.withdraw(1, station)
    async with asyncio.timeout(10):
        assert ids(await waiting) == [referral_id]
    listening.cancel()


async def test_a_process_that_ends_answers_who_waits(room: Room, enter: Enter, station: str) -> None:
    """Nobody's request is cut off, and no stop looks like a fault; who asks meanwhile does not wait either."""
    waiting = asyncio.create_task(page(enter(station), wait=20))
    await _until_waited_for(room.parts.bell, station)
    room.parts.drain()
    async with asyncio.timeout(10):
        assert await waiting == {"items": [], "next_cursor": None}
        assert await page(enter(station), wait=20) == {"items": [], "next_cursor": None}


async def test_a_wait_ends_with_an_empty_page(enter: Enter, station: str) -> None:
    """And its cursor is null: the agency keeps the one that it has."""
    assert await page(enter(station), wait=0.05) == {"items": [], "next_cursor": None}


@pytest.mark.parametrize(
    "query",
    [{"wait": 21}, {"wait": -1}, {"limit": 0}, {"limit": 201}, {"state": "lost"}, {"since": "2026-03-02T15:00:00"}],
)
async def test_a_query_of_another_form_is_refused(enter: Enter, station: str, query: dict[str, Any]) -> None:
    """A filter that is misspelled must not show everything."""
    assert problem(await enter(station).get("/v1/inbox", params=query)) == (422, "invalid-request")


@pytest.mark.parametrize(
    "cursor", ["", "x", "YXJyaXZhbCA=", "YXJyaXZhbCAtMQ==", "YXJyaXZhbCA5OTk5OTk5OTk5OTk5OTk5OTk=", "é"]
)
async def test_a_cursor_that_the_inbox_did_not_give_is_refused(enter: Enter, station: str, cursor: str) -> None:
    """It would otherwise skip what the agency must see."""
    assert problem(await enter(station).get("/v1/inbox", params={"cursor": cursor})) == (400, "invalid-cursor")


async def _until_waited_for(bell: Bell, agency: str) -> None:
    await eventually(lambda: agency in bell._waiting)
