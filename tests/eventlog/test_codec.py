"""An event is defined once in `proto` and once, typed, in a service; the codec maps and compares them."""

import importlib
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from amparo.record.v1 import record_pb2
from eventlog.codec import Codec, SchemaMismatch, check, instant, timestamp
from eventlog.decider import Personal, Plain, Sealed
from tests.eventlog.sample import CODEC, MODULE, Ended, Mood, Noted, Person

SERVICES = ("intake", "protection", "referral", "vault")
INSTANTS = st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1), timezones=st.just(UTC))
TEXT = st.text(max_size=20)
PEOPLE = st.builds(Person, person_id=TEXT, since=st.none() | INSTANTS)
NOTED = st.builds(
    Noted,
    text=TEXT,
    number=st.integers(0, 2**64 - 1),
    sure=st.booleans(),
    digest=st.binary(max_size=40),
    at=st.none() | INSTANTS,
    mood=st.sampled_from(Mood),
    moods=st.lists(st.sampled_from(Mood), max_size=3).map(tuple),
    words=st.lists(TEXT, max_size=3).map(tuple),
    first=st.none() | PEOPLE,
    people=st.lists(PEOPLE, max_size=3).map(tuple),
)


@given(event=NOTED)
def test_an_event_survives_its_bytes(event: Noted) -> None:
    """Every kind of field, empty and full."""
    payload, sealed = CODEC.encode(event)
    assert sealed == []
    assert CODEC.decode("amparo.sample.v1.Noted", payload, event_id=b"e" * 16, sealed=()) == event


@given(event=NOTED)
def test_the_same_event_has_the_same_bytes(event: Noted) -> None:
    """They are hashed."""
    assert CODEC.encode(event) == CODEC.encode(event)


def test_personal_data_leaves_the_payload() -> None:
    """It comes out beside it, with its path, and goes back sealed into its place."""
    event = Noted(
        text="x",
        story=Plain("s-1", "a story"),
        first=Person(person_id="p-1", name=Plain("s-1", "a name")),
        people=(Person(person_id="p-2"), Person(person_id="p-3", name=Plain("s-2", "another name"))),
    )
    payload, sealed = CODEC.encode(event)
    assert dict(sealed) == {
        "story": Plain("s-1", "a story"),
        "first.name": Plain("s-1", "a name"),
        "people.1.name": Plain("s-2", "another name"),
    }
    assert b"name" not in payload
    assert b"story" not in payload
    fields = [record_pb2.SealedField(path=path, key_id=plain.key_id, ciphertext=b"c") for path, plain in sealed]
    read = CODEC.decode("amparo.sample.v1.Noted", payload, event_id=b"e" * 16, sealed=fields)
    assert read.story == Sealed(b"e" * 16, "story", "s-1", b"c", b"")
    assert read.first.name.path == "first.name"
    assert [person.name and person.name.path for person in read.people] == [None, "people.1.name"]


def test_sealed_data_is_not_sealed_again() -> None:
    """A loaded event is not appended as it is."""
    with pytest.raises(SchemaMismatch):
        CODEC.encode(Noted(text="x", story=Sealed(b"e", "story", "s", b"c", b"m")))


def test_plain_data_shows_nothing_in_a_log() -> None:
    """Whoever prints an event prints no story."""
    assert "a story" not in repr(Noted(text="x", story=Plain("s-1", "a story")))


def test_an_unknown_type_is_not_guessed() -> None:
    """Neither to write nor to read."""
    with pytest.raises(KeyError):
        CODEC.decode("amparo.sample.v1.Other", b"", event_id=b"", sealed=())
    with pytest.raises(KeyError):
        CODEC.encode(object())


def test_an_instant_needs_its_zone() -> None:
    """Lima is not Greenwich."""
    with pytest.raises(ValueError, match="time zone"):
        timestamp(datetime(2026, 1, 1))


@given(at=INSTANTS)
def test_an_instant_is_exact_to_the_microsecond(at: datetime) -> None:
    """In UTC."""
    assert instant(timestamp(at)) == at


def wrong(**fields: object) -> type:
    """A typed event named Ended with other fields than its message."""
    return dataclass(frozen=True)(type("Ended", (), {"__annotations__": fields}))


class Weather(StrEnum):
    FAIR = "fair"


@dataclass(frozen=True)
class Worded:
    person_id: str
    since: str
    name: Personal = None


@pytest.mark.parametrize(
    ("event", "message", "says"),
    [
        (wrong(), "Ended", "reason"),
        (wrong(reason=str, more=str), "Ended", "more"),
        (wrong(reason=int), "Ended", "reason"),
        (wrong(reason=tuple[str, ...]), "Ended", "reason"),
        (wrong(reason=Personal), "Ended", "reason"),
        (Worded, "Person", "since"),
        (dataclass(frozen=True)(type("Person", (), {"__annotations__": {"person_id": str}})), "Person", "since"),
    ],
)
def test_a_difference_is_named(event: type, message: str, says: str) -> None:
    """Missing, additional, of another type, repeated, sealed on one side only."""
    with pytest.raises(SchemaMismatch, match=says):
        check(event, getattr(MODULE, message).DESCRIPTOR)


def test_an_event_needs_its_message() -> None:
    """And the other way a codec is made for what is given."""
    with pytest.raises(SchemaMismatch, match="Ended"):
        Codec.of((Ended,), module=SimpleNamespace(__name__="empty"))  # type: ignore[arg-type]


@pytest.mark.parametrize("service", SERVICES)
def test_every_event_of_a_service_is_its_message(service: str) -> None:
    """Field by field, nested, with its sealed fields; and no message of the file is without a typed event."""
    module = importlib.import_module(f"amparo.{service}.v1.events_pb2")
    try:
        events = importlib.import_module(f"services.{service}.events").EVENTS
    except ModuleNotFoundError:
        events = importlib.import_module(f"services.{service}.domain").EVENTS
    codec = Codec.of(events, module=module)
    nested = {
        field.message_type.full_name
        for message in module.DESCRIPTOR.message_types_by_name.values()
        for field in message.fields
        if field.message_type
    }
    declared = {message.full_name for message in module.DESCRIPTOR.message_types_by_name.values()}
    assert declared - nested <= set(codec.by_name)
