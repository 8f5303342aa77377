"""The timeline's read tables, each with the page it serves, and how a record becomes rows in them.

What a record adds depends on nothing but the earlier records of its own stream. So the tables are the same whichever
source, or stream of a source, is read first; what joins streams (how long after the filing, after the sending) is
computed when it is asked for.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from amparo.intake.v1 import events_pb2 as intake
from amparo.protection.v1 import events_pb2 as protection
from amparo.referral.v1 import events_pb2 as referral
from services.timeline import accesses
from services.timeline.accesses import Instant, Word, metadata
from services.timeline.reading import ACCESSES, FILING, SENDING, Line, Said, claimed, code, instant
from services.timeline.response_times import ACTS

entries = Table(
    "entries",
    metadata,
    Column("source", Word, primary_key=True),
    Column("index", BigInteger, primary_key=True),
    Column("event_hash", LargeBinary, nullable=False),
    Column("stream", Word, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("type", Word, nullable=False),
    Column("kind", Word, nullable=False),
    Column("case_id", Word, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("actor_role", Word, nullable=False),
    Column("actor_unit", Word, nullable=False),
    Column("agency", Word, nullable=False),
    Column("referral_id", Word, nullable=False),
    Column("since", Word, nullable=False),
    Column("clock", Word, nullable=False),
    Column("due", Instant),
    Column("late", Boolean),
    Column("details", JSONB, nullable=False),
)
"""Every record once. Pages: a case's timeline, the live stream."""

