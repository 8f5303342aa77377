import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StreamOpened(_message.Message):
    __slots__ = ("stream", "case_id")
    STREAM_FIELD_NUMBER: _ClassVar[int]
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    stream: str
    case_id: str
    def __init__(self, stream: _Optional[str] = ..., case_id: _Optional[str] = ...) -> None: ...

class Happened(_message.Message):
    __slots__ = ("source", "stream", "version", "type")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    source: str
    stream: str
    version: int
    type: str
    def __init__(self, source: _Optional[str] = ..., stream: _Optional[str] = ..., version: _Optional[int] = ..., type: _Optional[str] = ...) -> None: ...

class Rung(_message.Message):
    __slots__ = ("percent", "at")
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    percent: int
    at: _timestamp_pb2.Timestamp
    def __init__(self, percent: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Clock(_message.Message):
    __slots__ = ("name", "due", "rungs")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    RUNGS_FIELD_NUMBER: _ClassVar[int]
    name: str
    due: _timestamp_pb2.Timestamp
    rungs: _containers.RepeatedCompositeFieldContainer[Rung]
    def __init__(self, name: _Optional[str] = ..., due: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., rungs: _Optional[_Iterable[_Union[Rung, _Mapping]]] = ...) -> None: ...

class AskRequestStanding(_message.Message):
    __slots__ = ("case_id",)
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    case_id: str
    def __init__(self, case_id: _Optional[str] = ...) -> None: ...

class Addressee(_message.Message):
    __slots__ = ("agency", "consent_version", "two_person_decision")
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    CONSENT_VERSION_FIELD_NUMBER: _ClassVar[int]
    TWO_PERSON_DECISION_FIELD_NUMBER: _ClassVar[int]
    agency: str
    consent_version: int
    two_person_decision: bool
    def __init__(self, agency: _Optional[str] = ..., consent_version: _Optional[int] = ..., two_person_decision: _Optional[bool] = ...) -> None: ...

class RequestStanding(_message.Message):
    __slots__ = ("version", "withdrawn", "imminent", "addressees")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    WITHDRAWN_FIELD_NUMBER: _ClassVar[int]
    IMMINENT_FIELD_NUMBER: _ClassVar[int]
    ADDRESSEES_FIELD_NUMBER: _ClassVar[int]
    version: int
    withdrawn: bool
    imminent: bool
    addressees: _containers.RepeatedCompositeFieldContainer[Addressee]
    def __init__(self, version: _Optional[int] = ..., withdrawn: _Optional[bool] = ..., imminent: _Optional[bool] = ..., addressees: _Optional[_Iterable[_Union[Addressee, _Mapping]]] = ...) -> None: ...

class AskCaseStanding(_message.Message):
    __slots__ = ("case_id",)
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    case_id: str
    def __init__(self, case_id: _Optional[str] = ...) -> None: ...

class CaseStanding(_message.Message):
    __slots__ = ("version", "stage", "closed", "clocks", "measures")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    CLOCKS_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    version: int
    stage: str
    closed: bool
    clocks: _containers.RepeatedCompositeFieldContainer[Clock]
    measures: _containers.RepeatedCompositeFieldContainer[MeasureStanding]
    def __init__(self, version: _Optional[int] = ..., stage: _Optional[str] = ..., closed: _Optional[bool] = ..., clocks: _Optional[_Iterable[_Union[Clock, _Mapping]]] = ..., measures: _Optional[_Iterable[_Union[MeasureStanding, _Mapping]]] = ...) -> None: ...

class MeasureStanding(_message.Message):
    __slots__ = ("measure_id", "state", "implementer")
    MEASURE_ID_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    IMPLEMENTER_FIELD_NUMBER: _ClassVar[int]
    measure_id: str
    state: str
    implementer: str
    def __init__(self, measure_id: _Optional[str] = ..., state: _Optional[str] = ..., implementer: _Optional[str] = ...) -> None: ...

class NoteCaseSilence(_message.Message):
    __slots__ = ("case_id", "clock", "rung")
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    case_id: str
    clock: str
    rung: int
    def __init__(self, case_id: _Optional[str] = ..., clock: _Optional[str] = ..., rung: _Optional[int] = ...) -> None: ...

class NoteMeasureSent(_message.Message):
    __slots__ = ("measure_id", "referral_id")
    MEASURE_ID_FIELD_NUMBER: _ClassVar[int]
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    measure_id: str
    referral_id: str
    def __init__(self, measure_id: _Optional[str] = ..., referral_id: _Optional[str] = ...) -> None: ...

class SendReferral(_message.Message):
    __slots__ = ("case_id", "agency", "purpose", "round", "measure_id", "request_version")
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    AGENCY_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    ROUND_FIELD_NUMBER: _ClassVar[int]
    MEASURE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_VERSION_FIELD_NUMBER: _ClassVar[int]
    case_id: str
    agency: str
    purpose: str
    round: int
    measure_id: str
    request_version: int
    def __init__(self, case_id: _Optional[str] = ..., agency: _Optional[str] = ..., purpose: _Optional[str] = ..., round: _Optional[int] = ..., measure_id: _Optional[str] = ..., request_version: _Optional[int] = ...) -> None: ...

class ReferralSent(_message.Message):
    __slots__ = ("referral_id",)
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    def __init__(self, referral_id: _Optional[str] = ...) -> None: ...

class AskReferralStanding(_message.Message):
    __slots__ = ("referral_id",)
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    def __init__(self, referral_id: _Optional[str] = ...) -> None: ...

class ReferralStanding(_message.Message):
    __slots__ = ("version", "stage", "closed", "clocks")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    STAGE_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    CLOCKS_FIELD_NUMBER: _ClassVar[int]
    version: int
    stage: str
    closed: bool
    clocks: _containers.RepeatedCompositeFieldContainer[Clock]
    def __init__(self, version: _Optional[int] = ..., stage: _Optional[str] = ..., closed: _Optional[bool] = ..., clocks: _Optional[_Iterable[_Union[Clock, _Mapping]]] = ...) -> None: ...

class NoteReferralSilence(_message.Message):
    __slots__ = ("referral_id", "clock", "rung")
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    RUNG_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    clock: str
    rung: int
    def __init__(self, referral_id: _Optional[str] = ..., clock: _Optional[str] = ..., rung: _Optional[int] = ...) -> None: ...

class Done(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...
