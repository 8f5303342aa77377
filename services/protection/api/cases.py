"""Cases: reading them, and the coordinator's acts on a case as a whole."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from access.authorization import may
from access.idempotency import ActHeader
from access.policy import DataClass, Subject
from access.problems import responses
from eventlog.store import Actor
from runtime.answers import Says
from runtime.forms import AtVersion, Body, Code, Flag, Nothing, ReceiptAnswer, tag
from runtime.pages import DEFAULT_PAGE, Cursor, Limit, Page, place
from runtime.pages import cursor as cursor_at
from services.protection import domain, handlers, projections
from services.protection.api import answers, forms
from services.protection.api.answers import CaseAnswer, CaseRow, Due, MeasureAnswer
from services.protection.api.forms import CaseIdPath, PartsDep, Words

router = APIRouter(prefix="/v1/cases", tags=["cases"])


class ReportBody(Body):
    """The preliminary report (DS 004-2021-JUS art. 18)."""

    admissible: Flag = Field(description="An inadmissible request is still evaluated.")
    reasons: Words = Field(default="", description="Needed where it is inadmissible. Sealed.")


class CaseActAnswer(ReceiptAnswer, says=DataClass.EVIDENCE_METADATA):
    """An act on a case is recorded."""

    case_id: str
    next_due: Annotated[list[Due], Says(DataClass.CASE_FACTS)] = Field(
        description="The duties that began with this act."
    )


@router.get("", responses=responses("invalid-cursor"))
async def list_cases(
    parts: PartsDep,
    actor: Annotated[Actor, may("case.list")],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    stage: domain.Stage | None = None,
    track: Annotated[Code | None, Query(description="A track of the rule pack.")] = None,
) -> Page[CaseRow]:
    """Cases that your unit filed, newest first; for the mechanism's staff, all."""
    chosen = {"stage": stage, "track": track}
    async with parts.engine.connect() as session:
        rows = await projections.page(
            session,
            subject=Subject.of(actor),
            filters={name: str(value) for name, value in chosen.items() if value is not None},
            after=None if cursor is None else place(cursor, datetime, str),
            limit=limit + 1,
        )
    items = [CaseRow.model_validate(answers.told(row, CaseRow)) for row in rows[:limit]]
    following = cursor_at(rows[limit - 1].received_at, rows[limit - 1].case_id) if len(rows) > limit else None
    return Page(items=items, next_cursor=following)


@router.get("/{case_id}", responses=responses())
async def read_case(
    parts: PartsDep, response: Response, case_id: CaseIdPath, actor: Annotated[Actor, may("case.read")]
) -> CaseAnswer:
    """A case as it stands: its stage, its clocks with their due instants, its measures."""
    async with parts.engine.connect() as session:
        row = handlers.visible(await projections.one_case(session, case_id), "case.read", actor=actor)
        clocks = await projections.clocks_of(session, case_id)
        measures = await projections.measures_of(session, case_id)
    tag(response, row.version)
    return CaseAnswer.model_validate(
        {
            **answers.told(row, CaseRow),
            "clocks": [answers.clock(clock) for clock in clocks],
            "measures": [answers.measure(measure) for measure in measures],
        }
    )


@router.get("/{case_id}/measures", responses=responses())
async def list_measures(
    parts: PartsDep, case_id: CaseIdPath, actor: Annotated[Actor, may("measure.read")]
) -> Page[MeasureAnswer]:
    """The measures of a case, in the order in which they were proposed."""
    async with parts.engine.connect() as session:
        handlers.visible(await projections.one_case(session, case_id), "measure.read", actor=actor)
        rows = await projections.measures_of(session, case_id)
    return Page(items=[answers.measure(each) for each in rows], next_cursor=None)


@router.post(
    "/{case_id}/preliminary-report",
    status_code=201,
    responses=responses("case-closed", "already-reported", "reasons-needed", writes=True, seals=True),
)
async def issue_preliminary_report(
    parts: PartsDep,
    response: Response,
    case_id: CaseIdPath,
    body: ReportBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("case.report")],
) -> CaseActAnswer:
    """The first look at the request. Its clock stops at `recorded_at`; a late report is recorded as late."""
    done = await handlers.act_on_case(
        lambda case: domain.IssuePreliminaryReport(
            at=parts.clock(), admissible=body.admissible, reasons=handlers.sealed(case, body.reasons)
        ),
        action="case.report",
        case_id=case_id,
        at_version=at_version,
        by=forms.by(actor, act),
        parts=parts,
    )
    return acted(response, case_id, done)


@router.post("/{case_id}/closure", status_code=201, responses=responses("case-unfinished", writes=True))
async def close_case(
    parts: PartsDep,
    response: Response,
    case_id: CaseIdPath,
    body: Nothing,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("case.resolve")],
) -> CaseActAnswer:
    """Closes a case whose resolution was notified and whose measures have all ended."""
    done = await handlers.close_case(case_id=case_id, at_version=at_version, by=forms.by(actor, act), parts=parts)
    return acted(response, case_id, done)


def acted(response: Response, case_id: str, done: handlers.Done) -> CaseActAnswer:
    """The answer to an act on a case."""
    tag(response, done.receipt.version)
    return CaseActAnswer.model_validate(
        {**ReceiptAnswer.members(done.receipt), "case_id": case_id, "next_due": due_after(done)}
    )


def due_after(done: handlers.Done) -> list[dict[str, object]]:
    """The duties that began with an act."""
    return [
        {"clock": event.clock, "duty": event.duty, "due": event.due}
        for event in done.events
        if isinstance(event, domain.ClockStarted)
    ]
