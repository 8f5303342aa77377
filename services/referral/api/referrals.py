"""Referrals: what an agency was asked, what it may read, and its acts in the procedure's order."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from pydantic import Field

from access.authorization import may
from access.idempotency import ActHeader
from access.policy import DataClass, Subject, reach
from access.problems import Problem, responses
from eventlog.store import ActKey, Actor
from runtime.answers import Says
from runtime.forms import AtVersion, Body, Instant, ReceiptAnswer, tag
from runtime.versions import SourceSilent
from services.referral import domain, handlers, unsealing
from services.referral.api.answers import (
    DisclosedValue,
    DisclosureAnswer,
    ReferralAnswer,
    TextsAnswer,
    WrittenText,
    owed_next,
    referral_answer,
)
from services.referral.api.forms import Due, LegalBasis, ReferralIdPath, Words
from services.referral.domain import RejectionGround, Stage
from services.referral.handlers import Parts
from services.referral.registry import RequestNotRead

router = APIRouter(prefix="/v1/referrals", tags=["referrals"])

At = Annotated[
    Instant | None,
    Field(description="When it happened, as you say; recorded beside the time of recording, which counts."),
]


class ActBody(Body):
    """An act that needs no more than itself."""

    at: At = None


class RejectionBody(ActBody):
    """Why the agency does not take the referral on."""

    ground: RejectionGround
    legal_basis: LegalBasis = Field(
        default="",
        description="The article, with its number. Sealed. Needed unless `not_our_jurisdiction` or `no_means`.",
    )
    reasons: Words = Field(default="", description="In words. Sealed.")


class AnswerBody(ActBody):
    """What became of what was asked for."""

    done: bool = Field(strict=True, description="Whether it has been done.")
    answer: Words = Field(default="", description="In words. Sealed.")


class RecallBody(Body):
    """Why the mechanism takes the referral back. A consent that is withdrawn recalls by itself."""

    ground: Literal["conflict_of_interest", "rerouted", "case_closed", "sent_in_error"]


class ActAnswer(ReceiptAnswer, says=DataClass.EVIDENCE_METADATA):
    """The act is recorded, and what is owed next. 200 where it only repeats what was recorded before."""

    referral_id: str
    state: Annotated[Stage, Says(DataClass.AGENCY_FACTS)]
    next: Annotated[Due | None, Says(DataClass.AGENCY_FACTS)]


def _of_an_act(*codes: str, seals: bool = False) -> dict[int | str, dict[str, Any]]:
    """The answers of a route that acts."""
    repeated = {"model": ActAnswer, "description": "The act was recorded before, and nothing is recorded again."}
    return {**responses("wrong-stage", *codes, writes=True, seals=seals), 200: repeated}


@router.get("/{referral_id}", responses=responses())
async def read_referral(
    request: Request,
    response: Response,
    referral_id: ReferralIdPath,
    actor: Annotated[Actor, may("referral.read")],
) -> ReferralAnswer:
    """What your agency was asked, its clocks, and what it did. Another agency's referral is not there."""
    seen = await handlers.see(referral_id, actor=actor, parts=request.app.state.parts)
    tag(response, seen.history.version)
    return referral_answer(seen, staff=reach(Subject.of(actor), "referral.read").all_of)


@router.get("/{referral_id}/disclosure", responses=responses())
async def read_disclosure(
    request: Request, referral_id: ReferralIdPath, actor: Annotated[Actor, may("referral.disclosure")]
) -> DisclosureAnswer:
    """Exactly what the person let your agency know, in clear, while the referral is open, and how a measure is to be
    carried out. Each reading is recorded, and the person may learn of it. 503 while it is not certain that the person
    has not taken the consent back: try again.
    """
    parts: Parts = request.app.state.parts
    try:
        seen, told = await unsealing.disclose(referral_id, actor=actor, parts=parts)
    except (RequestNotRead, SourceSilent):
        raise Problem("unavailable", headers={"Retry-After": "1"}) from None
    return DisclosureAnswer(
        referral_id=referral_id,
        case_id=seen.sent.case_id,
        purpose=seen.sent.purpose,
        no_accompaniment=seen.sent.no_accompaniment,
        values=[
            DisclosedValue(data_class=v.data_class, path=v.path, subject_id=v.subject_id, text=v.text) for v in told
        ],
    )


