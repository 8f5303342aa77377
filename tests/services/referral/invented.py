"""Invented offices, people and instants, shared by the tests of referrals."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.referral.disclosure import CaseFile, Consent, Disclosed, SealedField
from services.referral.domain import ReferralSent, Send

MONDAY = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
ACKNOWLEDGE_DUE = MONDAY + timedelta(hours=24)
ANSWER_DUE = MONDAY + timedelta(days=7)
POLICE, PROSECUTOR, OMBUDSMAN, COMMAND = "pnp-ucayali", "mp-fema-ucayali", "dp-ucayali", "pnp-lima"
DEFENDER, LAWYER = "0d5a3c5e-0000-4000-8000-000000000001", "0d5a3c5e-0000-4000-8000-000000000002"
CASE = "7b1e0000-0000-4000-8000-0000000000ca"


def sealed(data_class: str, path: str, *, subject: str = DEFENDER) -> Disclosed:
    """A value of the filing as this room knows it: nothing but ciphertext."""
    field = SealedField(path=path, key_id=subject, ciphertext=b"\x01" + path.encode(), commitment=b"c" * 32)
    return Disclosed(data_class=data_class, event_id=b"f" * 16, field=field)


NAME, CONTACT = sealed("identity", "subjects.0.name"), sealed("contact", "subjects.0.contact")
PLACE, NARRATIVE = sealed("place", "subjects.0.place"), sealed("narrative", "narrative")
LAWYERS_NAME = sealed("identity", "subjects.1.name", subject=LAWYER)


def consent(version: int = 1, **changes: Any) -> Consent:
    """The defender's consent for the police to everything, unless told otherwise."""
    given = Consent(
        version=version,
        subject_id=DEFENDER,
        agency=POLICE,
        discloses=frozenset({"identity", "contact", "place", "narrative"}),
    )
    return replace(given, **changes)


def case_file(*consents: Consent, **changes: Any) -> CaseFile:
    """A case with a defender, for whom protection is asked, and a linked lawyer."""
    case = CaseFile(
        case_id=CASE,
        subject_id=DEFENDER,
        subjects=frozenset({DEFENDER}),
        region="PE-UCA",
        pack="drill",
        pack_version="1",
        consents=consents,
        copies=(NAME, CONTACT, PLACE, NARRATIVE, LAWYERS_NAME),
    )
    return replace(case, **changes)


def send(case: CaseFile | None = None, **changes: Any) -> Send:
    """The police are asked to protect, on the defender's consent."""
    command = Send(
        referral_id="5e9d0000-0000-4000-8000-0000000000fe",
        case=case or case_file(consent()),
        agency=POLICE,
        above=(),
        purpose="protect",
        round=1,
        acknowledge_due=ACKNOWLEDGE_DUE,
        answer_due=ANSWER_DUE,
        now=MONDAY,
    )
    return replace(command, **changes)


SENT = ReferralSent(
    referral_id="5e9d0000-0000-4000-8000-0000000000fe",
    case_id=CASE,
    agency=POLICE,
    purpose="protect",
    round=1,
    consent_version=1,
    two_person_decision=False,
    disclosed=(NAME, CONTACT, PLACE, NARRATIVE),
    no_accompaniment=False,
    imminent=False,
    measure_id="",
    acknowledge_due=ACKNOWLEDGE_DUE,
    answer_due=ANSWER_DUE,
    pack="drill",
    pack_version="1",
    subject_id=DEFENDER,
    sent_at=MONDAY,
)
