"""Incidents: reporting what was done to somebody, with or without a case, and judging how far it is established."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi import Body as BodyParameter
from pydantic import Field, model_validator

from access.authorization import may
from access.idempotency import ActHeader
from access.policy import DataClass, Subject
from access.problems import responses
from eventlog.store import Actor
from runtime.answers import Answer, Says
from runtime.forms import AtVersion, Body, Code, Flag, ReceiptAnswer, Region, Uuid, tag
from runtime.pages import DEFAULT_PAGE, Cursor, Limit, Page, place
from runtime.pages import cursor as cursor_at
from services.intake import handlers, incident, projections
from services.intake.api import examples
from services.intake.api.bodies import Causes
from services.intake.api.forms import OptionalCode, Past, Place, Story, Words
from services.intake.handlers import Parts, Seen
from services.intake.incident import IncidentId
from services.intake.projections import fold_incident
from services.intake.vocabulary import (
    HARMFUL_ACTS,
    Charge,
    HarmfulAct,
    IncidentKind,
    PerpetratorKind,
    Verification,
    ViolenceForm,
)

router = APIRouter(prefix="/v1/incidents", tags=["incidents"])

IncidentIdPath = Annotated[Uuid, Path(description="The incident's id, as the report answered it.")]


class IncidentBody(Body):
    """Something that was done to somebody. What is not known is left out."""

    kind: IncidentKind
    perpetrator: PerpetratorKind = PerpetratorKind.UNKNOWN
    repeated_perpetrator: Flag = Field(default=False, description="Whether the same one has done it before.")
    case_id: Uuid | None = Field(default=None, description="The case it belongs to, if there is one.")
    happened_at: Past | None = Field(default=None, description="With its time zone.")
    region: Region
    narrative: Story = Field(description="What happened. Sealed.")
    place: Place = Field(default="", description="Where, exactly. Sealed.")
    office: OptionalCode = Field(
        default="", description="Code of the office that refused a complaint or forced somebody to come along."
    )
    charges: list[Charge] = Field(default=[], max_length=14, description="With `criminalisation`.")
    violence: list[ViolenceForm] = Field(default=[], max_length=4, description="With `gender_violence`.")
    causes: Causes = Field(default=[])
    project: OptionalCode = ""
    territory: OptionalCode = ""

    def command(self, *, now: datetime) -> Callable[[IncidentId, str], incident.Report]:
        """The command, once the incident's id and the subject whose key seals it are known."""
        return lambda incident_id, subject_id: incident.Report(
            incident_id=incident_id,
            subject_id=subject_id,
            now=now,
            kind=self.kind,
            perpetrator=self.perpetrator,
            repeated_perpetrator=self.repeated_perpetrator,
            case_id=self.case_id or "",
            happened_at=self.happened_at,
            region=self.region,
            narrative=self.narrative,
            place=self.place,
            office=self.office,
            charges=tuple(dict.fromkeys(self.charges)),
            violence=tuple(dict.fromkeys(self.violence)),
            causes=tuple(dict.fromkeys(self.causes)),
            project=self.project,
            territory=self.territory,
        )


class VerificationBody(Body):
    """How far the incident is established, as you judge it."""

    verification: Verification
    reason: Words = Field(default="", description="On what it rests. Sealed.")
    duplicate_of: Uuid | None = Field(default=None, description="With `duplicate`: the incident that it repeats.")

    @model_validator(mode="after")
    def _is_a_judgement(self) -> Self:
        if self.verification is Verification.REPORTED:
            raise ValueError("reported is where an incident begins")
        return self


class IncidentActAnswer(ReceiptAnswer, says=DataClass.EVIDENCE_METADATA):
    """A report, or a judgement of one, is recorded."""

    incident_id: str


class IncidentRow(Answer, says=DataClass.CASE_FACTS):
    """An incident in a list: codes and ids only."""

    incident_id: str
    recorded_at: datetime
    version: int
    case_id: str
    kind: IncidentKind
    harmful_act: HarmfulAct = Field(description="The category of SDG indicator 16.10.1.")
    perpetrator: PerpetratorKind
    repeated_perpetrator: bool
    happened_at: datetime | None
    region: str
    office: Annotated[str, Says(DataClass.AGENCY_FACTS)]
    charges: list[Charge]
    violence: list[ViolenceForm]
    causes: list[str]
    project: str
    territory: Annotated[str, Says(DataClass.PLACE)]
    verification: Verification
    duplicate_of: str


class IncidentAnswer(IncidentRow, says=DataClass.CASE_FACTS):
    """An incident as it stands. Texts are there only where they were unsealed."""

    narrative: Annotated[str | None, Says(DataClass.NARRATIVE)] = None
    place: Annotated[str | None, Says(DataClass.PLACE)] = None
    reasons: Annotated[list[str], Says(DataClass.NARRATIVE)] = Field(
        default=[], description="Of the judgements, in order."
    )
    unsealed: bool = Field(description="Whether texts are given in clear; that was recorded.")
    destroyed: list[str] = Field(description="Subjects whose key was destroyed: nobody reads their texts any more.")