@router.get("/{referral_id}/texts", responses=responses())
async def read_texts(
    request: Request, referral_id: ReferralIdPath, actor: Annotated[Actor, may("referral.read")]
) -> TextsAnswer:
    """What your agency wrote with its rejection and answers, in clear. Each reading is recorded."""
    parts: Parts = request.app.state.parts
    texts = await unsealing.written(referral_id, actor=actor, parts=parts)
    return TextsAnswer(
        referral_id=referral_id, texts=[WrittenText(version=t.version, field=t.path, text=t.text) for t in texts]
    )


@router.post(
    "/{referral_id}/acknowledgement",
    status_code=201,
    responses=_of_an_act("claimed-instant-ahead"),
)
async def acknowledge_referral(
    request: Request,
    response: Response,
    referral_id: ReferralIdPath,
    body: ActBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("referral.acknowledge")],
) -> ActAnswer:
    """Your agency has received the referral. Its clock stops at `recorded_at`, not at the claimed `at`."""
    command = domain.Acknowledge(agency=actor.unit, now=_now(request), at=body.at)
    return await _act(request, response, command, referral_id, at_version, act, actor)


@router.post(
    "/{referral_id}/acceptance",
    status_code=201,
    responses=_of_an_act("claimed-instant-ahead"),
)
async def accept_referral(
    request: Request,
    response: Response,
    referral_id: ReferralIdPath,
    body: ActBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("referral.accept")],
) -> ActAnswer:
    """Your agency takes the referral on. It counts as an acknowledgement too, where there was none."""
    command = domain.Accept(agency=actor.unit, now=_now(request), at=body.at)
    return await _act(request, response, command, referral_id, at_version, act, actor)


@router.post(
    "/{referral_id}/rejection",
    status_code=201,
    responses=_of_an_act("claimed-instant-ahead", "legal-basis-missing", seals=True),
)
async def reject_referral(
    request: Request,
    response: Response,
    referral_id: ReferralIdPath,
    body: RejectionBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("referral.reject")],
) -> ActAnswer:
    """Your agency does not take the referral on. A lack of competence or of means is no refusal; any other ground needs
    its article. What was disclosed can no longer be read.
    """
    command = domain.Reject(
        agency=actor.unit,
        ground=body.ground,
        legal_basis=body.legal_basis,
        reasons=body.reasons,
        now=_now(request),
        at=body.at,
    )
    return await _act(request, response, command, referral_id, at_version, act, actor)


@router.post(
    "/{referral_id}/answer",
    status_code=201,
    responses=_of_an_act("claimed-instant-ahead", seals=True),
)
async def answer_referral(
    request: Request,
    response: Response,
    referral_id: ReferralIdPath,
    body: AnswerBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("referral.answer")],
) -> ActAnswer:
    """Your agency answers what was asked. Answered not done, it may be answered done later. Late is better than never:
    a late answer is recorded as late.
    """
    command = domain.Answer(agency=actor.unit, done=body.done, answer=body.answer, now=_now(request), at=body.at)
    return await _act(request, response, command, referral_id, at_version, act, actor)


@router.post("/{referral_id}/recall", status_code=201, responses=_of_an_act())
async def recall_referral(
    request: Request,
    response: Response,
    referral_id: ReferralIdPath,
    body: RecallBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("referral.recall")],
) -> ActAnswer:
    """The mechanism takes the referral back: nothing is owed any more, and nothing can be read. The agency is not told
    why.
    """
    command = domain.Recall(ground=domain.RecallGround(body.ground))
    return await _act(request, response, command, referral_id, at_version, act, actor)


async def _act(
    request: Request,
    response: Response,
    command: domain.Command,
    referral_id: str,
    at_version: int | None,
    act: ActKey,
    actor: Actor,
) -> ActAnswer:
    done = await handlers.act_on_referral(
        command,
        referral_id=referral_id,
        at_version=at_version,
        actor=actor,
        act=act,
        parts=request.app.state.parts,
    )
    if done.quiet:
        response.status_code = 200
    tag(response, done.seen.history.version)
    return ActAnswer.model_validate(
        {
            "referral_id": referral_id,
            "state": done.seen.state.stage,
            "next": owed_next(done.seen),
            **ReceiptAnswer.members(done.receipt),
        }
    )


def _now(request: Request) -> datetime:
    parts: Parts = request.app.state.parts
    return parts.clock()
