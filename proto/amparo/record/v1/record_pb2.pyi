import datetime

from google.protobuf import descriptor_pb2 as _descriptor_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor
SEALED_FIELD_NUMBER: _ClassVar[int]
sealed: _descriptor.FieldDescriptor

class Record(_message.Message):
    __slots__ = ("source", "index", "event")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    INDEX_FIELD_NUMBER: _ClassVar[int]
    EVENT_FIELD_NUMBER: _ClassVar[int]
    source: str
    index: int
    event: bytes
    def __init__(self, source: _Optional[str] = ..., index: _Optional[int] = ..., event: _Optional[bytes] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("id", "stream", "version", "type", "occurred_at", "recorded_at", "actor", "correlation", "causation", "payload", "sealed")
    ID_FIELD_NUMBER: _ClassVar[int]
    STREAM_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    OCCURRED_AT_FIELD_NUMBER: _ClassVar[int]
    RECORDED_AT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    CORRELATION_FIELD_NUMBER: _ClassVar[int]
    CAUSATION_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_FIELD_NUMBER: _ClassVar[int]
    SEALED_FIELD_NUMBER: _ClassVar[int]
    id: bytes
    stream: str
    version: int
    type: str
    occurred_at: _timestamp_pb2.Timestamp
    recorded_at: _timestamp_pb2.Timestamp
    actor: Actor
    correlation: str
    causation: Citation
    payload: bytes
    sealed: _containers.RepeatedCompositeFieldContainer[SealedField]
    def __init__(self, id: _Optional[bytes] = ..., stream: _Optional[str] = ..., version: _Optional[int] = ..., type: _Optional[str] = ..., occurred_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., recorded_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[_Union[Actor, _Mapping]] = ..., correlation: _Optional[str] = ..., causation: _Optional[_Union[Citation, _Mapping]] = ..., payload: _Optional[bytes] = ..., sealed: _Optional[_Iterable[_Union[SealedField, _Mapping]]] = ...) -> None: ...

class Actor(_message.Message):
    __slots__ = ("id", "role", "unit")
    ID_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    id: str
    role: str
    unit: str
    def __init__(self, id: _Optional[str] = ..., role: _Optional[str] = ..., unit: _Optional[str] = ...) -> None: ...

class Citation(_message.Message):
    __slots__ = ("event_id", "event_hash")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    EVENT_HASH_FIELD_NUMBER: _ClassVar[int]
    event_id: bytes
    event_hash: bytes
    def __init__(self, event_id: _Optional[bytes] = ..., event_hash: _Optional[bytes] = ...) -> None: ...

class SealedField(_message.Message):
    __slots__ = ("path", "key_id", "ciphertext", "commitment")
    PATH_FIELD_NUMBER: _ClassVar[int]
    KEY_ID_FIELD_NUMBER: _ClassVar[int]
    CIPHERTEXT_FIELD_NUMBER: _ClassVar[int]
    COMMITMENT_FIELD_NUMBER: _ClassVar[int]
    path: str
    key_id: str
    ciphertext: bytes
    commitment: bytes
    def __init__(self, path: _Optional[str] = ..., key_id: _Optional[str] = ..., ciphertext: _Optional[bytes] = ..., commitment: _Optional[bytes] = ...) -> None: ...
