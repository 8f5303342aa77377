"""Making the read tables anew, while the service runs: acts and the consumer wait meanwhile.

Cases, clocks and measures come from this room's own events; which referral asks for which measure, and which agencies
there are, from the records of their source. One transaction: readers see the old tables until the new ones are whole.
No act follows from it: what a record caused when it was taken stands in the events.
"""

from collections.abc import Collection

from sqlalchemy import text

from eventlog.replay import Fetch, hold, replay
from services.protection import inbound, projections
from services.protection.handlers import Parts

TABLES = ("cases", "clocks", "measures", "measure_referrals", "agencies")


async def rebuild(parts: Parts, *, consumer: str, sources: Collection[str], fetch: Fetch) -> tuple[int, int]:
    """Empties the tables and fills them; gives the numbers of streams and of records replayed. ``sources``: those that
    the consumer reads. Raises `eventlog.replay.NotReplayed`, with nothing changed.
    """
    async with parts.engine.begin() as session:
        await hold(session, consumer=consumer, sources=sources, tables=TABLES)
        streams = await projections.rebuild(session, parts.store)
        await session.execute(projections.measure_referrals.delete())
        await session.execute(text("DELETE FROM agencies"))
        heard = [source for source in sources if source.endswith(".referral")]
        return streams, await replay(session, consumer=consumer, sources=heard, fetch=fetch, apply=inbound.keep)
