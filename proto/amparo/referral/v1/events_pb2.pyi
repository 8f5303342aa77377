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

class AgencyKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    AGENCY_KIND_UNSPECIFIED: _ClassVar[AgencyKind]
    AGENCY_KIND_POLICE: _ClassVar[AgencyKind]
    AGENCY_KIND_PROSECUTOR: _ClassVar[AgencyKind]
    AGENCY_KIND_OMBUDSMAN: _ClassVar[AgencyKind]
    AGENCY_KIND_MINISTRY: _ClassVar[AgencyKind]
    AGENCY_KIND_SUBPREFECTURE: _ClassVar[AgencyKind]
    AGENCY_KIND_JUDICIARY: _ClassVar[AgencyKind]
    AGENCY_KIND_REGIONAL_ROUND_TABLE: _ClassVar[AgencyKind]

class RejectionGround(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REJECTION_GROUND_UNSPECIFIED: _ClassVar[RejectionGround]
    REJECTION_GROUND_NOT_OUR_JURISDICTION: _ClassVar[RejectionGround]
    REJECTION_GROUND_NO_MEANS: _ClassVar[RejectionGround]
    REJECTION_GROUND_CONFLICT_OF_INTEREST: _ClassVar[RejectionGround]
    REJECTION_GROUND_ALREADY_ATTENDED: _ClassVar[RejectionGround]
    REJECTION_GROUND_REFUSED: _ClassVar[RejectionGround]
AGENCY_KIND_UNSPECIFIED: AgencyKind
AGENCY_KIND_POLICE: AgencyKind
AGENCY_KIND_PROSECUTOR: AgencyKind
AGENCY_KIND_OMBUDSMAN: AgencyKind
AGENCY_KIND_MINISTRY: AgencyKind
AGENCY_KIND_SUBPREFECTURE: AgencyKind
AGENCY_KIND_JUDICIARY: AgencyKind
AGENCY_KIND_REGIONAL_ROUND_TABLE: AgencyKind
REJECTION_GROUND_UNSPECIFIED: RejectionGround
REJECTION_GROUND_NOT_OUR_JURISDICTION: RejectionGround
REJECTION_GROUND_NO_MEANS: RejectionGround
REJECTION_GROUND_CONFLICT_OF_INTEREST: RejectionGround
REJECTION_GROUND_ALREADY_ATTENDED: RejectionGround
REJECTION_GROUND_REFUSED: RejectionGround

class AgencyRegistered(_message.Message):
    __slots__ = ("agency", "kind", "name", "region", "superior")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    SUPERIOR_FIELD_NUMBER: _ClassVar[int]
    agency: str
    kind: AgencyKind
    name: str
    region: str
    superior: str
    def __init__(self, agency: _Optional[str] = ..., kind: _Optional[_Union[AgencyKind, str]] = ..., name: _Optional[str] = ..., region: _Optional[str] = ..., superior: _Optional[str] = ...) -> None: ...

class Disclosed(_message.Message):
    __slots__ = ("data_class", "event_id", "field")
    DATA_CLASS_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    data_class: str
    event_id: bytes
    field: _record_pb2.SealedField
    def __init__(self, data_class: _Optional[str] = ..., event_id: _Optional[bytes] = ..., field: _Optional[_Union[_record_pb2.SealedField, _Mapping]] = ...) -> None: ...

class ReferralSent(_message.Message):
    __slots__ = ("referral_id", "case_id", "agency", "purpose", "round", "consent_version", "two_person_decision", "disclosed", "no_accompaniment", "imminent", "measure_id", "acknowledge_due", "answer_due", "pack", "pack_version", "subject_id", "sent_at", "measure", "measure_family", "measure_urgent", "measure_version")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    TWO_PERSON_DECISION_FIELD_NUMBER: _ClassVar[int]
    DISCLOSED_FIELD_NUMBER: _ClassVar[int]
    NO_ACCOMPANIMENT_FIELD_NUMBER: _ClassVar[int]
    IMMINENT_FIELD_NUMBER: _ClassVar[int]
    MEASURE_ID_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_DUE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_DUE_FIELD_NUMBER: _ClassVar[int]
    PACK_FIELD_NUMBER: _ClassVar[int]
    PACK_VERSION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    SENT_AT_FIELD_NUMBER: _ClassVar[int]
    MEASURE_FIELD_NUMBER: _ClassVar[int]
    MEASURE_FAMILY_FIELD_NUMBER: _ClassVar[int]
    MEASURE_URGENT_FIELD_NUMBER: _ClassVar[int]
    MEASURE_VERSION_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    case_id: str
    agency: str
    purpose: str
    round: int
    consent_version: int
    two_person_decision: bool
    disclosed: _containers.RepeatedCompositeFieldContainer[Disclosed]
    no_accompaniment: bool
    imminent: bool
    measure_id: str
    acknowledge_due: _timestamp_pb2.Timestamp
    answer_due: _timestamp_pb2.Timestamp
    pack: str
    pack_version: str
    subject_id: str
    sent_at: _timestamp_pb2.Timestamp
    measure: str
    measure_family: str
    measure_urgent: bool
    measure_version: int
    def __init__(self, referral_id: _Optional[str] = ..., case_id: _Optional[str] = ..., agency: _Optional[str] = ..., purpose: _Optional[str] = ..., round: _Optional[int] = ..., consent_version: _Optional[int] = ..., two_person_decision: _Optional[bool] = ..., disclosed: _Optional[_Iterable[_Union[Disclosed, _Mapping]]] = ..., no_accompaniment: _Optional[bool] = ..., imminent: _Optional[bool] = ..., measure_id: _Optional[str] = ..., acknowledge_due: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., answer_due: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pack: _Optional[str] = ..., pack_version: _Optional[str] = ..., subject_id: _Optional[str] = ..., sent_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., measure: _Optional[str] = ..., measure_family: _Optional[str] = ..., measure_urgent: _Optional[bool] = ..., measure_version: _Optional[int] = ...) -> None: ...

class DisclosureWidened(_message.Message):
    __slots__ = ("consent_version", "two_person_decision", "disclosed")
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    TWO_PERSON_DECISION_FIELD_NUMBER: _ClassVar[int]
    DISCLOSED_FIELD_NUMBER: _ClassVar[int]
    consent_version: int
    two_person_decision: bool
    disclosed: _containers.RepeatedCompositeFieldContainer[Disclosed]
    def __init__(self, consent_version: _Optional[int] = ..., two_person_decision: _Optional[bool] = ..., disclosed: _Optional[_Iterable[_Union[Disclosed, _Mapping]]] = ...) -> None: ...

class ReferralAcknowledged(_message.Message):
    __slots__ = ("at", "late")
    AT_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    late: bool
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., late: _Optional[bool] = ...) -> None: ...

