"""Owns the way between typed events and their protobuf messages.

An event is declared once in `proto` and once, typed, in a service's ``domain.py``; this module maps one to the other
by field name, and `check` compares them. The types of a typed event: str, int, bool, bytes, aware datetime, StrEnum,
frozen dataclass, tuple of those, ``X | None`` of a message, and `Personal` for what travels sealed (option
``(amparo.record.v1.sealed)``).
"""

import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import UTC, datetime
from enum import Enum, StrEnum, auto
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from amparo.record.v1 import record_pb2
from eventlog.decider import Personal, Plain, Sealed


class SchemaMismatch(TypeError):
    """A typed event and its message do not say the same."""


def timestamp(at: datetime) -> Timestamp:
    """The protobuf form of an aware instant. Raises ``ValueError`` for a naive one."""
    if at.tzinfo is None:
        raise ValueError("an instant needs its time zone")
    message = Timestamp()
    message.FromDatetime(at.astimezone(UTC).replace(tzinfo=None))
    return message


def instant(message: Timestamp) -> datetime:
    """The aware UTC datetime of a protobuf timestamp, to the microsecond."""
    return message.ToDatetime(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Codec:
    """Typed events of one service: ``by_name`` from the message's full name to (dataclass, message class), ``names``
    back.
    """

    by_name: Mapping[str, tuple[type[Any], type[Message]]]
    names: Mapping[type[Any], str]

    @classmethod
    def of(cls, events: Iterable[type[Any]], *, module: types.ModuleType) -> "Codec":
        """Pairs each dataclass with the message of the same name in a generated module. Raises `SchemaMismatch`."""
        pairs = {}
        for event in events:
            message = getattr(module, event.__name__, None)
            if message is None:
                raise SchemaMismatch(f"{event.__name__} has no message in {module.__name__}")
            check(event, message.DESCRIPTOR)
            pairs[message.DESCRIPTOR.full_name] = (event, message)
        return cls(pairs, {event: name for name, (event, _) in pairs.items()})

    def name_of(self, event: object) -> str:
        """The full name of the event's message. Raises ``KeyError`` for an event that the service does not own."""
        return self.names[type(event)]

    def encode(self, event: object) -> tuple[bytes, list[tuple[str, Plain]]]:
        """The payload's bytes, and what has to be sealed beside it as (path, plain)."""
        _, message = self.by_name[self.name_of(event)]
        sealed: list[tuple[str, Plain]] = []
        return _write(event, message(), "", sealed).SerializeToString(deterministic=True), sealed

    def decode(self, name: str, payload: bytes, *, event_id: bytes, sealed: Iterable[record_pb2.SealedField]) -> Any:
        """The typed event; its sealed fields come back as `Sealed`. Raises ``KeyError`` for a type that the codec
        does not know."""
        event, message = self.by_name[name]
        found = {s.path: Sealed(event_id, s.path, s.key_id, s.ciphertext, s.commitment) for s in sealed}
        return _read(event, message.FromString(payload), "", found)


class _Form(Enum):
    PERSONAL = auto()
    INSTANT = auto()
    MESSAGE = auto()
    ENUM = auto()
    SCALAR = auto()

    @classmethod
    def of(cls, kind: type[Any]) -> "_Form":
        if kind is datetime:
            return cls.INSTANT
        if is_dataclass(kind):
            return cls.MESSAGE
        return cls.ENUM if issubclass(kind, StrEnum) else cls.SCALAR


@dataclass(frozen=True, slots=True)
class _Field:
    """One field of a typed event: how it is written into a message and read back."""

    name: str
    kind: Any
    repeated: bool
    form: "_Form"

    @property
    def personal(self) -> bool:
        return self.form is _Form.PERSONAL


_layouts: dict[type[Any], tuple[_Field, ...]] = {}


def _layout(event: type[Any]) -> tuple[_Field, ...]:
    """The fields of a typed event, worked out once per type."""
    if event not in _layouts:
        _layouts[event] = _work_out(event)
    return _layouts[event]


def _work_out(event: type[Any]) -> tuple[_Field, ...]:
    hints = get_type_hints(event)
    layout = []
    for field in fields(event):
        hint = hints[field.name]
        if hint == Personal:
            layout.append(_Field(field.name, Sealed, False, _Form.PERSONAL))
            continue
        repeated = get_origin(hint) is tuple
        if repeated:
            hint = get_args(hint)[0]
        elif get_origin(hint) in (Union, types.UnionType):
            (hint,) = (arg for arg in get_args(hint) if arg is not type(None))
        while hasattr(hint, "__supertype__"):  # a NewType is its base on the wire
            hint = hint.__supertype__
        layout.append(_Field(field.name, hint, repeated, _Form.of(hint)))
    return tuple(layout)


@cache
def _numbers(kind: type[StrEnum], enum: EnumDescriptor) -> dict[StrEnum, int]:
    prefix = _prefix(enum)
    return {member: enum.values_by_name[prefix + member.name].number for member in kind}


@cache
def _members(kind: type[StrEnum], enum: EnumDescriptor) -> dict[int, StrEnum]:
    return {number: member for member, number in _numbers(kind, enum).items()}


def _prefix(enum: EnumDescriptor) -> str:
    first: str = enum.values_by_number[0].name
    return first.removesuffix("UNSPECIFIED")


def _write(value: Any, message: Message, at: str, sealed: list[tuple[str, Plain]]) -> Message:
    by_name = message.DESCRIPTOR.fields_by_name
    for field in _layout(type(value)):
        name, form = field.name, field.form
        given = getattr(value, name)
        if form is _Form.PERSONAL:
            if isinstance(given, Plain):
                sealed.append((f"{at}{name}", given))
            elif given is not None:
                raise SchemaMismatch(f"{at}{name} is sealed already; personal data is given as Plain")
        elif field.repeated:
            target = getattr(message, name)
            for number, item in enumerate(given):
                if form is _Form.MESSAGE:
                    _write(item, target.add(), f"{at}{name}.{number}.", sealed)
                elif form is _Form.ENUM:
                    target.append(_numbers(field.kind, by_name[name].enum_type)[item])
                else:
                    target.append(item)
        elif given is None:
            continue
        elif form is _Form.SCALAR:
            setattr(message, name, given)
        elif form is _Form.ENUM:
            setattr(message, name, _numbers(field.kind, by_name[name].enum_type)[given])
        elif form is _Form.INSTANT:
            getattr(message, name).CopyFrom(timestamp(given))
        else:
            _write(given, getattr(message, name), f"{at}{name}.", sealed)
            getattr(message, name).SetInParent()
    return message


def _read(kind: type[Any], message: Message, at: str, sealed: Mapping[str, Sealed]) -> Any:
    by_name = message.DESCRIPTOR.fields_by_name
    values: dict[str, Any] = {}
    for field in _layout(kind):
        name, form = field.name, field.form
        if form is _Form.PERSONAL:
            values[name] = sealed.get(f"{at}{name}")
            continue
        found = getattr(message, name)
        if form is _Form.SCALAR:
            values[name] = tuple(found) if field.repeated else found
        elif form is _Form.ENUM:
            members = _members(field.kind, by_name[name].enum_type)
            values[name] = tuple(members[item] for item in found) if field.repeated else members[found]
        elif field.repeated:
            values[name] = tuple(
                _read_message(field, item, f"{at}{name}.{number}.", sealed) for number, item in enumerate(found)
            )
        else:
            given = message.HasField(name)
            values[name] = _read_message(field, found, f"{at}{name}.", sealed) if given else None
    return kind(**values)


def _read_message(field: _Field, found: Any, at: str, sealed: Mapping[str, Sealed]) -> Any:
    return instant(found) if field.form is _Form.INSTANT else _read(field.kind, found, at, sealed)


_SCALARS = {
    FieldDescriptor.TYPE_STRING: str,
    FieldDescriptor.TYPE_BYTES: bytes,
    FieldDescriptor.TYPE_BOOL: bool,
    FieldDescriptor.TYPE_UINT32: int,
    FieldDescriptor.TYPE_UINT64: int,
    FieldDescriptor.TYPE_INT64: int,
}


def check(event: type[Any], message: Descriptor) -> None:
    """Compares a typed event with its message, field by field and nested. Raises `SchemaMismatch`, which names the
    first difference."""
    for difference in _differences(event, message):
        raise SchemaMismatch(f"{event.__name__} and {message.full_name}: {difference}")


def _differences(event: type[Any], message: Descriptor) -> Iterator[str]:
    layout = {field.name: field for field in _layout(event)}
    typed, personal = ({n for n, f in layout.items() if f.personal is p} for p in (False, True))
    declared = set(message.fields_by_name)
    declared_sealed: set[str] = set(message.GetOptions().Extensions[record_pb2.sealed])  # type: ignore[index]
    if typed != declared:
        yield f"fields differ: {sorted(typed ^ declared)}"
        return
    if personal != declared_sealed:
        yield f"sealed fields differ: {sorted(personal ^ declared_sealed)}"
    for name in sorted(typed):
        field, descriptor = layout[name], message.fields_by_name[name]
        if field.repeated != descriptor.is_repeated:
            yield f"{name}: repeated on one side only"
        elif descriptor.message_type is not None and descriptor.message_type.full_name == "google.protobuf.Timestamp":
            if field.kind is not datetime:
                yield f"{name}: a timestamp is a datetime, not {field.kind.__name__}"
        elif descriptor.message_type is not None:
            if field.form is not _Form.MESSAGE:
                yield f"{name}: a message is a dataclass, not {field.kind.__name__}"
            else:
                yield from (f"{name}: {inner}" for inner in _differences(field.kind, descriptor.message_type))
        elif descriptor.enum_type is not None:
            prefix = _prefix(descriptor.enum_type)
            names = {value.name.removeprefix(prefix) for value in descriptor.enum_type.values if value.number}
            if not issubclass(field.kind, StrEnum) or {member.name for member in field.kind} != names:
                yield f"{name}: {field.kind.__name__} and {descriptor.enum_type.full_name} differ"
        elif _SCALARS.get(descriptor.type) is not field.kind:
            yield f"{name}: {field.kind.__name__} does not fit its scalar type"
