"""Rules of a request for protection: who may be told, and who never."""

import json
from dataclasses import replace
from functools import reduce

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from amparo.intake.v1 import events_pb2
from eventlog.codec import Codec
from eventlog.decider import Plain, Refused
from services.intake.domain import (
    EVENTS,
    AddEvidence,
    AgencyId,
    CaseId,
    Command,
    ConfirmDisclosure,
    EvidenceId,
    ExcludeAgency,
    File,
    GiveConsent,
    Person,
    ProposalId,
    ProposeDisclosure,
    Request,
    SubjectGiven,
    SubjectId,
    Withdraw,
    WithdrawConsent,
    addressees,
    decide,
    evolve,
    profile_text,
)
from services.intake.events import (
    AccountNamed,
    AgencyExcluded,
    ConsentGiven,
    ConsentWithdrawn,
    DisclosureDecided,
    DisclosureProposed,
    EvidenceAdded,
    RequestFiled,
    RequestWithdrawn,
    Subject,
)
from services.intake.vocabulary import (
    DefenderProfile,
    Factor,
    FiledBy,
    IncidentKind,
    PerpetratorKind,
    Relation,
    SubjectKind,
    Voice,
)
from tests.scenario import scenario

POLICE, PROSECUTOR = AgencyId("police-test"), AgencyId("prosecutor-test")
FIRST, SISTER = SubjectId("subject-1"), SubjectId("subject-2")

given = scenario(decide=decide, evolve=evolve, initial=Request())

FILING = File(
    case_id=CaseId("case-1"),
    filed_by=FiledBy.DEFENDER,
    for_authority=False,
    subjects=(
        SubjectGiven(subject_id=FIRST, kind=SubjectKind.PERSON, name="Invented Name"),
        SubjectGiven(subject_id=SISTER, kind=SubjectKind.PERSON, linked=True),
    ),
    incident=IncidentKind.THREAT,
    perpetrator=PerpetratorKind.UNKNOWN,
    region="PE-UCA",
    language="es",
    pack="drill",
    pack_version="1",
    narrative="What happened.",
)
FILED = RequestFiled(
    case_id="case-1",
    filed_by=FiledBy.DEFENDER,
    subjects=(
        Subject(subject_id=FIRST, kind=SubjectKind.PERSON, linked=False, name=Plain(FIRST, "Invented Name")),
        Subject(subject_id=SISTER, kind=SubjectKind.PERSON, linked=True),
    ),
    incident=IncidentKind.THREAT,
    perpetrator=PerpetratorKind.UNKNOWN,
    imminent=False,
    region="PE-UCA",
    causes=(),
    project="",
    territory="",
    excluded=(),
    no_accompaniment=False,
    pack="drill",
    pack_version="1",
    language="es",
    repeated_perpetrator=False,
    narrative=Plain(FIRST, "What happened."),
)
CONSENT = GiveConsent(agency=POLICE, discloses=("place", "identity"), text_version="es-1")
CONSENTED = ConsentGiven(
    subject_id=FIRST, agency=POLICE, consent_version=1, discloses=("identity", "place"), text_version="es-1"
)
WITHDRAWN = ConsentWithdrawn(subject_id=FIRST, agency=POLICE, consent_version=1)
ANA, LUZ = Person(id="person-a", role="coordinator"), Person(id="person-b", role="evaluator")
PROPOSAL = ProposeDisclosure(
    proposal_id=ProposalId("proposal-1"), agency=POLICE, discloses=("identity",), by=ANA, reason="In a coma."
)
PROPOSED = DisclosureProposed(
    proposal_id="proposal-1",
    subject_id=FIRST,
    agency=POLICE,
    discloses=("identity",),
    person="person-a",
    role="coordinator",
    reason=Plain(FIRST, "In a coma."),
)
CONFIRMATION = ConfirmDisclosure(proposal_id=ProposalId("proposal-1"), by=LUZ)
DECIDED = DisclosureDecided(
    subject_id=FIRST,
    agency=POLICE,
    consent_version=1,
    discloses=("identity",),
    first_person="person-a",
    second_person="person-b",
    first_role="coordinator",
    second_role="evaluator",
    proposal_id="proposal-1",
)
ENDED = RequestWithdrawn(case_id="case-1", reason=Plain(FIRST, "Moved away."))


