"""What may be told of a case, and to whom: judged when a referral is sent and again at each reading. Pure.

Source: DS 004-2021-JUS art. 4.1(e) (confidentiality). A value leaves the registry only by consent, for that addressee,
of the subject whose key seals it; or, where the subject cannot answer, by the recorded decision of two persons. An
exclusion outranks every consent and every decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from eventlog.decider import Refused

IDENTITY, CONTACT, PLACE, NARRATIVE = "identity", "contact", "place", "narrative"
DATA_CLASSES = frozenset({IDENTITY, CONTACT, PLACE, NARRATIVE})
MEASURE = "measure"
"""How a measure is to be carried out. Nobody names it in a consent: its own acceptance says that it is wanted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SealedField:
    """A ciphertext and what it is bound to: see `amparo.record.v1.SealedField`."""

    path: str
    key_id: str
    ciphertext: bytes
    commitment: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Disclosed:
    """One sealed value that the addressee may read; ``event_id`` is that of the filing, or of the measure's proposal or
    change, so that the ciphertext still opens.
    """

    data_class: str
    event_id: bytes
    field: SealedField


@dataclass(frozen=True, kw_only=True, slots=True)
class Consent:
    """A subject's word that one agency learns of the case, or two persons' in its place."""

    version: int
    subject_id: str
    agency: str
    discloses: frozenset[str]
    two_persons: bool = False
    withdrawn: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseFile:
    """What this room knows of a case: everything that the disclosing transaction needs, nothing in clear.

    ``subjects`` are those for whom protection is asked; a linked person is not among them. ``subject_id`` is the first,
    whose key seals what is said about the case. ``copies`` are the sealed values of the filing; the subject concerned
    is ``field.key_id``.
    """

    case_id: str
    subject_id: str
    subjects: frozenset[str]
    region: str
    pack: str
    pack_version: str
    imminent: bool = False
    no_accompaniment: bool = False
    withdrawn: bool = False
    request_version: int = 0
    excluded: frozenset[str] = frozenset()
    conflicted: frozenset[str] = frozenset()
    consents: tuple[Consent, ...] = ()
    copies: tuple[Disclosed, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasureFile:
    """What this room knows of a measure: what it is, who carries it out, and how, in ciphertext (``None`` where nothing
    was written).
    """

    measure_id: str
    case_id: str
    measure: str
    family: str
    urgent: bool
    implementer: str
    version: int
    how: Disclosed | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Basis:
    """On what a disclosure rests: the newest consent it uses (0 where two persons decided alone), and the values it
    lets through.
    """

    consent_version: int
    two_person_decision: bool
    disclosed: tuple[Disclosed, ...]


def is_excluded(case: CaseFile, *, agency: str, above: tuple[str, ...]) -> bool:
    """Whether the filer named the agency, or an office that commands it (``above``), as one that must never learn of
    the case.
    """
    return not case.excluded.isdisjoint({agency, *above})


def standing_consents(case: CaseFile, *, agency: str) -> Mapping[str, Consent]:
    """The newest word of each subject on one addressee, by subject; those withdrawn are left out, and no older one
    revives.
    """
    newest: dict[str, Consent] = {}
    for consent in sorted(case.consents, key=lambda given: given.version):
        if consent.agency == agency:
            newest[consent.subject_id] = consent
    return {subject: consent for subject, consent in newest.items() if not consent.withdrawn}


def basis(
    case: CaseFile,
    *,
    agency: str,
    above: tuple[str, ...] = (),
    measure: MeasureFile | None = None,
    needs: frozenset[str] = DATA_CLASSES,
) -> Basis:
    """What the agency may be told now: of each subject who consents to this addressee what it consents to, and of that
    what the purpose ``needs``.

    How a ``measure`` is to be done is told to its implementer alone, and only while the subject whose key seals it
    consents to that addressee. That the beneficiary accepted the measure is the sender's to know.

    Raises ``Refused``: ``agency-excluded`` (first of all), ``conflict-of-interest`` of it or of one above it (DNH-9:
    the person's word pauses, whatever was consented to), ``request-withdrawn``, ``consent-missing`` where no subject
    for whom protection is asked has a standing consent or decision for this addressee. A linked person's consent alone
    opens no referral about somebody else.
    """
    if is_excluded(case, agency=agency, above=above):
        raise Refused(
            "agency-excluded", "the filer named this agency, or one above it, as one that must never learn of the case"
        )
    if not case.conflicted.isdisjoint({agency, *above}):
        raise Refused("conflict-of-interest", "ask another office, of another command")
    if case.withdrawn:
        raise Refused("request-withdrawn", "the request was withdrawn; nothing of it is disclosed any more")
    consents = standing_consents(case, agency=agency)
    if case.subjects.isdisjoint(consents):
        raise Refused(
            "consent-missing", "record a consent for this addressee, or a decision of two persons, and send again"
        )
    return Basis(
        consent_version=max((c.version for c in consents.values() if not c.two_persons), default=0),
        two_person_decision=any(c.two_persons for c in consents.values()),
        disclosed=(
            *(
                copy
                for copy in case.copies
                if copy.data_class in needs
                and copy.field.key_id in consents
                and copy.data_class in consents[copy.field.key_id].discloses
            ),
            *(
                (measure.how,)
                if measure and measure.how and measure.implementer == agency and measure.how.field.key_id in consents
                else ()
            ),
        ),
    )
