"""A request for protection: who asks, for whom, who may be told and who must never be, until it is withdrawn. Pure.

Source: DS 004-2021-JUS arts. 3 and 16 to 18; consent and exclusion as do-no-harm demands: an exclusion outranks every
consent, and where the person cannot answer two named persons decide. Texts come in with commands and leave in events
as ``Plain``, each under its subject's key; what is said of the case is under the first subject's.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import assert_never

from eventlog.decider import Plain, Refused
from services.intake.commands import (
    AddEvidence,
    AgencyId,
    CaseId,
    Command,
    DecideDisclosure,
    EvidenceId,
    ExcludeAgency,
    File,
    GiveConsent,
    SubjectGiven,
    SubjectId,
    Withdraw,
    WithdrawConsent,
)
from services.intake.events import (
    EVENTS,
    AgencyExcluded,
    ConsentGiven,
    ConsentWithdrawn,
    DisclosureDecided,
    EvidenceAdded,
    RequestFiled,
    RequestWithdrawn,
    Subject,
)
from services.intake.vocabulary import (
    DefenderProfile,
    Factor,
    FiledBy,
    Relation,
)

__all__ = [
    "EVENTS",
    "NEXT",
    "AddEvidence",
    "AgencyId",
    "CaseId",
    "Command",
    "DecideDisclosure",
    "Event",
    "EvidenceId",
    "ExcludeAgency",
    "File",
    "GiveConsent",
    "Ground",
    "Request",
    "Stage",
    "SubjectGiven",
    "SubjectId",
    "Withdraw",
    "WithdrawConsent",
    "addressees",
    "decide",
    "evolve",
    "profile_text",
]


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
    | DisclosureDecided
    | AgencyExcluded
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
class Request:
    """A request folded from its stream. ``refused``: what subjects withdrew by their own will; ``grounds``: what
    stands now."""

    stage: Stage = Stage.UNFILED
    case_id: str = ""
    subjects: tuple[Subject, ...] = ()
    imminent: bool = False
    excluded: frozenset[str] = frozenset()
    grounds: Mapping[tuple[str, str], Ground] = field(default_factory=dict)
    refused: frozenset[tuple[str, str]] = frozenset()
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
    (Stage.OPEN, DisclosureDecided): Stage.OPEN,
    (Stage.OPEN, AgencyExcluded): Stage.OPEN,
    (Stage.OPEN, RequestWithdrawn): Stage.WITHDRAWN,
    (Stage.WITHDRAWN, AgencyExcluded): Stage.WITHDRAWN,
}


def decide(state: Request, command: Command) -> tuple[Event, ...]:
    """The events ``command`` causes; none where it only repeats what is recorded.

    Raises ``Refused``: `wrong-stage`, `agency-excluded`, `own-motion-not-yours`, `impediment-missing`,
    `consent-not-the-subjects`, `first-subject-linked`, `unknown-subject`, `no-consent`, `two-persons-needed`,
    `subject-has-decided`.
    """
    if (state.stage is Stage.UNFILED) != isinstance(command, File):
        raise Refused("wrong-stage", "a stream begins with a filing, and has only one")
    events = tuple(_caused(state, command))
    stage = state.stage
    for event in events:
        if (stage, type(event)) not in NEXT:
            raise Refused("wrong-stage", f"{type(event).__name__} does not follow {stage}")
        stage = NEXT[stage, type(event)]
    return events


def _caused(state: Request, command: Command) -> Iterator[Event]:
    match command:
        case File():
            yield from _file(state, command)
        case GiveConsent():
            yield from _consent(state, command)
        case WithdrawConsent():
            yield from _withdraw_consent(state, command)
        case DecideDisclosure():
            yield from _decide_disclosure(state, command)
        case ExcludeAgency(agency=agency):
            if agency not in state.excluded:
                yield AgencyExcluded(agency=agency)
                for (subject, told), ground in state.grounds.items():
                    if told == agency:  # an explicit end for each, so that who acts on withdrawals need know no more
                        yield ConsentWithdrawn(subject_id=subject, agency=agency, consent_version=ground.version)
        case AddEvidence(evidence_id=evidence_id, digest=digest, description=description):
            if not digest or digest not in state.digests:
                yield EvidenceAdded(
                    evidence_id=evidence_id, digest=digest, description=_plain(state.first_subject, description)
                )
        case Withdraw(reason=reason):
            if state.stage is not Stage.WITHDRAWN:
                yield RequestWithdrawn(case_id=state.case_id, reason=_plain(state.first_subject, reason))
        case _:
            assert_never(command)


def _file(state: Request, command: File) -> Iterator[Event]:
    first = command.subjects[0]
    if first.linked:
        raise Refused(
            "first-subject-linked",
            "the first subject is the one for whom protection is asked; give linked subjects after it",
        )
    match command.filed_by:
        case FiledBy.OWN_MOTION if not command.for_authority:
            raise Refused("own-motion-not-yours", "only the mechanism's own authority files on its own motion")
        case FiledBy.THIRD_PARTY_GRAVE_IMPEDIMENT if not command.impediment.strip():
            raise Refused("impediment-missing", "say what keeps the person from consenting")
        case FiledBy.THIRD_PARTY_GRAVE_IMPEDIMENT | FiledBy.OWN_MOTION if command.consents:
            raise Refused(
                "consent-not-the-subjects",
                "nobody consents for a person who has not been asked; record a decision of two persons instead",
            )
    filed = RequestFiled(
        case_id=command.case_id,
        filed_by=command.filed_by,
        subjects=tuple(_subject(given) for given in command.subjects),
        incident=command.incident,
        perpetrator=command.perpetrator,
        imminent=command.imminent,
        region=command.region,
        causes=command.causes,
        project=command.project,
        territory=command.territory,
        excluded=command.excluded,
        no_accompaniment=command.no_accompaniment,
        pack=command.pack,
        pack_version=command.pack_version,
        language=command.language,
        repeated_perpetrator=command.repeated_perpetrator,
        narrative=_plain(first.subject_id, command.narrative),
        impediment=_plain(first.subject_id, command.impediment),
        wanted=_plain(first.subject_id, command.wanted),
        excluded_persons=_plain(first.subject_id, command.excluded_persons),
    )
    yield filed
    # The rest follows as if it had been sent afterwards, so that a consent means the same on either way.
    state = evolve(state, filed)
    later: tuple[Command, ...] = (*command.consents, *command.evidence)
    for follows in later:
        for event in _caused(state, follows):
            yield event
            state = evolve(state, event)


def _consent(state: Request, command: GiveConsent) -> Iterator[Event]:
    subject = _known(state, command.subject_id)
    if command.agency in state.excluded:
        raise Refused(
            "agency-excluded",
            "the request says that this agency must never learn of it; an exclusion outranks a consent",
        )
    standing = state.grounds.get((subject, command.agency))
    given = Ground(
        version=state.consents + 1,
        discloses=frozenset(command.discloses),
        by_two=False,
        text_version=command.text_version,
    )
    if standing is None or replace(standing, version=given.version) != given:
        yield ConsentGiven(
            subject_id=subject,
            agency=command.agency,
            consent_version=given.version,
            discloses=tuple(sorted(given.discloses)),
            text_version=command.text_version,
        )


def _withdraw_consent(state: Request, command: WithdrawConsent) -> Iterator[Event]:
    concerned = (
        [_known(state, command.subject_id)]
        if command.subject_id
        else [subject.subject_id for subject in state.subjects]
    )
    pairs = [(subject, command.agency) for subject in concerned]
    if not any(pair in state.grounds or pair in state.refused for pair in pairs):
        raise Refused("no-consent", "nothing was consented to or decided for this agency")
    for pair in pairs:
        if ground := state.grounds.get(pair):
            yield ConsentWithdrawn(subject_id=pair[0], agency=command.agency, consent_version=ground.version)


def _decide_disclosure(state: Request, command: DecideDisclosure) -> Iterator[Event]:
    subject = _known(state, command.subject_id)
    if command.first_person == command.second_person:
        raise Refused("two-persons-needed", "two different persons have to decide")
    if command.agency in state.excluded:
        raise Refused(
            "agency-excluded",
            "the request says that this agency must never learn of it; an exclusion outranks a decision",
        )
    standing = state.grounds.get((subject, command.agency))
    if standing and standing.discloses >= set(command.discloses):
        return
    if (standing and not standing.by_two) or (subject, command.agency) in state.refused:
        raise Refused("subject-has-decided", "the subject has answered for this agency; nobody decides in its place")
    yield DisclosureDecided(
        subject_id=subject,
        agency=command.agency,
        consent_version=state.consents + 1,
        discloses=tuple(sorted(set(command.discloses))),
        first_person=command.first_person,
        second_person=command.second_person,
        reason=_plain(state.first_subject, command.reason),
    )


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
        case DisclosureDecided(subject_id=subject, agency=agency, consent_version=version, discloses=discloses):
            decided = Ground(version=version, discloses=frozenset(discloses), by_two=True)
            return replace(state, grounds={**state.grounds, (subject, agency): decided}, consents=version)
        case ConsentWithdrawn(subject_id=subject, agency=agency):
            left = {pair: ground for pair, ground in state.grounds.items() if pair != (subject, agency)}
            return replace(state, grounds=left, refused=state.refused | {(subject, agency)})
        case AgencyExcluded(agency=agency):
            return replace(state, excluded=state.excluded | {agency})
        case EvidenceAdded(digest=digest):
            return replace(state, digests=state.digests | {digest}) if digest else state
        case RequestWithdrawn():
            return replace(state, grounds={})
        case _:
            assert_never(event)


def addressees(state: Request) -> tuple[tuple[str, Ground], ...]:
    """The agencies that may be told, each with the ground that came last; a linked subject's consent alone opens no
    referral."""
    principal = {subject.subject_id for subject in state.subjects if not subject.linked}
    last: dict[str, Ground] = {}
    for (subject, agency), ground in sorted(state.grounds.items(), key=lambda item: item[1].version):
        if subject in principal and agency not in state.excluded:
            last[agency] = ground
    return tuple(sorted(last.items()))


def profile_text(
    *,
    activities: Sequence[DefenderProfile] = (),
    factors: Mapping[Factor, Sequence[str]] | None = None,
    relation: Relation | None = None,
) -> str:
    """What is sealed as a subject's profile: JSON with only the parts that were given, empty where none was."""
    given: dict[str, object] = {}
    if activities:
        given["activities"] = sorted(activities)
    if factors:
        given["factors"] = {factor: list(words) for factor, words in factors.items()}
    if relation:
        given["relation"] = relation
    return json.dumps(given, ensure_ascii=False, sort_keys=True) if given else ""


def _subject(given: SubjectGiven) -> Subject:
    key = given.subject_id
    return Subject(
        subject_id=key,
        kind=given.kind,
        linked=given.linked,
        name=_plain(key, given.name),
        contact=_plain(key, given.contact),
        place=_plain(key, given.place),
        profile=_plain(key, given.profile),
    )


def _known(state: Request, subject_id: str | None) -> str:
    if subject_id is None:
        return state.first_subject
    if subject_id not in {subject.subject_id for subject in state.subjects}:
        raise Refused("unknown-subject", "the request has no such subject")
    return subject_id


def _plain(key_id: str, text: str) -> Plain | None:
    return Plain(key_id, text) if text else None
