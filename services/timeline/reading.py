"""What a record says on a timeline, in the mechanism's own closed words. Pure.

Payloads are read by the services' published messages, never by their code. What this version does not know (a later
type, a payload that does not parse) is a line all the same, of kind ``unknown``: a timeline never stops over a word.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp

from amparo.intake.v1 import events_pb2 as intake
from amparo.protection.v1 import events_pb2 as protection
from amparo.record.v1 import record_pb2
from amparo.referral.v1 import events_pb2 as referral
from amparo.vault.v1 import events_pb2 as vault

UNKNOWN = "unknown"
CLOCK_STOPPED = "clock.stopped"
ACCESSES = ("personal_data.read", "personal_data.sealed", "personal_data.refused")
"""Kinds of the vault's lines: who looked, added, or asked in vain."""
FILING, SENDING = "filing", "referral"
"""What an act is measured from: the filing of its case's request, or the sending of its referral."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Detail = str | int | bool | tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """What an event's payload contributes to its line.

    ``agency`` is the agency asked or acting; ``details`` hold codes of closed vocabularies, numbers and truths only.
    ``due`` and ``late`` are what the event itself states of a limit. ``since`` says what its delay is measured from,
    empty where nothing was asked.
    """

    kind: str
    since: str = FILING
    agency: str = ""
    referral_id: str = ""
    clock: str = ""
    due: datetime | None = None
    late: bool | None = None
    details: Mapping[str, Detail] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One record as a line: where it stands (``source``, ``index``, ``event_hash`` of 32 bytes), what it is, and what
    it says.

    ``payload`` is the parsed message, ``None`` where the kind is ``unknown``. The actor is a role and a unit;
    ``officer`` is the person's opaque id, which only the record of accesses keeps.
    """

    source: str
    index: int
    event_hash: bytes
    stream: str
    version: int
    type: str
    case_id: str
    occurred_at: datetime
    recorded_at: datetime
    actor_role: str
    actor_unit: str
    officer: str
    said: Said
    payload: Message | None

    @property
    def subject(self) -> str:
        """The id in the stream's name: ``9b…`` of ``referral/9b…``."""
        return self.stream.partition("/")[2]


def read(*, source: str, index: int, event: record_pb2.Event, event_hash: bytes) -> Line:
    """The line of one record. Raises nothing for what an event may hold: see the module."""
    payload, said = _say(event)
    return Line(
        source=source,
        index=index,
        event_hash=event_hash,
        stream=event.stream,
        version=event.version,
        type=event.type,
        case_id=event.correlation,
        occurred_at=_instant(event.occurred_at) or EPOCH,
        recorded_at=_instant(event.recorded_at) or EPOCH,
        actor_role=event.actor.role,
        actor_unit=event.actor.unit,
        officer=event.actor.id,
        said=said,
        payload=payload,
    )


def claimed(line: Line) -> datetime:
    """When the actor says it happened: the payload's ``at`` where it has one, else the event's ``occurred_at``."""
    at = getattr(line.payload, "at", None)
    return (_instant(at) if isinstance(at, Timestamp) else None) or line.occurred_at


def instant(at: Timestamp) -> datetime | None:
    """The aware UTC datetime of a timestamp; ``None`` where it is unset or outside the years 1 to 9999."""
    return _instant(at)


def code(message: Message, name: str) -> str:
    """An enum field as its closed word: ``RISK_LEVEL_EXTREME`` is ``extreme``. A later schema's value is its number."""
    enum = message.DESCRIPTOR.fields_by_name[name].enum_type
    assert enum is not None, name
    value = enum.values_by_number.get(getattr(message, name))
    if value is None:
        return str(getattr(message, name))
    prefix: str = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return str(value.name).removeprefix(prefix).lower()


def _instant(at: Timestamp) -> datetime | None:
    if not at.seconds and not at.nanos:
        return None
    try:
        return at.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _say(event: record_pb2.Event) -> tuple[Message | None, Said]:
    known = _KINDS.get(event.type)
    if known is None:
        return None, Said(kind=UNKNOWN, since="")
    message, say = known
    try:
        payload = message.FromString(event.payload)
    except DecodeError:
        return None, Said(kind=UNKNOWN, since="")
    return payload, say(payload)


