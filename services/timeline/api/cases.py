"""Cases by their latest activity, and the timeline of one."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import and_, or_, select, tuple_

from access.authorization import may
from access.policy import DataClass
from access.problems import Problem, responses
from eventlog.store import Actor
from runtime.answers import Answer, Says
from runtime.pages import DEFAULT_PAGE, Cursor, Limit, cursor, place
from services.timeline import visibility
from services.timeline.api.entries import Entry, entry, selected
from services.timeline.api.reached import MarkOf, is_stale
from services.timeline.parts import PartsOf
from services.timeline.projections import cases, entries

router = APIRouter(tags=["cases"])

CaseId = Annotated[str, Path(max_length=64, pattern=r"^[0-9A-Za-z-]+$")]
Word = Annotated[str | None, Query(max_length=128, pattern=r"^[A-Za-z0-9._:-]+$")]


class Activity(Answer, says=DataClass.CASE_FACTS):
    """The latest record of a case."""

    id: str = Field(description="`<source>:<index>`")
    kind: str
    recorded_at: datetime


class CaseItem(Answer, says=DataClass.CASE_FACTS):
    """A case in the list: nothing about anybody."""

    case_id: str
    filed_at: datetime | None = Field(description="When the filing was recorded; null while its record is on its way")
    imminent: bool | None
    withdrawn_at: datetime | None
    closed_at: datetime | None
    entries: int
    last: Activity


class CasePage(Answer, says=DataClass.PUBLIC):
    """Cases, the most recently active first. A case that becomes active meanwhile moves to the first page."""

    items: list[CaseItem]
    next_cursor: str | None
    stale: bool


class Timeline(Answer, says=DataClass.CASE_FACTS):
    """A case's entries by (recorded_at, source, index).

    The sources' clocks may differ by a little, and one source's record may come later than another's with a later
    instant: it then stands where its instant says. ``as_of`` is when it was read.
    """

    case_id: str
    filed_at: datetime | None
    withdrawn_at: datetime | None
    closed_at: datetime | None
    as_of: Annotated[datetime, Says(DataClass.PUBLIC)]
    stale: Annotated[bool, Says(DataClass.PUBLIC)] = Field(
        description="Whether what `at_least` names was still missing after a second"
    )
    items: list[Entry]
    next_cursor: Annotated[str | None, Says(DataClass.PUBLIC)]


@router.get("/v1/cases", responses=responses("invalid-cursor"))
async def list_cases(
    parts: PartsOf,
    actor: Annotated[Actor, may("timeline.read")],
    at_least: MarkOf,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    limit: Limit = DEFAULT_PAGE,
) -> CasePage:
    """The cases whose timeline you may read, the most recently active first."""
    visible = visibility.of_case(actor)
    seen = and_(visible, visibility.of_entry(actor))
    stale = await is_stale(at_least, engine=parts.engine, wake=parts.wake, visible=seen)
    found = select(cases).where(visible).order_by(cases.c.last_at.desc(), cases.c.case_id.desc()).limit(limit + 1)
    if after is not None:
        found = found.where(tuple_(cases.c.last_at, cases.c.case_id) < tuple_(*place(after, datetime, str)))
    async with parts.engine.connect() as session:
        rows = (await session.execute(found)).all()
    items = [
        CaseItem(
            case_id=row.case_id,
            filed_at=row.filed_at,
            imminent=row.imminent,
            withdrawn_at=row.withdrawn_at,
            closed_at=row.closed_at,
            entries=row.entries,
            last=Activity(id=f"{row.last_source}:{row.last_index}", kind=row.last_kind, recorded_at=row.last_at),
        )
        for row in rows[:limit]
    ]
    following = cursor(items[-1].last.recorded_at, items[-1].case_id) if len(rows) > limit else None
    return CasePage(items=items, next_cursor=following, stale=stale)


@router.get("/v1/cases/{case_id}/timeline", responses=responses("invalid-cursor"))
async def read_timeline(
    parts: PartsOf,
    actor: Annotated[Actor, may("timeline.read")],
    case_id: CaseId,
    at_least: MarkOf,
    source: Word = None,
    kind: Annotated[Word, Query(alias="type", description="A record's full type, or its kind")] = None,
    agency: Word = None,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    limit: Limit = DEFAULT_PAGE,
) -> Timeline:
    """What happened in a case, by whom, how long after it was asked, against which limit; each line with its record."""
    visible = and_(cases.c.case_id == case_id, visibility.of_case(actor))
    seen = and_(visible, visibility.of_entry(actor))
    stale = await is_stale(at_least, engine=parts.engine, wake=parts.wake, visible=seen)
    order = (entries.c.recorded_at, entries.c.source, entries.c.index)
    of_it = and_(entries.c.case_id == case_id, visibility.of_entry(actor))
    found = selected().where(of_it).order_by(*order).limit(limit + 1)
    if source is not None:
        found = found.where(entries.c.source == source)
    if kind is not None:
        found = found.where(or_(entries.c.type == kind, entries.c.kind == kind))
    if agency is not None:
        found = found.where(entries.c.agency == agency)
    if after is not None:
        found = found.where(tuple_(*order) > tuple_(*place(after, datetime, str, int)))
    async with parts.engine.connect() as session:
        case = (await session.execute(select(cases).where(visible))).one_or_none()
        if case is None:
            raise Problem("not-found")
        items = [entry(row) for row in (await session.execute(found)).all()]
    page = items[:limit]
    return Timeline(
        case_id=case_id,
        filed_at=case.filed_at,
        withdrawn_at=case.withdrawn_at,
        closed_at=case.closed_at,
        as_of=parts.clock(),
        stale=stale,
        items=page,
        next_cursor=cursor(page[-1].recorded_at, page[-1].source, page[-1].index) if len(items) > limit else None,
    )
