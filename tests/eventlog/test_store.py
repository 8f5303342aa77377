"""Appending to and reading from streams, in a real PostgreSQL."""

import asyncio
from dataclasses import replace

import pytest

from eventlog.decider import Plain, Refused, Sealed
from eventlog.receipts import check_receipt
from eventlog.sealing import commit, unseal
from eventlog.store import ActKey, Actor, Appended, KeyReused, StreamMoved, retry_when_moved
from tests.eventlog.conftest import FILER, NOW, Log
from tests.eventlog.sample import Noted, Person

ACT = ActKey(client="ngo-1", key="k-1", fingerprint=b"body")
KEY = bytes(range(32))


async def append(log: Log, *events: object, expected: int = 0, act: ActKey = ACT, **given: object) -> Appended:
    """One append in a transaction of its own."""
    async with log.engine.begin() as session:
        return await log.store.append(
            session,
            stream="request/1",
            expected=expected,
            events=events or (Noted(text="filed"),),
            actor=FILER,
            act=act,
            **given,  # type: ignore[arg-type]
        )


async def test_an_append_is_read_back_as_it_was(store: Log) -> None:
    """Typed events with all that surrounds them, in order."""
    appended = await append(store, Noted(text="one"), Noted(text="two"), correlation="case-1")
    async with store.engine.connect() as session:
        history = await store.store.load(session, "request/1")
    assert history.events == appended.recorded
    assert history.version == 2
    first, second = history.events
    assert (first.event, second.event) == (Noted(text="one"), Noted(text="two"))
    assert (first.version, second.version) == (1, 2)
    assert (first.actor, first.correlation, first.recorded_at, first.occurred_at) == (FILER, "case-1", NOW, NOW)


async def test_a_stream_that_moved_is_not_written_to(store: Log) -> None:
    """What was decided on an old state is decided again."""
    await append(store)
    with pytest.raises(StreamMoved):
        await append(store, expected=0, act=replace(ACT, key="k-2"))
    assert len(await store.rows("SELECT version FROM events")) == 1
    assert len(await store.rows("SELECT key FROM acts")) == 1


async def test_a_stream_cannot_be_written_ahead_of_itself(store: Log) -> None:
    """A version is never left out."""
    with pytest.raises(StreamMoved):
        await append(store, expected=3)
    assert await store.rows("SELECT version FROM events") == []


async def test_a_handler_whose_stream_moved_decides_again(store: Log) -> None:
    """Three times, then the caller learns of it."""
    tries = []

    @retry_when_moved(times=3)
    async def handler(wins_at: int) -> int:
        tries.append(wins_at)
        if len(tries) < wins_at:
            raise StreamMoved("request/1")
        return len(tries)

    assert await handler(3) == 3
    tries.clear()
    with pytest.raises(StreamMoved):
        await handler(4)
    assert len(tries) == 3


async def test_of_many_acts_at_once_none_loses_twice(store: Log) -> None:
    """Fifty people may act on one case in the same moment: each act is decided on what came before it."""

    @retry_when_moved(times=3)
    async def act(n: int) -> int:
        async with store.engine.begin() as session:
            version = (await store.store.load(session, "request/1")).version
            appended = await store.store.append(
                session,
                stream="request/1",
                expected=version,
                events=(Noted(text=str(n)),),
                actor=FILER,
                act=replace(ACT, key=f"k-{n}"),
            )
            return appended.receipt.version

    versions = await asyncio.gather(*(act(n) for n in range(50)))
    assert sorted(versions) == list(range(1, 51))


async def test_a_repeated_act_gets_the_first_receipt(store: Log) -> None:
    """A filer whose connection broke asks again, and nothing is filed twice."""
    first = await append(store)
    again = await append(store, Noted(text="another text by mistake"))
    assert again.repeated
    assert (again.receipt, again.recorded) == (first.receipt, ())
    assert len(await store.rows("SELECT version FROM events")) == 1
    async with store.engine.connect() as session:
        assert await store.store.receipt_for(session, ACT) == first.receipt


async def test_a_key_that_was_used_for_something_else_is_refused(store: Log) -> None:
    """The same key with another body is a fault of the client's, and changes nothing."""
    await append(store)
    other = replace(ACT, fingerprint=b"other body")
    with pytest.raises(KeyReused):
        await append(store, act=other)
    async with store.engine.connect() as session:
        with pytest.raises(KeyReused):
            await store.store.receipt_for(session, other)


async def test_another_clients_key_is_another_act(store: Log) -> None:
    """Two organisations may choose the same key."""
    await append(store)
    async with store.engine.connect() as session:
        assert await store.store.receipt_for(session, replace(ACT, client="ngo-2")) is None
    assert not (await append(store, expected=1, act=replace(ACT, client="ngo-2"))).repeated