_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}")


def _details(message: Message, *names: str, **given: Detail) -> dict[str, Detail]:
    """The named fields as details. A text that is no code of a closed vocabulary is left out: no free text reaches a
    timeline.
    """
    by_name = message.DESCRIPTOR.fields_by_name
    found: dict[str, Detail] = {}
    for name in names:
        value = code(message, name) if by_name[name].enum_type else getattr(message, name)
        found[name] = tuple(value) if by_name[name].is_repeated else value
    return {name: value for name, value in (found | given).items() if _is_closed(value)}


def _is_closed(value: Detail) -> bool:
    if isinstance(value, tuple):
        return all(_is_closed(item) for item in value)
    return not isinstance(value, str) or _WORD.fullmatch(value) is not None


def _plain(kind: str, *names: str, since: str = FILING) -> Callable[[Any], Said]:
    return lambda m: Said(kind=kind, since=since, details=_details(m, *names))


def _to_agency(kind: str, *names: str) -> Callable[[Any], Said]:
    """An event about one agency that has not been asked for anything by it."""
    return lambda m: Said(kind=kind, agency=m.agency, details=_details(m, *names))


def _answer(kind: str, *names: str) -> Callable[[Any], Said]:
    """An agency's act on its referral, which the stream names."""
    return lambda m: Said(kind=kind, since=SENDING, late=getattr(m, "late", None), details=_details(m, *names))


def _measure(kind: str, *names: str) -> Callable[[Any], Said]:
    """A measure's event: measured from the referral that asked for it, once one was sent."""
    return lambda m: Said(
        kind=kind, since=SENDING, referral_id=getattr(m, "referral_id", ""), details=_details(m, *names)
    )


def _access(kind: str, *names: str) -> Callable[[Any], Said]:
    """Who looked. Whose data, of which class and by what rule is for those who examine it, not for a timeline."""
    return lambda m: Said(kind=kind, since="", details=_details(m, *names))


def _sent(m: referral.ReferralSent) -> Said:
    return Said(
        kind="referral.sent",
        agency=m.agency,
        referral_id=m.referral_id,
        due=_instant(m.answer_due),
        details=_details(m, "purpose", "round", "imminent", "two_person_decision", "no_accompaniment"),
    )


def _agency_silent(m: referral.SilenceNoted) -> Said:
    return _silent(m, kind="referral.silence", since=SENDING)


def _case_silent(m: protection.SilenceNoted) -> Said:
    return _silent(m, kind="case.silence", since=FILING)


def _silent(m: Any, *, kind: str, since: str) -> Said:
    details = _details(m, "clock", "rung", "told")
    return Said(kind=kind, since=since, clock=m.clock, due=_instant(m.due), late=m.rung >= 100, details=details)


def _started(m: protection.ClockStarted) -> Said:
    return Said(kind="clock.started", clock=m.clock, due=_instant(m.due), details=_details(m, "clock", "duty", "kind"))


def _stopped(m: protection.ClockStopped) -> Said:
    return Said(kind=CLOCK_STOPPED, clock=m.clock, late=m.late, details=_details(m, "clock", "met"))


