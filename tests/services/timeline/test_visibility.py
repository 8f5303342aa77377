"""Who sees which case and which referral, against an oracle written apart from the conditions."""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from access.authorization import Role
from access.policy import rights
from eventlog.store import Actor
from services.timeline.projections import cases, referrals
from services.timeline.taking import take
from services.timeline.visibility import of_case, of_referral, sees_every_agency, sees_every_case
from tests.services.timeline.records import Story, file, send

UNITS = ("ngo-alpha", "ngo-beta", "police-north", "ombudsman", "dgdh")
OF_CASES = ("coordinator", "evaluator", "auditor")
OF_AGENCIES = ("coordinator", "auditor", "ombudsman")
FILING = ("filer", "defender")
ASKED = ("police_unit", "prosecutor", "ombudsman", "ministry", "judge", "coordinator", "auditor")
"""Who has figures of its own: also oversight, should anybody ask its own office."""


@st.composite
def worlds(draw: st.DrawFn) -> list[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Cases as (who filed, whom the filer excluded, which agencies were asked all the same)."""
    unit = st.sampled_from(UNITS)
    few = st.lists(unit, max_size=2, unique=True).map(tuple)
    return draw(st.lists(st.tuples(st.sampled_from(("", *UNITS[:2])), few, few), min_size=1, max_size=4))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    world=worlds(),
    role=st.sampled_from([str(role) for role in Role]),
    unit=st.sampled_from(("", *UNITS)),
)
async def test_nobody_sees_a_case_that_is_not_theirs_to_see(
    database: AsyncEngine, world: Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]], role: str, unit: str
) -> None:
    """DNH-5: oversight sees all, a filer's organisation its own; whom the filer excluded sees nothing but its own
    inbox.
    """
    story = Story()
    for number, (filer, excluded, asked) in enumerate(world):
        file(story, case=f"c{number}", unit=filer, excluded=excluded, second=number)
        for agency in asked:
            send(story, f"r{number}-{agency}", case=f"c{number}", agency=agency, second=number)
    actor = Actor(id="x", role=role, unit=unit)
    async with database.connect() as session:
        for record in story.told:
            await take(session, record)
        seen = set((await session.execute(select(cases.c.case_id).where(of_case(actor)))).scalars())
        joined = referrals.outerjoin(cases, cases.c.case_id == referrals.c.case_id)
        rows = select(referrals.c.referral_id).select_from(joined).where(of_referral(actor))
        asked_of = set((await session.execute(rows)).scalars())
        await session.rollback()

    free = {n for n, (_, excluded, _) in enumerate(world) if not unit or unit not in excluded}
    own = {n for n, (filer, _, _) in enumerate(world) if unit and filer == unit}
    assert seen == {
        f"c{n}" for n in free & (set(range(len(world))) if role in OF_CASES else own if role in FILING else set())
    }
    assert asked_of == {
        f"r{n}-{agency}"
        for n, (_, _, asked) in enumerate(world)
        for agency in asked
        if (role in ASKED and unit and agency == unit) or (role in OF_AGENCIES and n in free)
    }


@pytest.mark.parametrize("role", OF_CASES)
async def test_a_case_whose_filing_is_not_here_exists_for_no_office(role: str, database: AsyncEngine) -> None:
    """DNH-5: until it is known whom the filer excludes, every office might be it."""
    story = Story()
    send(story, "r-1", case="c1", agency="police-north")
    async with database.connect() as session:
        await take(session, story.told[0])
        for unit, expected in (("dgdh", []), ("", ["c1"])):
            actor = Actor(id="x", role=role, unit=unit)
            found = (await session.execute(select(cases.c.case_id).where(of_case(actor)))).scalars()
            assert list(found) == expected
        await session.rollback()


def test_who_may_ask_sees_something_and_who_sees_may_ask() -> None:
    """A right that shows nothing misleads, and a view that nobody may ask for waits for a mistake in the table."""
    given = rights()
    assert {role for role in Role if "timeline.read" in given[role]} == {*OF_CASES, *FILING}
    assert {role for role in Role if "figures.read" in given[role]} == {*OF_AGENCIES, *ASKED}
    assert {role for role in Role if sees_every_case(Actor(id="x", role=role))} == set(OF_CASES)
    assert {role for role in Role if sees_every_agency(Actor(id="x", role=role))} == set(OF_AGENCIES)


def test_the_police_read_no_case_and_no_figures_but_their_own() -> None:
    """Least of all rights: the inbox, what was disclosed, and their own response times."""
    assert not rights()["police_unit"] & {"timeline.read", "case.read", "case.list", "request.read", "measure.read"}
    police = Actor(id="x", role="police_unit")
    assert not sees_every_case(police)
    assert not sees_every_agency(police)
