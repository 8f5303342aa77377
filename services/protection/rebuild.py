"""Making the read tables anew, while the service runs: acts and the consumer wait meanwhile.

Cases, clocks and measures come from this room's own events; which referral asks for which measure, who must never
learn of a case, and which agencies there are, from the records of their source. One transaction: readers see the old
tables until the new ones are whole. No act follows from it: what a record caused when it was taken stands in the
events.
"""

from collections.abc import Collection

from sqlalchemy import text

from eventlog.replay import Fetch, hold, replay
from services.protection import inbound, projections
from services.protection.handlers import Parts

TABLES = ("cases", "clocks", "measures", "measure_referrals", "exclusions", "conflicts", "agencies")


async def rebuild(parts: Parts, *, consumer: str, sources: Collection[str], fetch: Fetch) -> tuple[int, int]:
    """Empties the tables and fills them; gives the numbers of streams and of records replayed. ``sources``: those that
    the consumer reads. Raises `eventlog.replay.NotReplayed`, with nothing changed.
    """
    async with parts.engine.begin() as session:
        await hold(session, consumer=consumer, sources=sources, tables=TABLES)
        streams = await projections.rebuild(session, parts.store)
        for heard in (projections.measure_referrals, projections.exclusions, projections.conflicts):
            await session.execute(heard.delete())
        await session.execute(text("DELETE FROM agencies"))
        return streams, await replay(session, consumer=consumer, sources=sources, fetch=fetch, apply=inbound.keep)
