"""Owns what the records of other services mean here: a filing opens a case, a referral carries a measure forward.

Everything is written in the transaction that moves the consumer's position, under an act key of its business, so a
record that is read again changes nothing. A word that no longer matters to a measure stays on the referral's stream.
"""

from collections.abc import Awaitable, Callable
from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from amparo.intake.v1 import events_pb2 as intake
from amparo.record.v1 import record_pb2
from amparo.referral.v1 import events_pb2 as referral
from eventlog.codec import instant
from eventlog.delivered import Delivered, Projection
from eventlog.faults import TryAgain
from eventlog.store import CHANNEL, ActKey, Actor, Appended, StreamMoved
from runtime import agencies
from services.protection import domain, projections
from services.protection.domain import measure
from services.protection.handlers import HERE, By, Parts, do_to_case, do_to_measure

RACES = 5
"""Lost races within one record before the consumer waits and tries again."""

ACTOR = Actor(id=HERE, role="service")
WORKFLOW = "workflow"
"""The client of business keys: whoever does the deed first, a consumer or a workflow, it is the same deed."""

Write = Callable[[], Awaitable[Appended | None]]


async def apply(session: AsyncConnection, record: Delivered, *, parts: Parts) -> None:
    """Takes one record. Raises `TryAgain` where its stream kept moving."""
    match record.event.type:
        case "amparo.intake.v1.RequestFiled":
            await _opened(session, record, parts=parts)
        case "amparo.intake.v1.AgencyExcluded" | "amparo.intake.v1.ConflictRecorded":
            await keep(session, record)
        case "amparo.intake.v1.RequestWithdrawn":
            withdrawn = intake.RequestWithdrawn.FromString(record.event.payload)
            await withdraw_in(session, withdrawn.case_id, causation=citation(record), parts=parts)
        case agencies.REGISTERED:
            await keep(session, record)
        case "amparo.referral.v1.ReferralSent":
            sent = referral.ReferralSent.FromString(record.event.payload)
            if sent.measure_id:
                await keep(session, record)
                note_sent = measure.NoteSent(referral_id=sent.referral_id)
                await _tell(session, record, note_sent, measure_id=sent.measure_id, parts=parts)
        case "amparo.referral.v1.ReferralAcknowledged" | "amparo.referral.v1.ReferralAccepted":
            await _heard(session, record, measure.NoteAcknowledged, parts=parts)
        case "amparo.referral.v1.ReferralAnswered":
            if referral.ReferralAnswered.FromString(record.event.payload).done:
                await _heard(session, record, measure.NoteReported, parts=parts)
        case _:
            pass


async def keep(session: AsyncConnection, record: Delivered, /) -> None:
    """Keeps what tables here hold of other services' records, and causes nothing. Taken again, it changes nothing."""
    await agencies.keep(session, record)
    if record.event.type == "amparo.intake.v1.RequestFiled":
        filed = intake.RequestFiled.FromString(record.event.payload)
        await projections.keep_from(session, record.event.correlation, filed.excluded)
    if record.event.type == "amparo.intake.v1.AgencyExcluded":
        excluded = intake.AgencyExcluded.FromString(record.event.payload)
        await projections.keep_from(session, record.event.correlation, [excluded.agency])
    if record.event.type == "amparo.intake.v1.ConflictRecorded":
        tied = intake.ConflictRecorded.FromString(record.event.payload)
        await projections.keep_from(session, record.event.correlation, [tied.agency], table=projections.conflicts)
    if record.event.type == "amparo.referral.v1.ReferralSent":
        sent = referral.ReferralSent.FromString(record.event.payload)
        if sent.measure_id:
            await projections.remember_referral(session, referral_id=sent.referral_id, measure_id=sent.measure_id)


async def withdraw_in(
    session: AsyncConnection, case_id: str, *, causation: record_pb2.Citation | None, parts: Parts
) -> Appended | None:
    """Ends a case whose request was withdrawn; once, whoever does it."""
    act = ActKey(client=WORKFLOW, key=f"close-withdrawn:{case_id}")
    by = By(actor=ACTOR, act=act, causation=causation)
    command = domain.Withdraw(at=parts.clock())
    return await _settled(session, lambda: do_to_case(session, command, case_id=case_id, by=by, parts=parts))


async def note_in(
    session: AsyncConnection,
    command: measure.Told,
    *,
    measure_id: str,
    causation: record_pb2.Citation | None,
    parts: Parts,
) -> Appended | None:
    """Carries what a referral says of a measure onto its stream; once, whoever does it."""
    act = ActKey(client=WORKFLOW, key=f"{type(command).__name__}:{measure_id}:{command.referral_id}")
    by = By(actor=ACTOR, act=act, causation=causation)
    return await _settled(session, lambda: do_to_measure(session, command, measure_id=measure_id, by=by, parts=parts))


def citation(record: Delivered) -> record_pb2.Citation:
    """What an event caused by this record cites."""
    event = record_pb2.Record.FromString(record.record).event
    return record_pb2.Citation(event_id=record.event.id, event_hash=sha256(event).digest())


async def _opened(session: AsyncConnection, record: Delivered, *, parts: Parts) -> None:
    filed = intake.RequestFiled.FromString(record.event.payload)
    command = domain.OpenCase(
        case_id=filed.case_id,
        imminent=filed.imminent,
        pack=filed.pack,
        pack_version=filed.pack_version,
        received_at=instant(record.event.recorded_at),
        region=filed.region,
        subject_id=filed.subjects[0].subject_id,
        filer=record.event.actor.id,
        filer_unit=record.event.actor.unit,
    )
    await keep(session, record)  # first: nobody sees the case before
    act = ActKey(client=WORKFLOW, key=f"open-case:{filed.case_id}")
    by = By(actor=ACTOR, act=act, causation=citation(record))
    await _settled(session, lambda: do_to_case(session, command, case_id=filed.case_id, by=by, parts=parts))


async def _heard(
    session: AsyncConnection,
    record: Delivered,
    note: type[measure.NoteAcknowledged] | type[measure.NoteReported],
    *,
    parts: Parts,
) -> None:
    """An agency's word about a referral, carried to the measure that the referral asks for, if it asks for one."""
    referral_id = record.event.stream.partition("/")[2]
    measure_id = await projections.measure_asked_by(session, referral_id)
    if measure_id is not None:
        await _tell(session, record, note(referral_id=referral_id), measure_id=measure_id, parts=parts)


async def _tell(
    session: AsyncConnection, record: Delivered, command: measure.Told, *, measure_id: str, parts: Parts
) -> None:
    await note_in(session, command, measure_id=measure_id, causation=citation(record), parts=parts)


async def _settled(session: AsyncConnection, write: Write) -> Appended | None:
    """Writes within a savepoint, again where the stream moved, and wakes the sequencer when all of it is committed."""
    for _ in range(RACES):
        try:
            async with session.begin_nested():
                appended = await write()
        except StreamMoved:
            continue
        if appended is not None and not appended.repeated:
            # Once a batch and by one consumer: the cost that keeps NOTIFY out of people's transactions is not met here.
            await session.execute(text(f"NOTIFY {CHANNEL}"))
        return appended
    raise TryAgain


def projection(parts: Parts) -> Projection:
    """What a consumer applies."""

    async def heard(session: AsyncConnection, record: Delivered, /) -> None:
        await apply(session, record, parts=parts)

    return heard
