"""Owns what the registry makes of offices' agreements with projects: whoever is tied to the project that a request
names is in conflict in its case. Of a request that is there the consumer records it, of a new one the filing does.
"""

from collections.abc import Collection

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from amparo.referral.v1 import events_pb2 as referral
from eventlog.delivered import Delivered, Projection
from eventlog.faults import TryAgain
from eventlog.store import CHANNEL, ActKey, Actor, History, StreamMoved
from runtime import agencies
from services.intake import projections
from services.intake.events import ConflictRecorded
from services.intake.handlers import Parts, request_stream
from services.intake.projections import fold_request

HERE = Actor(id="intake", role="service")

_KEEP = text("INSERT INTO agreements (agency, project) VALUES (:agency, :project) ON CONFLICT DO NOTHING")
_TIED = text("SELECT agency FROM agreements WHERE project = :project ORDER BY agency")
_NAMING = text("SELECT case_id FROM requests WHERE project = :project ORDER BY case_id")


async def tied_to(engine: AsyncEngine, project: str) -> Collection[str]:
    """The offices that are known to be tied to a project; nobody to none."""
    if not project:
        return ()
    async with engine.connect() as session:
        return (await session.execute(_TIED, {"project": project})).scalars().all()


async def keep(session: AsyncConnection, record: Delivered, /) -> None:
    """Keeps what tables here hold of the register's records, and causes nothing. Taken again, it changes nothing."""
    await agencies.keep(session, record)
    if (tie := _tie(record)) is not None:
        await session.execute(_KEEP, {"agency": tie.agency, "project": tie.project})


def hearing(parts: Parts) -> Projection:
    """What the registry's consumer applies."""

    async def hear(session: AsyncConnection, record: Delivered, /) -> None:
        await keep(session, record)
        tie = _tie(record)
        if tie is None:
            return
        for case_id in (await session.execute(_NAMING, {"project": tie.project})).scalars().all():
            await _in_conflict(session, case_id, tie.agency, parts=parts)

    return hear


async def _in_conflict(session: AsyncConnection, case_id: str, agency: str, *, parts: Parts) -> None:
    """Records the conflict in a case, unless it is. Raises `TryAgain` where its stream moved meanwhile."""
    history = await parts.store.load(session, request_stream(case_id))
    if agency in fold_request(history).conflicted:
        return
    try:
        appended = await parts.store.append(
            session,
            stream=request_stream(case_id),
            expected=history.version,
            events=(ConflictRecorded(agency=agency, claimed=False),),
            actor=HERE,
            act=ActKey(client="consumer", key=f"tied:{case_id}:{agency}"),
            correlation=case_id,
        )
    except StreamMoved:
        raise TryAgain from None
    if not appended.repeated:
        after = fold_request(History((*history.events, *appended.recorded), appended.receipt.version))
        await projections.update_request(session, after, version=appended.receipt.version, added_evidence=0)
        await session.execute(text(f"NOTIFY {CHANNEL}"))


def _tie(record: Delivered) -> referral.AgreementRecorded | None:
    if record.event.type != referral.AgreementRecorded.DESCRIPTOR.full_name:
        return None
    return referral.AgreementRecorded.FromString(record.event.payload)
