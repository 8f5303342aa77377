"""Requests for protection: filing, reading, and everything that may follow a filing, in the procedure's order."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response

from access.authorization import may
from access.idempotency import ActHeader
from access.policy import Subject
from access.problems import responses
from eventlog.store import ActKey, Actor
from runtime.forms import AtVersion, Code, Nothing, ReceiptAnswer, Region, Uuid, tag
from runtime.pages import DEFAULT_PAGE, Cursor, Limit, Page, place
from runtime.pages import cursor as cursor_at
from services.intake import domain, handlers, projections, ties
from services.intake.api import examples, telling
from services.intake.api.answers import ActAnswer, FilingAnswer, ProposalMadeAnswer, RequestAnswer, RequestRow
from services.intake.api.bodies import (
    AccountBody,
    ConflictBody,
    ConsentBody,
    ConsentWithdrawalBody,
    DecisionBody,
    EvidenceBody,
    ExclusionBody,
    FilingBody,
    ReceiptChoice,
    WithdrawalBody,
)
from services.intake.domain import AgencyId, SubjectId
from services.intake.handlers import Parts
from services.intake.vocabulary import (
    IncidentKind,
)

router = APIRouter(prefix="/v1/requests", tags=["requests"])

OF_AUTHORITY = frozenset({"coordinator", "ombudsman"})
"""Who may file on its own motion: the mechanism's authority, and the Ombudsman."""
CaseIdPath = Annotated[Uuid, Path(description="The case's id, as the filing answered it.")]


@router.post(
    "",
    status_code=201,
    responses=responses(
        "own-motion-not-yours",
        "impediment-missing",
        "consent-not-the-subjects",
        "first-subject-linked",
        "agency-excluded",
        "unknown-agency",
        "event-too-long",
        "text-too-long",
        writes=True,
    ),
)
async def file_request(
    request: Request,
    response: Response,
    body: Annotated[FilingBody, Body(openapi_examples=examples.FILING)],
    act: ActHeader,
    actor: Annotated[Actor, may("request.file")],
) -> FilingAnswer:
    """Files a request for protection. It is registered whatever is missing in it; nothing has to be proved.

    The clocks count from `recorded_at`. Nobody is told by this but whom the consents name.
    """
    parts: Parts = request.app.state.parts
    await parts.agencies.check(body.agencies())
    tied = await ties.tied_to(parts.at_once, body.project)
    filed = await handlers.file_request(
        lambda case_id, subject_ids: body.command(
            case_id, subject_ids, pack=parts.pack, for_authority=actor.role in OF_AUTHORITY, tied=tied
        ),
        subjects=len(body.subjects),
        prove=body.receipt is ReceiptChoice.FULL,
        actor=actor,
        act=act,
        parts=parts,
    )
    tag(response, filed.receipt.version)
    return telling.filing(filed, body.receipt)


@router.get("", responses=responses("invalid-cursor"))
async def list_requests(
    request: Request,
    actor: Annotated[Actor, may("request.list")],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    stage: domain.Stage | None = None,
    incident: IncidentKind | None = None,
    region: Annotated[Region | None, Query(description="ISO 3166-2.")] = None,
    cause: Annotated[Code | None, Query(description="One structural cause.")] = None,
    project: Code | None = None,
    territory: Code | None = None,
) -> Page[RequestRow]:
    """Your unit's requests, newest first; for a coordinator, all. Filters show cases that belong together."""
    parts: Parts = request.app.state.parts
    chosen = {
        "stage": stage,
        "incident": incident,
        "region": region,
        "causes": cause,
        "project": project,
        "territory": territory,
    }
    async with parts.engine.connect() as session:
        rows = await projections.page(
            session,
            projections.requests,
            subject=Subject.of(actor),
            action="request.list",
            filters=[(name, str(value)) for name, value in chosen.items() if value is not None],
            after=None if cursor is None else place(cursor, datetime, str),
            limit=limit + 1,
        )
    items = [RequestRow.model_validate(telling.row(row._mapping)) for row in rows[:limit]]
    following = cursor_at(rows[limit - 1].recorded_at, rows[limit - 1].case_id) if len(rows) > limit else None
    return Page(items=items, next_cursor=following)


@router.get("/{case_id}", responses=responses())
async def read_request(
    request: Request,
    response: Response,
    case_id: CaseIdPath,
    actor: Annotated[Actor, may("request.read")],
    unseal: Annotated[bool, Query(description="Give the texts in clear. The vault records who read them.")] = False,
) -> RequestAnswer:
    """A request of your own unit as it stands; for a coordinator, any."""
    seen = await handlers.see(
        handlers.request_stream(case_id), unseal=unseal, actor=actor, parts=request.app.state.parts
    )
    tag(response, seen.history.version)
    return telling.request(seen, unseal=unseal)


_ACTING: dict[str, Any] = {"status_code": 201}


@router.post(
    "/{case_id}/subjects/{subject_id}/account",
    responses=responses("account-known", "unknown-subject", "wrong-stage", writes=True),
    **_ACTING,
)
async def name_account(
    request: Request,
    response: Response,
    case_id: CaseIdPath,
    subject_id: Annotated[Uuid, Path(description="As the filing was answered.")],
    body: AccountBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("request.file")],
) -> ActAnswer:
    """A linked person, a child or a community has an account of its own: from now on it consents by that alone. It
    learns nothing of the case by it."""
    command = domain.NameAccount(subject_id=SubjectId(subject_id), account=body.account)
    return await _act(request, response, command, case_id, at_version, act, actor)