def test_every_event_says_the_same_in_code_and_in_its_message() -> None:
    """A field that only one side knows would be lost between the registry and its readers."""
    assert len(Codec.of(EVENTS, module=events_pb2).by_name) == len(EVENTS) == 15


# File


def test_a_filing_is_recorded_without_any_evidence() -> None:
    """Evidence is optional: asking for it endangers who would have to gather it."""
    given().when(FILING).then(FILED)


def test_a_filing_carries_consents_and_evidence_as_events_of_their_own() -> None:
    """A consent given with the filing means the same as one given afterwards."""
    evidence = AddEvidence(evidence_id=EvidenceId("evidence-1"), description="A photograph.", digest=b"d" * 32)
    given().when(replace(FILING, consents=(CONSENT,), evidence=(evidence,))).then(
        FILED,
        CONSENTED,
        EvidenceAdded(evidence_id="evidence-1", digest=b"d" * 32, description=Plain(FIRST, "A photograph.")),
    )


def test_each_text_is_sealed_under_the_key_of_the_subject_it_speaks_of() -> None:
    """A person's data must be destroyed with the person's key, and with no other."""
    sister = SubjectGiven(
        subject_id=SISTER, kind=SubjectKind.PERSON, linked=True, name="N", contact="C", place="P", profile="{}"
    )
    (filed,) = decide(
        Request(),
        replace(
            FILING,
            subjects=(FILING.subjects[0], sister),
            wanted="W",
            impediment="I",
            excluded_persons="E",
        ),
    )
    assert isinstance(filed, RequestFiled)
    assert filed.subjects[1].name == Plain(SISTER, "N")
    assert filed.subjects[1].contact == Plain(SISTER, "C")
    assert filed.subjects[1].place == Plain(SISTER, "P")
    assert filed.subjects[1].profile == Plain(SISTER, "{}")
    assert filed.wanted == Plain(FIRST, "W")
    assert filed.impediment == Plain(FIRST, "I")
    assert filed.excluded_persons == Plain(FIRST, "E")


def test_a_text_never_shows_in_the_representation_of_a_command_or_event() -> None:
    """What is logged by accident must not name anybody."""
    (filed,) = decide(Request(), FILING)
    shown = repr(FILING) + repr(filed)
    assert "Invented" not in shown
    assert "happened" not in shown


def test_only_the_authority_files_on_its_own_motion() -> None:
    """Else anybody could open a case about anybody in the authority's name."""
    own = replace(FILING, filed_by=FiledBy.OWN_MOTION)
    given().when(own).refused("own-motion-not-yours")
    given().when(replace(own, for_authority=True)).then(replace(FILED, filed_by=FiledBy.OWN_MOTION))


def test_a_third_party_without_consent_says_what_impedes_the_person() -> None:
    """A request made over a person's head needs its reason on record."""
    impeded = replace(FILING, filed_by=FiledBy.THIRD_PARTY_GRAVE_IMPEDIMENT)
    given().when(replace(impeded, impediment="  ")).refused("impediment-missing")


@pytest.mark.parametrize("filed_by", [FiledBy.THIRD_PARTY_GRAVE_IMPEDIMENT, FiledBy.OWN_MOTION])
def test_nobody_consents_for_a_person_who_was_not_asked(filed_by: FiledBy) -> None:
    """DNH-6: where the person cannot answer, two named persons decide; a filer alone does not."""
    over = replace(FILING, filed_by=filed_by, for_authority=True, impediment="Detained.", consents=(CONSENT,))
    given().when(over).refused("consent-not-the-subjects")


def test_an_exclusion_in_the_filing_outranks_a_consent_in_it() -> None:
    """DNH-5: a filer who says both is asked again, and nobody is told meanwhile."""
    given().when(replace(FILING, excluded=(POLICE,), consents=(CONSENT,))).refused("agency-excluded")


def test_the_first_subject_is_the_one_in_danger() -> None:
    """The case's texts are sealed under the first subject's key."""
    given().when(replace(FILING, subjects=FILING.subjects[::-1])).refused("first-subject-linked")


def test_a_case_is_filed_once() -> None:
    """A second filing into a stream would overwrite whom the case is about."""
    given(FILED).when(FILING).refused("wrong-stage")


# GiveConsent


def test_a_consent_is_recorded_with_its_number() -> None:
    """A referral cites the number of the consent that it rests on."""
    given(FILED).when(CONSENT).then(CONSENTED)
    given(FILED, CONSENTED).when(replace(CONSENT, agency=PROSECUTOR)).then(
        replace(CONSENTED, agency=PROSECUTOR, consent_version=2)
    )


