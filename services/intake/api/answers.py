"""Owns the answers about requests for protection."""

from datetime import datetime

from pydantic import Field

from runtime.forms import Answer, ReceiptAnswer
from services.intake import domain
from services.intake.vocabulary import DataClass, FiledBy, IncidentKind, PerpetratorKind, SubjectKind


class SubjectRow(Answer):
    """A subject by its id, which is random and belongs to this case only."""

    subject_id: str
    kind: SubjectKind
    linked: bool


class SubjectAnswer(SubjectRow):
    """A subject. Texts are there only where they were unsealed; null where nothing was given."""

    name: str | None = None
    contact: str | None = None
    place: str | None = None
    profile: str | None = Field(default=None, description="JSON text: `activities`, `factors`, `relation`.")


class FilingAnswer(ReceiptAnswer):
    """A filing is registered. Keep `case_id`: it is what everything else is asked by."""

    case_id: str
    subjects: list[SubjectRow]
    full_receipt: dict[str, str] | None = Field(
        default=None,
        description="With `receipt: full`: field path → opener, base64. HMAC-SHA-256 of a text under its opener is the "
        "commitment in the record, so whoever holds both can prove what was filed. Paths of later events of "
        "the same act begin with their version.",
    )


class ActAnswer(ReceiptAnswer):
    """An act on a request is recorded. A repetition gets the receipt of what it repeats."""

    case_id: str


class ProposalMadeAnswer(ActAnswer):
    """The proposal is recorded, and discloses nothing until another person confirms it under this id."""

    proposal_id: str


class ProposalAnswer(Answer):
    """What one person of the mechanism proposed that an agency learn of a subject who cannot answer."""

    proposal_id: str
    agency: str
    subject_id: str
    discloses: list[DataClass]
    role: str = Field(description="Of whoever proposed it.")
    confirmed: bool = Field(description="Whether another person confirmed it: only then two have decided.")
    reason: str | None = None


class GroundAnswer(Answer):
    """What an agency may learn of a subject, and why."""

    agency: str
    subject_id: str
    consent_version: int
    discloses: list[DataClass]
    by_two: bool = Field(description="Whether two persons decided in place of the subject.")


class EvidenceAnswer(Answer):
    """A piece of evidence."""

    evidence_id: str
    digest: str
    description: str | None = None


class RequestSummary(Answer):
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
    territory: str
    no_accompaniment: bool
    language: str
    pack: str
    pack_version: str
    excluded: list[str]
    consents: list[GroundAnswer]


class RequestRow(RequestSummary):
    """A request in a list."""

    subjects: list[SubjectRow]
    evidence: int = Field(description="How many pieces.")


class RequestAnswer(RequestSummary):
    """A request as it stands."""

    subjects: list[SubjectAnswer]
    evidence: list[EvidenceAnswer]
    proposals: list[ProposalAnswer]
    narrative: str | None = None
    wanted: str | None = None
    impediment: str | None = None
    excluded_persons: str | None = None
    unsealed: bool = Field(description="Whether texts are given in clear; that was recorded.")
    destroyed: list[str] = Field(description="Subjects whose key was destroyed: nobody reads their texts any more.")
