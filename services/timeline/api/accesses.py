"""Who looked at a case: for the person concerned by day, role, unit and purpose; with its records for those who examine
it.
"""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import Date, and_, cast, func, select, tuple_

from access.authorization import may
from access.policy import DataClass
from access.problems import Problem, responses
from eventlog.store import Actor
from runtime.answers import Answer, Says
from runtime.pages import DEFAULT_PAGE, Cursor, Limit, cursor, place
from services.timeline import visibility
from services.timeline.accesses import accesses, of_case
from services.timeline.api.cases import CaseId
from services.timeline.parts import Parts, PartsOf
from services.timeline.projections import cases

router = APIRouter(tags=["accesses"])

Kind = Literal["read", "sealed", "refused"]


class Look(Answer, says=DataClass.AGENCY_FACTS):
    """Who did what with the case's personal data on one day (DNH-12): never which officer, and never at what hour."""

    day: date = Field(description="In UTC")
    kind: Kind = Field(description="`read`; `sealed`: something was added to it; `refused`: asked for in vain")
    role: str
    unit: str = Field(description="Agency or organisation, empty where there is none")
    purpose: str
    times: int


class Looks(Answer, says=DataClass.PUBLIC):
    """The latest day first."""

    case_id: Annotated[str, Says(DataClass.CASE_FACTS)]
    as_of: datetime
    items: list[Look]
    next_cursor: str | None


class AccessRecord(Answer, says=DataClass.AGENCY_FACTS):
    """One record of the vault."""

    id: Annotated[str, Says(DataClass.EVIDENCE_METADATA)] = Field(
        description="`<source>:<index>`", examples=["pe.vault:12"]
    )
    kind: Kind
    recorded_at: datetime
    role: str
    unit: str
    officer: Annotated[str, Says(DataClass.IDENTITY)] = Field(
        description="Opaque id of who asked; only the Ombudsman is told"
    )
    service: str = Field(description="The service that asked the vault, as its database knows it")
    purpose: str
    rule: str = Field(description="By what rule it was allowed or refused")
    classes: list[str]
    about: list[str]
    times: int


class AccessRecords(Answer, says=DataClass.PUBLIC):
    """The latest first."""

    case_id: Annotated[str, Says(DataClass.CASE_FACTS)]
    as_of: datetime
    items: list[AccessRecord]
    next_cursor: str | None


@router.get("/v1/cases/{case_id}/accesses", responses=responses("invalid-cursor"))
async def list_looks(
    parts: PartsOf,
    actor: Annotated[Actor, may("accesses.read")],
    case_id: CaseId,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    limit: Limit = DEFAULT_PAGE,
) -> Looks:
    """Who looked at the personal data of your case: on which day, in which role, for which unit, for what. The
    Ombudsman knows the officers.
    """
    day = cast(func.timezone("UTC", accesses.c.recorded_at), Date)
    by = (day, accesses.c.kind, accesses.c.role, accesses.c.unit, accesses.c.purpose)
    found = (
        select(day.label("day"), *by[1:], func.sum(accesses.c.times).label("times"))
        .where(of_case(case_id))
        .group_by(*by)
        .order_by(*(column.desc() for column in by))
        .limit(limit + 1)
    )
    if after is not None:
        iso, *rest = place(after, str, str, str, str, str)
        found = found.where(tuple_(*by) < tuple_(_day(iso), *rest))
    rows = await _of(parts, actor, case_id, found)
    items = [
        Look(
            day=row.day,
            kind=row.kind.rpartition(".")[2],
            role=row.role,
            unit=row.unit,
            purpose=row.purpose,
            times=row.times,
        )
        for row in rows[:limit]
    ]
    last = rows[limit - 1] if len(rows) > limit else None
    following = cursor(last.day.isoformat(), last.kind, last.role, last.unit, last.purpose) if last else None
    return Looks(case_id=case_id, as_of=parts.clock(), items=items, next_cursor=following)


@router.get("/v1/cases/{case_id}/accesses/records", responses=responses("invalid-cursor"))
async def list_records(
    parts: PartsOf,
    actor: Annotated[Actor, may("accesses.examine")],
    case_id: CaseId,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    limit: Limit = DEFAULT_PAGE,
) -> AccessRecords:
    """The vault's records of a case, one by one, each with the record that proves it."""
    order = (accesses.c.recorded_at, accesses.c.source, accesses.c.index)
    found = select(accesses).where(of_case(case_id)).order_by(*(column.desc() for column in order)).limit(limit + 1)
    if after is not None:
        found = found.where(tuple_(*order) < tuple_(*place(after, datetime, str, int)))
    rows = await _of(parts, actor, case_id, found)
    items = [
        AccessRecord(
            id=f"{row.source}:{row.index}",
            kind=row.kind.rpartition(".")[2],
            recorded_at=row.recorded_at,
            role=row.role,
            unit=row.unit,
            officer=row.officer,
            service=row.service,
            purpose=row.purpose,
            rule=row.rule,
            classes=row.classes,
            about=row.about,
            times=row.times,
        )
        for row in rows[:limit]
    ]
    last = rows[limit - 1] if len(rows) > limit else None
    following = cursor(last.recorded_at, last.source, last.index) if last else None
    return AccessRecords(case_id=case_id, as_of=parts.clock(), items=items, next_cursor=following)


async def _of(parts: Parts, actor: Actor, case_id: str, found: Any) -> Any:
    """The rows, where the actor may read the case. Raises `Problem` ``not-found``."""
    visible = select(cases.c.case_id).where(and_(cases.c.case_id == case_id, visibility.of_accesses(actor)))
    async with parts.engine.connect() as session:
        if (await session.execute(visible)).one_or_none() is None:
            raise Problem("not-found")
        return (await session.execute(found)).all()


def _day(iso: str) -> date:
    try:
        return date.fromisoformat(iso)
    except ValueError:
        raise Problem("invalid-cursor") from None
