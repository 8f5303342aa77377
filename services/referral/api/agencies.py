"""Agencies: the offices that can be asked, and who commands them. What is here is public."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import Field
from sqlalchemy import Row, select

from access.authorization import may
from access.idempotency import ActHeader
from access.policy import DataClass
from access.problems import Problem, responses
from eventlog.store import Actor
from runtime.answers import Answer
from runtime.forms import Body, Code, ReceiptAnswer, Region, tag
from runtime.pages import DEFAULT_PAGE, Cursor, Limit, Page, place
from runtime.pages import cursor as cursor_at
from services.referral import agreements, handlers
from services.referral.agency import AgencyKind, RegisterAgency
from services.referral.api.forms import AgencyId, OfficeName, OptionalAgencyId
from services.referral.handlers import Parts
from services.referral.projections import agencies

router = APIRouter(prefix="/v1/agencies", tags=["agencies"])


class RegistrationBody(Body):
    """An office of an institution. Its id stands in every referral to it and never changes its meaning."""

    agency: AgencyId = Field(description="Such as `pnp-ucayali`.")
    kind: AgencyKind
    name: OfficeName = Field(description="Of the office, never of a person.")
    region: Region
    superior: OptionalAgencyId = Field(
        default="", description="The office that commands it. Whoever must not let it know, must not let either know."
    )


class AgencyAnswer(Answer, says=DataClass.PUBLIC):
    """An agency."""

    agency: str
    kind: AgencyKind
    name: str
    region: str
    superior: str | None
    registered_at: datetime


class AgreementBody(Body):
    """A tie between an office and a project, such as a contract to guard it."""

    project: Code = Field(description="The project's code, as requests name it.")


class AgreementAnswer(ReceiptAnswer, says=DataClass.EVIDENCE_METADATA):
    """The agreement is recorded."""

    agency: str
    project: str


class RegistrationAnswer(ReceiptAnswer, says=DataClass.EVIDENCE_METADATA):
    """The agency is registered."""

    agency: str


@router.post(
    "", status_code=201, responses=responses("agency-id-malformed", "agency-known", "unknown-agency", writes=True)
)
async def register_agency(
    request: Request,
    response: Response,
    body: RegistrationBody,
    act: ActHeader,
    actor: Annotated[Actor, may("agency.register")],
) -> RegistrationAnswer:
    """Registers an agency. Registered alike before, it stays as it is."""
    command = RegisterAgency(
        agency=body.agency, kind=body.kind, name=body.name, region=body.region, superior=body.superior
    )
    parts: Parts = request.app.state.parts
    receipt = await handlers.register_agency(command, actor=actor, act=act, parts=parts)
    tag(response, receipt.version)
    return RegistrationAnswer.model_validate({"agency": body.agency, **ReceiptAnswer.members(receipt)})


@router.post("/{agency}/agreements", status_code=201, responses=responses("unknown-agency", writes=True))
async def record_agreement(
    request: Request,
    response: Response,
    agency: AgencyId,
    body: AgreementBody,
    act: ActHeader,
    actor: Annotated[Actor, may("agency.register")],
) -> AgreementAnswer:
    """An office is tied to a project, now or before: it has no part in any case that names the project, and what it was
    sent of one is recalled (DNH-9)."""
    parts: Parts = request.app.state.parts
    receipt = await agreements.record_agreement(agency, body.project, actor=actor, act=act, parts=parts)
    tag(response, receipt.version)
    members = {"agency": agency, "project": body.project}
    return AgreementAnswer.model_validate({**members, **ReceiptAnswer.members(receipt)})


@router.get("", responses=responses("invalid-cursor"))
async def list_agencies(
    request: Request,
    actor: Annotated[Actor, may("agency.read")],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    kind: AgencyKind | None = None,
    region: Region | None = None,
) -> Page[AgencyAnswer]:
    """All agencies, by id."""
    found = select(agencies).order_by(agencies.c.agency).limit(limit + 1)
    if cursor is not None:
        found = found.where(agencies.c.agency > place(cursor, str)[0])
    if kind is not None:
        found = found.where(agencies.c.kind == kind.value)
    if region is not None:
        found = found.where(agencies.c.region == region)
    parts: Parts = request.app.state.parts
    async with parts.engine.connect() as session:
        rows = (await session.execute(found)).all()
    following = cursor_at(rows[limit - 1].agency) if len(rows) > limit else None
    return Page(items=[_answer(row) for row in rows[:limit]], next_cursor=following)


@router.get("/{agency}", responses=responses())
async def read_agency(
    request: Request, response: Response, agency: AgencyId, actor: Annotated[Actor, may("agency.read")]
) -> AgencyAnswer:
    """One agency."""
    parts: Parts = request.app.state.parts
    async with parts.engine.connect() as session:
        row = (await session.execute(select(agencies).where(agencies.c.agency == agency))).one_or_none()
    if row is None:
        raise Problem("not-found")
    tag(response, 1)  # an agency is registered once, and nothing changes it
    return _answer(row)


def _answer(row: Row[tuple[object, ...]]) -> AgencyAnswer:
    return AgencyAnswer.model_validate({name: getattr(row, name) for name in AgencyAnswer.model_fields})
