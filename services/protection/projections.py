"""Owns protection's read tables, written in the transaction of the act that changed them.

They hold codes, instants and ids, never personal data. Cases and measures are what their streams fold to;
`measure_referrals`, `exclusions` and the ids of agencies follow other sources. `services.protection.rebuild` makes all
of them anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Integer,
    Label,
    MetaData,
    Row,
    Table,
    Text,
    and_,
    delete,
    false,
    func,
    select,
    text,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from access.policy import Action, State, Subject, reach
from access.policy import Case as Facts
from eventlog.store import EventStore, Recorded
from services.protection import domain
from services.protection.domain import Case, measure
from services.protection.domain.events import ClockStarted, ClockStopped, SilenceNoted
from services.protection.domain.measure import Measure

TABLES = MetaData()
"""What is read and written here; the migration says the rest (not null, indexes, grants)."""

cases = Table(
    "cases",
    TABLES,
    Column("case_id", Text, primary_key=True),
    Column("owner", Text),
    Column("received_at", DateTime(timezone=True)),
    Column("version", Integer),
    Column("stage", Text),
    Column("track", Text),
    Column("region", Text),
    Column("pack", Text),
    Column("pack_version", Text),
    Column("reported", Boolean),
    Column("level", Text),
    Column("evaluations", Integer),
    Column("granted", Boolean),
    Column("ground", Text),
    Column("next_due", DateTime(timezone=True)),
)
"""Pages: the list of cases, a case."""

clocks = Table(
    "clocks",
    TABLES,
    Column("case_id", Text, primary_key=True),
    Column("started_version", Integer, primary_key=True),
    Column("clock", Text),
    Column("duty", Text),
    Column("kind", Text),
    Column("started_at", DateTime(timezone=True)),
    Column("due", DateTime(timezone=True)),
    Column("stopped_at", DateTime(timezone=True)),
    Column("late", Boolean),
    Column("met", Boolean),
    Column("noted", ARRAY(Integer)),
)
"""Page: a case. Each run of a clock, in the order in which they started."""

measures = Table(
    "measures",
    TABLES,
    Column("measure_id", Text, primary_key=True),
    Column("case_id", Text),
    Column("proposed_at", DateTime(timezone=True)),
    Column("version", Integer),
    Column("measure", Text),
    Column("family", Text),
    Column("implementer", Text),
    Column("state", Text),
    Column("urgent", Boolean),
    Column("referral_id", Text),
)
"""Pages: a case's measures, a measure."""

measure_referrals = Table(
    "measure_referrals",
    TABLES,
    Column("referral_id", Text, primary_key=True),
    Column("measure_id", Text),
)
"""Which measure a referral asks for; no page."""


exclusions = Table(
    "exclusions",
    TABLES,
    Column("case_id", Text, primary_key=True),
    Column("unit", Text, primary_key=True),
)
"""Which units must never learn of a case (DNH-5); no page."""

conflicts = Table(
    "conflicts",
    TABLES,
    Column("case_id", Text, primary_key=True),
    Column("unit", Text, primary_key=True),
)
"""Which units have a conflict of interest in a case (DNH-9); no page."""


def _units(table: Table, label: str) -> Label[Any]:
    """Of a case's row, the units that a table names for it."""
    named = select(func.array_agg(table.c.unit)).where(table.c.case_id == cases.c.case_id).correlate(cases)
    return named.scalar_subquery().label(label)


_KEPT_FROM = (_units(exclusions, "kept_from"), _units(conflicts, "in_conflict"))


def owner(*, unit: str, client: str) -> str:
    """To whom a case belongs: the unit that filed, or the client where it filed for none."""
    return Subject(role="", unit=unit, id=client).owner


def state(stage: domain.Stage) -> State:
    """Where a case stands, as the policy asks."""
    return State.ENDED if stage is domain.Stage.CLOSED else State.OPEN


