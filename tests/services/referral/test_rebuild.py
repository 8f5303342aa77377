"""The read tables and case files, made anew from events and records while acts go on."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from eventlog import positions
from eventlog.positions import Position
from eventlog.replay import NotReplayed, hold
from services.referral.app import CONSUMER
from services.referral.rebuild import TABLES, rebuild
from tests.services.referral.conftest import Room
from tests.services.referral.invented import POLICE

LOOKED = ("cases", "consents", "copies", "measures", "referrals")


async def stand(room: Room, source: str) -> None:
    """The consumer has taken all that the registry published in this test."""
    last = room.registry.records[-1]
    await positions.begin(room.parts.engine, CONSUMER, [source])
    async with room.parts.engine.begin() as session:
        await positions.move(session, CONSUMER, {source: Position(last.index, last.hash)})


async def looked(room: Room, case_id: str) -> dict[str, list[str]]:
    """The rows about a case, as text."""
    async with room.owner.connect() as connection:
        found = {}
        for table in LOOKED:
            query = text(f"SELECT t::text FROM {table} t WHERE case_id = :case ORDER BY 1")
            found[table] = list((await connection.execute(query, {"case": case_id})).scalars())
        return found


async def test_case_files_and_referrals_come_back_as_they_were(room: Room) -> None:
    """From the sources' records and our own events: a withdrawal stays one, and nobody is recalled on the way."""
    case, first = await room.sent()
    await case.withdraw(1)
    await case.consent(POLICE, "identity")
    measure_id = await room.registry.measure(case, how="Two patrols a night.")
    await room.registry.change(case, measure_id, how="By boat.")
    second = await room.send(case, round=2)
    before, source = await looked(room, case.case_id), room.registry.records[0].source
    assert all(before.values())
    await stand(room, source)
    async with room.owner.begin() as connection:
        await connection.execute(text("UPDATE consents SET withdrawn = true"))
        await connection.execute(text("DELETE FROM measures"))

    async def fetch(_: str, after: int, limit: int) -> Sequence[bytes]:
        return [record.record for record in room.registry.records[after + 1 : after + 1 + min(limit, 2)]]

    assert await rebuild(room.parts, consumer=CONSUMER, sources=[source], fetch=fetch) == len(room.registry.records)
    assert await looked(room, case.case_id) == before
    assert await room.types(second) == ["ReferralSent"]
    assert await room.types(first) == ["ReferralSent", "ReferralRecalled"]


async def test_a_record_that_is_missing_changes_nothing(room: Room) -> None:
    """Better old tables than half of new ones."""
    case, _ = await room.sent()
    before, source = await looked(room, case.case_id), room.registry.records[0].source
    await stand(room, source)

    async def fetch(_: str, after: int, limit: int) -> Sequence[bytes]:
        return [record.record for record in room.registry.records[after + 1 : -1]]

    with pytest.raises(NotReplayed):
        await rebuild(room.parts, consumer=CONSUMER, sources=[source], fetch=fetch)
    assert await looked(room, case.case_id) == before


async def test_acts_and_the_consumer_wait_for_a_rebuild_and_readers_do_not(room: Room) -> None:
    """What is written meanwhile would be lost, or there twice."""
    case, _ = await room.sent()
    source = room.registry.records[0].source
    await stand(room, source)
    async with room.parts.engine.begin() as session:
        await hold(session, consumer=CONSUMER, sources=[source], tables=TABLES)
        consenting = asyncio.create_task(case.consent(POLICE))
        assert (await looked(room, case.case_id))["referrals"]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(consenting), timeout=0.3)
    await consenting
    assert len((await looked(room, case.case_id))["consents"]) == 2