@router.post(
    "/{case_id}/consents",
    responses=responses(
        "agency-excluded", "consent-not-the-subjects", "unknown-agency", "unknown-subject", "wrong-stage", writes=True
    ),
    **_ACTING,
)
async def give_consent(
    request: Request,
    response: Response,
    case_id: CaseIdPath,
    body: ConsentBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("request.consent")],
) -> ActAnswer:
    """A subject lets one agency learn of the case, having read who else will learn of it by law."""
    await _check_agency(request, body.agency)
    return await _act(request, response, body.command(), case_id, at_version, act, actor)


@router.post(
    "/{case_id}/consents/{agency}/withdrawal",
    responses=responses("no-consent", "unknown-subject", "wrong-stage", writes=True),
    **_ACTING,
)
async def withdraw_consent(
    request: Request,
    response: Response,
    case_id: CaseIdPath,
    agency: Code,
    body: ConsentWithdrawalBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("request.consent")],
) -> ActAnswer:
    """The agency may learn no more; what it was sent is recalled."""
    subject_id = SubjectId(body.subject_id) if body.subject_id else None
    command = domain.WithdrawConsent(agency=AgencyId(agency), subject_id=subject_id)
    return await _act(request, response, command, case_id, at_version, act, actor)


@router.post("/{case_id}/exclusions", responses=responses("unknown-agency", "wrong-stage", writes=True), **_ACTING)
async def exclude_agency(
    request: Request,
    response: Response,
    case_id: CaseIdPath,
    body: ExclusionBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("request.exclude")],
) -> ActAnswer:
    """The agency must never learn of the case. This outranks every consent, and ends those for it."""
    await _check_agency(request, body.agency)
    command = domain.ExcludeAgency(agency=AgencyId(body.agency))
    return await _act(request, response, command, case_id, at_version, act, actor)


@router.post("/{case_id}/conflicts", responses=responses("unknown-agency", "wrong-stage", writes=True), **_ACTING)
async def claim_conflict(
    request: Request,
    response: Response,
    case_id: CaseIdPath,
    body: ConflictBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("request.exclude")],
) -> ActAnswer:
    """An agency has a conflict of interest: it has no part in the case, and what it was sent is recalled. The person's
    word is enough (DNH-9)."""
    await _check_agency(request, body.agency)
    command = domain.ClaimConflict(agency=AgencyId(body.agency))
    return await _act(request, response, command, case_id, at_version, act, actor)


@router.post(
    "/{case_id}/disclosure-decisions",
    responses=responses(
        "agency-excluded",
        "decided-already",
        "subject-has-decided",
        "unknown-agency",
        "unknown-subject",
        "wrong-stage",
        writes=True,
        seals=True,
    ),
    **_ACTING,
)
async def propose_disclosure(
    request: Request,
    response: Response,
    case_id: CaseIdPath,
    body: DecisionBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("referral.decide")],
) -> ProposalMadeAnswer:
    """Proposes that one agency learn of the case, where the subject cannot answer. Nobody is told by it.

    Another person has to confirm it, by a token of its own: two decide, never one (DNH-6).
    """
    await _check_agency(request, body.agency)
    parts: Parts = request.app.state.parts
    receipt = await handlers.act_on_request(
        body.command(by=_person(actor)), case_id=case_id, at_version=at_version, actor=actor, act=act, parts=parts
    )
    tag(response, receipt.version)
    members = {"case_id": case_id, "proposal_id": await handlers.proposal_of(receipt, parts=parts)}
    return ProposalMadeAnswer.model_validate({**members, **ReceiptAnswer.members(receipt)})


@router.post(
    "/{case_id}/disclosure-decisions/{proposal_id}/confirmation",
    responses=responses(
        "two-persons-needed", "agency-excluded", "decided-already", "subject-has-decided", "wrong-stage", writes=True
    ),
    **_ACTING,
)
async def confirm_disclosure(
    request: Request,
    response: Response,
    case_id: CaseIdPath,
    proposal_id: Annotated[Uuid, Path(description="As the proposal was answered.")],
    body: Nothing,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("referral.decide")],
) -> ActAnswer:
    """Agrees with what another person proposed: now two have decided, and the agency may learn of the case."""
    command = domain.ConfirmDisclosure(proposal_id=domain.ProposalId(proposal_id), by=_person(actor))
    return await _act(request, response, command, case_id, at_version, act, actor)


@router.post("/{case_id}/evidence", responses=responses("wrong-stage", writes=True, seals=True), **_ACTING)
async def add_evidence(
    request: Request,
    response: Response,
    case_id: CaseIdPath,
    body: EvidenceBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("request.file")],
) -> ActAnswer:
    """Describes a piece of evidence. Nothing waits for it."""
    return await _act(request, response, body.command(), case_id, at_version, act, actor)


@router.post("/{case_id}/withdrawal", responses=responses(writes=True, seals=True), **_ACTING)
async def withdraw_request(
    request: Request,
    response: Response,
    case_id: CaseIdPath,
    body: WithdrawalBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("request.withdraw")],
) -> ActAnswer:
    """The subject no longer asks: nobody may learn anything more, and what was sent is recalled."""
    return await _act(request, response, domain.Withdraw(reason=body.reason), case_id, at_version, act, actor)


async def _check_agency(request: Request, agency: str) -> None:
    parts: Parts = request.app.state.parts
    await parts.agencies.check({"#/agency": agency})


def _person(actor: Actor) -> domain.Person:
    return domain.Person(id=actor.id, role=actor.role)


async def _act(
    request: Request,
    response: Response,
    command: domain.Command,
    case_id: str,
    at_version: int | None,
    act: ActKey,
    actor: Actor,
) -> ActAnswer:
    receipt = await handlers.act_on_request(
        command, case_id=case_id, at_version=at_version, actor=actor, act=act, parts=request.app.state.parts
    )
    tag(response, receipt.version)
    return ActAnswer.model_validate({"case_id": case_id, **ReceiptAnswer.members(receipt)})