def test_a_consent_for_an_excluded_agency_is_refused() -> None:
    """DNH-5: whoever presses a person into consenting finds the exclusion in the way."""
    given(FILED, AgencyExcluded(agency=POLICE)).when(CONSENT).refused("agency-excluded")


def test_a_consent_said_again_stays_quiet_and_a_changed_one_gets_a_new_number() -> None:
    """A new number starts a new referral; repeating oneself must not."""
    given(FILED, CONSENTED).when(CONSENT).then()
    given(FILED, CONSENTED).when(replace(CONSENT, discloses=("identity",))).then(
        replace(CONSENTED, consent_version=2, discloses=("identity",))
    )
    given(FILED, CONSENTED).when(replace(CONSENT, text_version="es-2")).then(
        replace(CONSENTED, consent_version=2, text_version="es-2")
    )


def test_a_consent_names_a_subject_of_the_request() -> None:
    """Nobody consents for a person whom the request does not know."""
    given(FILED).when(replace(CONSENT, subject_id=SubjectId("stranger"))).refused("unknown-subject")
    told = replace(CONSENT, subject_id=SISTER, voice=Voice.RECORDED)
    given(FILED).when(told).then(replace(CONSENTED, subject_id=SISTER, voice="recorded"))


def test_nobody_who_files_consents_for_a_linked_person() -> None:
    """DNH-10: it does so itself, by its own account or by telling the mechanism; with an account, by that alone."""
    given(FILED).when(replace(CONSENT, subject_id=SISTER)).refused("consent-not-the-subjects")
    named = AccountNamed(subject_id=SISTER, account="sister")
    for voice in (Voice.FILER, Voice.RECORDED):
        given(FILED, named).when(replace(CONSENT, subject_id=SISTER, voice=voice)).refused("consent-not-the-subjects")
    own = replace(CONSENT, subject_id=SISTER, voice=Voice.OWN)
    given(FILED, named).when(own).then(replace(CONSENTED, subject_id=SISTER, voice="own"))


def test_nothing_is_consented_to_after_the_request_was_withdrawn() -> None:
    """A case that ended must not begin to tell."""
    given(FILED, ENDED).when(CONSENT).refused("wrong-stage")


# WithdrawConsent


def test_a_withdrawn_consent_ends_by_its_number() -> None:
    """What rests on it can be found and recalled."""
    given(FILED, CONSENTED).when(WithdrawConsent(agency=POLICE)).then(WITHDRAWN)


def test_withdrawing_for_all_subjects_ends_each_ones_consent() -> None:
    """An agency that may learn no more of the case learns no more of the linked either."""
    sisters = replace(CONSENTED, subject_id=SISTER, consent_version=2)
    after = given(FILED, CONSENTED, sisters)
    ended = replace(WITHDRAWN, subject_id=SISTER, consent_version=2)
    after.when(WithdrawConsent(agency=POLICE)).then(WITHDRAWN, ended)
    after.when(WithdrawConsent(agency=POLICE, subject_id=SISTER)).then(ended)


def test_only_what_was_consented_to_is_withdrawn() -> None:
    """A mistyped agency is told to the person, instead of a withdrawal that withdraws nothing."""
    given(FILED).when(WithdrawConsent(agency=POLICE)).refused("no-consent")


def test_a_withdrawal_said_again_stays_quiet() -> None:
    """A person may say no twice."""
    given(FILED, CONSENTED, WITHDRAWN).when(WithdrawConsent(agency=POLICE)).then()


# ExcludeAgency


def test_an_exclusion_ends_the_consents_for_that_agency_and_no_other() -> None:
    """DNH-5: who acts on withdrawals need know no more than withdrawals."""
    other = replace(CONSENTED, agency=PROSECUTOR, consent_version=2)
    given(FILED, CONSENTED, other).when(ExcludeAgency(agency=POLICE)).then(AgencyExcluded(agency=POLICE), WITHDRAWN)


def test_an_exclusion_ends_a_decision_of_two_persons() -> None:
    """DNH-5: it outranks every ground."""
    given(FILED, PROPOSED, DECIDED).when(ExcludeAgency(agency=POLICE)).then(AgencyExcluded(agency=POLICE), WITHDRAWN)


