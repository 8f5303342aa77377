"""Owns what a service knows of the register of agencies, which another service keeps: the ids that were registered.

A misspelled agency would be an exclusion that excludes nobody, a consent that nobody hears of: so an act that names
one is refused where it is not registered. What is registered stays so; hence what was once known is known for good.
"""

import asyncio
from collections.abc import Collection, Mapping

import httpx
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from access.problems import FieldError, Problem
from access.token_source import NoToken
from amparo.record.v1 import record_pb2
from amparo.referral.v1 import events_pb2 as referral
from eventlog import positions
from eventlog.delivered import Delivered
from runtime.gaps import Fetch

TABLE = """
CREATE TABLE agencies (agency text PRIMARY KEY);
COMMENT ON TABLE agencies IS 'The ids of registered agencies, from the register''s own events.';
"""
REGISTERED = referral.AgencyRegistered.DESCRIPTOR.full_name
FETCH_RECORDS = 500

_KEEP = text("INSERT INTO agencies (agency) VALUES (:agency) ON CONFLICT DO NOTHING")
_ALL = text("SELECT agency FROM agencies")


async def keep(session: AsyncConnection, record: Delivered, /) -> None:
    """Keeps an agency's id where the record registers one. Taken again, it changes nothing."""
    if (agency := _registered(record.event)) is not None:
        await session.execute(_KEEP, {"agency": agency})


class Register:
    """The registered agencies, as far as this process has heard. Whoever is not known is looked for: first in the
    table, then in the source's own records behind the last one taken, so that neither a process that has just started
    nor an agency registered this second is refused for it.
    """

    def __init__(self, engine: AsyncEngine, *, source: str, consumer: str, fetch: Fetch) -> None:
        """``consumer`` is the one that keeps the table from the records of ``source``."""
        self._engine = engine
        self._source = source
        self._consumer = consumer
        self._fetch = fetch
        self._known: set[str] = set()
        self._read_to = -1
        self._looking = asyncio.Lock()

    async def check(self, named: Mapping[str, str]) -> None:
        """``named``: JSON pointer → agency. Raises `Problem`: ``unknown-agency`` with the pointers of those that are
        not registered, ``unavailable`` where one is not known and the register cannot be asked.
        """
        if self._known.issuperset(named.values()):
            return
        async with self._looking:
            if not self._known.issuperset(named.values()):
                await self._look(named.values())
        unknown = [pointer for pointer, agency in named.items() if agency not in self._known]
        if unknown:
            errors = [FieldError(reason="not-registered", pointer=pointer) for pointer in unknown]
            raise Problem("unknown-agency", errors=errors)

    async def _look(self, agencies: Collection[str]) -> None:
        async with self._engine.connect() as session:
            self._known |= set((await session.execute(_ALL)).scalars())
            standing = await positions.standing(session, self._consumer, [self._source])
        if self._known.issuperset(agencies):
            return
        if self._known and self._source in standing:  # a table that is still empty is behind its consumer's position
            self._read_to = max(self._read_to, standing[self._source].index)
        try:
            await self._catch_up()
        except (httpx.HTTPError, NoToken):
            raise Problem("unavailable", headers={"Retry-After": "1"}) from None

    async def _catch_up(self) -> None:
        while page := await self._fetch(self._source, self._read_to, FETCH_RECORDS):
            for value in page:
                record = record_pb2.Record.FromString(value)
                if (agency := _registered(record_pb2.Event.FromString(record.event))) is not None:
                    self._known.add(agency)
                self._read_to = record.index
            if len(page) < FETCH_RECORDS:
                return


def _registered(event: record_pb2.Event) -> str | None:
    return referral.AgencyRegistered.FromString(event.payload).agency if event.type == REGISTERED else None
