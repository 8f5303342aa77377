"""Owns how a case, its clocks and its measures are told: codes, ids and instants. What was sealed stays sealed."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import Row

from access.policy import DataClass
from runtime.answers import Answer, Says
from services.protection.domain import Stage
from services.protection.domain.measure import State


class ClockAnswer(Answer, says=DataClass.CASE_FACTS):
    """A duty of the case and its limit."""

    clock: str = Field(description="Name in the rule pack.")
    duty: str = Field(description="Role that must act.")
    kind: str = Field(description="`statutory`, or a `service_target` of the mechanism's own.")
    started_at: datetime
    due: datetime
    stopped_at: datetime | None = Field(description="Null while it runs.")
    late: bool | None = Field(description="Whether it stopped after it was due.")
    met: bool | None = Field(description="Whether the duty was done; false where the case ended before.")
    noted: list[int] = Field(description="Rungs of silence recorded, per cent of the limit.")


class MeasureAnswer(Answer, says=DataClass.CASE_FACTS):
    """A measure. `reported` is the implementer's word, `implemented` the beneficiary's."""

    measure_id: str
    case_id: str
    proposed_at: datetime
    version: int
    measure: str = Field(description="Name in the rule pack.")
    family: str
    implementer: Annotated[str, Says(DataClass.AGENCY_FACTS)] = Field(description="The agency that carries it out.")
    state: State
    urgent: bool
    referral_id: Annotated[str, Says(DataClass.AGENCY_FACTS)] = Field(
        description="The last referral that asks for it; empty before."
    )


class CaseRow(Answer, says=DataClass.CASE_FACTS):
    """A case in a list."""

    case_id: str
    received_at: datetime = Field(description="When the request was registered: what the clocks count from.")
    version: int
    stage: Stage
    track: str
    region: str
    pack: str
    pack_version: str
    reported: bool = Field(description="Whether the preliminary report was issued.")
    level: Annotated[str, Says(DataClass.RISK)] = Field(
        description="Level of the last evaluation; empty before the first."
    )
    evaluations: int = Field(description="How many.")
    granted: bool | None = Field(description="The last resolution; null before the first.")
    ground: str = Field(description="Why it was closed; empty while it is open.")
    next_due: datetime | None = Field(description="When the next duty is due; null where none runs.")


class CaseAnswer(CaseRow, says=DataClass.CASE_FACTS):
    """A case as it stands."""

    clocks: list[ClockAnswer]
    measures: list[MeasureAnswer]


class Due(Answer, says=DataClass.CASE_FACTS):
    """A duty that runs after an act."""

    clock: str
    duty: str
    due: datetime


def told(row: Row[Any], model: type[Answer]) -> Mapping[str, Any]:
    """Those members of a row that the answer has: what is for the service only is not among them."""
    return {name: value for name, value in row._mapping.items() if name in model.model_fields}


def clock(row: Row[Any]) -> ClockAnswer:
    """A run of a clock."""
    return ClockAnswer.model_validate(told(row, ClockAnswer))


def measure(row: Row[Any]) -> MeasureAnswer:
    """A measure."""
    return MeasureAnswer.model_validate(told(row, MeasureAnswer))