def as_case(row: Row[Any], subject: Subject) -> Facts:
    """What the policy is told of the case of a row that has the case's owner, stage, region, `kept_from` and
    `in_conflict`.
    """
    return Facts.seen_by(
        subject,
        owner=row.owner,
        region=row.region,
        excluded=row.kept_from or (),
        conflicted=row.in_conflict or (),
        state=state(domain.Stage(row.stage)),
    )


async def case_changed(session: AsyncConnection, recorded: Sequence[Recorded], state: Case) -> None:
    """A case's row and clocks after ``recorded``; ``state`` is folded up to and with them."""
    assert state.opened is not None
    case_id = state.opened.case_id
    row = {
        "case_id": case_id,
        "owner": owner(unit=state.opened.filer_unit, client=state.opened.filer),
        "received_at": state.opened.received_at,
        "version": recorded[-1].version,
        "stage": state.stage.value,
        "track": state.opened.track,
        "region": state.opened.region,
        "pack": state.opened.pack,
        "pack_version": state.opened.pack_version,
        "reported": state.reported,
        "level": state.evaluations[-1].level.value if state.evaluations else "",
        "evaluations": len(state.evaluations),
        "granted": state.resolution.granted if state.resolution else None,
        "ground": state.ground,
        "next_due": min((clock.due for clock in state.clocks), default=None),
    }
    await session.execute(insert(cases).values(row).on_conflict_do_update(index_elements=["case_id"], set_=row))
    for each in recorded:
        await _clock_changed(session, case_id, each)


async def _clock_changed(session: AsyncConnection, case_id: str, recorded: Recorded) -> None:
    match recorded.event:
        case ClockStarted() as started:
            row = {
                "case_id": case_id,
                "started_version": recorded.version,
                "clock": started.clock,
                "duty": started.duty,
                "kind": started.kind,
                "started_at": started.started_at,
                "due": started.due,
                "noted": [],
            }
            await session.execute(insert(clocks).values(row))
        case ClockStopped(clock=name, stopped_at=at, late=late, met=met):
            await session.execute(_running(case_id, name).values(stopped_at=at, late=late, met=met))
        case SilenceNoted(clock=name, rung=rung):
            await session.execute(_running(case_id, name).values(noted=func.array_append(clocks.c.noted, rung)))
        case _:
            pass


def _running(case_id: str, name: str) -> Any:
    return update(clocks).where(clocks.c.case_id == case_id, clocks.c.clock == name, clocks.c.stopped_at.is_(None))


async def measure_changed(session: AsyncConnection, history: Sequence[Recorded], state: Measure) -> None:
    """A measure's row after ``history``, its whole stream, which ``state`` is folded from."""
    assert state.proposed is not None
    row = {
        "measure_id": state.proposed.measure_id,
        "case_id": state.proposed.case_id,
        "proposed_at": history[0].recorded_at,
        "version": history[-1].version,
        "measure": state.proposed.measure,
        "family": state.proposed.family.value,
        "implementer": state.proposed.implementer,
        "state": state.state.value,
        "urgent": state.proposed.urgent,
        "referral_id": state.referrals[-1] if state.referrals else "",
    }
    statement = insert(measures).values(row)
    await session.execute(statement.on_conflict_do_update(index_elements=["measure_id"], set_=row))


async def remember_referral(session: AsyncConnection, *, referral_id: str, measure_id: str) -> None:
    """Which measure a referral asks for; told twice, it is kept once."""
    row = {"referral_id": referral_id, "measure_id": measure_id}
    await session.execute(insert(measure_referrals).values(row).on_conflict_do_nothing())


async def measure_asked_by(session: AsyncConnection, referral_id: str) -> str | None:
    """The measure that a referral asks for, ``None`` where it asks for something else."""
    found = select(measure_referrals.c.measure_id).where(measure_referrals.c.referral_id == referral_id)
    return (await session.execute(found)).scalar_one_or_none()