async def test_of_one_act_sent_many_times_at_once_one_is_done(store: Log) -> None:
    """All are answered with the same receipt."""
    answers = await asyncio.gather(*(append(store) for _ in range(8)))
    assert sum(not answer.repeated for answer in answers) == 1
    assert len({answer.receipt.note for answer in answers}) == 1
    assert await store.rows("SELECT version FROM events") == [(1,)]


async def test_of_many_acts_on_one_state_one_is_done(store: Log) -> None:
    """The others learn that the stream moved; no version is left out or taken twice."""
    acts = [append(store, act=replace(ACT, key=f"k-{n}")) for n in range(8)]
    answers = await asyncio.gather(*acts, return_exceptions=True)
    assert sum(isinstance(answer, Appended) for answer in answers) == 1
    assert sum(isinstance(answer, StreamMoved) for answer in answers) == 7
    assert await store.rows("SELECT version FROM events") == [(1,)]


async def test_nothing_is_left_of_an_act_whose_transaction_fails(store: Log) -> None:
    """No act without a record, and no record without an act: the same key can be used again."""

    async def fail() -> None:
        async with store.engine.begin() as session:
            events = (Noted(text="x"),)
            await store.store.append(session, stream="request/1", expected=0, events=events, actor=FILER, act=ACT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    for table in ("events", "acts"):
        assert await store.rows(f"SELECT * FROM {table}") == []
    assert not (await append(store)).repeated


async def test_the_receipt_proves_the_stored_bytes(store: Log) -> None:
    """Whoever holds it and the record needs nobody's word."""
    appended = await append(store, Noted(text="one"), Noted(text="two"))
    proven = check_receipt(appended.receipt.note, verifier=store.signer.verifier)
    assert proven == {recorded.version: recorded.hash for recorded in appended.recorded}


async def test_personal_data_is_stored_sealed_and_nowhere_else(store: Log) -> None:
    """Neither the name nor the story is in any byte of the database, and both are read with the subject's key."""
    name, story = "Invented Name", "an invented story"
    event = Noted(
        text="filed",
        story=Plain("subject-1", story),
        people=(Person(person_id="p-1", name=Plain("subject-1", name)),),
    )
    appended = await append(store, event, keys={"subject-1": KEY})
    (recorded,) = appended.recorded
    sealed = recorded.event.people[0].name
    assert isinstance(sealed, Sealed)
    assert isinstance(recorded.event.story, Sealed)
    text, opener = unseal(sealed, secret=KEY)
    assert text == name
    assert appended.openers[1, "people.0.name"] == opener
    assert commit(opener, name.encode()) == sealed.commitment
    assert unseal(recorded.event.story, secret=KEY)[0] == story
    for table in ("events", "acts"):
        for (row,) in await store.rows(f"SELECT {table}::text FROM {table}"):
            for text in (name, story):
                assert text not in row
                assert text.encode().hex() not in row


async def test_without_its_key_nothing_is_written(store: Log) -> None:
    """Personal data is never stored for later sealing."""
    with pytest.raises(KeyError):
        await append(store, Noted(text="x", story=Plain("subject-1", "story")))
    assert await store.rows("SELECT version FROM events") == []


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (Noted(text="x" * 60_000), "event-too-long"),
        (Noted(text="x", story=Plain("subject-1", "x" * 50_000)), "text-too-long"),
    ],
)
async def test_what_is_too_long_is_refused(store: Log, event: Noted, code: str) -> None:
    """With a code that says which limit it was, and nothing written."""
    with pytest.raises(Refused) as refused:
        await append(store, event, keys={"subject-1": KEY})
    assert refused.value.code == code
    assert await store.rows("SELECT version FROM events") == []


async def test_an_event_of_another_service_cannot_be_appended(store: Log) -> None:
    """The codec knows what a service owns."""

    class Foreign:
        pass

    with pytest.raises(KeyError):
        await append(store, Foreign())


async def test_a_later_event_cites_the_one_that_led_to_it(store: Log) -> None:
    """By id and by hash, so that neither can be put in another's place."""
    (first,) = (await append(store)).recorded
    await append(store, expected=1, act=replace(ACT, key="k-2"), causation=first.citation)
    stored = (await store.rows("SELECT event FROM events ORDER BY version"))[1][0]
    from amparo.record.v1.record_pb2 import Event

    cited = Event.FromString(bytes(stored)).causation
    assert (cited.event_id, cited.event_hash) == (first.id, first.hash)


def test_an_actor_is_a_value() -> None:
    """Two of the same id, role and unit are the same."""
    assert Actor(id="a", role="filer") == Actor(id="a", role="filer", unit="")
