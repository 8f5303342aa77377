"""Evaluations of the risk: the method proposes a level, the named person decides it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import Field

from access.authorization import may
from access.idempotency import ActHeader
from access.policy import DataClass
from access.problems import responses
from eventlog.store import Actor
from procedures.risk import Axis, Level, Score
from runtime.answers import Says
from runtime.forms import AtVersion, Body, Code, Flag, ReceiptAnswer, tag
from services.protection import domain, handlers
from services.protection.api import forms
from services.protection.api.answers import Due
from services.protection.api.cases import due_after
from services.protection.api.forms import CaseIdPath, PartsDep, Reason, Words
from services.protection.domain import Case

router = APIRouter(prefix="/v1/cases", tags=["evaluations"])

MAX_VARIABLES = 40


class VariableBody(Body):
    """One variable of the pack's method."""

    axis: Axis
    name: Code
    score: Score = Field(description="`unknown` where nobody could find out: it is never counted as low.")
    source: Literal["interview", "filing", "record", "context", "visit", "opinion"]
    reason: Reason = Field(description="Why this score. Sealed.")


class EvaluationBody(Body):
    """An evaluation: every variable of the case's rule pack, each once, and the level that you decide."""

    variables: list[VariableBody] = Field(min_length=1, max_length=MAX_VARIABLES)
    imminent: Flag = Field(default=False, description="Danger to life or body that cannot wait. Overrides the score.")
    level: Level = Field(description="What you decide, whatever is proposed.")
    departure: Words = Field(default="", description="Needed where the level is below the proposed one. Sealed.")

    def command(self, case: Case, *, evaluation_id: str, decided_by: str, parts: PartsDep) -> domain.EvaluateRisk:
        """The command."""
        return domain.EvaluateRisk(
            at=parts.clock(),
            evaluation_id=evaluation_id,
            variables=tuple(
                domain.RiskVariable(
                    axis=variable.axis,
                    name=variable.name,
                    score=variable.score,
                    source=variable.source,
                    reason=handlers.sealed(case, variable.reason),
                )
                for variable in self.variables
            ),
            imminent=self.imminent,
            level=self.level,
            decided_by=decided_by,
            departure=handlers.sealed(case, self.departure),
        )


class EvaluationAnswer(ReceiptAnswer, says=DataClass.EVIDENCE_METADATA):
    """An evaluation is recorded."""

    case_id: str
    evaluation_id: str
    proposed: Annotated[Level, Says(DataClass.RISK)] = Field(description="What the method proposed.")
    level: Annotated[Level, Says(DataClass.RISK)] = Field(description="What was decided.")
    next_due: Annotated[list[Due], Says(DataClass.CASE_FACTS)]


@router.post(
    "/{case_id}/evaluations",
    status_code=201,
    responses=responses(
        "case-closed",
        "not-scored",
        "source-needed",
        "reasons-needed",
        "unknown-is-not-low",
        "event-too-long",
        writes=True,
        seals=True,
    ),
)
async def evaluate_risk(
    parts: PartsDep,
    response: Response,
    case_id: CaseIdPath,
    body: EvaluationBody,
    act: ActHeader,
    at_version: AtVersion,
    actor: Annotated[Actor, may("case.evaluate")],
) -> EvaluationAnswer:
    """Threats, vulnerabilities and capacities, each with a reason and a source. You are the person who decides."""
    evaluation_id = handlers.new_id()
    done = await handlers.act_on_case(
        lambda case: body.command(case, evaluation_id=evaluation_id, decided_by=actor.id, parts=parts),
        action="case.evaluate",
        case_id=case_id,
        at_version=at_version,
        by=forms.by(actor, act),
        parts=parts,
    )
    evaluated = done.events[0]
    tag(response, done.receipt.version)
    return EvaluationAnswer.model_validate(
        {
            **ReceiptAnswer.members(done.receipt),
            "case_id": case_id,
            "evaluation_id": evaluated.evaluation_id,
            "proposed": evaluated.proposed,
            "level": evaluated.level,
            "next_due": due_after(done),
        }
    )
