"""Owns the bodies that describe a request for protection, and how each becomes a command."""

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from runtime.forms import Body, Code, Flag, Region, Uuid
from services.intake import domain, handlers
from services.intake.api.forms import (
    Account,
    Contact,
    Hex256,
    Language,
    Name,
    NeededWords,
    OptionalCode,
    Place,
    Story,
    TextVersion,
    Words,
)
from services.intake.domain import AgencyId, CaseId, SubjectGiven, SubjectId
from services.intake.vocabulary import (
    DataClass,
    DefenderProfile,
    Factor,
    FiledBy,
    IncidentKind,
    PerpetratorKind,
    Relation,
    SubjectKind,
    Voice,
)

MAX_SUBJECTS = 10
MAX_AGENCIES = 32

ShortWords = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Causes = Annotated[
    list[Code],
    Field(max_length=16, description="Structural causes by code, such as `consultation`, `titling`, `concession`."),
]
Discloses = Annotated[
    list[DataClass], Field(min_length=1, max_length=4, description="What the agency may see. Nothing else is given.")
]
LawText = Annotated[
    TextVersion,
    Field(description="Version of the text read to the subject, which says who else will learn of it by law."),
]


class ReceiptChoice(StrEnum):
    """What the filer wants to hold: a signed note; the note with the openers that prove each text; a code that does not
    say what it is; or nothing.
    """

    SIGNED = "signed"
    FULL = "full"
    NEUTRAL = "neutral"
    NONE = "none"


class SubjectBody(Body):
    """Somebody to be protected, or linked to them. Everything but `kind` is optional; texts are sealed on arrival."""

    kind: SubjectKind = SubjectKind.PERSON
    linked: Flag = Field(default=False, description="Whether the subject is only linked to the first one.")
    name: Name = Field(default="", description="As the subject wants to be called.")
    contact: Contact = Field(default="", description="A safe way to reach the subject, and when.")
    place: Place = Field(default="", description="Where the subject is in danger.")
    activities: list[DefenderProfile] = Field(default=[], max_length=17, description="What the subject does.")
    factors: dict[Factor, Annotated[list[ShortWords], Field(max_length=8)]] = Field(
        default_factory=dict, description="In the subject's own words. Leave out what was not asked; `[]` means none."
    )
    relation: Relation | None = Field(default=None, description="To the first subject; sealed with the profile.")

    def given(self, subject_id: SubjectId) -> SubjectGiven:
        """The subject under its id."""
        return SubjectGiven(
            subject_id=subject_id,
            kind=self.kind,
            linked=self.linked,
            name=self.name,
            contact=self.contact,
            place=self.place,
            profile=domain.profile_text(activities=self.activities, factors=self.factors, relation=self.relation),
        )


class FilingConsent(Body):
    """The subject lets one agency learn of the case."""

    agency: Code
    discloses: Discloses
    text_version: LawText
    subject: int = Field(default=0, ge=0, lt=MAX_SUBJECTS, description="Place in `subjects`, from 0.")


class EvidenceBody(Body):
    """What there is to show, described. Never required; the document itself follows separately."""

    description: NeededWords
    digest: Hex256 | None = Field(default=None, description="SHA-256 of the encrypted document, hex.")

    def command(self) -> domain.AddEvidence:
        """The command, with a new random id."""
        return domain.AddEvidence(
            evidence_id=handlers.new_evidence(),
            description=self.description,
            digest=bytes.fromhex(self.digest or ""),
        )


