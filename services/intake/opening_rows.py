"""Owns the read table of openings: one row for each, as its stream folds to. Page: the openings to review."""

from collections.abc import Sequence
from datetime import datetime
from functools import reduce

from sqlalchemy import Boolean, Column, DateTime, Integer, Row, Table, Text, delete, select, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from access.policy import Subject
from eventlog.store import EventStore, History
from services.intake import opening
from services.intake.events import SealOpened
from services.intake.opening import Opening, Stage
from services.intake.projections import TABLES, in_reach, requests

openings = Table(
    "openings",
    TABLES,
    Column("opening_id", Text, primary_key=True),
    Column("case_id", Text),
    Column("subject_id", Text),
    Column("field", Text),
    Column("ground", Text),
    Column("role", Text),
    Column("unit", Text),
    Column("opened_at", DateTime(timezone=True)),
    Column("until", DateTime(timezone=True)),
    Column("review_due", DateTime(timezone=True)),
    Column("stage", Text),
    Column("justified", Boolean),
    Column("version", Integer),
)

PAST_DUE = 100
"""Openings whose review is noted as missing in one round."""


def fold_opening(history: History) -> Opening:
    """The opening that a stream tells of; its initial state for an empty stream."""
    return reduce(opening.evolve, (recorded.event for recorded in history.events), Opening())


async def keep(session: AsyncConnection, history: History) -> None:
    """The row of an opening after ``history``, its whole stream."""
    row = row_of(history)
    await session.execute(insert(openings).values(row).on_conflict_do_update(index_elements=["opening_id"], set_=row))


async def rebuild(session: AsyncConnection, store: EventStore) -> None:
    """Makes the table anew from the streams, in the caller's transaction, which holds the acts."""
    await session.execute(delete(openings))
    found = text("SELECT stream FROM events WHERE version = 1 AND stream LIKE 'opening/%' ORDER BY pos")
    for stream in (await session.execute(found)).scalars().all():
        await keep(session, await store.load(session, stream))


def row_of(history: History) -> dict[str, object]:
    """What the table holds of an opening."""
    first, state = history.events[0], fold_opening(history)
    opened = first.event
    assert isinstance(opened, SealOpened)
    return {
        "opening_id": opened.opening_id,
        "case_id": opened.case_id,
        "subject_id": opened.subject_id,
        "field": opened.field.value,
        "ground": opened.ground.value,
        "role": first.actor.role,
        "unit": first.actor.unit,
        "opened_at": first.recorded_at,
        "until": opened.until,
        "review_due": opened.review_due,
        "stage": state.stage.value,
        "justified": state.reviewed.justified if state.reviewed else None,
        "version": history.version,
    }


async def page(
    session: AsyncConnection, *, subject: Subject, stage: Stage | None, after: tuple[datetime, str] | None, limit: int
) -> Sequence[Row[tuple[object, ...]]]:
    """Up to ``limit`` openings, newest first, behind ``after`` (opened_at, id): those that the subject may review."""
    of_cases = select(requests.c.case_id).where(in_reach(requests, subject, "seal.review"))
    query = (
        select(openings)
        .where(openings.c.case_id.in_(of_cases))
        .order_by(openings.c.opened_at.desc(), openings.c.opening_id.desc())
        .limit(limit)
    )
    if stage is not None:
        query = query.where(openings.c.stage == stage.value)
    if after is not None:
        query = query.where(tuple_(openings.c.opened_at, openings.c.opening_id) < after)
    return (await session.execute(query)).all()


async def past_due(session: AsyncConnection, now: datetime) -> Sequence[str]:
    """Openings whose review is missing though it was due, the longest first."""
    query = select(openings.c.opening_id).where(openings.c.stage == Stage.PENDING.value, openings.c.review_due < now)
    return (await session.execute(query.order_by(openings.c.review_due).limit(PAST_DUE))).scalars().all()
