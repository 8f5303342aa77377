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

class RiskLevel(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RISK_LEVEL_UNSPECIFIED: _ClassVar[RiskLevel]
    RISK_LEVEL_ORDINARY: _ClassVar[RiskLevel]
    RISK_LEVEL_EXTRAORDINARY: _ClassVar[RiskLevel]
    RISK_LEVEL_EXTREME: _ClassVar[RiskLevel]

class RiskAxis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RISK_AXIS_UNSPECIFIED: _ClassVar[RiskAxis]
    RISK_AXIS_THREAT: _ClassVar[RiskAxis]
    RISK_AXIS_VULNERABILITY: _ClassVar[RiskAxis]
    RISK_AXIS_CAPACITY: _ClassVar[RiskAxis]

class Score(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SCORE_UNSPECIFIED: _ClassVar[Score]
    SCORE_UNKNOWN: _ClassVar[Score]
    SCORE_LOW: _ClassVar[Score]
    SCORE_MEDIUM: _ClassVar[Score]
    SCORE_HIGH: _ClassVar[Score]

class MeasureFamily(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MEASURE_FAMILY_UNSPECIFIED: _ClassVar[MeasureFamily]
    MEASURE_FAMILY_PHYSICAL: _ClassVar[MeasureFamily]
    MEASURE_FAMILY_DIGITAL: _ClassVar[MeasureFamily]
    MEASURE_FAMILY_PSYCHOSOCIAL: _ClassVar[MeasureFamily]
    MEASURE_FAMILY_COLLECTIVE_OR_TERRITORIAL: _ClassVar[MeasureFamily]
    MEASURE_FAMILY_LEGAL: _ClassVar[MeasureFamily]
    MEASURE_FAMILY_POLITICAL_OR_RECOGNITION: _ClassVar[MeasureFamily]
    MEASURE_FAMILY_RELOCATION_OR_ECONOMIC: _ClassVar[MeasureFamily]
    MEASURE_FAMILY_CONSULAR: _ClassVar[MeasureFamily]
    MEASURE_FAMILY_ENVIRONMENTAL: _ClassVar[MeasureFamily]
    MEASURE_FAMILY_GENDER_SPECIFIC: _ClassVar[MeasureFamily]
RISK_LEVEL_UNSPECIFIED: RiskLevel
RISK_LEVEL_ORDINARY: RiskLevel
RISK_LEVEL_EXTRAORDINARY: RiskLevel
RISK_LEVEL_EXTREME: RiskLevel
RISK_AXIS_UNSPECIFIED: RiskAxis
RISK_AXIS_THREAT: RiskAxis
RISK_AXIS_VULNERABILITY: RiskAxis
RISK_AXIS_CAPACITY: RiskAxis
SCORE_UNSPECIFIED: Score
SCORE_UNKNOWN: Score
SCORE_LOW: Score
SCORE_MEDIUM: Score
SCORE_HIGH: Score
MEASURE_FAMILY_UNSPECIFIED: MeasureFamily
MEASURE_FAMILY_PHYSICAL: MeasureFamily
MEASURE_FAMILY_DIGITAL: MeasureFamily
MEASURE_FAMILY_PSYCHOSOCIAL: MeasureFamily
MEASURE_FAMILY_COLLECTIVE_OR_TERRITORIAL: MeasureFamily
MEASURE_FAMILY_LEGAL: MeasureFamily
MEASURE_FAMILY_POLITICAL_OR_RECOGNITION: MeasureFamily
MEASURE_FAMILY_RELOCATION_OR_ECONOMIC: MeasureFamily
MEASURE_FAMILY_CONSULAR: MeasureFamily
MEASURE_FAMILY_ENVIRONMENTAL: MeasureFamily
MEASURE_FAMILY_GENDER_SPECIFIC: MeasureFamily

class CaseOpened(_message.Message):
    __slots__ = ("case_id", "track", "pack", "pack_version", "received_at", "region", "subject_id", "filer", "filer_unit")
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    TRACK_FIELD_NUMBER: _ClassVar[int]
    PACK_FIELD_NUMBER: _ClassVar[int]
    PACK_VERSION_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_AT_FIELD_NUMBER: _ClassVar[int]
    REGION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    FILER_FIELD_NUMBER: _ClassVar[int]
    FILER_UNIT_FIELD_NUMBER: _ClassVar[int]
    case_id: str
    track: str
    pack: str
    pack_version: str
    received_at: _timestamp_pb2.Timestamp
    region: str
    subject_id: str
    filer: str
    filer_unit: str
    def __init__(self, case_id: _Optional[str] = ..., track: _Optional[str] = ..., pack: _Optional[str] = ..., pack_version: _Optional[str] = ..., received_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., region: _Optional[str] = ..., subject_id: _Optional[str] = ..., filer: _Optional[str] = ..., filer_unit: _Optional[str] = ...) -> None: ...

class Rung(_message.Message):
    __slots__ = ("percent", "at", "told")
    PERCENT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    TOLD_FIELD_NUMBER: _ClassVar[int]
    percent: int
    at: _timestamp_pb2.Timestamp
    told: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, percent: _Optional[int] = ..., at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., told: _Optional[_Iterable[str]] = ...) -> None: ...

class ClockStarted(_message.Message):
    __slots__ = ("clock", "started_at", "due", "pack_version", "rungs", "duty", "kind")
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    DUE_FIELD_NUMBER: _ClassVar[int]
    PACK_VERSION_FIELD_NUMBER: _ClassVar[int]
    RUNGS_FIELD_NUMBER: _ClassVar[int]
    DUTY_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    clock: str
    started_at: _timestamp_pb2.Timestamp
    due: _timestamp_pb2.Timestamp
    pack_version: str
    rungs: _containers.RepeatedCompositeFieldContainer[Rung]
    duty: str
    kind: str
    def __init__(self, clock: _Optional[str] = ..., started_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., due: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., pack_version: _Optional[str] = ..., rungs: _Optional[_Iterable[_Union[Rung, _Mapping]]] = ..., duty: _Optional[str] = ..., kind: _Optional[str] = ...) -> None: ...

class ClockStopped(_message.Message):
    __slots__ = ("clock", "stopped_at", "late", "met")
    CLOCK_FIELD_NUMBER: _ClassVar[int]
    STOPPED_AT_FIELD_NUMBER: _ClassVar[int]
    LATE_FIELD_NUMBER: _ClassVar[int]
    MET_FIELD_NUMBER: _ClassVar[int]
    clock: str
    stopped_at: _timestamp_pb2.Timestamp
    late: bool
    met: bool
    def __init__(self, clock: _Optional[str] = ..., stopped_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., late: _Optional[bool] = ..., met: _Optional[bool] = ...) -> None: ...

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

class PreliminaryReportIssued(_message.Message):
    __slots__ = ("admissible",)
    ADMISSIBLE_FIELD_NUMBER: _ClassVar[int]
    admissible: bool
    def __init__(self, admissible: _Optional[bool] = ...) -> None: ...

class RiskVariable(_message.Message):
    __slots__ = ("axis", "name", "score", "source")
    AXIS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    axis: RiskAxis
    name: str
    score: Score
    source: str
    def __init__(self, axis: _Optional[_Union[RiskAxis, str]] = ..., name: _Optional[str] = ..., score: _Optional[_Union[Score, str]] = ..., source: _Optional[str] = ...) -> None: ...

class RiskEvaluated(_message.Message):
    __slots__ = ("evaluation_id", "method", "method_version", "variables", "proposed", "level", "imminent", "decided_by")
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    METHOD_VERSION_FIELD_NUMBER: _ClassVar[int]
    VARIABLES_FIELD_NUMBER: _ClassVar[int]
    PROPOSED_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    IMMINENT_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    method: str
    method_version: str
    variables: _containers.RepeatedCompositeFieldContainer[RiskVariable]
    proposed: RiskLevel
    level: RiskLevel
    imminent: bool
    decided_by: str
    def __init__(self, evaluation_id: _Optional[str] = ..., method: _Optional[str] = ..., method_version: _Optional[str] = ..., variables: _Optional[_Iterable[_Union[RiskVariable, _Mapping]]] = ..., proposed: _Optional[_Union[RiskLevel, str]] = ..., level: _Optional[_Union[RiskLevel, str]] = ..., imminent: _Optional[bool] = ..., decided_by: _Optional[str] = ...) -> None: ...

class ResolutionIssued(_message.Message):
    __slots__ = ("resolution_id", "granted", "evaluation_id", "decided_by", "measures")
    RESOLUTION_ID_FIELD_NUMBER: _ClassVar[int]
    GRANTED_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
    MEASURES_FIELD_NUMBER: _ClassVar[int]
    resolution_id: str
    granted: bool
    evaluation_id: str
    decided_by: str
    measures: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, resolution_id: _Optional[str] = ..., granted: _Optional[bool] = ..., evaluation_id: _Optional[str] = ..., decided_by: _Optional[str] = ..., measures: _Optional[_Iterable[str]] = ...) -> None: ...

class ResolutionNotified(_message.Message):
    __slots__ = ("resolution_id",)
    RESOLUTION_ID_FIELD_NUMBER: _ClassVar[int]
    resolution_id: str
    def __init__(self, resolution_id: _Optional[str] = ...) -> None: ...

class CaseWithdrawn(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CaseClosed(_message.Message):
    __slots__ = ("ground",)
    GROUND_FIELD_NUMBER: _ClassVar[int]
    ground: str
    def __init__(self, ground: _Optional[str] = ...) -> None: ...

class MeasureAdded(_message.Message):
    __slots__ = ("measure_id",)
    MEASURE_ID_FIELD_NUMBER: _ClassVar[int]
    measure_id: str
    def __init__(self, measure_id: _Optional[str] = ...) -> None: ...

class MeasureProposed(_message.Message):
    __slots__ = ("measure_id", "case_id", "measure", "family", "implementer", "subject_id", "urgent")
    MEASURE_ID_FIELD_NUMBER: _ClassVar[int]
    CASE_ID_FIELD_NUMBER: _ClassVar[int]
    MEASURE_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    IMPLEMENTER_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_ID_FIELD_NUMBER: _ClassVar[int]
    URGENT_FIELD_NUMBER: _ClassVar[int]
    measure_id: str
    case_id: str
    measure: str
    family: MeasureFamily
    implementer: str
    subject_id: str
    urgent: bool
    def __init__(self, measure_id: _Optional[str] = ..., case_id: _Optional[str] = ..., measure: _Optional[str] = ..., family: _Optional[_Union[MeasureFamily, str]] = ..., implementer: _Optional[str] = ..., subject_id: _Optional[str] = ..., urgent: _Optional[bool] = ...) -> None: ...

class MeasureGranted(_message.Message):
    __slots__ = ("resolution_id", "evaluation_id")
    RESOLUTION_ID_FIELD_NUMBER: _ClassVar[int]
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    resolution_id: str
    evaluation_id: str
    def __init__(self, resolution_id: _Optional[str] = ..., evaluation_id: _Optional[str] = ...) -> None: ...

class MeasureAccepted(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MeasureRefused(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MeasureSent(_message.Message):
    __slots__ = ("referral_id",)
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    def __init__(self, referral_id: _Optional[str] = ...) -> None: ...

class MeasureAcknowledged(_message.Message):
    __slots__ = ("referral_id",)
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    def __init__(self, referral_id: _Optional[str] = ...) -> None: ...

class MeasureReportedImplemented(_message.Message):
    __slots__ = ("referral_id",)
    REFERRAL_ID_FIELD_NUMBER: _ClassVar[int]
    referral_id: str
    def __init__(self, referral_id: _Optional[str] = ...) -> None: ...

class MeasureConfirmed(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MeasureFoundIneffective(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class MeasureModified(_message.Message):
    __slots__ = ("evaluation_id",)
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    def __init__(self, evaluation_id: _Optional[str] = ...) -> None: ...

class MeasureSuspended(_message.Message):
    __slots__ = ("evaluation_id",)
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    def __init__(self, evaluation_id: _Optional[str] = ...) -> None: ...

class MeasureCeased(_message.Message):
    __slots__ = ("evaluation_id",)
    EVALUATION_ID_FIELD_NUMBER: _ClassVar[int]
    evaluation_id: str
    def __init__(self, evaluation_id: _Optional[str] = ...) -> None: ...
