"""Owns the answers about requests for protection."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from access.policy import DataClass
from runtime.answers import Answer, Says
from runtime.forms import ReceiptAnswer
from services.intake import domain, vocabulary
from services.intake.vocabulary import FiledBy, IncidentKind, PerpetratorKind, SubjectKind


class SubjectRow(Answer, says=DataClass.CASE_FACTS):
    """A subject by its id, which is random and belongs to this case only."""

    subject_id: str
    kind: SubjectKind
    linked: bool


class SubjectAnswer(SubjectRow, says=DataClass.IDENTITY):
    """A subject. Texts are there only where they were unsealed; null where nothing was given."""

    name: str | None = None
    contact: Annotated[str | None, Says(DataClass.CONTACT)] = None
    place: Annotated[str | None, Says(DataClass.PLACE)] = None
    profile: str | None = Field(default=None, description="JSON text: `activities`, `factors`, `relation`.")


class FilingAnswer(ReceiptAnswer, says=DataClass.EVIDENCE_METADATA):
    """A filing is registered. Keep `case_id`: it is what everything else is asked by."""

    case_id: str
    subjects: Annotated[list[SubjectRow], Says(DataClass.CASE_FACTS)]
    full_receipt: dict[str, str] | None = Field(
        default=None,
        description="With `receipt: full`: field path → opener, base64. HMAC-SHA-256 of a text under its opener is the "
        "commitment in the record, so whoever holds both can prove what was filed. Paths of later events of "
        "the same act begin with their version.",
    )


class ActAnswer(ReceiptAnswer, says=DataClass.EVIDENCE_METADATA):
    """An act on a request is recorded. A repetition gets the receipt of what it repeats."""

    case_id: str


class ProposalMadeAnswer(ActAnswer, says=DataClass.EVIDENCE_METADATA):
    """The proposal is recorded, and discloses nothing until another person confirms it under this id."""

    proposal_id: str


class ProposalAnswer(Answer, says=DataClass.AGENCY_FACTS):
    """What one person of the mechanism proposed that an agency learn of a subject who cannot answer."""

    proposal_id: str
    agency: str
    subject_id: str
    discloses: list[vocabulary.DataClass]
    role: str = Field(description="Of whoever proposed it.")
    confirmed: bool = Field(description="Whether another person confirmed it: only then two have decided.")
    reason: Annotated[str | None, Says(DataClass.NARRATIVE)] = None


class GroundAnswer(Answer, says=DataClass.AGENCY_FACTS):
    """What an agency may learn of a subject, and why."""

    agency: str
    subject_id: str
    consent_version: int
    discloses: list[vocabulary.DataClass]
    by_two: bool = Field(description="Whether two persons decided in place of the subject.")


class EvidenceAnswer(Answer, says=DataClass.EVIDENCE_METADATA):
    """A piece of evidence."""

    evidence_id: str
    digest: str
    description: Annotated[str | None, Says(DataClass.NARRATIVE)] = None


class RequestSummary(Answer, says=DataClass.CASE_FACTS):
    """What is shown of a request in every place: codes and ids only."""

    case_id: str
    recorded_at: datetime
    version: int
    stage: domain.Stage
    filed_by: FiledBy
    incident: IncidentKind
    perpetrator: PerpetratorKind
    repeated_perpetrator: bool
    imminent: bool
    region: str
    causes: list[str]
    project: str
    territory: Annotated[str, Says(DataClass.PLACE)]
    no_accompaniment: bool
    language: str
    pack: str
    pack_version: str
    excluded: Annotated[list[str], Says(DataClass.AGENCY_FACTS)]
    conflicted: Annotated[list[str], Says(DataClass.AGENCY_FACTS)]
    consents: Annotated[list[GroundAnswer], Says(DataClass.AGENCY_FACTS)]


class RequestRow(RequestSummary, says=DataClass.CASE_FACTS):
    """A request in a list."""

    subjects: list[SubjectRow]
    evidence: Annotated[int, Says(DataClass.EVIDENCE_METADATA)] = Field(description="How many pieces.")


class RequestAnswer(RequestSummary, says=DataClass.CASE_FACTS):
    """A request as it stands."""

    subjects: list[SubjectAnswer]
    evidence: Annotated[list[EvidenceAnswer], Says(DataClass.EVIDENCE_METADATA)]
    proposals: Annotated[list[ProposalAnswer], Says(DataClass.AGENCY_FACTS)]
    narrative: Annotated[str | None, Says(DataClass.NARRATIVE)] = None
    wanted: Annotated[str | None, Says(DataClass.NARRATIVE)] = None
    impediment: Annotated[str | None, Says(DataClass.NARRATIVE)] = None
    excluded_persons: Annotated[str | None, Says(DataClass.IDENTITY)] = None
    unsealed: bool = Field(description="Whether texts are given in clear; that was recorded.")
    destroyed: list[str] = Field(description="Subjects whose key was destroyed: nobody reads their texts any more.")
