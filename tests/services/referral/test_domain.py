"""Referrals and agencies: each command records, refuses with its code, and stays quiet when repeated."""

from dataclasses import replace
from datetime import timedelta

import pytest

from amparo.referral.v1 import events_pb2
from eventlog.codec import Codec
from eventlog.decider import Plain
from services.referral.agency import Agency, AgencyKind, AgencyRegistered, RegisterAgency, decide_agency, evolve_agency
from services.referral.domain import (
    CLAIM_TOLERANCE,
    EVENTS,
    NEXT,
    Accept,
    Acknowledge,
    Answer,
    NoteSilence,
    Recall,
    RecallGround,
    Referral,
    ReferralAccepted,
    ReferralAcknowledged,
    ReferralAnswered,
    ReferralRecalled,
    ReferralRejected,
    Reject,
    RejectionGround,
    SilenceNoted,
    Stage,
    decide,
    evolve,
)
from tests.scenario import scenario
from tests.services.referral.invented import (
    ACKNOWLEDGE_DUE,
    ANSWER_DUE,
    DEFENDER,
    MONDAY,
    POLICE,
    PROSECUTOR,
    SENT,
    case_file,
    consent,
    send,
)

given = scenario(decide=decide, evolve=evolve, initial=Referral())
SOON = MONDAY + timedelta(hours=1)
TOO_LATE = ANSWER_DUE + timedelta(minutes=1)
ACKNOWLEDGED = ReferralAcknowledged(at=SOON, late=False)
ACCEPTED = ReferralAccepted(at=SOON, late=False)
ANSWERED = ReferralAnswered(at=SOON, late=False, done=True)
RECALLED = ReferralRecalled(ground="consent_withdrawn")


def rejected(
    ground: RejectionGround = RejectionGround.REFUSED, legal_basis: str = "Ley 30714 G-39"
) -> ReferralRejected:
    article = Plain(DEFENDER, legal_basis) if legal_basis else None
    return ReferralRejected(ground=ground, legal_basis=article, at=SOON, late=False)


def test_events_and_their_messages_say_the_same() -> None:
    """`Codec.of` compares every field and raises at the first difference."""
    assert len(Codec.of(EVENTS, module=events_pb2).by_name) == len(EVENTS)


def test_no_stage_follows_a_rejection_or_a_recall() -> None:
    """What has ended is asked again by a new referral, in a new round."""
    assert not [stage for stage, _ in NEXT if stage in (Stage.REJECTED, Stage.RECALLED)]


def test_a_referral_is_sent_with_what_was_consented_to() -> None:
    """The event carries the ciphertexts, the consent it rests on, and both due instants."""
    given().when(send()).then(SENT)


def test_dnh_23_no_accompaniment_travels_with_the_referral() -> None:
    """An officer must not ask the person to come along, and must know so."""
    given().when(send(case_file(consent(), no_accompaniment=True))).then(replace(SENT, no_accompaniment=True))


def test_dnh_6_a_referral_without_consent_is_refused() -> None:
    """Nobody is told anything by default."""
    given().when(send(case_file())).refused("consent-missing")


def test_dnh_5_a_referral_to_an_excluded_agency_is_refused() -> None:
    """Consent or not: the filer named it."""
    given().when(send(case_file(consent(), excluded=frozenset({POLICE})))).refused("agency-excluded")


def test_sending_again_is_quiet() -> None:
    """A workflow that was rebuilt asks for the same referral."""
    given(SENT).when(send()).then()
    given(SENT).when(send(agency=PROSECUTOR)).refused("wrong-stage")


def test_an_acknowledgement_is_recorded() -> None:
    """The agency may say when it did; it counts from now."""
    given(SENT).when(Acknowledge(agency=POLICE, now=SOON)).then(ACKNOWLEDGED)
    claimed = MONDAY + timedelta(minutes=1)
    given(SENT).when(Acknowledge(agency=POLICE, now=SOON, at=claimed)).then(replace(ACKNOWLEDGED, at=claimed))


def test_a_late_acknowledgement_is_recorded_as_late_whatever_the_agency_claims() -> None:
    """A police unit could otherwise date its acknowledgement back."""
    late = ACKNOWLEDGE_DUE + timedelta(seconds=1)
    given(SENT).when(Acknowledge(agency=POLICE, now=late, at=SOON)).then(ReferralAcknowledged(at=SOON, late=True))


def test_an_acknowledgement_at_the_due_instant_is_in_time() -> None:
    """Due is the last moment."""
    act = Acknowledge(agency=POLICE, now=ACKNOWLEDGE_DUE)
    given(SENT).when(act).then(ReferralAcknowledged(at=ACKNOWLEDGE_DUE, late=False))


def test_acknowledging_again_is_quiet_and_after_a_recall_refused() -> None:
    """A unit must not believe that it still has what was taken back."""
    again = Acknowledge(agency=POLICE, now=TOO_LATE)
    given(SENT, ACKNOWLEDGED).when(again).then()
    given(SENT, ACKNOWLEDGED, ACCEPTED, ANSWERED).when(again).then()
    given(SENT, RECALLED).when(again).refused("wrong-stage")