def test_an_exclusion_said_again_stays_quiet() -> None:
    """The filer named the agency already."""
    given(replace(FILED, excluded=(POLICE,))).when(ExcludeAgency(agency=POLICE)).then()


def test_an_agency_can_be_excluded_after_the_request_was_withdrawn() -> None:
    """The records remain, and so does the danger of who reads them."""
    given(FILED, ENDED).when(ExcludeAgency(agency=POLICE)).then(AgencyExcluded(agency=POLICE))


def test_no_agency_is_excluded_from_a_request_that_does_not_exist() -> None:
    """A stream begins with a filing."""
    given().when(ExcludeAgency(agency=POLICE)).refused("wrong-stage")


# ProposeDisclosure, ConfirmDisclosure


def test_two_persons_decide_for_one_who_cannot_answer() -> None:
    """DNH-6: one proposes, the other confirms; said twice, it is recorded once."""
    given(FILED).when(PROPOSAL).then(PROPOSED)
    given(FILED, PROPOSED).when(PROPOSAL).then()
    given(FILED, PROPOSED).when(CONFIRMATION).then(DECIDED)
    given(FILED, PROPOSED, DECIDED).when(CONFIRMATION).then()


def test_one_person_is_not_two() -> None:
    """DNH-6: also in another role; the same judgement twice is no second one."""
    given(FILED, PROPOSED).when(replace(CONFIRMATION, by=ANA)).refused("two-persons-needed")
    given(FILED, PROPOSED).when(replace(CONFIRMATION, by=replace(ANA, role="evaluator"))).refused("two-persons-needed")


def test_what_nobody_proposed_cannot_be_confirmed() -> None:
    """An id that was made up."""
    given(FILED).when(CONFIRMATION).refused("not-found")


def test_nobody_decides_against_an_exclusion() -> None:
    """DNH-5."""
    given(FILED, AgencyExcluded(agency=POLICE)).when(PROPOSAL).refused("agency-excluded")
    given(FILED, PROPOSED, AgencyExcluded(agency=POLICE)).when(CONFIRMATION).refused("agency-excluded")
    ended = (PROPOSED, DECIDED, AgencyExcluded(agency=POLICE), WITHDRAWN)
    given(FILED, *ended).when(CONFIRMATION).refused("agency-excluded")


def test_nobody_decides_after_the_request_was_withdrawn() -> None:
    """The person no longer asks."""
    given(FILED, PROPOSED, ENDED).when(CONFIRMATION).refused("wrong-stage")
    given(FILED, ENDED).when(PROPOSAL).refused("wrong-stage")


def test_nobody_decides_over_a_subjects_own_answer() -> None:
    """A no, and a yes to less, are answers."""
    given(FILED, CONSENTED, WITHDRAWN).when(PROPOSAL).refused("subject-has-decided")
    given(FILED, CONSENTED).when(replace(PROPOSAL, discloses=("narrative",))).refused("subject-has-decided")
    given(FILED, PROPOSED, CONSENTED, WITHDRAWN).when(CONFIRMATION).refused("subject-has-decided")
    given(FILED, PROPOSED, CONSENTED).when(CONFIRMATION).refused("subject-has-decided")


def test_what_two_have_decided_is_not_decided_again() -> None:
    """Nothing is added to what stands; what goes further is another decision."""
    another = replace(PROPOSAL, proposal_id=ProposalId("proposal-2"))
    given(FILED, PROPOSED, DECIDED).when(another).refused("decided-already")
    wider = replace(PROPOSED, proposal_id="proposal-2", discloses=("identity", "place"))
    given(FILED, PROPOSED, DECIDED).when(replace(another, discloses=("identity", "place"))).then(wider)


def test_a_subject_who_can_answer_again_replaces_the_decision() -> None:
    """Who has recovered speaks for themselves, whichever way."""
    given(FILED, PROPOSED, DECIDED).when(replace(CONSENT, discloses=("identity",))).then(
        replace(CONSENTED, consent_version=2, discloses=("identity",))
    )


# AddEvidence


def test_evidence_is_described_and_its_document_named_by_digest() -> None:
    """The description is sealed; the digest is of ciphertext."""
    command = AddEvidence(evidence_id=EvidenceId("evidence-1"), description="A letter.", digest=b"x" * 32)
    added = EvidenceAdded(evidence_id="evidence-1", digest=b"x" * 32, description=Plain(FIRST, "A letter."))
    given(FILED).when(command).then(added)
    given(FILED, added).when(replace(command, evidence_id=EvidenceId("evidence-2"))).then()


