"""Measures: proposing them, the beneficiary's word on them, and changing them on a newer evaluation."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from access.authorization import may
from access.idempotency import ActHeader
from access.policy import Action, DataClass
from access.problems import responses
from eventlog.decider import Refused
from eventlog.store import ActKey, Actor
from runtime.answers import Answer, Says
from runtime.forms import AtVersion, Body, Code, Flag, Nothing, ReceiptAnswer, tag
from services.protection import domain, handlers, projections, unsealing
from services.protection.api import answers, forms
from services.protection.api.answers import MeasureAnswer
from services.protection.api.forms import CaseIdPath, MeasureIdPath, NeededWords, PartsDep, Words
from services.protection.domain import Case, measure
from services.protection.handlers import Parts

router = APIRouter(prefix="/v1", tags=["measures"])

_ACTING: dict[str, Any] = {"status_code": 201}


class ProposalBody(Body):
    """A measure of the case's rule pack, to be carried out by one agency."""

    measure: Code = Field(description="Name in the rule pack, such as `patrol_home`.")
    implementer: Code = Field(description="The agency that carries it out.")
    urgent: Flag | None = Field(default=None, description="Left out: what the rule pack says of the measure.")
    details: Words = Field(
        default="",
        description="How it is to be done. Sealed; its implementer reads it, once the person accepted the measure.",
    )


class ReasonBody(Body):
    """Nobody has to give one."""

    reason: Words = Field(default="", description="Sealed.")


class ReasonNeededBody(Body):
    """A change is reasoned."""

    reason: NeededWords = Field(description="Sealed.")


class ModificationBody(Body):
    """What changes, and why."""

    details: NeededWords = Field(description="How it is to be done from now on. Sealed; read as those of a proposal.")


class MeasureText(Answer, says=DataClass.CASE_FACTS):
    """What was written with one event of the measure."""

    version: int = Field(description="Of the measure, once the event was recorded.")
    path: str = Field(description="`details`, or `reason`.")
    text: Annotated[str, Says(DataClass.NARRATIVE)]


class MeasureTexts(Answer, says=DataClass.CASE_FACTS):
    """What was written of a measure, in order: the last `details` are how it is to be carried out now."""

    measure_id: str
    texts: list[MeasureText]


class MeasureActAnswer(ReceiptAnswer, says=DataClass.EVIDENCE_METADATA):
    """An act on a measure is recorded."""

    measure_id: str


@router.post(
    "/cases/{case_id}/measures",
    responses=responses("case-closed", "measure-not-in-pack", "unknown-agency", writes=True, seals=True),
    **_ACTING,
)
async def propose_measure(
    parts: PartsDep,
    response: Response,
    case_id: CaseIdPath,
    body: ProposalBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("measure.propose")],
) -> MeasureActAnswer:
    """Proposes a measure. A resolution grants it; then its beneficiary accepts or refuses it."""
    await parts.agencies.check({"#/implementer": body.implementer})
    measure_id = handlers.new_id()
    done = await handlers.propose_measure(
        lambda case: _proposal(body, case, measure_id=measure_id),
        case_id=case_id,
        at_version=at_version,
        by=forms.by(actor, act),
        parts=parts,
    )
    return _acted(response, done)


@router.get("/measures/{measure_id}", responses=responses())
async def read_measure(
    parts: PartsDep, response: Response, measure_id: MeasureIdPath, actor: Annotated[Actor, may("measure.read")]
) -> MeasureAnswer:
    """A measure as it stands."""
    async with parts.engine.connect() as session:
        row = await projections.one_measure(session, measure_id)
    row = handlers.visible(row, "measure.read", actor=actor)
    tag(response, row.version)
    return answers.measure(row)


@router.get("/measures/{measure_id}/texts", responses=responses())
async def read_measure_texts(
    parts: PartsDep, response: Response, measure_id: MeasureIdPath, actor: Annotated[Actor, may("measure.read")]
) -> MeasureTexts:
    """What was written of a measure, in clear: how it is to be carried out, and reasons. The vault records who read it.

    Whoever accepts a measure reads here what it accepts.
    """
    version, texts = await unsealing.written(measure_id, actor=actor, parts=parts)
    tag(response, version)
    shown = [{"version": text.version, "path": text.path, "text": text.text} for text in texts]
    return MeasureTexts.model_validate({"measure_id": measure_id, "texts": shown})


@router.post("/measures/{measure_id}/acceptance", responses=responses("wrong-stage", writes=True), **_ACTING)
async def accept_measure(
    parts: PartsDep,
    response: Response,
    measure_id: MeasureIdPath,
    body: Nothing,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("measure.accept")],
) -> MeasureActAnswer:
    """The beneficiary wants the measure. Only now is the agency asked to carry it out."""
    return await _act(parts, response, "measure.accept", measure_id, lambda _: measure.Accept(), at_version, act, actor)