@router.post(
    "",
    status_code=201,
    responses=responses("happened-in-future", "charges-unexpected", "violence-unexpected", writes=True, seals=True),
)
async def report_incident(
    request: Request,
    response: Response,
    body: Annotated[IncidentBody, BodyParameter(openapi_examples=examples.INCIDENT)],
    act: ActHeader,
    actor: Annotated[Actor, may("incident.report")],
) -> IncidentActAnswer:
    """Reports an incident. Nothing has to be proved, and no case has to exist."""
    parts: Parts = request.app.state.parts
    receipt = await handlers.report_incident(
        body.command(now=parts.clock()), case_id=body.case_id or "", actor=actor, act=act, parts=parts
    )
    tag(response, receipt.version)
    incident_id = receipt.stream.partition("/")[2]
    return IncidentActAnswer.model_validate({"incident_id": incident_id, **ReceiptAnswer.members(receipt)})


@router.get("", responses=responses("invalid-cursor"))
async def list_incidents(
    request: Request,
    actor: Annotated[Actor, may("incident.read")],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    kind: IncidentKind | None = None,
    verification: Verification | None = None,
    case_id: Uuid | None = None,
    region: Annotated[Region | None, Query(description="ISO 3166-2.")] = None,
    cause: Annotated[Code | None, Query(description="One structural cause.")] = None,
    project: Code | None = None,
    territory: Code | None = None,
) -> Page[IncidentRow]:
    """What your unit reported, newest first; for a coordinator, all."""
    parts: Parts = request.app.state.parts
    chosen = {
        "kind": kind,
        "verification": verification,
        "case_id": case_id,
        "region": region,
        "causes": cause,
        "project": project,
        "territory": territory,
    }
    async with parts.engine.connect() as session:
        rows = await projections.page(
            session,
            projections.incidents,
            subject=Subject.of(actor),
            action="incident.read",
            filters=[(name, str(value)) for name, value in chosen.items() if value is not None],
            after=None if cursor is None else place(cursor, datetime, str),
            limit=limit + 1,
        )
    items = [IncidentRow.model_validate(_row(dict(row._mapping))) for row in rows[:limit]]
    following = cursor_at(rows[limit - 1].recorded_at, rows[limit - 1].incident_id) if len(rows) > limit else None
    return Page(items=items, next_cursor=following)


@router.get("/{incident_id}", responses=responses())
async def read_incident(
    request: Request,
    response: Response,
    incident_id: IncidentIdPath,
    actor: Annotated[Actor, may("incident.read")],
    unseal: Annotated[bool, Query(description="Give the texts in clear. The vault records who read them.")] = False,
) -> IncidentAnswer:
    """An incident that your unit reported, as it stands; for a coordinator, any."""
    seen = await handlers.see(
        handlers.incident_stream(incident_id), unseal=unseal, actor=actor, parts=request.app.state.parts
    )
    tag(response, seen.history.version)
    return _answer(seen, unseal=unseal)


@router.post(
    "/{incident_id}/verification",
    status_code=201,
    responses=responses("duplicate-of-missing", "wrong-stage", writes=True, seals=True),
)
async def verify_incident(
    request: Request,
    response: Response,
    incident_id: IncidentIdPath,
    body: VerificationBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("incident.verify")],
) -> IncidentActAnswer:
    """Records how far the incident is established, under your name. Nothing is deleted by it."""
    command = incident.Verify(
        verification=body.verification,
        verifier=actor.id,
        reason=body.reason,
        duplicate_of=body.duplicate_of or "",
    )
    receipt = await handlers.verify_incident(
        command, incident_id=incident_id, at_version=at_version, actor=actor, act=act, parts=request.app.state.parts
    )
    tag(response, receipt.version)
    return IncidentActAnswer.model_validate({"incident_id": incident_id, **ReceiptAnswer.members(receipt)})


def _row(members: dict[str, object]) -> dict[str, object]:
    found = {name: value for name, value in members.items() if name != "owner"}
    return {**found, "harmful_act": HARMFUL_ACTS.get(IncidentKind(str(found["kind"])), HarmfulAct.OTHER)}


def _answer(seen: Seen, *, unseal: bool) -> IncidentAnswer:
    clear = seen.texts.clear
    members = {
        **_row(projections.incident_row(seen.history.events)),
        "verification": fold_incident(seen.history).standing,
        "narrative": clear.get((1, "narrative")),
        "place": clear.get((1, "place")),
        "reasons": [text for (_, path), text in sorted(clear.items()) if path == "reason"],
        "unsealed": unseal,
        "destroyed": seen.texts.destroyed,
    }
    return IncidentAnswer.model_validate(members)
