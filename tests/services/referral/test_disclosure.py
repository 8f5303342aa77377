"""What may be told, and to whom (DNH-5, DNH-6)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.decider import Refused
from services.referral.disclosure import Consent, basis
from tests.services.referral.invented import (
    COMMAND,
    CONTACT,
    DEFENDER,
    LAWYER,
    LAWYERS_NAME,
    NAME,
    NARRATIVE,
    OMBUDSMAN,
    PLACE,
    POLICE,
    PROSECUTOR,
    case_file,
    consent,
)


def refused(code: str, **asked: object) -> None:
    with pytest.raises(Refused) as refusal:
        basis(**asked)  # type: ignore[arg-type]
    assert refusal.value.code == code


def test_dnh_6_without_consent_nobody_is_told_the_ombudsman_included() -> None:
    """Consent for the police is no consent for anyone else."""
    case = case_file(consent())
    assert basis(case, agency=POLICE).disclosed == (NAME, CONTACT, PLACE, NARRATIVE)
    for other in (OMBUDSMAN, PROSECUTOR, COMMAND):
        refused("consent-missing", case=case, agency=other)


@pytest.mark.parametrize(
    ("discloses", "told"),
    [
        ({"identity"}, (NAME,)),
        ({"contact"}, (CONTACT,)),
        ({"place"}, (PLACE,)),
        ({"narrative"}, (NARRATIVE,)),
        (set(), ()),
    ],
)
def test_dnh_6_only_the_classes_consented_to_are_told(discloses: set[str], told: tuple[object, ...]) -> None:
    """A person may want the police to know the place, and not the story; who it is, and not be called."""
    assert basis(case_file(consent(discloses=frozenset(discloses))), agency=POLICE).disclosed == told


def test_dnh_6_two_persons_decide_where_the_subject_cannot_answer() -> None:
    """The referral then rests on no consent version, and says so."""
    found = basis(case_file(consent(two_persons=True)), agency=POLICE)
    assert (found.consent_version, found.two_person_decision) == (0, True)
    assert NAME in found.disclosed


def test_dnh_6_a_withdrawn_consent_ends_and_revives_no_older_one() -> None:
    """Whoever withdraws is not asked to withdraw every earlier word too."""
    refused("consent-missing", case=case_file(consent(1), consent(2, withdrawn=True)), agency=POLICE)


def test_dnh_6_the_newest_consent_holds() -> None:
    """A narrower consent takes back what the earlier one gave."""
    found = basis(case_file(consent(2, discloses=frozenset({"place"})), consent(1)), agency=POLICE)
    assert (found.consent_version, found.disclosed) == (2, (PLACE,))


def test_dnh_10_a_linked_person_is_told_of_only_by_its_own_consent() -> None:
    """The defender cannot consent for the lawyer, and the lawyer opens no referral about the defender."""
    assert LAWYERS_NAME not in basis(case_file(consent()), agency=POLICE).disclosed
    both = case_file(consent(), consent(2, subject_id=LAWYER, discloses=frozenset({"identity"})))
    assert LAWYERS_NAME in basis(both, agency=POLICE).disclosed
    refused("consent-missing", case=case_file(consent(subject_id=LAWYER)), agency=POLICE)


def test_a_withdrawn_request_discloses_nothing() -> None:
    """Consents given before the withdrawal do not outlive the request."""
    refused("request-withdrawn", case=case_file(consent(), withdrawn=True), agency=POLICE)


def test_dnh_5_an_excluded_agency_is_told_nothing_whatever_else_was_said() -> None:
    """The exclusion outranks the consent and the two persons, also those given after it."""
    case = case_file(consent(), consent(2, two_persons=True), excluded=frozenset({POLICE}))
    refused("agency-excluded", case=case, agency=POLICE)


def test_dnh_5_a_unit_under_an_excluded_command_is_excluded() -> None:
    """What a unit learns, its command learns."""
    case = case_file(consent(), excluded=frozenset({COMMAND}))
    refused("agency-excluded", case=case, agency=POLICE, above=(COMMAND,))


_AGENCIES = st.sampled_from([POLICE, PROSECUTOR, OMBUDSMAN])
_CONSENTS = st.builds(
    Consent,
    version=st.integers(1, 9),
    subject_id=st.sampled_from([DEFENDER, LAWYER]),
    agency=_AGENCIES,
    discloses=st.frozensets(st.sampled_from(["identity", "contact", "place", "narrative"])),
    two_persons=st.booleans(),
    withdrawn=st.booleans(),
)


@given(
    consents=st.lists(_CONSENTS, max_size=8, unique_by=lambda given: given.version),
    excluded=st.frozensets(_AGENCIES, max_size=2),
    withdrawn=st.booleans(),
    agency=_AGENCIES,
)
def test_dnh_5_dnh_6_nothing_is_disclosed_that_a_plain_reading_forbids(
    consents: list[Consent], excluded: frozenset[str], withdrawn: bool, agency: str
) -> None:
    """Against an oracle written the other way round: for each value, the last word of its own subject on this
    addressee.
    """
    case = case_file(*consents, excluded=excluded, withdrawn=withdrawn)
    last = {}
    for subject in (DEFENDER, LAWYER):
        words = [c for c in consents if c.subject_id == subject and c.agency == agency]
        last[subject] = max(words, key=lambda c: c.version, default=None)
    allowed = agency not in excluded and not withdrawn and last[DEFENDER] is not None and not last[DEFENDER].withdrawn
    try:
        disclosed = basis(case, agency=agency).disclosed
    except Refused:
        assert not allowed
        return
    assert allowed
    for copy in case.copies:
        word = last[copy.field.key_id]
        said = word is not None and not word.withdrawn and copy.data_class in word.discloses
        assert (copy in disclosed) is said


@given(
    discloses=st.frozensets(st.sampled_from(["identity", "contact", "place", "narrative"])),
    needs=st.frozensets(st.sampled_from(["identity", "contact", "place", "narrative"])),
)
def test_a_purpose_is_told_what_it_needs_and_no_more(discloses: frozenset[str], needs: frozenset[str]) -> None:
    """Whoever carries out a measure has to find the house; what happened there is not for them."""
    found = basis(case_file(consent(discloses=discloses)), agency=POLICE, needs=needs)
    assert {value.data_class for value in found.disclosed} == discloses & needs


def test_dnh_9_an_office_in_conflict_and_those_it_commands_are_told_nothing() -> None:
    """Whatever was consented to: the person's word is enough."""
    tied = case_file(consent(), consent(2, agency=COMMAND), conflicted=frozenset({COMMAND}))
    refused("conflict-of-interest", case=tied, agency=COMMAND)
    refused("conflict-of-interest", case=tied, agency=POLICE, above=(COMMAND,))
    assert basis(tied, agency=POLICE).disclosed
