"""Making the registry's read tables anew, while it runs: acts and the consumer wait meanwhile.

Requests and incidents come from its own events, the ids of agencies from the records of their source.
"""

from sqlalchemy import text

from eventlog.replay import Fetch, hold, replay
from services.intake import opening_rows, projections, ties
from services.intake.handlers import Parts


async def rebuild(parts: Parts, *, consumer: str, source: str, fetch: Fetch) -> tuple[int, int]:
    """Empties the tables and fills them, in one transaction; gives the numbers of streams and of records replayed.
    Raises `eventlog.replay.NotReplayed`, with nothing changed.
    """
    async with parts.engine.begin() as session:
        await hold(
            session,
            consumer=consumer,
            sources=[source],
            tables=("requests", "incidents", "openings", "agencies", "agreements"),
        )
        streams = await projections.rebuild(session, parts.store)
        await opening_rows.rebuild(session, parts.store)
        await session.execute(text("DELETE FROM agencies"))
        await session.execute(text("DELETE FROM agreements"))
        replayed = await replay(session, consumer=consumer, sources=[source], fetch=fetch, apply=ties.keep)
        return streams, replayed
