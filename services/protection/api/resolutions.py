"""Resolutions: granting measures or denying them with reasons, and telling the defender."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from access.authorization import may
from access.idempotency import ActHeader
from access.policy import DataClass
from access.problems import responses
from eventlog.store import Actor
from runtime.answers import Says
from runtime.forms import AtVersion, Body, Flag, Nothing, ReceiptAnswer, Uuid, tag
from services.protection import domain, handlers
from services.protection.api import forms
from services.protection.api.answers import Due
from services.protection.api.cases import CaseActAnswer, acted, due_after
from services.protection.api.forms import CaseIdPath, PartsDep, Words

router = APIRouter(prefix="/v1/cases", tags=["resolutions"])

MAX_MEASURES = 50


class ResolutionBody(Body):
    """A resolution (DS 004-2021-JUS arts. 19 to 22). It rests on the case's last evaluation."""

    granted: Flag
    measures: list[Uuid] | None = Field(
        default=None,
        max_length=MAX_MEASURES,
        description="What it grants; left out: every measure that stands proposed.",
    )
    reasons: Words = Field(default="", description="Needed for a denial. Sealed.")


class ResolutionAnswer(ReceiptAnswer, says=DataClass.EVIDENCE_METADATA):
    """A resolution is recorded."""

    case_id: str
    resolution_id: str
    granted: Annotated[bool, Says(DataClass.CASE_FACTS)]
    evaluation_id: Annotated[str, Says(DataClass.CASE_FACTS)]
    measures: Annotated[list[str], Says(DataClass.CASE_FACTS)]
    next_due: Annotated[list[Due], Says(DataClass.CASE_FACTS)]


@router.post(
    "/{case_id}/resolutions",
    status_code=201,
    responses=responses(
        "case-closed",
        "wrong-stage",
        "evaluation-needed",
        "newer-evaluation-needed",
        "measure-needed",
        "measure-unknown",
        "reasons-needed",
        "missing-evidence-alone",
        writes=True,
        seals=True,
    ),
)
async def issue_resolution(
    parts: PartsDep,
    response: Response,
    case_id: CaseIdPath,
    body: ResolutionBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("case.resolve")],
) -> ResolutionAnswer:
    """Grants measures, or denies them with reasons; a denial that rests on missing evidence alone is refused."""
    resolution_id = handlers.new_id()
    done = await handlers.resolve(
        lambda case: domain.IssueResolution(
            at=parts.clock(),
            resolution_id=resolution_id,
            granted=body.granted,
            decided_by=actor.id,
            reasons=handlers.sealed(case, body.reasons),
        ),
        case_id=case_id,
        measures=None if body.measures is None else list(dict.fromkeys(body.measures)),
        at_version=at_version,
        by=forms.by(actor, act),
        parts=parts,
    )
    issued = done.events[0]
    tag(response, done.receipt.version)
    return ResolutionAnswer.model_validate(
        {
            **ReceiptAnswer.members(done.receipt),
            "case_id": case_id,
            "resolution_id": issued.resolution_id,
            "granted": issued.granted,
            "evaluation_id": issued.evaluation_id,
            "measures": list(issued.measures),
            "next_due": due_after(done),
        }
    )


@router.post("/{case_id}/notification", status_code=201, responses=responses("case-closed", "wrong-stage", writes=True))
async def notify_resolution(
    parts: PartsDep,
    response: Response,
    case_id: CaseIdPath,
    body: Nothing,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("case.resolve")],
) -> CaseActAnswer:
    """The defender was told of the resolution, at the safe address. A denial closes the case where nothing was
    granted."""
    done = await handlers.act_on_case(
        lambda _: domain.NotifyResolution(at=parts.clock()),
        action="case.resolve",
        case_id=case_id,
        at_version=at_version,
        by=forms.by(actor, act),
        parts=parts,
    )
    return acted(response, case_id, done)
