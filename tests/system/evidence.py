"""What is read after a bad night: stores, topics and timeline, and what must hold of them whatever happened."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from kafka import TopicPartition

from amparo.protection.v1 import events_pb2 as protection
from amparo.record.v1 import record_pb2
from amparo.referral.v1 import events_pb2 as referral
from eventlog.kafka import end_of, open_consumer, record_in
from eventlog.receipts import check_receipt
from eventlog.transparency.note import NoteVerifier
from local import postgres
from local.drill import Outcome
from local.stackfile import Stack
from services.timeline.log import leaf
from tests.eventually import eventually

ACTED_ON = ("intake", "protection", "referral")
"""The sources whose events are what somebody did through an API."""
SOURCES = (*ACTED_ON, "vault")
"""All sources; the vault's events are the looks at personal data."""
CONSUMING = ("intake", "protection", "referral", "timeline", "workflows")
ACTS = ("referrals", "acknowledged", "accepted", "rejected", "answered", "recalled", "open")


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """A record as its source's store has it, and the event in it."""

    source: str
    index: int
    record: bytes
    event: record_pb2.Event
    hash: bytes
    """SHA-256 of the event's bytes: what a receipt signs."""


def rows(stack: Stack, service: str, statement: str, *given: object) -> list[tuple[Any, ...]]:
    """What a query in a service's database finds, asked as the administrator."""
    database = f"{stack.mechanism}_{service}"
    with postgres.connect(stack.values["AMPARO_POSTGRES"], database=database) as connection:
        return connection.execute(statement, given or None).fetchall()


def records(stack: Stack, service: str) -> list[Stored]:
    """A source's records in their order."""
    found = rows(stack, service, "SELECT index, record FROM records ORDER BY index")
    return [_stored(f"{stack.mechanism}.{service}", index, bytes(record)) for index, record in found]


def all_records(stack: Stack) -> list[Stored]:
    """The records of all sources."""
    return [stored for service in SOURCES for stored in records(stack, service)]


def topic(stack: Stack, service: str) -> list[bytes]:
    """The values of a source's topic from its beginning, in their order."""
    consumer = open_consumer(stack.values["AMPARO_KAFKA"])
    name = f"amparo.{stack.mechanism}.{service}"
    partition = TopicPartition(name, 0)
    try:
        consumer.assign([partition])
        end = end_of(consumer, name)
        consumer.seek(partition, 0)
        values: list[bytes] = []
        while len(values) < end:
            values += [message.value for message in consumer.poll(1_000).get(partition, [])]
        return values
    finally:
        consumer.close()


def event_counts(stack: Stack) -> dict[str, int]:
    """How many events each store holds."""
    return {service: rows(stack, service, "SELECT count(*) FROM events")[0][0] for service in SOURCES}


async def settled(stack: Stack) -> None:
    """Waits until every event is numbered and published, and every consumer has taken all there is."""

    def is_settled() -> bool:
        before = event_counts(stack)
        last = {}
        for service in SOURCES:
            assert rows(stack, service, "SELECT count(*) FROM pending")[0][0] == 0, f"{service}: pending"
            last[service] = rows(stack, service, "SELECT coalesce(max(index), -1) FROM records")[0][0]
            values = topic(stack, service)
            assert values, f"{service}: nothing in its topic"
            found = record_in(f"{stack.mechanism}.{service}", values[-1])
            assert found is not None
            assert found.index == last[service], f"{service}: not all is published"
        for consuming in CONSUMING:
            for consumer, source, index in rows(stack, consuming, "SELECT consumer, source, index FROM positions"):
                assert index == last[source.partition(".")[2]], f"{consuming}: {consumer} is behind in {source}"
        return event_counts(stack) == before

    await eventually(is_settled, timeout=60)


def check_stores(stack: Stack) -> None:
    """Each event has one place in its source's order, without a gap, and streams keep theirs."""
    for service in SOURCES:
        found = records(stack, service)
        assert [stored.index for stored in found] == list(range(len(found)))
        events = [bytes(event) for (event,) in rows(stack, service, "SELECT event FROM events")]
        framed = Counter(record_pb2.Record.FromString(stored.record).event for stored in found)
        assert framed == Counter(events)
        assert set(framed.values()) <= {1}
        streams: dict[str, list[int]] = {}
        for stored in found:
            streams.setdefault(stored.event.stream, []).append(stored.event.version)
        broken = {stream: seen for stream, seen in streams.items() if seen != list(range(1, len(seen) + 1))}
        assert not broken


def check_topics(stack: Stack) -> dict[str, int]:
    """Each topic holds its store's very bytes, first sent in order; a duplicate is an identical copy. Answers with how
    many copies there are.
    """
    copies = {}
    for service in SOURCES:
        stored = [each.record for each in records(stack, service)]
        first, seen = [], set()
        values = topic(stack, service)
        for value in values:
            if value not in seen:
                seen.add(value)
                first.append(value)
        assert first == stored
        copies[service] = len(values) - len(first)
    return copies


