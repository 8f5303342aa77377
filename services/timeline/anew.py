"""Emptying the timeline, so that it takes every record again from the sources: the repair where it has taken a record
that its source does not have. Runs as the database's owner, since nothing that serves may remove a place of the log.

The new log holds the sources' records in an order of its own; whoever needs the old one keeps a copy of the database
first.
"""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from services.timeline import log
from services.timeline.projections import TABLES

_EMPTY = text(f"TRUNCATE {', '.join(table.name for table in (log.places, *TABLES))}, positions, dead_letters")


async def empty(owner: AsyncEngine) -> int:
    """Forgets all that was taken; how many records that was. A consumer that runs begins anew by itself."""
    async with owner.begin() as session:
        size = await log.hold(session)
        await session.execute(_EMPTY)
        await session.execute(log.size.update().values(size=0))
    return size
