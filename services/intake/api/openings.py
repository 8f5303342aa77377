"""Openings: one sealed field read in danger, why, for how long, and the other person who reviews it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import Field

from access.authorization import may
from access.freshness import ProvedLately
from access.idempotency import ActHeader
from access.policy import DataClass, Subject
from access.problems import responses
from eventlog.store import Actor
from runtime.answers import Answer, Says
from runtime.forms import AtVersion, Body, Flag, ReceiptAnswer, Uuid, tag
from runtime.pages import DEFAULT_PAGE, Cursor, Limit, Page, place
from runtime.pages import cursor as cursor_at
from services.intake import opening_rows, openings
from services.intake.api.forms import NeededWords, Words
from services.intake.events import OpeningReviewed
from services.intake.handlers import Parts
from services.intake.opening import MOST_MINUTES, Stage
from services.intake.vocabulary import OpenedField, OpeningGround

router = APIRouter(tags=["openings"])

CaseIdPath = Annotated[Uuid, Path(description="The case's id, as the filing answered it.")]
OpeningIdPath = Annotated[Uuid, Path(description="The opening's id, as opening answered it.")]


class OpeningBody(Body):
    """One field of one case, and why it cannot wait."""

    field: OpenedField
    subject_id: Uuid | None = Field(
        default=None, description="Whose; the first subject where it is left out, and for the narrative."
    )
    ground: OpeningGround
    justification: NeededWords = Field(
        description="What happens to whom if it is not opened now. Sealed; the reviewer reads it."
    )
    minutes: int = Field(default=MOST_MINUTES, ge=1, le=MOST_MINUTES, description="How long it can be read.")


class ReviewBody(Body):
    """Whether it had to be opened."""

    justified: Flag
    reason: Words = Field(default="", description="In words. Sealed.")


class OpeningAnswer(ReceiptAnswer, says=DataClass.EVIDENCE_METADATA):
    """The opening is recorded. Nothing was decrypted yet: `GET /v1/openings/{opening_id}/text` reads the field."""

    opening_id: str
    case_id: str
    until: datetime = Field(description="Until when you can read it.")
    review_due: datetime = Field(description="Until when another person has to review it.")


class OpenedAnswer(Answer, says=DataClass.EVIDENCE_METADATA):
    """What was opened: the one field. The others are null, and so is this one where nothing was given."""

    opening_id: str
    case_id: str
    subject_id: str
    until: datetime
    name: Annotated[str | None, Says(DataClass.IDENTITY)] = None
    contact: Annotated[str | None, Says(DataClass.CONTACT)] = None
    place: Annotated[str | None, Says(DataClass.PLACE)] = None
    narrative: Annotated[str | None, Says(DataClass.NARRATIVE)] = None


class OpeningRow(Answer, says=DataClass.AGENCY_FACTS):
    """An opening in a list. Which officer opened is in the vault's record, for the Ombudsman."""

    opening_id: Annotated[str, Says(DataClass.EVIDENCE_METADATA)]
    version: Annotated[int, Says(DataClass.EVIDENCE_METADATA)]
    case_id: Annotated[str, Says(DataClass.CASE_FACTS)]
    subject_id: Annotated[str, Says(DataClass.CASE_FACTS)]
    field: OpenedField
    ground: OpeningGround
    role: str = Field(description="Of whoever opened it.")
    unit: str
    opened_at: datetime
    until: datetime
    review_due: datetime
    stage: Stage = Field(description="`pending`, `overdue`: it waits for its review; `reviewed`.")
    justified: bool | None = Field(description="What the review found.")


class OpeningToReviewAnswer(OpeningRow, says=DataClass.AGENCY_FACTS):
    """An opening as it stands. Texts are there only where they were unsealed."""

    justification: Annotated[str | None, Says(DataClass.NARRATIVE)] = None
    reason: Annotated[str | None, Says(DataClass.NARRATIVE)] = None
    unsealed: bool = Field(description="Whether texts are given in clear; that was recorded.")


class ReviewAnswer(ReceiptAnswer, says=DataClass.EVIDENCE_METADATA):
    """The review is recorded."""

    opening_id: str