class ReferralAccepted(_message.Message):
    __slots__ = ("at", "late")
    AT_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    late: bool
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., late: _Optional[bool] = ...) -> None: ...

class ReferralRejected(_message.Message):
    __slots__ = ("ground", "at", "late")
    GROUND_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    ground: RejectionGround
    at: _timestamp_pb2.Timestamp
    late: bool
    def __init__(self, ground: _Optional[_Union[RejectionGround, str]] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., late: _Optional[bool] = ...) -> None: ...

class ReferralAnswered(_message.Message):
    __slots__ = ("at", "late", "done")
    AT_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    at: _timestamp_pb2.Timestamp
    late: bool
    done: bool
    def __init__(self, at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., late: _Optional[bool] = ..., done: _Optional[bool] = ...) -> None: ...

class ReferralRecalled(_message.Message):
    __slots__ = ("ground",)
    GROUND_FIELD_NUMBER: _ClassVar[int]
    ground: str
    def __init__(self, ground: _Optional[str] = ...) -> None: ...

class SilenceNoted(_message.Message):
    __slots__ = ("clock", "rung", "due", "told")
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    clock: str
    rung: int
    due: _timestamp_pb2.Timestamp
    told: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, clock: _Optional[str] = ..., rung: _Optional[int] = ..., due: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., told: _Optional[_Iterable[str]] = ...) -> None: ...

class AgreementRecorded(_message.Message):
    __slots__ = ("agency", "project")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    PROJECT_FIELD_NUMBER: _ClassVar[int]
    agency: str
    project: str
    def __init__(self, agency: _Optional[str] = ..., project: _Optional[str] = ...) -> None: ...
