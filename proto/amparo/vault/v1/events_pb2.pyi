from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class PersonalDataRead(_message.Message):
    __slots__ = ("subjects", "classes", "purpose", "about", "rule", "asked", "released", "service")
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    CLASSES_FIELD_NUMBER: _ClassVar[int]
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    ASKED_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    subjects: _containers.RepeatedScalarFieldContainer[str]
    classes: _containers.RepeatedScalarFieldContainer[str]
    purpose: str
    about: str
    rule: str
    asked: int
    released: int
    service: str
    def __init__(self, subjects: _Optional[_Iterable[str]] = ..., classes: _Optional[_Iterable[str]] = ..., purpose: _Optional[str] = ..., about: _Optional[str] = ..., rule: _Optional[str] = ..., asked: _Optional[int] = ..., released: _Optional[int] = ..., service: _Optional[str] = ...) -> None: ...

class PersonalDataSealed(_message.Message):
    __slots__ = ("subjects", "about", "asked", "released", "service")
    SUBJECTS_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    ASKED_FIELD_NUMBER: _ClassVar[int]
    RELEASED_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    subjects: _containers.RepeatedScalarFieldContainer[str]
    about: str
    asked: int
    released: int
    service: str
    def __init__(self, subjects: _Optional[_Iterable[str]] = ..., about: _Optional[str] = ..., asked: _Optional[int] = ..., released: _Optional[int] = ..., service: _Optional[str] = ...) -> None: ...

class PersonalDataRefused(_message.Message):
    __slots__ = ("purpose", "rule", "about", "cases", "times", "service")
    PURPOSE_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    ABOUT_FIELD_NUMBER: _ClassVar[int]
    CASES_FIELD_NUMBER: _ClassVar[int]
    TIMES_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    purpose: str
    rule: str
    about: _containers.RepeatedScalarFieldContainer[str]
    cases: _containers.RepeatedScalarFieldContainer[str]
    times: int
    service: str
    def __init__(self, purpose: _Optional[str] = ..., rule: _Optional[str] = ..., about: _Optional[_Iterable[str]] = ..., cases: _Optional[_Iterable[str]] = ..., times: _Optional[int] = ..., service: _Optional[str] = ...) -> None: ...

class KeyRotationBegun(_message.Message):
    __slots__ = ("version", "before", "keys")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    version: str
    before: _containers.RepeatedScalarFieldContainer[str]
    keys: int
    def __init__(self, version: _Optional[str] = ..., before: _Optional[_Iterable[str]] = ..., keys: _Optional[int] = ...) -> None: ...

class KeysRewrapped(_message.Message):
    __slots__ = ("version", "before", "keys", "destroyed")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    DESTROYED_FIELD_NUMBER: _ClassVar[int]
    version: str
    before: _containers.RepeatedScalarFieldContainer[str]
    keys: int
    destroyed: int
    def __init__(self, version: _Optional[str] = ..., before: _Optional[_Iterable[str]] = ..., keys: _Optional[int] = ..., destroyed: _Optional[int] = ...) -> None: ...

class KeyVersionsRetired(_message.Message):
    __slots__ = ("versions",)
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    versions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, versions: _Optional[_Iterable[str]] = ...) -> None: ...
