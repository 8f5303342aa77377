"""Owns the typed form of the registry's events, field by field as in `amparo.intake.v1`, where each is explained."""

from dataclasses import dataclass
from datetime import datetime

from eventlog.decider import Personal
from services.intake.vocabulary import (
    Charge,
    FiledBy,
    IncidentKind,
    OpenedField,
    OpeningGround,
    PerpetratorKind,
    SubjectKind,
    Verification,
    ViolenceForm,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    subject_id: str
    kind: SubjectKind
    linked: bool
    name: Personal = None
    contact: Personal = None
    place: Personal = None
    profile: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestFiled:
    case_id: str
    filed_by: FiledBy
    subjects: tuple[Subject, ...]
    incident: IncidentKind
    perpetrator: PerpetratorKind
    imminent: bool
    region: str
    causes: tuple[str, ...]
    project: str
    territory: str
    excluded: tuple[str, ...]
    no_accompaniment: bool
    pack: str
    pack_version: str
    language: str
    repeated_perpetrator: bool
    narrative: Personal = None
    impediment: Personal = None
    wanted: Personal = None
    excluded_persons: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class EvidenceAdded:
    evidence_id: str
    digest: bytes
    description: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsentGiven:
    subject_id: str
    agency: str
    consent_version: int
    discloses: tuple[str, ...]
    text_version: str
    voice: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountNamed:
    subject_id: str
    account: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsentWithdrawn:
    subject_id: str
    agency: str
    consent_version: int


@dataclass(frozen=True, kw_only=True, slots=True)
class DisclosureProposed:
    proposal_id: str
    subject_id: str
    agency: str
    discloses: tuple[str, ...]
    person: str
    role: str
    reason: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DisclosureDecided:
    subject_id: str
    agency: str
    consent_version: int
    discloses: tuple[str, ...]
    first_person: str
    second_person: str
    first_role: str
    second_role: str
    proposal_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AgencyExcluded:
    agency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ConflictRecorded:
    agency: str
    claimed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestWithdrawn:
    case_id: str
    reason: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentReported:
    incident_id: str
    case_id: str
    kind: IncidentKind
    perpetrator: PerpetratorKind
    repeated_perpetrator: bool
    happened_at: datetime | None
    region: str
    charges: tuple[Charge, ...]
    causes: tuple[str, ...]
    project: str
    territory: str
    violence: tuple[ViolenceForm, ...]
    subject_id: str
    office: str
    narrative: Personal = None
    place: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class IncidentVerified:
    verification: Verification
    verifier: str
    duplicate_of: str
    reason: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SealOpened:
    opening_id: str
    case_id: str
    subject_id: str
    field: OpenedField
    ground: OpeningGround
    person: str
    role: str
    until: datetime
    review_due: datetime
    justification: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OpeningReviewed:
    person: str
    role: str
    justified: bool
    late: bool
    reason: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OpeningUnreviewed:
    due: datetime


EVENTS: tuple[type, ...] = (
    RequestFiled,
    EvidenceAdded,
    ConsentGiven,
    AccountNamed,
    ConsentWithdrawn,
    DisclosureProposed,
    DisclosureDecided,
    AgencyExcluded,
    ConflictRecorded,
    RequestWithdrawn,
    IncidentReported,
    IncidentVerified,
    SealOpened,
    OpeningReviewed,
    OpeningUnreviewed,
)