class FilingBody(Body):
    """A request for protection (DS 004-2021-JUS arts. 16 to 18). Only who files, about what, where, and a narrative are
    needed: no evidence, no name, no label.
    """

    filed_by: FiledBy
    subjects: list[SubjectBody] = Field(
        default_factory=lambda: [SubjectBody()],
        min_length=1,
        max_length=MAX_SUBJECTS,
        description="The first is the one in danger: a person, a family, a community, a collective, an organisation.",
    )
    incident: IncidentKind
    perpetrator: PerpetratorKind = PerpetratorKind.UNKNOWN
    repeated_perpetrator: Flag = Field(default=False, description="Whether the same one has done it before.")
    imminent: Flag = Field(default=False, description="Danger to life or body that cannot wait.")
    region: Region = Field(description="Region of the office that will be competent. Never finer.")
    narrative: Story = Field(description="What happened. Sealed.")
    wanted: Words = Field(default="", description="The protection asked for. Sealed.")
    impediment: Words = Field(
        default="", description="Why the person cannot consent: with `third_party_grave_impediment`. Sealed."
    )
    causes: Causes = Field(default=[])
    project: OptionalCode = Field(default="", description="Code of the project or concession, if one is involved.")
    territory: OptionalCode = Field(default="", description="Code of the territory.")
    excluded: list[Code] = Field(
        default=[], max_length=MAX_AGENCIES, description="Agencies that must never learn of the case."
    )
    excluded_persons: Words = Field(
        default="", description="Persons who must never learn of it, in words for the coordinator. Sealed."
    )
    no_accompaniment: Flag = Field(default=False, description="Nobody is asked to go along to the place.")
    language: Language = Field(default="es", description="In which to speak with the person.")
    consents: list[FilingConsent] = Field(
        default=[], max_length=MAX_AGENCIES, description="Whom the subjects let know. An exclusion outranks them."
    )
    evidence: list[EvidenceBody] = Field(default=[], max_length=16)
    receipt: ReceiptChoice = ReceiptChoice.SIGNED

    @model_validator(mode="after")
    def _consents_are_by_subjects_given(self) -> Self:
        if any(consent.subject >= len(self.subjects) for consent in self.consents):
            raise ValueError("a consent names a place in subjects that is not there")
        return self

    def agencies(self) -> dict[str, str]:
        """The agencies that it names, by the JSON pointer to each."""
        excluded = {f"#/excluded/{n}": agency for n, agency in enumerate(self.excluded)}
        return excluded | {f"#/consents/{n}/agency": consent.agency for n, consent in enumerate(self.consents)}

    def command(
        self,
        case_id: CaseId,
        subject_ids: Sequence[SubjectId],
        *,
        pack: tuple[str, str],
        for_authority: bool,
        tied: Iterable[str],
    ) -> domain.File:
        """The command under these ids. ``tied``: who has an agreement with the project."""
        return domain.File(
            case_id=case_id,
            filed_by=self.filed_by,
            for_authority=for_authority,
            subjects=tuple(
                subject.given(subject_id) for subject, subject_id in zip(self.subjects, subject_ids, strict=True)
            ),
            incident=self.incident,
            perpetrator=self.perpetrator,
            repeated_perpetrator=self.repeated_perpetrator,
            imminent=self.imminent,
            region=self.region,
            language=self.language,
            pack=pack[0],
            pack_version=pack[1],
            narrative=self.narrative,
            wanted=self.wanted,
            impediment=self.impediment,
            excluded_persons=self.excluded_persons,
            no_accompaniment=self.no_accompaniment,
            causes=tuple(dict.fromkeys(self.causes)),
            project=self.project,
            territory=self.territory,
            excluded=tuple(AgencyId(agency) for agency in dict.fromkeys(self.excluded)),
            tied=tuple(AgencyId(agency) for agency in tied),
            consents=tuple(
                domain.GiveConsent(
                    agency=AgencyId(consent.agency),
                    discloses=tuple(data_class.value for data_class in consent.discloses),
                    text_version=consent.text_version,
                    subject_id=subject_ids[consent.subject],
                    voice=Voice.RECORDED if for_authority else Voice.FILER,
                )
                for consent in self.consents
            ),
            evidence=tuple(evidence.command() for evidence in self.evidence),
        )


class ConsentBody(Body):
    """A subject lets one agency learn of the case."""

    agency: Code
    discloses: Discloses
    text_version: LawText
    subject_id: Uuid | None = Field(default=None, description="The first subject where it is left out.")

    def command(self) -> domain.GiveConsent:
        """The command."""
        return domain.GiveConsent(
            agency=AgencyId(self.agency),
            discloses=tuple(data_class.value for data_class in self.discloses),
            text_version=self.text_version,
            subject_id=_subject(self.subject_id),
        )


class AccountBody(Body):
    """The account of a subject of its own."""

    account: Account = Field(description="The id that its tokens name (`sub`).")


class ConsentWithdrawalBody(Body):
    """The agency may learn no more."""

    subject_id: Uuid | None = Field(default=None, description="All subjects where it is left out.")


class ExclusionBody(Body):
    """An agency must never learn of the case. Consents for it end."""

    agency: Code


class ConflictBody(Body):
    """An agency with a conflict of interest in the case: a tie of any kind. Your word is enough."""

    agency: Code


class DecisionBody(Body):
    """One person proposes to tell an agency of a subject who cannot answer. Who proposes, the token says."""

    agency: Code
    discloses: Discloses
    reason: NeededWords = Field(description="Why the subject cannot answer, and why the agency must know. Sealed.")
    subject_id: Uuid | None = Field(default=None, description="The first subject where it is left out.")

    def command(self, *, by: domain.Person) -> domain.ProposeDisclosure:
        """The command, with a new random id."""
        return domain.ProposeDisclosure(
            proposal_id=handlers.new_proposal(),
            agency=AgencyId(self.agency),
            discloses=tuple(data_class.value for data_class in self.discloses),
            by=by,
            reason=self.reason,
            subject_id=_subject(self.subject_id),
        )


class WithdrawalBody(Body):
    """The subject no longer asks."""

    reason: Words = Field(default="", description="Nobody has to give one. Sealed.")


def _subject(subject_id: str | None) -> SubjectId | None:
    return SubjectId(subject_id) if subject_id else None
