"""An event of every kind of field, with its message, made for these tests."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from types import ModuleType

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from amparo.record.v1 import record_pb2
from eventlog.codec import Codec
from eventlog.decider import Personal

_SCALAR = descriptor_pb2.FieldDescriptorProto
_KINDS = {"UNSPECIFIED": 0, "CALM": 1, "URGENT": 2}


class Mood(StrEnum):
    CALM = "calm"
    URGENT = "urgent"


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    person_id: str
    since: datetime | None = None
    name: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Noted:
    """Every kind of field that an event may have."""

    text: str
    number: int = 0
    sure: bool = False
    digest: bytes = b""
    at: datetime | None = None
    mood: Mood = Mood.CALM
    moods: tuple[Mood, ...] = ()
    words: tuple[str, ...] = ()
    first: Person | None = None
    people: tuple[Person, ...] = ()
    story: Personal = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    reason: str


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="amparo/sample/v1/sample.proto", package="amparo.sample.v1")
    file.syntax = "proto3"
    file.dependency.extend(["amparo/record/v1/record.proto", "google/protobuf/timestamp.proto"])
    mood = file.enum_type.add(name="Mood")
    for name, number in _KINDS.items():
        mood.value.add(name=f"MOOD_{name}", number=number)
    instant, person = ".google.protobuf.Timestamp", ".amparo.sample.v1.Person"
    _message(file, "Person", [("person_id", _SCALAR.TYPE_STRING, "", False), ("since", 0, instant, False)], ["name"])
    fields = [
        ("text", _SCALAR.TYPE_STRING, "", False),
        ("number", _SCALAR.TYPE_UINT64, "", False),
        ("sure", _SCALAR.TYPE_BOOL, "", False),
        ("digest", _SCALAR.TYPE_BYTES, "", False),
        ("at", 0, instant, False),
        ("mood", _SCALAR.TYPE_ENUM, ".amparo.sample.v1.Mood", False),
        ("moods", _SCALAR.TYPE_ENUM, ".amparo.sample.v1.Mood", True),
        ("words", _SCALAR.TYPE_STRING, "", True),
        ("first", 0, person, False),
        ("people", 0, person, True),
    ]
    _message(file, "Noted", fields, ["story"])
    _message(file, "Ended", [("reason", _SCALAR.TYPE_STRING, "", False)], [])
    return file


def _message(
    file: descriptor_pb2.FileDescriptorProto, name: str, fields: list[tuple[str, int, str, bool]], sealed: list[str]
) -> None:
    message = file.message_type.add(name=name)
    message.options.Extensions[record_pb2.sealed].extend(sealed)  # type: ignore[index]  # the stub knows files only
    for number, (field, kind, type_name, repeated) in enumerate(fields, start=1):
        message.field.add(
            name=field,
            number=number,
            type=kind or _SCALAR.TYPE_MESSAGE,
            type_name=type_name or None,
            label=_SCALAR.LABEL_REPEATED if repeated else _SCALAR.LABEL_OPTIONAL,
        )


def _module() -> ModuleType:
    pool = descriptor_pool.Default()
    pool.Add(_file())
    made = ModuleType("amparo.sample.v1.sample_pb2")
    for name in ("Person", "Noted", "Ended"):
        found = pool.FindMessageTypeByName(f"amparo.sample.v1.{name}")
        setattr(made, name, message_factory.GetMessageClass(found))
    return made


MODULE = _module()
CODEC = Codec.of((Noted, Ended), module=MODULE)