@router.post(
    "/v1/requests/{case_id}/openings",
    status_code=201,
    responses=responses("proof-too-old", "unknown-subject", writes=True, seals=True),
)
async def open_field(
    request: Request,
    response: Response,
    case_id: CaseIdPath,
    body: OpeningBody,
    act: ActHeader,
    actor: Annotated[Actor, may("seal.open")],
    _: ProvedLately,
) -> OpeningAnswer:
    """Opens one sealed field of one case where danger does not wait, for some minutes. You have to have signed in
    within the last five. Another person reviews it, and the person concerned learns of it.
    """
    asked = openings.Asked(
        field=body.field,
        ground=body.ground,
        minutes=body.minutes,
        subject_id=body.subject_id,
        justification=body.justification,
    )
    parts: Parts = request.app.state.parts
    opened, receipt = await openings.open_field(asked, case_id=case_id, actor=actor, act=act, parts=parts)
    tag(response, receipt.version)
    members = {name: getattr(opened, name) for name in ("opening_id", "case_id", "until", "review_due")}
    return OpeningAnswer.model_validate({**members, **ReceiptAnswer.members(receipt)})


@router.get("/v1/openings/{opening_id}/text", responses=responses("opening-ended", "key-destroyed"))
async def read_opened(
    request: Request, opening_id: OpeningIdPath, actor: Annotated[Actor, may("seal.read")]
) -> OpenedAnswer:
    """The field that you opened, in clear, while its minutes last. Each reading is recorded before it is decrypted."""
    told = await openings.read_opened(opening_id, actor=actor, parts=request.app.state.parts)
    members = {name: getattr(told.opened, name) for name in ("opening_id", "case_id", "subject_id", "until")}
    return OpenedAnswer.model_validate({**members, told.opened.field.value: told.text})


@router.get("/v1/openings", responses=responses("invalid-cursor"))
async def list_openings(
    request: Request,
    actor: Annotated[Actor, may("seal.review")],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    stage: Annotated[Stage | None, Query(description="`pending`: what has to be reviewed.")] = None,
) -> Page[OpeningRow]:
    """The openings in cases of your region, newest first."""
    parts: Parts = request.app.state.parts
    async with parts.engine.connect() as session:
        rows = await opening_rows.page(
            session,
            subject=Subject.of(actor),
            stage=stage,
            after=None if cursor is None else place(cursor, datetime, str),
            limit=limit + 1,
        )
    items = [OpeningRow.model_validate(dict(row._mapping)) for row in rows[:limit]]
    following = cursor_at(rows[limit - 1].opened_at, rows[limit - 1].opening_id) if len(rows) > limit else None
    return Page(items=items, next_cursor=following)


@router.get("/v1/openings/{opening_id}", responses=responses())
async def read_opening(
    request: Request,
    response: Response,
    opening_id: OpeningIdPath,
    actor: Annotated[Actor, may("seal.review")],
    unseal: Annotated[bool, Query(description="Give the texts in clear. The vault records who read them.")] = False,
) -> OpeningToReviewAnswer:
    """An opening in a case of your region; unsealed, why it was opened. What was opened is not told."""
    seen = await openings.see(opening_id, unseal=unseal, actor=actor, parts=request.app.state.parts)
    tag(response, seen.history.version)
    reviews = [each.version for each in seen.history.events if isinstance(each.event, OpeningReviewed)]
    members = {
        **opening_rows.row_of(seen.history),
        "justification": seen.texts.clear.get((1, "justification")),
        "reason": seen.texts.clear.get((reviews[-1], "reason")) if reviews else None,
        "unsealed": unseal,
    }
    return OpeningToReviewAnswer.model_validate(members)


@router.post(
    "/v1/openings/{opening_id}/review",
    status_code=201,
    responses=responses("two-persons-needed", "wrong-stage", writes=True, seals=True),
)
async def review_opening(
    request: Request,
    response: Response,
    opening_id: OpeningIdPath,
    body: ReviewBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("seal.review")],
) -> ReviewAnswer:
    """Judges whether it had to be opened. Whoever opened it cannot."""
    receipt = await openings.review(
        opening_id,
        justified=body.justified,
        reason=body.reason,
        at_version=at_version,
        actor=actor,
        act=act,
        parts=request.app.state.parts,
    )
    tag(response, receipt.version)
    return ReviewAnswer.model_validate({"opening_id": opening_id, **ReceiptAnswer.members(receipt)})