def check_timeline(stack: Stack) -> None:
    """The timeline has each record exactly once, each at a place of its own in its log, and nothing is parked
    anywhere.
    """
    expected = {(stored.source, stored.index): stored for stored in all_records(stack)}
    lines = rows(stack, "timeline", "SELECT source, index, event_hash FROM entries")
    assert Counter(dict.fromkeys(expected, 1)) == Counter((row[0], row[1]) for row in lines)
    assert all(bytes(digest) == expected[source, index].hash for source, index, digest in lines)
    places = rows(stack, "timeline", "SELECT position, source, index, leaf FROM log ORDER BY position")
    assert [place[0] for place in places] == list(range(len(expected)))
    assert {(source, index): bytes(digest) for _, source, index, digest in places} == {
        place: leaf(stored.record) for place, stored in expected.items()
    }
    for service in CONSUMING:
        assert rows(stack, service, "SELECT consumer, source, index, reason FROM dead_letters") == []


def referrals(stack: Stack) -> Counter[tuple[object, ...]]:
    """Who was asked for what, how often: by case, agency, purpose, round and measure."""
    found: Counter[tuple[object, ...]] = Counter()
    for event in _events(stack, "referral", "amparo.referral.v1.ReferralSent"):
        sent = referral.ReferralSent.FromString(event.payload)
        found[sent.case_id, sent.agency, sent.purpose, sent.round, sent.measure_id] += 1
    return found


def rungs(stack: Stack) -> Counter[tuple[object, ...]]:
    """Which silences were recorded, how often: by stream, clock, due instant and rung."""
    found: Counter[tuple[object, ...]] = Counter()
    for event in _events(stack, "referral", "amparo.referral.v1.SilenceNoted"):
        noted = referral.SilenceNoted.FromString(event.payload)
        found[event.stream, noted.clock, noted.due.ToJsonString(), noted.rung] += 1
    for event in _events(stack, "protection", "amparo.protection.v1.SilenceNoted"):
        silence = protection.SilenceNoted.FromString(event.payload)
        found[event.stream, silence.clock, silence.due.ToJsonString(), silence.rung] += 1
    return found


def check_nothing_twice(stack: Stack) -> None:
    """Nobody is asked twice for one thing, and nobody is escalated twice for one silence."""
    for deeds in (referrals(stack), rungs(stack)):
        assert not {deed: count for deed, count in deeds.items() if count != 1}


def check_receipts(stack: Stack, source: str, answers: Sequence[Mapping[str, Any]]) -> None:
    """What was acknowledged is there: each answer's signed receipt proves exactly one event of the records."""
    verifier = NoteVerifier.load((stack.home / "keys" / "receipts" / f"{source}.pub").read_text())
    kept = Counter((s.event.stream, s.event.version, s.hash) for s in records(stack, source.partition(".")[2]))
    for answer in answers:
        proven = check_receipt(answer["receipt"], verifier=verifier)
        assert bytes.fromhex(answer["event_hash"]) in proven.values()
        assert answer["version"] in proven
        for version, digest in proven.items():
            assert kept[answer["stream"], version, digest] == 1, (source, answer["stream"], version)


async def check_all(stack: Stack) -> dict[str, int]:
    """Everything above that needs no drill's outcome, at a moment at which nothing is recorded.

    Answers with the topics' copies.
    """
    while True:
        await settled(stack)
        before = event_counts(stack)
        try:
            check_stores(stack)
            copies = check_topics(stack)
            check_timeline(stack)
            check_nothing_twice(stack)
        except AssertionError:
            if event_counts(stack) == before:
                raise
        else:
            return copies


def table(outcome: Outcome) -> dict[str, dict[str, int]]:
    """The drill's table without its times: what was asked of each agency, and what became of it."""
    items = outcome.response_times["items"]
    return {item["agency"]: {act: item["figures"][act]["n"] for act in ACTS} for item in items}


def counted(number: int) -> dict[str, int]:
    """The row of an agency that answered whatever it was asked."""
    return dict.fromkeys(ACTS, 0) | dict.fromkeys(("referrals", "acknowledged", "accepted", "answered"), number)


def acts(outcome: Outcome) -> dict[str, Counter[str]]:
    """What happened in each story, how often. Silences are left out: how many there are depends on how late it was."""
    return {
        case.title: Counter(entry["kind"] for entry in case.entries if "silence" not in entry["kind"])
        for case in outcome.cases
    }


def _events(stack: Stack, service: str, kind: str) -> Iterator[record_pb2.Event]:
    return (stored.event for stored in records(stack, service) if stored.event.type == kind)


def _stored(source: str, index: int, record: bytes) -> Stored:
    framed = record_pb2.Record.FromString(record)
    assert (framed.source, framed.index) == (source, index)
    event = record_pb2.Event.FromString(framed.event)
    return Stored(source=source, index=index, record=record, event=event, hash=sha256(framed.event).digest())
