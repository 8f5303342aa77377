"""The bytes of an event and of a record are what is hashed, published and kept for ever: they are written down here.

If one of these tests fails, the format changed and every hash, receipt and proof given before is void.
"""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from amparo.record.v1 import record_pb2
from eventlog.codec import timestamp
from eventlog.sequencer import frame

EVENT = record_pb2.Event(
    id=bytes.fromhex("0196f0c25a007abc8def0123456789ab"),
    stream="request/5f0c",
    version=2,
    type="amparo.intake.v1.RequestFiled",
    occurred_at=timestamp(datetime(2026, 3, 1, 22, 15, tzinfo=UTC)),
    recorded_at=timestamp(datetime(2026, 3, 2, 9, 30, 0, 250_000, tzinfo=UTC)),
    actor=record_pb2.Actor(id="filer-1", role="filer", unit="ngo-1"),
    correlation="5f0c",
    causation=record_pb2.Citation(event_id=bytes(16), event_hash=bytes(range(32))),
    payload=b"payload",
    sealed=[
        record_pb2.SealedField(path="narrative", key_id="subject-1", ciphertext=b"cipher", commitment=b"commitment")
    ],
)
EVENT_HEX = (
    "0a100196f0c25a007abc8def0123456789ab120c726571756573742f356630631802221d616d7061726f2e696e74616b652e"
    "76312e5265717565737446696c65642a0608e4f492cd06320b0898b195cd061080e59a773a170a0766696c65722d31120566"
    "696c65721a056e676f2d314204356630634a340a10000000000000000000000000000000001220000102030405060708090a"
    "0b0c0d0e0f101112131415161718191a1b1c1d1e1f52077061796c6f61645a2a0a096e617272617469766512097375626a65"
    "63742d311a06636970686572220a636f6d6d69746d656e74"
)
RECORD_HEX = (
    "0a0970652e696e74616b6510ac021ae0010a100196f0c25a007abc8def0123456789ab120c726571756573742f3566306318"
    "02221d616d7061726f2e696e74616b652e76312e5265717565737446696c65642a0608e4f492cd06320b0898b195cd061080"
    "e59a773a170a0766696c65722d31120566696c65721a056e676f2d314204356630634a340a10000000000000000000000000"
    "000000001220000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f52077061796c6f61645a2a0a"
    "096e617272617469766512097375626a6563742d311a06636970686572220a636f6d6d69746d656e74"
)
FIRST_HEX = "0a0970652e696e74616b651a056576656e74"
"""Index 0 is the default of its field, so a source's first record does not spell it."""


def test_the_bytes_of_an_event() -> None:
    """Fields in the order of their numbers, nothing else."""
    assert EVENT.SerializeToString(deterministic=True).hex() == EVENT_HEX
    assert record_pb2.Event.FromString(bytes.fromhex(EVENT_HEX)) == EVENT


def test_the_bytes_of_a_record() -> None:
    """The event's bytes are in it as they were appended."""
    assert frame("pe.intake", 300, bytes.fromhex(EVENT_HEX)).hex() == RECORD_HEX
    assert EVENT_HEX in RECORD_HEX


def test_the_bytes_of_a_sources_first_record() -> None:
    """Written by hand from the protobuf encoding: field 1 is the source, field 3 the event."""
    assert frame("pe.intake", 0, b"event").hex() == FIRST_HEX


@given(index=st.integers(0, 2**64 - 1), event=st.binary(max_size=300))
def test_a_record_is_read_back_as_it_was_framed(index: int, event: bytes) -> None:
    """And framing it again gives the same bytes."""
    record = record_pb2.Record.FromString(frame("pe.intake", index, event))
    assert (record.source, record.index, record.event) == ("pe.intake", index, event)
    assert frame(record.source, record.index, record.event) == record.SerializeToString(deterministic=True)
