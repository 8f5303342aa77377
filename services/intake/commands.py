"""Owns what can be asked of a request for protection: its commands, and the ids they speak of.

Texts are in clear here, between a body and the decider; no representation shows them.
"""

from dataclasses import dataclass, field
from typing import NewType

from services.intake.vocabulary import FiledBy, IncidentKind, PerpetratorKind, SubjectKind, Voice

CaseId = NewType("CaseId", str)
SubjectId = NewType("SubjectId", str)
AgencyId = NewType("AgencyId", str)
EvidenceId = NewType("EvidenceId", str)
ProposalId = NewType("ProposalId", str)


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectGiven:
    """A subject as the filer describes it. ``profile`` is sealed as one JSON text (see `profile_text`)."""

    subject_id: SubjectId
    kind: SubjectKind
    linked: bool = False
    name: str = field(default="", repr=False)
    contact: str = field(default="", repr=False)
    place: str = field(default="", repr=False)
    profile: str = field(default="", repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class GiveConsent:
    """A subject lets one agency learn of the case. No ``subject_id`` means the first subject."""

    agency: AgencyId
    discloses: tuple[str, ...]
    text_version: str
    subject_id: SubjectId | None = None
    voice: Voice = Voice.FILER


@dataclass(frozen=True, kw_only=True, slots=True)
class NameAccount:
    """A subject has an account of its own, by its opaque id: it consents by that and by nobody else's word."""

    subject_id: SubjectId
    account: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AddEvidence:
    """Somebody describes a piece of evidence. ``digest``: SHA-256 of the document's ciphertext, or empty."""

    evidence_id: EvidenceId
    description: str = field(repr=False)
    digest: bytes = b""


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A request as it comes in. ``for_authority``: the actor acts for the mechanism itself. ``tied``: who has
    an agreement with the project. The first of ``subjects``
    is the one in danger."""

    case_id: CaseId
    filed_by: FiledBy
    for_authority: bool
    subjects: tuple[SubjectGiven, ...]
    incident: IncidentKind
    perpetrator: PerpetratorKind
    region: str
    language: str
    pack: str
    pack_version: str
    narrative: str = field(repr=False)
    wanted: str = field(default="", repr=False)
    impediment: str = field(default="", repr=False)
    excluded_persons: str = field(default="", repr=False)
    repeated_perpetrator: bool = False
    imminent: bool = False
    no_accompaniment: bool = False
    causes: tuple[str, ...] = ()
    project: str = ""
    territory: str = ""
    excluded: tuple[AgencyId, ...] = ()
    tied: tuple[AgencyId, ...] = ()
    consents: tuple[GiveConsent, ...] = ()
    evidence: tuple[AddEvidence, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class WithdrawConsent:
    """An agency may learn no more, of one subject or (no ``subject_id``) of all."""

    agency: AgencyId
    subject_id: SubjectId | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Who decides: whom the token names, and the role. An act has one; nobody is named by another."""

    id: str
    role: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ProposeDisclosure:
    """A person proposes that an agency learn of a subject who cannot answer. The proposal's id is new."""

    proposal_id: ProposalId
    agency: AgencyId
    discloses: tuple[str, ...]
    by: Person
    reason: str = field(repr=False)
    subject_id: SubjectId | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfirmDisclosure:
    """Another person agrees with a proposal: with that, two have decided."""

    proposal_id: ProposalId
    by: Person


@dataclass(frozen=True, kw_only=True, slots=True)
class ExcludeAgency:
    """An agency must never learn of the case."""

    agency: AgencyId


@dataclass(frozen=True, kw_only=True, slots=True)
class ClaimConflict:
    """The person concerned says that an agency has a conflict of interest. Nobody has to prove it."""

    agency: AgencyId


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdraw:
    """The subject no longer asks."""

    reason: str = field(default="", repr=False)


Command = (
    File
    | GiveConsent
    | WithdrawConsent
    | ProposeDisclosure
    | ConfirmDisclosure
    | ExcludeAgency
    | ClaimConflict
    | NameAccount
    | AddEvidence
    | Withdraw
)
