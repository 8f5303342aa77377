import datetime

from amparo.record.v1 import record_pb2 as _record_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class FiledBy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILED_BY_UNSPECIFIED: _ClassVar[FiledBy]
    FILED_BY_DEFENDER: _ClassVar[FiledBy]
    FILED_BY_THIRD_PARTY_WITH_CONSENT: _ClassVar[FiledBy]
    FILED_BY_THIRD_PARTY_GRAVE_IMPEDIMENT: _ClassVar[FiledBy]
    FILED_BY_OWN_MOTION: _ClassVar[FiledBy]

class SubjectKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUBJECT_KIND_UNSPECIFIED: _ClassVar[SubjectKind]
    SUBJECT_KIND_PERSON: _ClassVar[SubjectKind]
    SUBJECT_KIND_FAMILY: _ClassVar[SubjectKind]
    SUBJECT_KIND_COMMUNITY: _ClassVar[SubjectKind]
    SUBJECT_KIND_COLLECTIVE: _ClassVar[SubjectKind]
    SUBJECT_KIND_ORGANISATION: _ClassVar[SubjectKind]

class DefenderProfile(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEFENDER_PROFILE_UNSPECIFIED: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_LAND_OR_ENVIRONMENT: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_INDIGENOUS: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_PEASANT_OR_RONDERO: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_WOMENS_RIGHTS: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_LGBTI: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_SEXUAL_AND_REPRODUCTIVE_RIGHTS: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_JOURNALIST: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_LAWYER: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_DOCTOR_OR_EXPERT: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_TRADE_UNIONIST: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_TEACHER: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_CHILD_OR_ADOLESCENT: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_VICTIMS_ADVOCATE: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_PARK_RANGER: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_OMBUDSMAN_STAFF: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_COMMUNITY_OR_COLLECTIVE: _ClassVar[DefenderProfile]
    DEFENDER_PROFILE_FAMILY_MEMBER: _ClassVar[DefenderProfile]

class IncidentKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INCIDENT_KIND_UNSPECIFIED: _ClassVar[IncidentKind]
    INCIDENT_KIND_KILLING: _ClassVar[IncidentKind]
    INCIDENT_KIND_ATTEMPTED_KILLING: _ClassVar[IncidentKind]
    INCIDENT_KIND_ENFORCED_DISAPPEARANCE: _ClassVar[IncidentKind]
    INCIDENT_KIND_TORTURE_OR_ILL_TREATMENT: _ClassVar[IncidentKind]
    INCIDENT_KIND_ARBITRARY_DETENTION: _ClassVar[IncidentKind]
    INCIDENT_KIND_KIDNAPPING: _ClassVar[IncidentKind]
    INCIDENT_KIND_PHYSICAL_ATTACK: _ClassVar[IncidentKind]
    INCIDENT_KIND_THREAT: _ClassVar[IncidentKind]
    INCIDENT_KIND_HARASSMENT: _ClassVar[IncidentKind]
    INCIDENT_KIND_SURVEILLANCE: _ClassVar[IncidentKind]
    INCIDENT_KIND_STIGMATISATION_OR_HATE: _ClassVar[IncidentKind]
    INCIDENT_KIND_DISCRIMINATION_OR_REPRISAL: _ClassVar[IncidentKind]
    INCIDENT_KIND_GENDER_VIOLENCE: _ClassVar[IncidentKind]
    INCIDENT_KIND_ATTACK_ON_HONOUR: _ClassVar[IncidentKind]
    INCIDENT_KIND_PROPERTY_OR_LIVELIHOOD: _ClassVar[IncidentKind]
    INCIDENT_KIND_ENVIRONMENTAL_HARM: _ClassVar[IncidentKind]
    INCIDENT_KIND_OBSTRUCTION: _ClassVar[IncidentKind]
    INCIDENT_KIND_INFORMATION_THEFT: _ClassVar[IncidentKind]
    INCIDENT_KIND_CULTURAL_RIGHTS: _ClassVar[IncidentKind]
    INCIDENT_KIND_CRIMINALISATION: _ClassVar[IncidentKind]
    INCIDENT_KIND_DISPLACEMENT: _ClassVar[IncidentKind]
    INCIDENT_KIND_FORCED_EVICTION: _ClassVar[IncidentKind]
    INCIDENT_KIND_EXCESSIVE_FORCE_AT_PROTEST: _ClassVar[IncidentKind]
    INCIDENT_KIND_JOB_LOSS: _ClassVar[IncidentKind]
    INCIDENT_KIND_COMPLAINT_REFUSED: _ClassVar[IncidentKind]
    INCIDENT_KIND_FORCED_ACCOMPANIMENT: _ClassVar[IncidentKind]
    INCIDENT_KIND_OTHER: _ClassVar[IncidentKind]

class PerpetratorKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PERPETRATOR_KIND_UNSPECIFIED: _ClassVar[PerpetratorKind]
    PERPETRATOR_KIND_POLICE: _ClassVar[PerpetratorKind]
    PERPETRATOR_KIND_MILITARY: _ClassVar[PerpetratorKind]
    PERPETRATOR_KIND_PROSECUTOR: _ClassVar[PerpetratorKind]
    PERPETRATOR_KIND_JUDGE: _ClassVar[PerpetratorKind]
    PERPETRATOR_KIND_REGIONAL_GOVERNMENT: _ClassVar[PerpetratorKind]
    PERPETRATOR_KIND_LOCAL_GOVERNMENT: _ClassVar[PerpetratorKind]
    PERPETRATOR_KIND_NON_STATE_FORMAL: _ClassVar[PerpetratorKind]
    PERPETRATOR_KIND_NON_STATE_INFORMAL: _ClassVar[PerpetratorKind]
    PERPETRATOR_KIND_NON_STATE_ILLICIT: _ClassVar[PerpetratorKind]
    PERPETRATOR_KIND_MIXED: _ClassVar[PerpetratorKind]
    PERPETRATOR_KIND_UNKNOWN: _ClassVar[PerpetratorKind]

class Verification(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERIFICATION_UNSPECIFIED: _ClassVar[Verification]
    VERIFICATION_REPORTED: _ClassVar[Verification]
    VERIFICATION_CORROBORATED: _ClassVar[Verification]
    VERIFICATION_VERIFIED: _ClassVar[Verification]
    VERIFICATION_UNFOUNDED: _ClassVar[Verification]
    VERIFICATION_DUPLICATE: _ClassVar[Verification]

class Charge(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHARGE_UNSPECIFIED: _ClassVar[Charge]
    CHARGE_RIOTING: _ClassVar[Charge]
    CHARGE_OBSTRUCTION_OF_PUBLIC_SERVICES: _ClassVar[Charge]
    CHARGE_AGGRAVATED_DAMAGE: _ClassVar[Charge]
    CHARGE_VIOLENCE_OR_RESISTANCE_TO_AUTHORITY: _ClassVar[Charge]
    CHARGE_EXTORTION: _ClassVar[Charge]
    CHARGE_KIDNAPPING: _ClassVar[Charge]
    CHARGE_USURPATION: _ClassVar[Charge]
    CHARGE_CRIMINAL_ASSOCIATION: _ClassVar[Charge]
    CHARGE_DEFAMATION: _ClassVar[Charge]
    CHARGE_AGGRAVATED_DEFAMATION: _ClassVar[Charge]
    CHARGE_FALSE_PUBLIC_DOCUMENT: _ClassVar[Charge]
    CHARGE_FALSE_MEDICAL_CERTIFICATE: _ClassVar[Charge]
    CHARGE_ORGANISED_CRIME: _ClassVar[Charge]
    CHARGE_OTHER: _ClassVar[Charge]

class ViolenceForm(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VIOLENCE_FORM_UNSPECIFIED: _ClassVar[ViolenceForm]
    VIOLENCE_FORM_PHYSICAL: _ClassVar[ViolenceForm]
    VIOLENCE_FORM_SEXUAL: _ClassVar[ViolenceForm]
    VIOLENCE_FORM_PSYCHOLOGICAL: _ClassVar[ViolenceForm]
    VIOLENCE_FORM_ECONOMIC: _ClassVar[ViolenceForm]

class OpeningGround(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPENING_GROUND_UNSPECIFIED: _ClassVar[OpeningGround]
    OPENING_GROUND_DANGER_TO_LIFE: _ClassVar[OpeningGround]
    OPENING_GROUND_DISAPPEARED: _ClassVar[OpeningGround]
    OPENING_GROUND_MEDICAL_EMERGENCY: _ClassVar[OpeningGround]
    OPENING_GROUND_EVACUATION: _ClassVar[OpeningGround]

class OpenedField(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OPENED_FIELD_UNSPECIFIED: _ClassVar[OpenedField]
    OPENED_FIELD_NAME: _ClassVar[OpenedField]
    OPENED_FIELD_CONTACT: _ClassVar[OpenedField]
    OPENED_FIELD_PLACE: _ClassVar[OpenedField]
    OPENED_FIELD_NARRATIVE: _ClassVar[OpenedField]
FILED_BY_UNSPECIFIED: FiledBy
FILED_BY_DEFENDER: FiledBy
FILED_BY_THIRD_PARTY_WITH_CONSENT: FiledBy
FILED_BY_THIRD_PARTY_GRAVE_IMPEDIMENT: FiledBy
FILED_BY_OWN_MOTION: FiledBy
SUBJECT_KIND_UNSPECIFIED: SubjectKind
SUBJECT_KIND_PERSON: SubjectKind
SUBJECT_KIND_FAMILY: SubjectKind
SUBJECT_KIND_COMMUNITY: SubjectKind
SUBJECT_KIND_COLLECTIVE: SubjectKind
SUBJECT_KIND_ORGANISATION: SubjectKind
DEFENDER_PROFILE_UNSPECIFIED: DefenderProfile
DEFENDER_PROFILE_LAND_OR_ENVIRONMENT: DefenderProfile
DEFENDER_PROFILE_INDIGENOUS: DefenderProfile
DEFENDER_PROFILE_PEASANT_OR_RONDERO: DefenderProfile
DEFENDER_PROFILE_WOMENS_RIGHTS: DefenderProfile
DEFENDER_PROFILE_LGBTI: DefenderProfile
DEFENDER_PROFILE_SEXUAL_AND_REPRODUCTIVE_RIGHTS: DefenderProfile
DEFENDER_PROFILE_JOURNALIST: DefenderProfile
DEFENDER_PROFILE_LAWYER: DefenderProfile
DEFENDER_PROFILE_DOCTOR_OR_EXPERT: DefenderProfile
DEFENDER_PROFILE_TRADE_UNIONIST: DefenderProfile
DEFENDER_PROFILE_TEACHER: DefenderProfile
DEFENDER_PROFILE_CHILD_OR_ADOLESCENT: DefenderProfile
DEFENDER_PROFILE_VICTIMS_ADVOCATE: DefenderProfile
DEFENDER_PROFILE_PARK_RANGER: DefenderProfile
DEFENDER_PROFILE_OMBUDSMAN_STAFF: DefenderProfile
DEFENDER_PROFILE_COMMUNITY_OR_COLLECTIVE: DefenderProfile
DEFENDER_PROFILE_FAMILY_MEMBER: DefenderProfile
INCIDENT_KIND_UNSPECIFIED: IncidentKind
INCIDENT_KIND_KILLING: IncidentKind
INCIDENT_KIND_ATTEMPTED_KILLING: IncidentKind
INCIDENT_KIND_ENFORCED_DISAPPEARANCE: IncidentKind
INCIDENT_KIND_TORTURE_OR_ILL_TREATMENT: IncidentKind
INCIDENT_KIND_ARBITRARY_DETENTION: IncidentKind
INCIDENT_KIND_KIDNAPPING: IncidentKind
INCIDENT_KIND_PHYSICAL_ATTACK: IncidentKind
INCIDENT_KIND_THREAT: IncidentKind
INCIDENT_KIND_HARASSMENT: IncidentKind
INCIDENT_KIND_SURVEILLANCE: IncidentKind
INCIDENT_KIND_STIGMATISATION_OR_HATE: IncidentKind
INCIDENT_KIND_DISCRIMINATION_OR_REPRISAL: IncidentKind
INCIDENT_KIND_GENDER_VIOLENCE: IncidentKind
INCIDENT_KIND_ATTACK_ON_HONOUR: IncidentKind
INCIDENT_KIND_PROPERTY_OR_LIVELIHOOD: IncidentKind
INCIDENT_KIND_ENVIRONMENTAL_HARM: IncidentKind
INCIDENT_KIND_OBSTRUCTION: IncidentKind
INCIDENT_KIND_INFORMATION_THEFT: IncidentKind
INCIDENT_KIND_CULTURAL_RIGHTS: IncidentKind
INCIDENT_KIND_CRIMINALISATION: IncidentKind
INCIDENT_KIND_DISPLACEMENT: IncidentKind
INCIDENT_KIND_FORCED_EVICTION: IncidentKind
INCIDENT_KIND_EXCESSIVE_FORCE_AT_PROTEST: IncidentKind
INCIDENT_KIND_JOB_LOSS: IncidentKind
INCIDENT_KIND_COMPLAINT_REFUSED: IncidentKind
INCIDENT_KIND_FORCED_ACCOMPANIMENT: IncidentKind
INCIDENT_KIND_OTHER: IncidentKind
PERPETRATOR_KIND_UNSPECIFIED: PerpetratorKind
PERPETRATOR_KIND_POLICE: PerpetratorKind
PERPETRATOR_KIND_MILITARY: PerpetratorKind
PERPETRATOR_KIND_PROSECUTOR: PerpetratorKind
PERPETRATOR_KIND_JUDGE: PerpetratorKind
PERPETRATOR_KIND_REGIONAL_GOVERNMENT: PerpetratorKind
PERPETRATOR_KIND_LOCAL_GOVERNMENT: PerpetratorKind
PERPETRATOR_KIND_NON_STATE_FORMAL: PerpetratorKind
PERPETRATOR_KIND_NON_STATE_INFORMAL: PerpetratorKind
PERPETRATOR_KIND_NON_STATE_ILLICIT: PerpetratorKind
PERPETRATOR_KIND_MIXED: PerpetratorKind
PERPETRATOR_KIND_UNKNOWN: PerpetratorKind
VERIFICATION_UNSPECIFIED: Verification
VERIFICATION_REPORTED: Verification
VERIFICATION_CORROBORATED: Verification
VERIFICATION_VERIFIED: Verification
VERIFICATION_UNFOUNDED: Verification
VERIFICATION_DUPLICATE: Verification
CHARGE_UNSPECIFIED: Charge
CHARGE_RIOTING: Charge
CHARGE_OBSTRUCTION_OF_PUBLIC_SERVICES: Charge
CHARGE_AGGRAVATED_DAMAGE: Charge
CHARGE_VIOLENCE_OR_RESISTANCE_TO_AUTHORITY: Charge
CHARGE_EXTORTION: Charge
CHARGE_KIDNAPPING: Charge
CHARGE_USURPATION: Charge
CHARGE_CRIMINAL_ASSOCIATION: Charge
CHARGE_DEFAMATION: Charge
CHARGE_AGGRAVATED_DEFAMATION: Charge
CHARGE_FALSE_PUBLIC_DOCUMENT: Charge
CHARGE_FALSE_MEDICAL_CERTIFICATE: Charge
CHARGE_ORGANISED_CRIME: Charge
CHARGE_OTHER: Charge
VIOLENCE_FORM_UNSPECIFIED: ViolenceForm
VIOLENCE_FORM_PHYSICAL: ViolenceForm
VIOLENCE_FORM_SEXUAL: ViolenceForm
VIOLENCE_FORM_PSYCHOLOGICAL: ViolenceForm
VIOLENCE_FORM_ECONOMIC: ViolenceForm
OPENING_GROUND_UNSPECIFIED: OpeningGround
OPENING_GROUND_DANGER_TO_LIFE: OpeningGround
OPENING_GROUND_DISAPPEARED: OpeningGround
OPENING_GROUND_MEDICAL_EMERGENCY: OpeningGround
OPENING_GROUND_EVACUATION: OpeningGround
OPENED_FIELD_UNSPECIFIED: OpenedField
OPENED_FIELD_NAME: OpenedField
OPENED_FIELD_CONTACT: OpenedField
OPENED_FIELD_PLACE: OpenedField
OPENED_FIELD_NARRATIVE: OpenedField

class Subject(_message.Message):
    __slots__ = ("subject_id", "kind", "linked")
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    LINKED_FIELD_NUMBER: _ClassVar[int]
    subject_id: str
    kind: SubjectKind
    linked: bool
    def __init__(self, subject_id: _Optional[str] = ..., kind: _Optional[_Union[SubjectKind, str]] = ..., linked: _Optional[bool] = ...) -> None: ...

class RequestFiled(_message.Message):
    __slots__ = ("case_id", "filed_by", "subjects", "incident", "perpetrator", "imminent", "region", "causes", "project", "territory", "excluded", "no_accompaniment", "pack", "pack_version", "language", "repeated_perpetrator")
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    FILED_BY_FIELD_NUMBER: _ClassVar[int]
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    PERPETRATOR_FIELD_NUMBER: _ClassVar[int]
    IMMINENT_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    TERRITORY_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_FIELD_NUMBER: _ClassVar[int]
    NO_ACCOMPANIMENT_FIELD_NUMBER: _ClassVar[int]
    PACK_FIELD_NUMBER: _ClassVar[int]
    PACK_VERSION_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    REPEATED_PERPETRATOR_FIELD_NUMBER: _ClassVar[int]
    case_id: str
    filed_by: FiledBy
    subjects: _containers.RepeatedCompositeFieldContainer[Subject]
    incident: IncidentKind
    perpetrator: PerpetratorKind
    imminent: bool
    region: str
    causes: _containers.RepeatedScalarFieldContainer[str]
    project: str
    territory: str
    excluded: _containers.RepeatedScalarFieldContainer[str]
    no_accompaniment: bool
    pack: str
    pack_version: str
    language: str
    repeated_perpetrator: bool
    def __init__(self, case_id: _Optional[str] = ..., filed_by: _Optional[_Union[FiledBy, str]] = ..., subjects: _Optional[_Iterable[_Union[Subject, _Mapping]]] = ..., incident: _Optional[_Union[IncidentKind, str]] = ..., perpetrator: _Optional[_Union[PerpetratorKind, str]] = ..., imminent: _Optional[bool] = ..., region: _Optional[str] = ..., causes: _Optional[_Iterable[str]] = ..., project: _Optional[str] = ..., territory: _Optional[str] = ..., excluded: _Optional[_Iterable[str]] = ..., no_accompaniment: _Optional[bool] = ..., pack: _Optional[str] = ..., pack_version: _Optional[str] = ..., language: _Optional[str] = ..., repeated_perpetrator: _Optional[bool] = ...) -> None: ...

class EvidenceAdded(_message.Message):
    __slots__ = ("evidence_id", "digest")
    EVIDENCE_ID_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    evidence_id: str
    digest: bytes
    def __init__(self, evidence_id: _Optional[str] = ..., digest: _Optional[bytes] = ...) -> None: ...

class ConsentGiven(_message.Message):
    __slots__ = ("subject_id", "agency", "consent_version", "discloses", "text_version", "voice")
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    DISCLOSES_FIELD_NUMBER: _ClassVar[int]
    TEXT_VERSION_FIELD_NUMBER: _ClassVar[int]
    VOICE_FIELD_NUMBER: _ClassVar[int]
    subject_id: str
    agency: str
    consent_version: int
    discloses: _containers.RepeatedScalarFieldContainer[str]
    text_version: str
    voice: str
    def __init__(self, subject_id: _Optional[str] = ..., agency: _Optional[str] = ..., consent_version: _Optional[int] = ..., discloses: _Optional[_Iterable[str]] = ..., text_version: _Optional[str] = ..., voice: _Optional[str] = ...) -> None: ...

class AccountNamed(_message.Message):
    __slots__ = ("subject_id", "account")
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    ACCOUNT_FIELD_NUMBER: _ClassVar[int]
    subject_id: str
    account: str
    def __init__(self, subject_id: _Optional[str] = ..., account: _Optional[str] = ...) -> None: ...

class ConsentWithdrawn(_message.Message):
    __slots__ = ("subject_id", "agency", "consent_version")
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    subject_id: str
    agency: str
    consent_version: int
    def __init__(self, subject_id: _Optional[str] = ..., agency: _Optional[str] = ..., consent_version: _Optional[int] = ...) -> None: ...

class DisclosureProposed(_message.Message):
    __slots__ = ("proposal_id", "subject_id", "agency", "discloses", "person", "role")
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    DISCLOSES_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    proposal_id: str
    subject_id: str
    agency: str
    discloses: _containers.RepeatedScalarFieldContainer[str]
    person: str
    role: str
    def __init__(self, proposal_id: _Optional[str] = ..., subject_id: _Optional[str] = ..., agency: _Optional[str] = ..., discloses: _Optional[_Iterable[str]] = ..., person: _Optional[str] = ..., role: _Optional[str] = ...) -> None: ...

class DisclosureDecided(_message.Message):
    __slots__ = ("subject_id", "agency", "consent_version", "discloses", "first_person", "second_person", "first_role", "second_role", "proposal_id")
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    DISCLOSES_FIELD_NUMBER: _ClassVar[int]
    FIRST_PERSON_FIELD_NUMBER: _ClassVar[int]
    SECOND_PERSON_FIELD_NUMBER: _ClassVar[int]
    FIRST_ROLE_FIELD_NUMBER: _ClassVar[int]
    SECOND_ROLE_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    subject_id: str
    agency: str
    consent_version: int
    discloses: _containers.RepeatedScalarFieldContainer[str]
    first_person: str
    second_person: str
    first_role: str
    second_role: str
    proposal_id: str
    def __init__(self, subject_id: _Optional[str] = ..., agency: _Optional[str] = ..., consent_version: _Optional[int] = ..., discloses: _Optional[_Iterable[str]] = ..., first_person: _Optional[str] = ..., second_person: _Optional[str] = ..., first_role: _Optional[str] = ..., second_role: _Optional[str] = ..., proposal_id: _Optional[str] = ...) -> None: ...

class AgencyExcluded(_message.Message):
    __slots__ = ("agency",)
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    agency: str
    def __init__(self, agency: _Optional[str] = ...) -> None: ...

class ConflictRecorded(_message.Message):
    __slots__ = ("agency", "claimed")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    CLAIMED_FIELD_NUMBER: _ClassVar[int]
    agency: str
    claimed: bool
    def __init__(self, agency: _Optional[str] = ..., claimed: _Optional[bool] = ...) -> None: ...

class IncidentReported(_message.Message):
    __slots__ = ("incident_id", "case_id", "kind", "perpetrator", "repeated_perpetrator", "happened_at", "region", "charges", "causes", "project", "territory", "violence", "subject_id", "office")
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    PERPETRATOR_FIELD_NUMBER: _ClassVar[int]
    REPEATED_PERPETRATOR_FIELD_NUMBER: _ClassVar[int]
    HAPPENED_AT_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    CHARGES_FIELD_NUMBER: _ClassVar[int]
    CAUSES_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    TERRITORY_FIELD_NUMBER: _ClassVar[int]
    VIOLENCE_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    OFFICE_FIELD_NUMBER: _ClassVar[int]
    incident_id: str
    case_id: str
    kind: IncidentKind
    perpetrator: PerpetratorKind
    repeated_perpetrator: bool
    happened_at: _timestamp_pb2.Timestamp
    region: str
    charges: _containers.RepeatedScalarFieldContainer[Charge]
    causes: _containers.RepeatedScalarFieldContainer[str]
    project: str
    territory: str
    violence: _containers.RepeatedScalarFieldContainer[ViolenceForm]
    subject_id: str
    office: str
    def __init__(self, incident_id: _Optional[str] = ..., case_id: _Optional[str] = ..., kind: _Optional[_Union[IncidentKind, str]] = ..., perpetrator: _Optional[_Union[PerpetratorKind, str]] = ..., repeated_perpetrator: _Optional[bool] = ..., happened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., region: _Optional[str] = ..., charges: _Optional[_Iterable[_Union[Charge, str]]] = ..., causes: _Optional[_Iterable[str]] = ..., project: _Optional[str] = ..., territory: _Optional[str] = ..., violence: _Optional[_Iterable[_Union[ViolenceForm, str]]] = ..., subject_id: _Optional[str] = ..., office: _Optional[str] = ...) -> None: ...

class IncidentVerified(_message.Message):
    __slots__ = ("verification", "verifier", "duplicate_of")
    VERIFICATION_FIELD_NUMBER: _ClassVar[int]
    VERIFIER_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_OF_FIELD_NUMBER: _ClassVar[int]
    verification: Verification
    verifier: str
    duplicate_of: str
    def __init__(self, verification: _Optional[_Union[Verification, str]] = ..., verifier: _Optional[str] = ..., duplicate_of: _Optional[str] = ...) -> None: ...

class RequestWithdrawn(_message.Message):
    __slots__ = ("case_id",)
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    case_id: str
    def __init__(self, case_id: _Optional[str] = ...) -> None: ...

class SealOpened(_message.Message):
    __slots__ = ("opening_id", "case_id", "subject_id", "field", "ground", "person", "role", "until", "review_due")
    OPENING_ID_FIELD_NUMBER: _ClassVar[int]
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    GROUND_FIELD_NUMBER: _ClassVar[int]
    PERSON_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    REVIEW_DUE_FIELD_NUMBER: _ClassVar[int]
    opening_id: str
    case_id: str
    subject_id: str
    field: OpenedField
    ground: OpeningGround
    person: str
    role: str
    until: _timestamp_pb2.Timestamp
    review_due: _timestamp_pb2.Timestamp
    def __init__(self, opening_id: _Optional[str] = ..., case_id: _Optional[str] = ..., subject_id: _Optional[str] = ..., field: _Optional[_Union[OpenedField, str]] = ..., ground: _Optional[_Union[OpeningGround, str]] = ..., person: _Optional[str] = ..., role: _Optional[str] = ..., until: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., review_due: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class OpeningReviewed(_message.Message):
    __slots__ = ("person", "role", "justified", "late")
    PERSON_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    JUSTIFIED_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    person: str
    role: str
    justified: bool
    late: bool
    def __init__(self, person: _Optional[str] = ..., role: _Optional[str] = ..., justified: _Optional[bool] = ..., late: _Optional[bool] = ...) -> None: ...

class OpeningUnreviewed(_message.Message):
    __slots__ = ("due",)
    DUE_FIELD_NUMBER: _ClassVar[int]
    due: _timestamp_pb2.Timestamp
    def __init__(self, due: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