async def page(
    session: AsyncConnection,
    *,
    subject: Subject,
    filters: Mapping[str, str],
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[Row[Any]]:
    """Up to ``limit`` cases, newest first, behind ``after`` (received_at, case id): those that the subject may list."""
    query = select(cases).order_by(cases.c.received_at.desc(), cases.c.case_id.desc()).limit(limit)
    query = query.where(_in_reach(subject, "case.list"))
    for name, value in filters.items():
        query = query.where(cases.c[name] == value)
    if after is not None:
        query = query.where(tuple_(cases.c.received_at, cases.c.case_id) < after)
    return (await session.execute(query)).all()


async def one_case(session: AsyncConnection, case_id: str) -> Row[Any] | None:
    """A case's row, with whom it is ``kept_from``."""
    return (await session.execute(select(cases, *_KEPT_FROM).where(cases.c.case_id == case_id))).one_or_none()


async def kept_from(session: AsyncConnection, case_id: str) -> tuple[Sequence[str], Sequence[str]]:
    """The units that must never learn of a case, and those in conflict."""
    found = [
        (await session.execute(select(table.c.unit).where(table.c.case_id == case_id))).scalars().all()
        for table in (exclusions, conflicts)
    ]
    return found[0], found[1]


async def keep_from(session: AsyncConnection, case_id: str, units: Iterable[str], *, table: Table = exclusions) -> None:
    """Keeps a case from units, which are excluded or, by the ``table`` `conflicts`, in conflict. Once is for ever."""
    for unit in units:
        row = insert(table).values(case_id=case_id, unit=unit)
        await session.execute(row.on_conflict_do_nothing())


def _in_reach(subject: Subject, action: Action) -> ColumnElement[bool]:
    """The cases to which the subject may do this, as `access.policy` decides for each of them."""
    allowed = reach(subject, action)
    own = cases.c.owner == subject.owner if allowed.own else false()
    whole = cases.c.region == subject.region if subject.region else true()
    conditions = [whole if allowed.all_of else own]
    if subject.unit:
        for table in (exclusions, conflicts):
            conditions.append(cases.c.case_id.not_in(select(table.c.case_id).where(table.c.unit == subject.unit)))
    return and_(*conditions)


async def clocks_of(session: AsyncConnection, case_id: str) -> Sequence[Row[Any]]:
    """A case's clocks, in the order in which they started."""
    query = select(clocks).where(clocks.c.case_id == case_id).order_by(clocks.c.started_version)
    return (await session.execute(query)).all()


async def measures_of(session: AsyncConnection, case_id: str) -> Sequence[Row[Any]]:
    """A case's measures, in the order in which they were proposed."""
    query = select(measures).where(measures.c.case_id == case_id)
    return (await session.execute(query.order_by(measures.c.proposed_at, measures.c.measure_id))).all()


async def one_measure(session: AsyncConnection, measure_id: str) -> Row[Any] | None:
    """A measure's row, and of its case what `as_case` needs."""
    query = select(measures, cases.c.owner, cases.c.region, cases.c.stage, *_KEPT_FROM).join(
        cases, cases.c.case_id == measures.c.case_id
    )
    return (await session.execute(query.where(measures.c.measure_id == measure_id))).one_or_none()


async def rebuild(session: AsyncConnection, store: EventStore) -> int:
    """Makes cases, clocks and measures anew from the streams, in the caller's transaction, which holds the consumer and
    the acts (`eventlog.replay.hold`). Gives the number of streams."""
    for table in (cases, clocks, measures):
        await session.execute(delete(table))
    streams = (await session.execute(text("SELECT stream FROM events WHERE version = 1 ORDER BY pos"))).scalars().all()
    for stream in streams:
        history = await store.load(session, stream)
        events = tuple(recorded.event for recorded in history.events)
        if stream.startswith("case/"):
            await case_changed(session, history.events, domain.fold(events))
        else:
            await measure_changed(session, history.events, measure.fold(events))
    return len(streams)