@router.post("/measures/{measure_id}/refusal", responses=responses("wrong-stage", writes=True, seals=True), **_ACTING)
async def refuse_measure(
    parts: PartsDep,
    response: Response,
    measure_id: MeasureIdPath,
    body: ReasonBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("measure.accept")],
) -> MeasureActAnswer:
    """The beneficiary does not want the measure, or no longer. Protection is not imposed."""

    def command(case: Case) -> measure.Command:
        return measure.Refuse(reason=handlers.sealed(case, body.reason))

    return await _act(parts, response, "measure.accept", measure_id, command, at_version, act, actor)


@router.post("/measures/{measure_id}/confirmation", responses=responses("wrong-stage", writes=True), **_ACTING)
async def confirm_measure(
    parts: PartsDep,
    response: Response,
    measure_id: MeasureIdPath,
    body: Nothing,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("measure.confirm")],
) -> MeasureActAnswer:
    """The beneficiary says that the measure is in place. Nobody else's word makes it implemented."""
    return await _act(
        parts, response, "measure.confirm", measure_id, lambda _: measure.Confirm(), at_version, act, actor
    )


@router.post(
    "/measures/{measure_id}/ineffectiveness", responses=responses("wrong-stage", writes=True, seals=True), **_ACTING
)
async def find_measure_ineffective(
    parts: PartsDep,
    response: Response,
    measure_id: MeasureIdPath,
    body: ReasonBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("measure.confirm")],
) -> MeasureActAnswer:
    """The beneficiary says that the measure is not there, or does not protect."""

    def command(case: Case) -> measure.Command:
        return measure.FindIneffective(reason=handlers.sealed(case, body.reason))

    return await _act(parts, response, "measure.confirm", measure_id, command, at_version, act, actor)


_CHANGING = responses("wrong-stage", "newer-evaluation-needed", "reasons-needed", writes=True, seals=True)


@router.post("/measures/{measure_id}/modification", responses=_CHANGING, **_ACTING)
async def modify_measure(
    parts: PartsDep,
    response: Response,
    measure_id: MeasureIdPath,
    body: ModificationBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("measure.change")],
) -> MeasureActAnswer:
    """Makes it another measure, on an evaluation newer than its own; the beneficiary is asked again."""

    def command(case: Case) -> measure.Command:
        return measure.Modify(evaluations=_order(case), details=handlers.sealed(case, body.details))

    return await _act(parts, response, "measure.change", measure_id, command, at_version, act, actor)


@router.post("/measures/{measure_id}/suspension", responses=_CHANGING, **_ACTING)
async def suspend_measure(
    parts: PartsDep,
    response: Response,
    measure_id: MeasureIdPath,
    body: ReasonNeededBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("measure.change")],
) -> MeasureActAnswer:
    """Lets the measure rest, on an evaluation newer than its own."""

    def command(case: Case) -> measure.Command:
        return measure.Suspend(evaluations=_order(case), reason=handlers.sealed(case, body.reason))

    return await _act(parts, response, "measure.change", measure_id, command, at_version, act, actor)


@router.post("/measures/{measure_id}/cessation", responses=_CHANGING, **_ACTING)
async def cease_measure(
    parts: PartsDep,
    response: Response,
    measure_id: MeasureIdPath,
    body: ReasonNeededBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("measure.change")],
) -> MeasureActAnswer:
    """Ends the measure, on an evaluation newer than its own."""

    def command(case: Case) -> measure.Command:
        return measure.Cease(evaluations=_order(case), reason=handlers.sealed(case, body.reason))

    return await _act(parts, response, "measure.change", measure_id, command, at_version, act, actor)


def _proposal(body: ProposalBody, case: Case, *, measure_id: str) -> measure.Propose:
    assert case.opened is not None
    rule = next((rule for rule in case.pack.measures if rule.name == body.measure), None)
    if rule is None:
        raise Refused("measure-not-in-pack", f"the pack {case.opened.pack} has no such measure")
    return measure.Propose(
        measure_id=measure_id,
        case_id=case.opened.case_id,
        measure=rule.name,
        family=domain.MeasureFamily(rule.family),
        implementer=body.implementer,
        subject_id=case.opened.subject_id,
        urgent=rule.urgent if body.urgent is None else body.urgent,
        details=handlers.sealed(case, body.details),
    )


def _order(case: Case) -> tuple[str, ...]:
    return tuple(evaluation.evaluation_id for evaluation in case.evaluations)


async def _act(
    parts: Parts,
    response: Response,
    action: Action,
    measure_id: str,
    command: Any,
    at_version: int | None,
    act: ActKey,
    actor: Actor,
) -> MeasureActAnswer:
    done = await handlers.act_on_measure(
        command, action=action, measure_id=measure_id, at_version=at_version, by=forms.by(actor, act), parts=parts
    )
    return _acted(response, done)


def _acted(response: Response, done: handlers.Done) -> MeasureActAnswer:
    tag(response, done.receipt.version)
    measure_id = done.receipt.stream.partition("/")[2]
    return MeasureActAnswer.model_validate({**ReceiptAnswer.members(done.receipt), "measure_id": measure_id})
