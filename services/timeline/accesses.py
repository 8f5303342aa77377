"""Who looked: the read tables of the vault's accesses, and how its records become rows in them.

The vault knows whose keys it released, and no case; which subject belongs to which case is the filing's to say. The two
are joined when it is asked for, so neither has to come first.
"""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Column, ColumnElement, DateTime, Integer, MetaData, Table, Text, func, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from amparo.vault.v1 import events_pb2 as vault
from services.timeline.reading import Line

metadata = MetaData()
Instant = DateTime(timezone=True)
Word = Text(collation="C")
"""Texts are compared by their bytes, so that an order does not depend on the server's language."""

subjects = Table(
    "subjects",
    metadata,
    Column("subject_id", Word, primary_key=True),
    Column("case_id", Word, nullable=False),
)
"""Whose key belongs to which case: random ids on both sides."""

accesses = Table(
    "accesses",
    metadata,
    Column("source", Word, primary_key=True),
    Column("index", BigInteger, primary_key=True),
    Column("kind", Word, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("role", Word, nullable=False),
    Column("unit", Word, nullable=False),
    Column("officer", Word, nullable=False),
    Column("service", Word, nullable=False),
    Column("purpose", Word, nullable=False),
    Column("rule", Word, nullable=False),
    Column("classes", ARRAY(Word), nullable=False),
    Column("about", ARRAY(Word), nullable=False),
    Column("times", Integer, nullable=False),
    Column("subjects", ARRAY(Word), nullable=False),
    Column("cases", ARRAY(Word), nullable=False),
)
"""Every record of the vault once. Pages: who looked at a case; the same for those who examine it."""

TABLES = (subjects, accesses)
SEALING = "seal"

_KNOW = insert(subjects).on_conflict_do_nothing()
_ENTER = insert(accesses)


async def know_subjects(session: AsyncConnection, case_id: str, subject_ids: Sequence[str]) -> None:
    """The subjects of a filing."""
    if subject_ids:
        await session.execute(_KNOW, [{"subject_id": each, "case_id": case_id} for each in subject_ids])


async def enter(session: AsyncConnection, line: Line) -> None:
    """Adds one record of the vault, which must not be here yet."""
    row = {
        "source": line.source,
        "index": line.index,
        "kind": line.said.kind,
        "recorded_at": line.recorded_at,
        "role": line.actor_role,
        "unit": line.actor_unit,
        "officer": line.officer,
        "service": getattr(line.payload, "service", ""),
        "purpose": SEALING,
        "rule": "",
        "classes": [],
        "about": [],
        "times": 1,
        "subjects": [],
        "cases": [line.case_id] if line.case_id else [],
    }
    match line.payload:
        case vault.PersonalDataRead() as read:
            row |= {"purpose": read.purpose, "rule": read.rule, "classes": list(read.classes)}
            row |= {"subjects": list(read.subjects), "about": [read.about] if read.about else []}
        case vault.PersonalDataSealed() as sealed:
            row |= {"subjects": list(sealed.subjects), "about": [sealed.about] if sealed.about else []}
        case vault.PersonalDataRefused() as refused:
            row |= {"purpose": refused.purpose, "rule": refused.rule, "times": refused.times}
            row |= {"about": list(refused.about), "cases": sorted({line.case_id, *refused.cases} - {""})}
    await session.execute(_ENTER, row)


def of_case(case_id: str) -> ColumnElement[bool]:
    """Over `accesses`: those to a case, by the keys of its subjects or by what was asked for."""
    of_it = select(func.array_agg(subjects.c.subject_id)).where(subjects.c.case_id == case_id).scalar_subquery()
    return or_(accesses.c.cases.contains([case_id]), accesses.c.subjects.overlap(of_it))