@pytest.mark.parametrize(
    "act",
    [
        Acknowledge(agency=PROSECUTOR, now=SOON),
        Accept(agency=PROSECUTOR, now=SOON),
        Reject(agency=PROSECUTOR, now=SOON, ground=RejectionGround.NO_MEANS),
        Answer(agency=PROSECUTOR, now=SOON, done=True),
    ],
)
def test_an_agency_cannot_act_for_another(act: Acknowledge | Accept | Reject | Answer) -> None:
    """Otherwise one office could stop the clock of the next."""
    given(SENT).when(act).refused("not-your-referral")
    given().when(act).refused("not-your-referral")


def test_a_claim_from_the_future_is_refused() -> None:
    """Five minutes are forgiven: clocks differ."""
    edge = SOON + CLAIM_TOLERANCE
    given(SENT).when(Acknowledge(agency=POLICE, now=SOON, at=edge)).then(replace(ACKNOWLEDGED, at=edge))
    ahead = edge + timedelta(microseconds=1)
    given(SENT).when(Acknowledge(agency=POLICE, now=SOON, at=ahead)).refused("claimed-instant-ahead")


def test_an_acceptance_is_recorded() -> None:
    """It follows the acknowledgement, and is quiet when repeated."""
    given(SENT, ACKNOWLEDGED).when(Accept(agency=POLICE, now=SOON)).then(ACCEPTED)
    given(SENT, ACKNOWLEDGED, ACCEPTED).when(Accept(agency=POLICE, now=SOON)).then()


def test_a_late_acceptance_is_recorded_as_late() -> None:
    """An agency that comes late still comes."""
    given(SENT, ACKNOWLEDGED).when(Accept(agency=POLICE, now=TOO_LATE)).then(ReferralAccepted(at=TOO_LATE, late=True))


@pytest.mark.parametrize("ended", [rejected(), ANSWERED, RECALLED])
def test_what_ended_cannot_be_accepted(ended: ReferralRejected | ReferralAnswered | ReferralRecalled) -> None:
    """A success for an act that did not happen would be a lie."""
    given(SENT, ACKNOWLEDGED, ended).when(Accept(agency=POLICE, now=SOON)).refused("wrong-stage")


def test_who_accepts_rejects_or_answers_at_once_has_acknowledged() -> None:
    """Both are recorded, so the acknowledgement's clock stops as well."""
    given(SENT).when(Accept(agency=POLICE, now=SOON)).then(ACKNOWLEDGED, ACCEPTED)
    given(SENT).when(Answer(agency=POLICE, now=SOON, done=True)).then(ACKNOWLEDGED, ANSWERED)
    command = Reject(agency=POLICE, now=SOON, ground=RejectionGround.REFUSED, legal_basis="Ley 30714 G-39")
    given(SENT).when(command).then(ACKNOWLEDGED, rejected())


@pytest.mark.parametrize("ground", list(RejectionGround))
def test_a_refusal_needs_its_article(ground: RejectionGround) -> None:
    """Refusing a complaint is an offence against discipline; lacking means or competence is no refusal."""
    bare = given(SENT, ACKNOWLEDGED).when(Reject(agency=POLICE, now=SOON, ground=ground))
    if ground in (RejectionGround.NOT_OUR_JURISDICTION, RejectionGround.NO_MEANS):
        bare.then(rejected(ground, ""))
    else:
        bare.refused("legal-basis-missing")
    based = Reject(agency=POLICE, now=SOON, ground=ground, legal_basis="Ley 30714 G-39")
    given(SENT, ACKNOWLEDGED).when(based).then(rejected(ground))


@pytest.mark.parametrize("article", ["", "because", "x" * 81 + "1", "art. 1\nand a story", "art. 5 <b>"])
def test_an_article_is_an_article(article: str) -> None:
    """A sentence about somebody is no legal basis."""
    command = Reject(agency=POLICE, now=SOON, ground=RejectionGround.REFUSED, legal_basis=article)
    given(SENT, ACKNOWLEDGED).when(command).refused("legal-basis-missing")


def test_a_rejection_may_follow_an_acceptance_but_not_an_answer() -> None:
    """A conflict may show only in the work."""
    command = Reject(agency=POLICE, now=SOON, ground=RejectionGround.CONFLICT_OF_INTEREST, legal_basis="LPAG art. 99")
    event = rejected(RejectionGround.CONFLICT_OF_INTEREST, "LPAG art. 99")
    given(SENT, ACKNOWLEDGED, ACCEPTED).when(command).then(event)
    given(SENT, ACKNOWLEDGED, ANSWERED).when(command).refused("wrong-stage")


def test_rejecting_again_is_quiet_and_on_another_ground_refused() -> None:
    """The first ground stands in the record."""
    same = Reject(agency=POLICE, now=SOON, ground=RejectionGround.REFUSED, legal_basis="Ley 30714 G-39")
    given(SENT, ACKNOWLEDGED, rejected()).when(same).then()
    other = replace(same, ground=RejectionGround.NO_MEANS)
    given(SENT, ACKNOWLEDGED, rejected()).when(other).refused("wrong-stage")


