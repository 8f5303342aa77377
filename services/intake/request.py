"""A request for protection as it stands: folded from its stream, and whom it lets be told. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from services.intake.events import (
    AccountNamed,
    AgencyExcluded,
    ConflictRecorded,
    ConsentGiven,
    ConsentWithdrawn,
    DisclosureDecided,
    DisclosureProposed,
    EvidenceAdded,
    RequestFiled,
    RequestWithdrawn,
    Subject,
)


class Stage(StrEnum):
    """Where a request stands."""

    UNFILED = "unfiled"
    OPEN = "open"
    WITHDRAWN = "withdrawn"


Event = (
    RequestFiled
    | EvidenceAdded
    | ConsentGiven
    | ConsentWithdrawn
    | DisclosureProposed
    | DisclosureDecided
    | AgencyExcluded
    | ConflictRecorded
    | AccountNamed
    | RequestWithdrawn
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """Why an agency may learn of a subject, and what. ``by_two``: two persons decided; else the subject consented,
    having read ``text_version``."""

    version: int
    discloses: frozenset[str]
    by_two: bool
    text_version: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """What one person proposed that an agency learn of a subject who cannot answer. ``by`` is the person's id."""

    subject_id: str
    agency: str
    discloses: frozenset[str]
    by: str
    role: str
    confirmed: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A request folded from its stream. ``refused``: what subjects withdrew by their own will; ``grounds``: what
    stands now; ``proposals`` by id, none of which is a ground; ``accounts`` of subjects who have one of their own."""

    stage: Stage = Stage.UNFILED
    case_id: str = ""
    subjects: tuple[Subject, ...] = ()
    imminent: bool = False
    excluded: frozenset[str] = frozenset()
    conflicted: frozenset[str] = frozenset()
    grounds: Mapping[tuple[str, str], Ground] = field(default_factory=dict)
    refused: frozenset[tuple[str, str]] = frozenset()
    proposals: Mapping[str, Proposal] = field(default_factory=dict)
    accounts: Mapping[str, str] = field(default_factory=dict)
    consents: int = 0
    digests: frozenset[bytes] = frozenset()

    @property
    def first_subject(self) -> str:
        """Whose key seals what is said of the case. Raises ``IndexError`` before the filing."""
        return self.subjects[0].subject_id


NEXT: Mapping[tuple[Stage, type[Event]], Stage] = {
    (Stage.UNFILED, RequestFiled): Stage.OPEN,
    (Stage.OPEN, EvidenceAdded): Stage.OPEN,
    (Stage.OPEN, ConsentGiven): Stage.OPEN,
    (Stage.OPEN, ConsentWithdrawn): Stage.OPEN,
    (Stage.OPEN, DisclosureProposed): Stage.OPEN,
    (Stage.OPEN, DisclosureDecided): Stage.OPEN,
    (Stage.OPEN, AgencyExcluded): Stage.OPEN,
    (Stage.OPEN, RequestWithdrawn): Stage.WITHDRAWN,
    (Stage.WITHDRAWN, AgencyExcluded): Stage.WITHDRAWN,
    (Stage.OPEN, ConflictRecorded): Stage.OPEN,
    (Stage.OPEN, AccountNamed): Stage.OPEN,
    (Stage.WITHDRAWN, ConflictRecorded): Stage.WITHDRAWN,
}


def evolve(state: Request, event: Event) -> Request:
    """Refuses nothing: what is recorded has happened. A ``KeyError`` means a corrupt stream."""
    state = replace(state, stage=NEXT[state.stage, type(event)])
    match event:
        case RequestFiled(case_id=case_id, subjects=subjects, imminent=imminent, excluded=excluded):
            return replace(state, case_id=case_id, subjects=subjects, imminent=imminent, excluded=frozenset(excluded))
        case ConsentGiven(
            subject_id=subject, agency=agency, consent_version=version, discloses=discloses, text_version=text
        ):
            given = Ground(version=version, discloses=frozenset(discloses), by_two=False, text_version=text)
            grounds = {**state.grounds, (subject, agency): given}
            return replace(state, grounds=grounds, refused=state.refused - {(subject, agency)}, consents=version)
        case DisclosureProposed():
            proposal = Proposal(
                subject_id=event.subject_id,
                agency=event.agency,
                discloses=frozenset(event.discloses),
                by=event.person,
                role=event.role,
            )
            return replace(state, proposals={**state.proposals, event.proposal_id: proposal})
        case DisclosureDecided(subject_id=subject, agency=agency, consent_version=version, discloses=discloses):
            decided = Ground(version=version, discloses=frozenset(discloses), by_two=True)
            confirmed = replace(state.proposals[event.proposal_id], confirmed=True)
            return replace(
                state,
                grounds={**state.grounds, (subject, agency): decided},
                proposals={**state.proposals, event.proposal_id: confirmed},
                consents=version,
            )
        case ConsentWithdrawn(subject_id=subject, agency=agency):
            left = {pair: ground for pair, ground in state.grounds.items() if pair != (subject, agency)}
            return replace(state, grounds=left, refused=state.refused | {(subject, agency)})
        case AgencyExcluded(agency=agency):
            return replace(state, excluded=state.excluded | {agency})
        case ConflictRecorded(agency=agency):
            return replace(state, conflicted=state.conflicted | {agency})
        case AccountNamed(subject_id=subject, account=account):
            return replace(state, accounts={**state.accounts, subject: account})
        case EvidenceAdded(digest=digest):
            return replace(state, digests=state.digests | {digest}) if digest else state
        case RequestWithdrawn():
            return replace(state, grounds={})
        case _:
            assert_never(event)


def addressees(state: Request) -> tuple[tuple[str, Ground], ...]:
    """The agencies that may be told, each with the ground that came last, under the number of the newest word on that
    agency, a linked subject's too: what that adds is then disclosed. Its consent alone opens no referral.
    """
    principal = {subject.subject_id for subject in state.subjects if not subject.linked}
    last: dict[str, Ground] = {}
    newest: dict[str, int] = {}
    for (subject, agency), ground in sorted(state.grounds.items(), key=lambda item: item[1].version):
        newest[agency] = ground.version
        if subject in principal and agency not in state.excluded | state.conflicted:
            last[agency] = ground
    return tuple((agency, replace(ground, version=newest[agency])) for agency, ground in sorted(last.items()))
