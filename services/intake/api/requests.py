"""Requests for protection: filing, reading, and everything that may follow a filing, in the procedure's order."""

import base64
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Query, Request, Response

from access.authorization import may
from access.idempotency import ActHeader
from access.policy import Subject
from access.problems import responses
from eventlog.receipts import Receipt
from eventlog.store import ActKey, Actor
from runtime.forms import AtVersion, Code, ReceiptAnswer, Region, Uuid, tag
from runtime.pages import DEFAULT_PAGE, Cursor, Limit, Page, place
from runtime.pages import cursor as cursor_at
from services.intake import domain, handlers, projections
from services.intake.api import examples
from services.intake.api.answers import ActAnswer, FilingAnswer, RequestAnswer, RequestRow
from services.intake.api.bodies import (
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
from services.intake.handlers import Filed, Parts, Seen
from services.intake.projections import fold_request
from services.intake.vocabulary import (
    IncidentKind,
)

router = APIRouter(prefix="/v1/requests", tags=["requests"])

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
    filed = await handlers.file_request(
        lambda case_id, subject_ids: body.command(
            case_id, subject_ids, pack=parts.pack, for_authority=actor.role == "coordinator"
        ),
        subjects=len(body.subjects),
        prove=body.receipt is ReceiptChoice.FULL,
        actor=actor,
        act=act,
        parts=parts,
    )
    tag(response, filed.receipt.version)
    return _filed(filed, body.receipt)


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
    items = [RequestRow.model_validate(_without_owner(row._mapping)) for row in rows[:limit]]
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
    return _answer(seen, unseal=unseal)


_ACTING: dict[str, Any] = {"status_code": 201}


@router.post(
    "/{case_id}/consents",
    responses=responses("agency-excluded", "unknown-subject", "wrong-stage", writes=True),
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


@router.post("/{case_id}/exclusions", responses=responses("wrong-stage", writes=True), **_ACTING)
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
    command = domain.ExcludeAgency(agency=AgencyId(body.agency))
    return await _act(request, response, command, case_id, at_version, act, actor)


@router.post(
    "/{case_id}/disclosure-decisions",
    responses=responses(
        "two-persons-needed",
        "agency-excluded",
        "subject-has-decided",
        "unknown-subject",
        "wrong-stage",
        writes=True,
        seals=True,
    ),
    **_ACTING,
)
async def decide_disclosure(
    request: Request,
    response: Response,
    case_id: CaseIdPath,
    body: DecisionBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("referral.decide")],
) -> ActAnswer:
    """Two named persons let one agency learn of the case, where the subject cannot answer."""
    return await _act(request, response, body.command(), case_id, at_version, act, actor)


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


_AS_FILED = (
    *("case_id", "filed_by", "incident", "perpetrator", "repeated_perpetrator", "imminent", "region", "causes"),
    *("project", "territory", "no_accompaniment", "language", "pack", "pack_version"),
)


def _filed(filed: Filed, choice: ReceiptChoice) -> FilingAnswer:
    openers = {
        (path if version == 1 else f"{version}.{path}"): base64.b64encode(opener).decode()
        for (version, path), opener in sorted(filed.openers.items())
    }
    members = {
        **ReceiptAnswer.members(filed.receipt),
        "receipt": _note(filed.receipt, choice),
        "case_id": filed.receipt.stream.partition("/")[2],
        "subjects": [
            {"subject_id": subject_id, "kind": kind, "linked": linked} for subject_id, kind, linked in filed.subjects
        ],
        "full_receipt": openers if choice is ReceiptChoice.FULL else None,
    }
    return FilingAnswer.model_validate(members)


def _note(receipt: Receipt, choice: ReceiptChoice) -> str | None:
    match choice:
        case ReceiptChoice.NONE:
            return None
        case (
            ReceiptChoice.NEUTRAL
        ):  # a code of the event's hash: whoever holds the log finds it, nobody else learns what it is
            code = base64.b32encode(receipt.hashes[0][:10]).decode()
            return "-".join(code[start : start + 4] for start in range(0, len(code), 4))
        case _:
            return receipt.note


def _without_owner(row: Any) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "owner"}


def _answer(seen: Seen, *, unseal: bool) -> RequestAnswer:
    first, state = seen.history.events[0], fold_request(seen.history)
    filed, clear = first.event, seen.texts.clear
    subjects = [
        {
            "subject_id": subject.subject_id,
            "kind": subject.kind,
            "linked": subject.linked,
            **{name: clear.get((1, f"subjects.{n}.{name}")) for name in ("name", "contact", "place", "profile")},
        }
        for n, subject in enumerate(filed.subjects)
    ]
    evidence = [
        {
            "evidence_id": recorded.event.evidence_id,
            "digest": recorded.event.digest.hex(),
            "description": clear.get((recorded.version, "description")),
        }
        for recorded in seen.history.events
        if projections.evidence_in([recorded])
    ]
    members = {
        **{name: getattr(filed, name) for name in _AS_FILED},
        **{name: clear.get((1, name)) for name in ("narrative", "wanted", "impediment", "excluded_persons")},
        "recorded_at": first.recorded_at,
        "version": seen.history.version,
        "stage": state.stage,
        "subjects": subjects,
        "excluded": sorted(state.excluded),
        "consents": projections.consents(state),
        "evidence": evidence,
        "unsealed": unseal,
        "destroyed": seen.texts.destroyed,
    }
    return RequestAnswer.model_validate(members)