def test_an_answer_is_recorded_late_where_it_is_late() -> None:
    """The time of recording counts, not the claimed one."""
    late = ReferralAnswered(at=SOON, late=True, done=True)
    given(SENT, ACKNOWLEDGED).when(Answer(agency=POLICE, now=TOO_LATE, at=SOON, done=True)).then(late)
    given(SENT, ACKNOWLEDGED, ACCEPTED).when(Answer(agency=POLICE, now=SOON, done=True)).then(ANSWERED)


def test_an_answer_is_repeated_quietly_and_may_change_from_not_done_to_done() -> None:
    """What was carried out after the answer must reach the record too."""
    not_done = replace(ANSWERED, done=False)
    given(SENT, ACKNOWLEDGED, not_done).when(Answer(agency=POLICE, now=SOON, done=False)).then()
    given(SENT, ACKNOWLEDGED, not_done).when(Answer(agency=POLICE, now=SOON, done=True)).then(ANSWERED)


def test_what_an_agency_writes_is_sealed_under_the_subjects_key() -> None:
    """It speaks of the defender: it is read and destroyed with what the defender said."""
    command = Answer(agency=POLICE, now=SOON, done=True, answer="Two patrols a day.")
    given(SENT, ACKNOWLEDGED).when(command).then(replace(ANSWERED, answer=Plain(DEFENDER, "Two patrols a day.")))
    assert "patrols" not in repr(command)


def test_nothing_is_answered_after_a_rejection_or_recall() -> None:
    """The agency is told that the referral has ended."""
    for ended in (rejected(), RECALLED):
        given(SENT, ACKNOWLEDGED, ended).when(Answer(agency=POLICE, now=SOON, done=True)).refused("wrong-stage")


def test_a_recall_is_recorded_from_every_stage_that_discloses_and_repeated_quietly() -> None:
    """Whoever withdraws consent is obeyed at any time."""
    recall = Recall(ground=RecallGround.CONSENT_WITHDRAWN)
    for past in ((), (ACKNOWLEDGED,), (ACKNOWLEDGED, ACCEPTED), (ACKNOWLEDGED, ANSWERED)):
        given(SENT, *past).when(recall).then(RECALLED)
    given(SENT, RECALLED).when(recall).then()
    given().when(recall).refused("wrong-stage")
    given(SENT, ACKNOWLEDGED, rejected()).when(recall).refused("wrong-stage")


def silence(clock: str = "acknowledge", rung: int = 50) -> NoteSilence:
    return NoteSilence(clock=clock, rung=rung, reached=SOON, told=("coordinator",), now=SOON)


@pytest.mark.parametrize("rung", [50, 75, 100, 150])
def test_each_rung_of_silence_is_recorded_once(rung: int) -> None:
    """A timer may fire again after a restart; nobody is escalated twice for one silence."""
    noted = SilenceNoted(clock="acknowledge", rung=rung, due=ACKNOWLEDGE_DUE, told=("coordinator",))
    given(SENT).when(silence(rung=rung)).then(noted)
    given(SENT, noted).when(silence(rung=rung)).then()
    given(SENT, noted).when(silence("answer", rung)).then(replace(noted, clock="answer", due=ANSWER_DUE))


def test_no_silence_is_recorded_of_a_clock_that_stopped() -> None:
    """An agency that acted is not accused by a timer that came after."""
    given(SENT, ACKNOWLEDGED).when(silence()).then()
    given(SENT, ACKNOWLEDGED, ANSWERED).when(silence("answer")).then()
    given(SENT, RECALLED).when(silence("answer")).then()
    given().when(silence()).then()


def test_no_silence_is_recorded_before_its_rung() -> None:
    """A timer that fires early, from a clock that is ahead, accuses nobody."""
    given(SENT).when(replace(silence(), now=SOON - timedelta(seconds=1))).refused("rung-not-reached")


registered = scenario(decide=decide_agency, evolve=evolve_agency, initial=Agency())
REGISTER = RegisterAgency(
    agency=POLICE, kind=AgencyKind.POLICE, name="Región Policial", region="PE-UCA", superior="pnp"
)
REGISTERED = AgencyRegistered(
    agency=POLICE, kind=AgencyKind.POLICE, name="Región Policial", region="PE-UCA", superior="pnp"
)


def test_an_agency_is_registered() -> None:
    """Its id stands in every referral, so it never changes its meaning."""
    registered().when(REGISTER).then(REGISTERED)


def test_an_agency_registered_again_is_quiet_and_otherwise_refused() -> None:
    """A seed may run at every start; a second office must not take an id over."""
    registered(REGISTERED).when(REGISTER).then()
    registered(REGISTERED).when(replace(REGISTER, region="PE-LOR")).refused("agency-known")


@pytest.mark.parametrize("agency", ["", "PNP", "pnp ucayali", "-pnp", "pnp--x", "pnp/x", "ñ"])
def test_an_agency_id_is_plain(agency: str) -> None:
    """It goes into addresses, keys and topics."""
    registered().when(replace(REGISTER, agency=agency)).refused("agency-id-malformed")
