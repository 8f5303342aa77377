"""The projections on a real PostgreSQL, and what they owe to nothing but the records."""

import random
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, inspect, select, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.types import TypeEngine

from amparo.intake.v1 import events_pb2 as intake
from amparo.protection.v1 import events_pb2 as protection
from amparo.referral.v1 import events_pb2 as referral
from amparo.vault.v1 import events_pb2 as vault
from services.timeline import log
from services.timeline.projections import TABLES, cases, entries, referrals, rows
from services.timeline.reading import KINDS
from services.timeline.taking import parse, take
from tests.services.timeline.records import (
    CASE,
    FILER,
    OMBUDSMAN,
    POLICE,
    PROSECUTOR,
    Story,
    at,
    file,
    send,
    whole_story,
)


async def take_all(database: AsyncEngine, records: Iterable[bytes]) -> None:
    async with database.begin() as session:
        for record in records:
            await take(session, record)


async def test_every_record_is_an_entry_once(database: AsyncEngine) -> None:
    """Nothing that a source recorded is missing on a timeline, whatever it is."""
    story = whole_story()
    await take_all(database, story.told)
    async with database.connect() as session:
        found = (await session.execute(select(entries).order_by(entries.c.source, entries.c.index))).all()
    told = sorted((parse(record) for record in story.told), key=lambda line: (line.source, line.index))
    assert [(f.source, f.index, f.event_hash) for f in found] == [(t.source, t.index, t.event_hash) for t in told]


async def test_an_unknown_type_is_an_entry_and_no_stop(database: AsyncEngine) -> None:
    """A service that is upgraded first must not stop the timeline of the others."""
    story = Story()
    story.tell(("amparo.protection.v9.NotYetInvented", b"\xff"), stream=f"case/{CASE}", second=1)
    story.tell((intake.RequestFiled.DESCRIPTOR.full_name, b"\xff\xff\xff"), stream=f"request/{CASE}", second=2)
    await take_all(database, story.told)
    async with database.connect() as session:
        found = (await session.execute(select(entries.c.kind, entries.c.type).order_by(entries.c.source))).all()
    assert [f.kind for f in found] == ["unknown", "unknown"]
    assert found[1].type == "amparo.protection.v9.NotYetInvented"


@pytest.fixture
def two_cases() -> Story:
    """The whole story beside another case, whose records it interleaves with."""
    story = whole_story()
    other = "0d9f1b52-7c50-4d0e-8d43-2f7f3f7c0002"
    file(story, case=other, second=2, excluded=(OMBUDSMAN, POLICE))
    send(story, "r-other", case=other, agency=PROSECUTOR, second=3)
    return story


@pytest.fixture
async def in_told_order(database: AsyncEngine, two_cases: Story) -> dict[str, list[str]]:
    """The tables after the two cases as they were told."""
    return await _rows_after(database, two_cases.told)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
async def test_any_order_of_the_streams_gives_the_same_tables(
    database: AsyncEngine, two_cases: Story, in_told_order: dict[str, list[str]], seed: int
) -> None:
    """Topics know nothing of each other; a timeline that depended on which came first could not be rebuilt."""
    assert await _rows_after(database, _interleaved(two_cases, seed)) == in_told_order


def _interleaved(story: Story, seed: int) -> list[bytes]:
    """The records in a random order in which each stream keeps its own."""
    streams: dict[str, list[bytes]] = {}
    for record in story.told:
        streams.setdefault(parse(record).stream, []).append(record)
    chosen = [stream for stream, told in streams.items() for _ in told]
    random.Random(seed).shuffle(chosen)
    return [streams[stream].pop(0) for stream in chosen]


async def _rows_after(database: AsyncEngine, records: Iterable[bytes]) -> dict[str, list[str]]:
    async with database.connect() as session:
        for record in records:
            await take(session, record)
        found = await rows(session)
        await session.rollback()
    return found


