"""Follows the registry (`pe.intake`): keeps the case files, and ends disclosure in the transaction that reads why.
Follows protection (`pe.protection`) for what its measures are.

Nobody has to remember to recall: a consent withdrawn, an agency excluded or in conflict, or a request withdrawn recalls
what may no longer be told, also while every workflow is down.
"""

from hashlib import sha256

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from amparo.intake.v1 import events_pb2 as intake
from amparo.record.v1.record_pb2 import Citation, Record
from eventlog.consumer import Delivered, Projection
from eventlog.store import CHANNEL
from services.referral import case_files, measure_files
from services.referral.bell import ring_at_commit
from services.referral.handlers import Parts, recall_undisclosable

ENDS_DISCLOSURE = frozenset(
    message.DESCRIPTOR.full_name
    for message in (
        intake.ConsentWithdrawn,
        intake.AgencyExcluded,
        intake.ConflictRecorded,
        intake.RequestWithdrawn,
    )
)


def following(parts: Parts) -> Projection:
    """The projection of the registry's and of protection's records. A record taken again changes nothing."""

    async def follow(session: AsyncConnection, record: Delivered, /) -> None:
        event = record.event
        if event.stream.startswith("measure/"):
            await measure_files.keep(session, event)
            return
        if not event.stream.startswith("request/"):
            return
        await case_files.keep(session, event)
        if event.type not in ENDS_DISCLOSURE:
            return
        case = await case_files.read(session, event.stream.removeprefix("request/"))
        if case is None:
            raise LookupError("a request's stream begins with its filing")
        because = Citation(event_id=event.id, event_hash=sha256(Record.FromString(record.record).event).digest())
        act = f"{record.source}:{record.index}"
        if recalled := await recall_undisclosable(session, case, act=act, because=because, parts=parts):
            await ring_at_commit(session, recalled)
            await session.execute(text(f"NOTIFY {CHANNEL}"))  # the sequencer, as `Ring` does after a commit of ours

    return follow