_KINDS: Mapping[str, tuple[type[Message], Callable[[Any], Said]]] = {
    message.DESCRIPTOR.full_name: (message, say)
    for message, say in (
        # Registry. Which agencies must never learn of a case is not said here, and neither is what happened or where.
        (
            intake.RequestFiled,
            lambda m: Said(kind="request.filed", since="", details=_details(m, "filed_by", "imminent")),
        ),
        (intake.EvidenceAdded, _plain("evidence.added")),
        (intake.ConsentGiven, _to_agency("consent.given", "consent_version", "discloses")),
        (intake.ConsentWithdrawn, _to_agency("consent.withdrawn", "consent_version")),
        (intake.DisclosureProposed, _to_agency("disclosure.proposed", "discloses")),
        (intake.DisclosureDecided, _to_agency("disclosure.decided", "consent_version", "discloses")),
        (intake.AgencyExcluded, _plain("agency.excluded")),
        (intake.AccountNamed, _plain("account.named")),
        (intake.ConflictRecorded, _plain("conflict.recorded", "claimed")),
        (intake.IncidentReported, _plain("incident.reported")),
        (intake.IncidentVerified, _plain("incident.verified", "verification")),
        (intake.RequestWithdrawn, _plain("request.withdrawn")),
        (intake.SealOpened, _plain("seal.opened", "ground", "field")),
        (intake.OpeningReviewed, _plain("seal.reviewed", "justified", "late")),
        (intake.OpeningUnreviewed, lambda m: Said(kind="seal.unreviewed", due=_instant(m.due), late=True)),
        # Case.
        (protection.CaseOpened, _plain("case.opened", "track", "pack", "pack_version")),
        (protection.ClockStarted, _started),
        (protection.ClockStopped, _stopped),
        (protection.SilenceNoted, _case_silent),
        (protection.PreliminaryReportIssued, _plain("preliminary_report.issued", "admissible")),
        (
            protection.RiskEvaluated,
            _plain("risk.evaluated", "level", "proposed", "imminent", "method", "method_version"),
        ),
        (protection.ResolutionIssued, _plain("resolution.issued", "granted")),
        (protection.ResolutionNotified, _plain("resolution.notified")),
        (protection.CaseWithdrawn, _plain("case.withdrawn")),
        (protection.CaseClosed, _plain("case.closed", "ground")),
        (protection.MeasureAdded, _plain("measure.added")),
        # Measures.
        (
            protection.MeasureProposed,
            lambda m: Said(
                kind="measure.proposed", agency=m.implementer, details=_details(m, "measure", "family", "urgent")
            ),
        ),
        (protection.MeasureGranted, _plain("measure.granted")),
        (protection.MeasureAccepted, _plain("measure.accepted")),
        (protection.MeasureRefused, _plain("measure.refused")),
        (protection.MeasureSent, lambda m: Said(kind="measure.sent", referral_id=m.referral_id)),
        (protection.MeasureAcknowledged, _measure("measure.acknowledged")),
        (protection.MeasureReportedImplemented, _measure("measure.reported_implemented")),
        (protection.MeasureConfirmed, _measure("measure.confirmed")),
        (protection.MeasureFoundIneffective, _measure("measure.found_ineffective")),
        (protection.MeasureModified, _plain("measure.modified")),
        (protection.MeasureSuspended, _plain("measure.suspended")),
        (protection.MeasureCeased, _plain("measure.ceased")),
        # Agencies and their referrals.
        (
            referral.AgencyRegistered,
            lambda m: Said(kind="agency.registered", since="", agency=m.agency, details=_details(m, "kind")),
        ),
        (referral.AgreementRecorded, lambda m: Said(kind="agreement.recorded", since="", agency=m.agency)),
        (referral.ReferralSent, _sent),
        (referral.ReferralAcknowledged, _answer("referral.acknowledged")),
        (referral.ReferralAccepted, _answer("referral.accepted")),
        (referral.ReferralRejected, _answer("referral.rejected", "ground")),
        (referral.ReferralAnswered, _answer("referral.answered", "done")),
        (referral.ReferralRecalled, _answer("referral.recalled", "ground")),
        (referral.DisclosureWidened, _answer("disclosure.widened", "consent_version")),
        (referral.SilenceNoted, _agency_silent),
        # Who looked.
        (vault.PersonalDataRead, _access("personal_data.read", "purpose")),
        (vault.PersonalDataSealed, _access("personal_data.sealed")),
        (vault.PersonalDataRefused, _access("personal_data.refused", "purpose", "times")),
        # What became of the key over all keys.
        (vault.KeyRotationBegun, _access("keys.rotation_begun", "version", "keys")),
        (vault.KeysRewrapped, _access("keys.rewrapped", "version", "keys", "destroyed")),
        (vault.KeyVersionsRetired, _access("keys.versions_retired")),
    )
}
KINDS: Mapping[str, str] = {name: say(message()).kind for name, (message, say) in _KINDS.items()}
"""Every type that is known, and the kind of its line."""
