"""The operator's command for parked records: it shows where they stand, and has them taken again."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from amparo.record.v1 import record_pb2
from eventlog import dead_letters
from eventlog.consumer import Consumer
from eventlog.decider import Refused
from eventlog.delivered import Delivered
from eventlog.origin import KEY_BYTES, Origin
from runtime import parked
from tests.services.protection.conftest import Office

SECRET = "Ana of the river"


@dataclass
class Reading:
    """A service as far as the command uses it, with a consumer that refuses one stream until it is healed."""

    engine: AsyncEngine
    office: Office
    name: str
    poison: str = ""

    async def apply(self, session: AsyncConnection, record: Delivered, /) -> None:
        if record.event.stream == self.poison:
            raise Refused("wrong-stage", SECRET)

    async def consumers(self) -> Sequence[object]:
        return [
            Consumer(
                name=self.name,
                sources=("pe.other",),
                kafka="127.0.0.1:1",
                engine=self.engine,
                apply=self.apply,
                clock=self.office.hands,
                origin=Origin(bytes(KEY_BYTES)),
            )
        ]

    async def close(self) -> None:
        """Nothing of its own."""


@pytest.fixture
async def reading(office: Office) -> Reading:
    """Two records of one stream are parked, and one of another."""
    made = Reading(engine=office.parts.engine, office=office, name=f"reader-{uuid.uuid4().hex[:6]}")
    async with office.parts.engine.begin() as session:
        for index, stream in enumerate(("request/a", "request/b", "request/a")):
            event = record_pb2.Event(stream=stream, version=1, type="other", payload=SECRET.encode())
            record = record_pb2.Record(source="pe.other", index=index, event=event.SerializeToString())
            delivered = Delivered.of(record, record.SerializeToString(), {})
            await dead_letters.park(
                session, delivered, consumer=made.name, reason="Refused:wrong-stage", parked_at=office.hands.now
            )
    return made


async def left(reading: Reading) -> list[int]:
    return [letter.index for letter in await dead_letters.listing(reading.engine, consumer=reading.name)]


async def test_the_list_says_where_and_why_and_nothing_of_the_content(
    reading: Reading, capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator's screen is no place for a case."""
    assert await parked.listed(reading.engine) == 1
    shown = capsys.readouterr().out
    own = [line for line in shown.splitlines() if line.startswith(reading.name)]
    assert own == [
        f"{reading.name} pe.other:{index} Refused:wrong-stage {reading.office.hands.now.isoformat()}"
        for index in (0, 1, 2)
    ]
    assert SECRET not in shown
    assert "request/" not in shown


async def test_all_are_taken_again(reading: Reading, capsys: pytest.CaptureFixture[str]) -> None:
    """Each stream in its order, until nothing is left."""
    assert await parked.replayed(reading, None) == 0
    assert await left(reading) == []
    assert f"{reading.name}: 3 taken, 0 streams still blocked\n" in capsys.readouterr().out


async def test_one_record_is_taken_with_those_of_its_stream_and_no_other(reading: Reading) -> None:
    """The last of a stream cannot be taken before its first."""
    assert await parked.replayed(reading, ("pe.other", 2)) == 0
    assert await left(reading) == [1]


async def test_what_fails_again_stays_and_says_why(reading: Reading, capsys: pytest.CaptureFixture[str]) -> None:
    """By its type and code, never by its text."""
    reading.poison = "request/a"
    assert await parked.replayed(reading, None) == 1
    assert await left(reading) == [0, 2]
    shown = capsys.readouterr().out
    assert f"{reading.name}: 1 taken, 1 streams still blocked\n  pe.other: Refused:wrong-stage\n" in shown
    assert SECRET not in shown


async def test_a_record_that_is_not_parked_is_said_to_be_none(reading: Reading) -> None:
    """A wrong number takes nothing."""
    with pytest.raises(parked.NoSuchLetter):
        await parked.replayed(reading, ("pe.other", 9))
    assert await left(reading) == [0, 1, 2]


@pytest.mark.parametrize("words", [["drop"], ["replay", "x"], ["replay", "pe.other:1", "more"]])
async def test_other_words_are_refused(reading: Reading, words: list[str]) -> None:
    """Nothing is guessed, and nothing can be dropped."""
    with pytest.raises(ValueError, match="dead-letters"):
        parked.run(reading, words)