cases = Table(
    "cases",
    metadata,
    Column("case_id", Word, primary_key=True),
    Column("filed_at", Instant),
    Column("imminent", Boolean),
    Column("readers", ARRAY(Word), nullable=False),
    Column("excluded", ARRAY(Word), nullable=False),
    Column("withdrawn_at", Instant),
    Column("closed_at", Instant),
    Column("entries", BigInteger, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("last_source", Word, nullable=False),
    Column("last_index", BigInteger, nullable=False),
    Column("last_kind", Word, nullable=False),
)
"""Page: the list of cases. ``readers`` are units that may read the case beside the roles that read all, ``excluded``
never.
"""

clocks = Table(
    "clocks",
    metadata,
    Column("source", Word, primary_key=True),
    Column("started_index", BigInteger, primary_key=True),
    Column("stream", Word, nullable=False),
    Column("clock", Word, nullable=False),
    Column("kind", Word, nullable=False),
    Column("started_at", Instant),
    Column("due", Instant),
    Column("stopped_index", BigInteger),
    Column("stopped_recorded_at", Instant),
    Column("met", Boolean),
    Column("late", Boolean),
)
"""Each run of a case's clock. Page: a case's timeline, where an act that stopped a clock is shown against its limit."""

measures = Table(
    "measures",
    metadata,
    Column("measure_id", Word, primary_key=True),
    Column("case_id", Word, nullable=False),
    Column("agency", Word, nullable=False),
    Column("referral_id", Word, nullable=False),
)
"""Who carries a measure out, and by which referral it was asked. Page: a case's timeline, by agency."""

agencies = Table(
    "agencies",
    metadata,
    Column("agency", Word, primary_key=True),
    Column("kind", Word, nullable=False),
    Column("name", Text, nullable=False),
    Column("region", Word, nullable=False),
)
"""The institutions, whose names are public. Page: response times."""

referrals = Table(
    "referrals",
    metadata,
    Column("referral_id", Word, primary_key=True),
    Column("source", Word, nullable=False),
    Column("case_id", Word, nullable=False),
    Column("agency", Word, nullable=False),
    Column("purpose", Word, nullable=False),
    Column("round", Integer, nullable=False),
    Column("imminent", Boolean, nullable=False),
    Column("pack", Word, nullable=False),
    Column("pack_version", Word, nullable=False),
    Column("acknowledge_due", Instant),
    Column("answer_due", Instant),
    Column("sent_at", Instant, nullable=False),
    Column("sent_claimed", Instant, nullable=False),
    Column("sent_index", BigInteger, nullable=False),
    *(
        column
        for act in ACTS
        for column in (
            Column(f"{act}_at", Instant),
            Column(f"{act}_claimed", Instant),
            Column(f"{act}_index", BigInteger),
            Column(f"{act}_late", Boolean),
        )
    ),
    Column("ground", Word, nullable=False),
)
"""One referral's instants, each with the record it comes from. Page: response times. ``ground`` of a rejection or
recall.
"""

TABLES = (entries, cases, clocks, measures, agencies, referrals, *accesses.TABLES)

# Statements are made once: making them anew for each record costs more than running them.
_ENTER = insert(entries)
_TOUCH = text(
    "INSERT INTO cases (case_id, readers, excluded, entries, last_at, last_source, last_index, last_kind)"
    " VALUES (:case_id, '{}', '{}', 1, :recorded_at, :source, :index, :kind)"
    " ON CONFLICT (case_id) DO UPDATE SET entries = cases.entries + 1,"
    " (last_at, last_source, last_index, last_kind) = ("
    " SELECT * FROM (VALUES (cases.last_at, cases.last_source, cases.last_index, cases.last_kind),"
    " (excluded.last_at, excluded.last_source, excluded.last_index, excluded.last_kind))"
    " AS two(at, source, index, kind) ORDER BY at DESC, source DESC, index DESC LIMIT 1)"
)
"""Counts the entry, and keeps the latest by (recorded_at, source, index), which need not be the one that came last."""
_EXCLUDE = text(
    "UPDATE cases SET excluded = ARRAY(SELECT DISTINCT unnest(excluded || CAST(:agencies AS text[])) ORDER BY 1)"
    " WHERE case_id = :case_id"
)
_RUNNING = text(
    "SELECT started_index, due FROM clocks WHERE source = :source AND stream = :stream AND clock = :clock"
    " AND stopped_index IS NULL ORDER BY started_index DESC LIMIT 1"
)
"""The latest run of a clock in a stream that has not stopped."""
_STOP = text(
    "UPDATE clocks SET stopped_index = :index, stopped_recorded_at = :recorded_at, met = :met, late = :late"
    " WHERE source = :source AND started_index = :started_index"
)
_MEASURE = text("SELECT agency, referral_id FROM measures WHERE measure_id = :subject")
_REFERRAL = text("SELECT agency, referral_id, acknowledge_due, answer_due FROM referrals WHERE referral_id = :subject")
_ADD_MEASURE = insert(measures).on_conflict_do_nothing()
_ADD_REFERRAL = insert(referrals).on_conflict_do_nothing()
_ADD_CLOCK = insert(clocks)
_REACH = {
    act: text(
        f"UPDATE referrals SET {act}_at = :recorded_at, {act}_claimed = :claimed, {act}_index = :index,"  # noqa: S608
        f" {act}_late = :late, ground = COALESCE(:ground, ground)"
        f" WHERE referral_id = :subject AND {act}_index IS NULL"
    )
    for act in ACTS
}
"""The first time an act is recorded counts; a later repetition is an entry and no more."""


async def project(session: AsyncConnection, line: Line) -> None:
    """Adds one record to the tables. It must not be in them yet; records of one stream come in their order."""
    said = await _completed(session, line)
    await session.execute(_ENTER, _entry(line, said))
    if said.kind in ACCESSES:  # that somebody looked is no activity of the case: its readers would see it move
        await accesses.enter(session, line)
    elif line.case_id:
        place = {"source": line.source, "index": line.index, "recorded_at": line.recorded_at}
        await session.execute(_TOUCH, {"case_id": line.case_id, "kind": said.kind, **place})
    match line.payload:
        case intake.RequestFiled() as filed:
            await accesses.know_subjects(session, line.case_id, [each.subject_id for each in filed.subjects])
            await _set(session, line, filed_at=line.recorded_at, imminent=filed.imminent, readers=_readers(line))
            await session.execute(_EXCLUDE, {"agencies": list(filed.excluded), "case_id": line.case_id})
        case intake.AgencyExcluded() | intake.ConflictRecorded() as kept:
            await session.execute(_EXCLUDE, {"agencies": [kept.agency], "case_id": line.case_id})
        case intake.RequestWithdrawn():
            await _set(session, line, withdrawn_at=line.recorded_at)
        case protection.CaseClosed():
            await _set(session, line, closed_at=line.recorded_at)
        case protection.ClockStarted() as started:
            await _start_clock(session, line, started)
        case protection.ClockStopped() as stopped:
            await _stop_clock(session, line, stopped)
        case protection.MeasureProposed() as proposed:
            row = {
                "measure_id": line.subject,
                "case_id": line.case_id,
                "agency": proposed.implementer,
                "referral_id": "",
            }
            await session.execute(_ADD_MEASURE, row)
        case protection.MeasureSent() as sent:
            here = measures.c.measure_id == line.subject
            await session.execute(update(measures).where(here).values(referral_id=sent.referral_id))
        case referral.AgencyRegistered() as registered:
            await _register(session, registered)
        case referral.ReferralSent() as sent_referral:
            await _send(session, line, sent_referral)
        case referral.ReferralAcknowledged():
            await _reach(session, line, said, "acknowledged")
        case referral.ReferralAccepted():
            await _reach(session, line, said, "accepted")
        case referral.ReferralRejected() as rejected:
            await _reach(session, line, said, "rejected", ground=code(rejected, "ground"))
        case referral.ReferralAnswered():
            await _reach(session, line, said, "answered")
        case referral.ReferralRecalled() as recalled:
            await _reach(session, line, said, "recalled", ground=recalled.ground)


async def empty(session: AsyncConnection) -> None:
    """Removes every row of every table here, for a rebuild in the same transaction."""
    for table in TABLES:
        await session.execute(table.delete())


def _entry(line: Line, said: Said) -> dict[str, Any]:
    return {
        "source": line.source,
        "index": line.index,
        "event_hash": line.event_hash,
        "stream": line.stream,
        "version": line.version,
        "type": line.type,
        "kind": said.kind,
        "case_id": line.case_id,
        "occurred_at": line.occurred_at,
        "recorded_at": line.recorded_at,
        "actor_role": line.actor_role,
        "actor_unit": line.actor_unit,
        "agency": said.agency,
        "referral_id": said.referral_id,
        "since": said.since,
        "clock": said.clock,
        "due": said.due,
        "late": said.late,
        "details": {name: list(value) if isinstance(value, tuple) else value for name, value in said.details.items()},
    }


async def _completed(session: AsyncConnection, line: Line) -> Said:
    """What the line says, with what only the earlier records of its stream know: who was asked, by what, and until
    when.
    """
    said = line.said
    kind = line.stream.partition("/")[0]
    if said.kind == "clock.stopped":
        found = (await session.execute(_RUNNING, _run(line, said.clock))).one_or_none()
        return replace(said, due=found.due) if found else said
    if kind == "measure" and not said.agency:
        row = (await session.execute(_MEASURE, {"subject": line.subject})).one_or_none()
        agency, earlier = (row.agency, row.referral_id) if row else ("", "")
        said = replace(said, agency=agency, referral_id=said.referral_id or earlier)
    elif kind == "referral" and not said.agency:
        row = (await session.execute(_REFERRAL, {"subject": line.subject})).one_or_none()
        if row is not None:
            due = said.due or _limit(line, row)
            late = said.late if said.late is not None or due is None else line.recorded_at > due
            said = replace(said, agency=row.agency, referral_id=row.referral_id, due=due, late=late)
    return replace(said, since=FILING) if said.since == SENDING and not said.referral_id else said


def _limit(line: Line, row: Any) -> datetime | None:
    """Until when the agency's act was due. An acceptance states whether the answer was due before it."""
    match line.payload:
        case referral.ReferralAcknowledged():
            due: datetime | None = row.acknowledge_due
        case referral.ReferralAccepted() | referral.ReferralAnswered() | referral.ReferralRejected():
            due = row.answer_due
        case _:
            due = None
    return due


async def _set(session: AsyncConnection, line: Line, **values: Any) -> None:
    await session.execute(update(cases).where(cases.c.case_id == line.case_id).values(values))


def _readers(line: Line) -> list[str]:
    """The unit that filed. An actor without a unit gives none: the empty unit would be everybody's."""
    return [line.actor_unit] if line.actor_unit else []


async def _start_clock(session: AsyncConnection, line: Line, started: protection.ClockStarted) -> None:
    row = {
        "source": line.source,
        "started_index": line.index,
        "stream": line.stream,
        "clock": started.clock,
        "kind": started.kind,
        "started_at": instant(started.started_at),
        "due": instant(started.due),
    }
    await session.execute(_ADD_CLOCK, row)


def _run(line: Line, clock: str) -> dict[str, str]:
    return {"source": line.source, "stream": line.stream, "clock": clock}


async def _stop_clock(session: AsyncConnection, line: Line, stopped: protection.ClockStopped) -> None:
    run = (await session.execute(_RUNNING, _run(line, stopped.clock))).one_or_none()
    if run is not None:
        act = {"index": line.index, "recorded_at": line.recorded_at, "met": stopped.met, "late": stopped.late}
        await session.execute(_STOP, {"source": line.source, "started_index": run.started_index, **act})


async def _register(session: AsyncConnection, registered: referral.AgencyRegistered) -> None:
    row = {"kind": code(registered, "kind"), "name": registered.name, "region": registered.region}
    given = insert(agencies).values(agency=registered.agency, **row)
    await session.execute(given.on_conflict_do_update(index_elements=["agency"], set_=row))


async def _send(session: AsyncConnection, line: Line, sent: referral.ReferralSent) -> None:
    row = {
        "referral_id": line.subject,
        "source": line.source,
        "case_id": line.case_id,
        "agency": sent.agency,
        "purpose": sent.purpose,
        "round": sent.round,
        "imminent": sent.imminent,
        "pack": sent.pack,
        "pack_version": sent.pack_version,
        "acknowledge_due": instant(sent.acknowledge_due),
        "answer_due": instant(sent.answer_due),
        "sent_at": line.recorded_at,
        "sent_claimed": claimed(line),
        "sent_index": line.index,
        "ground": "",
    }
    await session.execute(_ADD_REFERRAL, row)


async def _reach(session: AsyncConnection, line: Line, said: Said, act: str, *, ground: str | None = None) -> None:
    given = {"subject": line.subject, "index": line.index, "recorded_at": line.recorded_at, "claimed": claimed(line)}
    await session.execute(_REACH[act], {**given, "late": said.late, "ground": ground})


async def rows(session: AsyncConnection) -> dict[str, list[str]]:
    """Every table as PostgreSQL writes its rows, in the order of their keys: what a rebuild is compared by."""
    found = {}
    for table in TABLES:
        whole = select(func.cast(text(f'"{table.name}"'), Text)).select_from(table).order_by(*table.primary_key)
        found[table.name] = list((await session.execute(whole)).scalars())
    return found
