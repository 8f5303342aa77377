"""A request for protection: who asks, for whom, who may be told and who must never be, until it is withdrawn. Pure.

Source: DS 004-2021-JUS arts. 3 and 16 to 18; consent and exclusion as do-no-harm demands: an exclusion outranks every
consent, and where the person cannot answer one person of the mechanism proposes and another one confirms. Texts come in
with commands and leave in events as ``Plain``, each under its subject's key; what is said of the case is under the
first subject's.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import assert_never

from eventlog.decider import Plain, Refused
from services.intake.commands import (
    AddEvidence,
    AgencyId,
    CaseId,
    ClaimConflict,
    Command,
    ConfirmDisclosure,
    EvidenceId,
    ExcludeAgency,
    File,
    GiveConsent,
    NameAccount,
    Person,
    ProposalId,
    ProposeDisclosure,
    SubjectGiven,
    SubjectId,
    Withdraw,
    WithdrawConsent,
)
from services.intake.events import (
    EVENTS,
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
from services.intake.request import NEXT, Event, Ground, Proposal, Request, Stage, addressees, evolve
from services.intake.vocabulary import (
    DefenderProfile,
    Factor,
    FiledBy,
    Relation,
    Voice,
)

__all__ = [
    "EVENTS",
    "NEXT",
    "AddEvidence",
    "AgencyId",
    "CaseId",
    "ClaimConflict",
    "Command",
    "ConfirmDisclosure",
    "Event",
    "EvidenceId",
    "ExcludeAgency",
    "File",
    "GiveConsent",
    "Ground",
    "NameAccount",
    "Person",
    "Proposal",
    "ProposalId",
    "ProposeDisclosure",
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


def decide(state: Request, command: Command) -> tuple[Event, ...]:
    """The events ``command`` causes; none where it only repeats what is recorded.

    Raises ``Refused``: `wrong-stage`, `agency-excluded`, `own-motion-not-yours`, `impediment-missing`,
    `consent-not-the-subjects`, `first-subject-linked`, `unknown-subject`, `no-consent`, `two-persons-needed`,
    `subject-has-decided`, `decided-already`, `account-known`, `not-found` for a proposal that nobody made.
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
        case ProposeDisclosure():
            yield from _propose_disclosure(state, command)
        case ConfirmDisclosure():
            yield from _confirm_disclosure(state, command)
        case ExcludeAgency(agency=agency):
            if agency not in state.excluded:
                yield AgencyExcluded(agency=agency)
                for (subject, told), ground in state.grounds.items():
                    if told == agency:  # an explicit end for each, so that who acts on withdrawals need know no more
                        yield ConsentWithdrawn(subject_id=subject, agency=agency, consent_version=ground.version)
        case NameAccount(subject_id=subject_id, account=account):
            subject = _known(state, subject_id)
            if state.accounts.get(subject, account) != account:
                raise Refused("account-known", "the subject has an account; nobody exchanges it for another")
            if subject not in state.accounts:
                yield AccountNamed(subject_id=subject, account=account)
        case ClaimConflict(agency=agency):
            if agency not in state.conflicted:
                yield ConflictRecorded(agency=agency, claimed=True)
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
            raise Refused(
                "own-motion-not-yours", "only the mechanism's own authority and the Ombudsman file on their own motion"
            )
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
    state = evolve(state, filed)
    for agency in command.tied:
        tie = ConflictRecorded(agency=agency, claimed=False)
        yield tie
        state = evolve(state, tie)
    # The rest follows as if it had been sent afterwards, so that a consent means the same on either way.
    later: tuple[Command, ...] = (*command.consents, *command.evidence)
    for follows in later:
        for event in _caused(state, follows):
            yield event
            state = evolve(state, event)


def _consent(state: Request, command: GiveConsent) -> Iterator[Event]:
    subject = _known(state, command.subject_id)
    is_linked = any(each.linked for each in state.subjects if each.subject_id == subject)
    if command.voice is not Voice.OWN and (
        subject in state.accounts or (is_linked and command.voice is not Voice.RECORDED)
    ):
        raise Refused(
            "consent-not-the-subjects",
            "a linked person consents for itself: by its own account, or by telling the mechanism",
        )
    # Whoever consents for itself learns nothing of the case by it, so not either whom it is kept from; disclosure asks.
    if command.agency in state.excluded and command.voice is not Voice.OWN:
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
            voice="" if command.voice is Voice.FILER else command.voice.value,
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


def _propose_disclosure(state: Request, command: ProposeDisclosure) -> Iterator[Event]:
    if command.proposal_id in state.proposals:
        return
    proposal = Proposal(
        subject_id=_known(state, command.subject_id),
        agency=command.agency,
        discloses=frozenset(command.discloses),
        by=command.by.id,
        role=command.by.role,
    )
    _check_undecided(state, proposal)
    yield DisclosureProposed(
        proposal_id=command.proposal_id,
        subject_id=proposal.subject_id,
        agency=proposal.agency,
        discloses=tuple(sorted(proposal.discloses)),
        person=proposal.by,
        role=proposal.role,
        reason=_plain(state.first_subject, command.reason),
    )


def _confirm_disclosure(state: Request, command: ConfirmDisclosure) -> Iterator[Event]:
    proposal = state.proposals.get(command.proposal_id)
    if proposal is None:
        raise Refused("not-found", "nobody proposed this")
    if proposal.by == command.by.id:
        raise Refused("two-persons-needed", "whoever proposed it does not confirm it; another person has to")
    standing = state.grounds.get((proposal.subject_id, proposal.agency))
    if proposal.confirmed and standing and standing.by_two:
        return
    _check_undecided(state, proposal)
    yield DisclosureDecided(
        subject_id=proposal.subject_id,
        agency=proposal.agency,
        consent_version=state.consents + 1,
        discloses=tuple(sorted(proposal.discloses)),
        first_person=proposal.by,
        second_person=command.by.id,
        first_role=proposal.role,
        second_role=command.by.role,
        proposal_id=command.proposal_id,
    )


def _check_undecided(state: Request, proposal: Proposal) -> None:
    """What holds when it is proposed has to hold still when it is confirmed."""
    if proposal.agency in state.excluded:
        raise Refused(
            "agency-excluded",
            "the request says that this agency must never learn of it; an exclusion outranks a decision",
        )
    pair = (proposal.subject_id, proposal.agency)
    standing = state.grounds.get(pair)
    if (standing and not standing.by_two) or pair in state.refused:
        raise Refused("subject-has-decided", "the subject has answered for this agency; nobody decides in its place")
    if standing and standing.discloses >= proposal.discloses:
        raise Refused("decided-already", "two persons decided that this agency may learn all of it")


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
