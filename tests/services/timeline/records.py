"""Records as the sources publish them, built from their messages alone."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from amparo.intake.v1 import events_pb2 as intake
from amparo.protection.v1 import events_pb2 as protection
from amparo.record.v1 import record_pb2
from amparo.referral.v1 import events_pb2 as referral
from amparo.vault.v1 import events_pb2 as vault

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CASE = "5c1d1f8e-6a35-4bd7-9c0b-51f1c5a1a001"
FILER, POLICE, PROSECUTOR, OMBUDSMAN = "ngo-alpha", "police-north", "prosecutor-north", "ombudsman"


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def stamp(seconds: float) -> Timestamp:
    """The protobuf form of `at`."""
    message = Timestamp()
    message.FromDatetime(at(seconds).replace(tzinfo=None))
    return message


@dataclass
class Story:
    """What happens, in the order in which each source records it. ``records`` holds each source's bytes by index."""

    records: dict[str, list[bytes]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    told: list[bytes] = field(default_factory=list)

    def tell(
        self,
        payload: Message | tuple[str, bytes],
        *,
        stream: str,
        second: float,
        case: str = CASE,
        role: str = "coordinator",
        unit: str = "dgdh",
        occurred: float | None = None,
    ) -> bytes:
        """Records one event ``second`` seconds after noon; a (type, bytes) pair stands for a type nobody knows."""
        kind = stream.partition("/")[0]
        source = {"request": "pe.intake", "incident": "pe.intake", "case": "pe.protection", "measure": "pe.protection"}
        source |= dict.fromkeys(("access", "refusal"), "pe.vault")
        name, data = (
            payload if isinstance(payload, tuple) else (payload.DESCRIPTOR.full_name, payload.SerializeToString())
        )
        self.versions[stream] = self.versions.get(stream, 0) + 1
        event = record_pb2.Event(
            id=sha256(f"{stream}:{self.versions[stream]}".encode()).digest()[:16],
            stream=stream,
            version=self.versions[stream],
            type=name,
            occurred_at=stamp(second if occurred is None else occurred),
            recorded_at=stamp(second),
            actor=record_pb2.Actor(id=f"person-{role}", role=role, unit=unit),
            correlation=case,
            payload=data,
        )
        of_source = self.records.setdefault(source.get(kind, "pe.referral"), [])
        record = record_pb2.Record(
            source=source.get(kind, "pe.referral"),
            index=len(of_source),
            event=event.SerializeToString(deterministic=True),
        ).SerializeToString(deterministic=True)
        of_source.append(record)
        self.told.append(record)
        return record


def register(story: Story) -> None:
    """Three agencies, with the names of institutions that do not exist."""
    for agency, kind, name in (
        (POLICE, referral.AGENCY_KIND_POLICE, "Northern police unit"),
        (PROSECUTOR, referral.AGENCY_KIND_PROSECUTOR, "Northern prosecutor's office"),
        (OMBUDSMAN, referral.AGENCY_KIND_OMBUDSMAN, "Office of the Ombudsman"),
    ):
        message = referral.AgencyRegistered(agency=agency, kind=kind, name=name, region="PE-UCA")
        story.tell(message, stream=f"agency/{agency}", second=-60, case="")


def file(
    story: Story, *, case: str = CASE, unit: str = FILER, second: float = 0, excluded: tuple[str, ...] = ()
) -> None:
    """A request is filed, police and prosecutor may be told, and the case is opened with one clock."""
    filed = intake.RequestFiled(
        case_id=case,
        filed_by=intake.FILED_BY_THIRD_PARTY_WITH_CONSENT,
        subjects=[intake.Subject(subject_id=subject_of(case), kind=intake.SUBJECT_KIND_PERSON)],
        incident=intake.INCIDENT_KIND_THREAT,
        imminent=True,
        region="PE-UCA",
        excluded=excluded,
    )
    story.tell(filed, stream=f"request/{case}", second=second, case=case, role="filer", unit=unit, occurred=second - 30)
    for agency in (POLICE, PROSECUTOR):
        consent = intake.ConsentGiven(
            subject_id="s-1", agency=agency, consent_version=1, discloses=["identity", "place"]
        )
        story.tell(consent, stream=f"request/{case}", second=second, case=case, role="filer", unit=unit)
    opened = protection.CaseOpened(case_id=case, track="extraordinary", pack="drill", pack_version="1")
    story.tell(opened, stream=f"case/{case}", second=second + 1, case=case, role="service", unit="")
    started = protection.ClockStarted(
        clock="preliminary_report", started_at=stamp(second), due=stamp(second + 30), duty="dgdh", kind="service_target"
    )
    story.tell(started, stream=f"case/{case}", second=second + 1, case=case, role="service", unit="")


def send(story: Story, referral_id: str, *, agency: str = POLICE, case: str = CASE, second: float = 2) -> None:
    """A referral: its first act is due after 6 seconds, its answer after 20."""
    sent = referral.ReferralSent(
        referral_id=referral_id,
        case_id=case,
        agency=agency,
        purpose={POLICE: "protect", PROSECUTOR: "investigate"}.get(agency, "follow"),
        round=1,
        consent_version=1,
        acknowledge_due=stamp(second + 6),
        answer_due=stamp(second + 20),
        pack="drill",
        pack_version="1",
    )
    story.tell(sent, stream=f"referral/{referral_id}", second=second, case=case, role="service", unit="")


def subject_of(case: str) -> str:
    """The one subject of a case that was filed here."""
    return f"subject-of-{case}"


def look(story: Story, *subjects: str, case: str = "", second: float = 50, unit: str = POLICE) -> None:
    """An officer reads the place of subjects, by consent. The case is what the asking service says it is about."""
    read = vault.PersonalDataRead(
        subjects=subjects,
        classes=["place"],
        purpose="referral.disclosure",
        about="referral/r-police",
        rule="consent:1",
        asked=len(subjects),
        released=len(subjects),
        service="referral",
    )
    stream = f"access/{case or subjects[0]}"
    story.tell(read, stream=stream, second=second, case=case, role="police_unit", unit=unit)


def act(
    story: Story, referral_id: str, message: Message, *, second: float, unit: str = POLICE, case: str = CASE
) -> None:
    """An agency's act on its referral."""
    role = {POLICE: "police_unit", PROSECUTOR: "prosecutor"}.get(unit, "coordinator")
    story.tell(message, stream=f"referral/{referral_id}", second=second, case=case, role=role, unit=unit)


def whole_story() -> Story:
    """One case from filing to a measure: the police answer late, the prosecutor rejects, the Ombudsman says nothing."""
    story = Story()
    register(story)
    file(story)
    send(story, "r-police")
    send(story, "r-prosecutor", agency=PROSECUTOR, second=2.5)
    send(story, "r-ombudsman", agency=OMBUDSMAN, second=3)
    act(story, "r-police", referral.ReferralAcknowledged(at=stamp(4)), second=5)
    rejected = referral.ReferralRejected(ground=referral.REJECTION_GROUND_NO_MEANS)
    act(story, "r-prosecutor", rejected, second=7, unit=PROSECUTOR)
    noted = referral.SilenceNoted(clock="answer", rung=100, due=stamp(22), told=["coordinator"])
    act(story, "r-police", noted, second=22, unit="")
    story.tell(protection.PreliminaryReportIssued(admissible=True), stream=f"case/{CASE}", second=20)
    story.tell(protection.ClockStopped(clock="preliminary_report", met=True), stream=f"case/{CASE}", second=20)
    evaluated = protection.RiskEvaluated(level=protection.RISK_LEVEL_EXTREME, decided_by="person-7", method="matrix")
    story.tell(evaluated, stream=f"case/{CASE}", second=21)
    act(story, "r-police", referral.ReferralAnswered(at=stamp(24), done=True, late=True), second=25)
    proposed = protection.MeasureProposed(measure_id="m-1", case_id=CASE, measure="patrol_home", implementer=POLICE)
    story.tell(proposed, stream="measure/m-1", second=26)
    send(story, "r-measure", second=27)
    story.tell(protection.MeasureSent(referral_id="r-measure"), stream="measure/m-1", second=27.5)
    story.tell(protection.MeasureConfirmed(), stream="measure/m-1", second=40, role="filer", unit=FILER)
    story.tell(("amparo.protection.v9.NotYetInvented", b"\xff\xff"), stream=f"case/{CASE}", second=41)
    withdrawn = intake.ConsentWithdrawn(subject_id="s-1", agency=OMBUDSMAN, consent_version=2)
    story.tell(withdrawn, stream=f"request/{CASE}", second=42, role="filer", unit=FILER)
    recalled = referral.ReferralRecalled(ground="consent_withdrawn")
    act(story, "r-ombudsman", recalled, second=43, unit="dgdh")
    look(story, subject_of(CASE), case=CASE, second=44)
    refused = vault.PersonalDataRefused(
        purpose="intake.read", rule="absent-or-anothers", about=[f"request/{CASE}"], cases=[CASE], times=3
    )
    story.tell(refused, stream="refusal/somebody", second=45, case="", role="evaluator", unit="elsewhere")
    return story