def test_no_evidence_is_added_after_the_request_was_withdrawn() -> None:
    """The person no longer asks."""
    command = AddEvidence(evidence_id=EvidenceId("evidence-1"), description="A letter.")
    given(FILED, ENDED).when(command).refused("wrong-stage")


# Withdraw


def test_a_request_is_withdrawn_once() -> None:
    """Said twice, it is recorded once."""
    given(FILED).when(Withdraw(reason="Moved away.")).then(ENDED)
    given(FILED, ENDED).when(Withdraw(reason="Moved away.")).then()
    given().when(Withdraw()).refused("wrong-stage")


# What stands


def standing(*events: object) -> list[str]:
    return [agency for agency, _ in addressees(reduce(evolve, events, Request()))]  # type: ignore[arg-type]


def test_an_agency_may_be_told_while_a_ground_stands() -> None:
    """Consent, decision; then withdrawal, exclusion, the request's end."""
    assert standing(FILED) == []
    assert standing(FILED, CONSENTED) == [POLICE]
    assert standing(FILED, PROPOSED) == []
    assert standing(FILED, PROPOSED, DECIDED) == [POLICE]
    assert standing(FILED, CONSENTED, WITHDRAWN) == []
    assert standing(FILED, CONSENTED, AgencyExcluded(agency=POLICE)) == []
    assert standing(FILED, CONSENTED, ENDED) == []


def test_a_linked_subjects_consent_alone_tells_nobody_of_the_case() -> None:
    """DNH-10: the one in danger has not agreed."""
    assert standing(FILED, replace(CONSENTED, subject_id=SISTER)) == []


def test_a_profile_keeps_not_asked_apart_from_none() -> None:
    """An empty answer is an answer; statistics must not confuse it with silence."""
    assert profile_text() == ""
    text = profile_text(
        activities=[DefenderProfile.TEACHER], factors={Factor.DISABILITY: []}, relation=Relation.COLLEAGUE
    )
    assert json.loads(text) == {"activities": ["teacher"], "factors": {"disability": []}, "relation": "colleague"}


COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.just(FILING),
    st.builds(
        GiveConsent,
        agency=st.sampled_from([POLICE, PROSECUTOR]),
        discloses=st.sampled_from([("identity",), ("identity", "place")]),
        text_version=st.just("es-1"),
        subject_id=st.sampled_from([None, FIRST, SISTER]),
    ),
    st.builds(
        WithdrawConsent,
        agency=st.sampled_from([POLICE, PROSECUTOR]),
        subject_id=st.sampled_from([None, FIRST, SISTER]),
    ),
    st.builds(ExcludeAgency, agency=st.sampled_from([POLICE, PROSECUTOR])),
    st.builds(
        ProposeDisclosure,
        proposal_id=st.sampled_from([ProposalId("p-1"), ProposalId("p-2")]),
        agency=st.sampled_from([POLICE, PROSECUTOR]),
        discloses=st.sampled_from([("identity",), ("identity", "place")]),
        by=st.sampled_from([ANA, LUZ]),
        reason=st.just("In a coma."),
    ),
    st.builds(
        ConfirmDisclosure,
        proposal_id=st.sampled_from([ProposalId("p-1"), ProposalId("p-2")]),
        by=st.sampled_from([ANA, LUZ]),
    ),
    st.just(Withdraw()),
)


@for_all(st.lists(COMMANDS, max_size=25))
def test_whatever_is_commanded_no_excluded_agency_is_ever_an_addressee(commands: list[Command]) -> None:
    """DNH-5, over every order of acts; and a command said twice in a row changes nothing the second time."""
    state = reduce(evolve, decide(Request(), FILING), Request())
    numbers: list[int] = []
    for command in commands:
        try:
            events = decide(state, command)
        except Refused:
            continue
        state = reduce(evolve, events, state)
        numbers += [event.consent_version for event in events if isinstance(event, ConsentGiven | DisclosureDecided)]
        assert decide(state, command) == ()
        assert not state.excluded & {agency for agency, _ in addressees(state)}
        assert not state.excluded & {agency for _, agency in state.grounds}
    assert numbers == list(range(1, len(numbers) + 1))
