"""The read tables, made anew from events and from what was heard of other services."""

from collections.abc import Sequence

import pytest
from sqlalchemy import text

from eventlog import positions
from eventlog.positions import Position
from eventlog.replay import NotReplayed
from services.protection.app import CONSUMER
from services.protection.rebuild import TABLES, rebuild
from tests.services.protection.conftest import Granted, Office


async def looked(office: Office) -> dict[str, list[str]]:
    """All rows, as text."""
    async with office.owner.connect() as connection:
        return {
            table: list((await connection.execute(text(f"SELECT t::text FROM {table} t ORDER BY 1"))).scalars())
            for table in TABLES
        }


async def stand(office: Office, source: str, last: int) -> None:
    """The consumer has taken all that this test heard of referrals."""
    await positions.begin(office.parts.engine, CONSUMER, [source])
    async with office.parts.engine.begin() as session:
        await positions.move(session, CONSUMER, {source: Position(last, office.heard[-1].hash)})


@pytest.fixture
async def heard(office: Office, granted_measure: Granted) -> Sequence[bytes]:
    """What the source gives: a measure was asked for by a referral, after agencies were registered."""
    async with office.owner.begin() as connection:
        for table in TABLES:
            await connection.execute(text(f"DELETE FROM {table}"))
        await connection.execute(text("INSERT INTO agencies VALUES ('police-north'), ('an-agency')"))
    await office.sent(granted_measure.measure_id, referral_id="referral-of-a-measure")
    agencies = await office.referrals.fetch(office.referrals.source, -1, 10)
    return [*agencies, office.renumbered(office.heard[-1], source=office.referrals.source, index=len(agencies))]


async def test_what_was_heard_of_referrals_comes_back(
    office: Office, granted_measure: Granted, heard: Sequence[bytes]
) -> None:
    """Else an agency's word of a measure would be lost on the first rebuild, and every implementer unknown."""
    before, source = await looked(office), office.referrals.source
    assert before["measure_referrals"] == [f"(referral-of-a-measure,{granted_measure.measure_id})"]
    assert len(before["agencies"]) == 2
    await stand(office, source, len(heard) - 1)
    async with office.owner.begin() as connection:
        for table in ("measure_referrals", "agencies"):
            await connection.execute(text(f"DELETE FROM {table}"))
        events = (await connection.execute(text("SELECT count(*) FROM events"))).scalar_one()

    async def fetch(_: str, after: int, limit: int) -> Sequence[bytes]:
        return heard[after + 1 : after + 1 + limit]

    _, replayed = await rebuild(office.parts, consumer=CONSUMER, sources=[source], fetch=fetch)
    assert replayed == len(heard)
    after = await looked(office)
    assert {name: after[name] for name in ("measure_referrals", "agencies")} == {
        name: before[name] for name in ("measure_referrals", "agencies")
    }
    async with office.owner.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM events"))).scalar_one() == events


async def test_a_record_that_its_source_does_not_give_changes_nothing(office: Office, heard: Sequence[bytes]) -> None:
    """Better old tables than half of new ones."""
    before, source = await looked(office), office.referrals.source
    await stand(office, source, len(heard) - 1)

    async def fetch(_: str, after: int, limit: int) -> Sequence[bytes]:
        return heard[after + 1 : -1]

    with pytest.raises(NotReplayed):
        await rebuild(office.parts, consumer=CONSUMER, sources=[source], fetch=fetch)
    assert await looked(office) == before
