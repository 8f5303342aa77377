"""Making the read tables and the case files anew, while the service runs: acts and the consumer wait meanwhile.

Agencies and referrals come from this room's own events, the files of cases and measures from the records of their
sources. One transaction: readers see the old tables until the new ones are whole. Nobody is recalled by it: what was
recalled stands in the events, and a consent that was given again must not look withdrawn on the way.
"""

from collections.abc import Collection

from sqlalchemy.ext.asyncio import AsyncConnection

from eventlog.delivered import Delivered
from eventlog.replay import Fetch, hold, replay
from services.referral import case_files, measure_files, projections
from services.referral.handlers import Parts

TABLES = ("cases", "consents", "copies", "measures", "agencies", "agreements", "referrals")


async def rebuild(parts: Parts, *, consumer: str, sources: Collection[str], fetch: Fetch) -> int:
    """Empties the tables and fills them; gives the number of records replayed. Raises `eventlog.replay.NotReplayed`,
    with nothing changed.
    """
    async with parts.engine.begin() as session:
        await hold(session, consumer=consumer, sources=sources, tables=TABLES)
        await projections.rebuild(session, parts.store)
        for table in (measure_files.measures, case_files.copies, case_files.consents, case_files.cases):
            await session.execute(table.delete())
        return await replay(session, consumer=consumer, sources=sources, fetch=fetch, apply=_keep)


async def _keep(session: AsyncConnection, record: Delivered, /) -> None:
    if record.event.stream.startswith("measure/"):
        await measure_files.keep(session, record.event)
    elif record.event.stream.startswith("request/"):
        await case_files.keep(session, record.event)