async def test_a_referral_keeps_each_instant_with_its_record(database: AsyncEngine) -> None:
    """A figure without its records could not be checked by anybody."""
    story = whole_story()
    await take_all(database, story.told)
    async with database.connect() as session:
        rows_of = {row.referral_id: row for row in (await session.execute(select(referrals))).all()}
    police, prosecutor, ombudsman = rows_of["r-police"], rows_of["r-prosecutor"], rows_of["r-ombudsman"]
    assert (police.sent_at, police.sent_index) == (at(2), 3)
    assert (police.acknowledged_at, police.acknowledged_claimed, police.acknowledged_late) == (at(5), at(4), False)
    assert (police.answered_at, police.answered_late, police.answer_due) == (at(25), True, at(22))
    assert (prosecutor.rejected_at, prosecutor.ground, prosecutor.rejected_late) == (at(7), "no_means", False)
    assert (ombudsman.recalled_at, ombudsman.acknowledged_at) == (at(43), None)
    record = parse(story.records["pe.referral"][police.answered_index])
    assert record.type == referral.ReferralAnswered.DESCRIPTOR.full_name


async def test_the_timeline_holds_no_person_and_no_place(database: AsyncEngine) -> None:
    """DNH-5, DNH-6: neither an id of a person, nor what happened or where, nor whom the filer fears."""
    story = Story()
    file(story, excluded=("police-south",))
    await take_all(database, story.told)
    async with database.connect() as session:
        found = await rows(session)
    written = " ".join(found["entries"])
    for secret in ("person-", "s-1", "threat", "PE-UCA", "police-south"):
        assert secret not in written


async def test_exclusions_add_up_and_keep_no_doubles(database: AsyncEngine) -> None:
    """DNH-5: whoever must never learn of a case stays excluded, however often it is said."""
    story = Story()
    file(story, excluded=(PROSECUTOR,))
    for agency in (POLICE, PROSECUTOR, POLICE):
        story.tell(intake.AgencyExcluded(agency=agency), stream=f"request/{CASE}", second=5)
    await take_all(database, story.told)
    async with database.connect() as session:
        found = (await session.execute(select(cases))).one()
    assert (found.excluded, found.readers) == ([POLICE, PROSECUTOR], [FILER])


async def test_a_record_is_taken_once(database: AsyncEngine) -> None:
    """The consumer's rule keeps doubles away; were one to pass, the database would refuse it."""
    (record, *_) = whole_story().told
    await take_all(database, [record])
    with pytest.raises(IntegrityError):
        await take_all(database, [record])


async def test_positions_are_gapless_in_the_order_of_arrival(database: AsyncEngine) -> None:
    """A transaction that is rolled back leaves no hole."""
    first, second, third = whole_story().told[:3]
    await take_all(database, [first])
    with pytest.raises(IntegrityError):
        await take_all(database, [second, first])
    await take_all(database, [third, second])
    async with database.connect() as session:
        found = (await session.execute(select(log.places).order_by(log.places.c.position))).all()
    assert [f.position for f in found] == [0, 1, 2]
    assert [f.leaf for f in found] == [log.leaf(record) for record in (first, third, second)]


@pytest.mark.parametrize(
    "statement", ["UPDATE log SET leaf = leaf", "DELETE FROM log", "TRUNCATE log", "DELETE FROM log_size"]
)
async def test_the_log_cannot_be_changed_by_who_writes_it(database: AsyncEngine, statement: str) -> None:
    """The order of what happened is evidence; the service that keeps it must not be able to correct it."""
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with database.begin() as session:
            await session.execute(text(statement))


async def test_the_migration_makes_the_tables_that_are_declared(database: AsyncEngine) -> None:
    """A column that is declared on one side only would show on the first busy day."""
    async with database.connect() as session:
        found = await session.run_sync(lambda sync: {t.name: inspect(sync).get_columns(t.name) for t in _declared()})
        keys = await session.run_sync(
            lambda sync: {t.name: inspect(sync).get_pk_constraint(t.name) for t in _declared()}
        )
    for table in _declared():
        assert {(c["name"], _type(c["type"]), c["nullable"]) for c in found[table.name]} == {
            (column.name, _type(column.type), bool(column.nullable)) for column in table.columns
        }
        assert keys[table.name]["constrained_columns"] == [column.name for column in table.primary_key]


def _declared() -> list[Table]:
    return [*TABLES, log.places, log.size]


def _type(kind: TypeEngine[Any]) -> str:
    return str(kind.compile(dialect=postgresql.dialect()))


def test_every_event_of_the_contracts_has_a_word() -> None:
    """An event that was added and forgotten here would be *unknown* to everybody who reads a timeline."""
    messages = [
        message
        for module in (intake, protection, referral, vault)
        for message in module.DESCRIPTOR.message_types_by_name.values()
    ]
    parts = {field.message_type.full_name for message in messages for field in message.fields if field.message_type}
    assert {message.full_name for message in messages} - parts == set(KINDS)
