"""Owns the order of a source: one process at a time numbers the pending events without a gap and hands the records to
the relay.

Right of way is a PostgreSQL session lock, held by the very connection that numbers: who lost the lock cannot commit
either. Whoever does not hold it waits as a standby. Steps of an event's way, and what holds if the process dies after
each: *taken* (nothing happened), *inserted* (the same), *committed* (numbered for ever; published by whoever comes
next), *sent* (perhaps published, perhaps twice), *acknowledged* (published).
"""

import asyncio
import hashlib
import struct
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal

import psycopg
import structlog
from sqlalchemy.engine import make_url

from amparo.record.v1 import record_pb2
from eventlog.backoff import Backoff
from eventlog.kafka import Replication
from eventlog.origin import Origin
from eventlog.relay import Framed, Relay, Step, read_headers
from eventlog.tracing import NoTracing, Tracing

CHANNEL = "amparo_pending"
STAMP_EVENTS = 500
ROUND_S = 0.02
"""After a round of several events the next begins this long after it at the earliest: under load one round numbers what
four would have, and the acts that come meanwhile have the processor. An act that comes alone waits for nothing."""
POLL_S = 0.25
"""A lost NOTIFY costs this much."""
CONTEND_S = 0.25
"""How often a standby tries for the lock. It does not wait inside PostgreSQL: the snapshot of a waiting statement would
keep dead rows alive."""
FIRST_LOOK_S = 3.0
"""How long a new leader waits to see its topic before it numbers: a store restored from an old backup is noticed
here."""
CONNECT_S = 5

Role = Literal["contending", "standby", "leader"]

_TAKE = """
WITH taken AS (
    DELETE FROM pending WHERE pos IN (SELECT pos FROM pending ORDER BY pos LIMIT %s) RETURNING pos, headers
)
SELECT pos, event, headers::text FROM taken JOIN events USING (pos) ORDER BY pos
"""
_NUMBER = """
INSERT INTO records (index, pos, record, headers)
SELECT %b::bigint + n - 1, pos, record, headers::jsonb
FROM unnest(%b::bigint[], %b::bytea[], %b::text[]) WITH ORDINALITY AS framed (pos, record, headers, n)
"""
_log = structlog.get_logger("eventlog.sequencer")


def _no_step(name: str) -> None: ...


class Sequencer:
    """One source's sequencer and relay. Run one in each process of the service: one of them leads."""

    def __init__(
        self,
        *,
        source: str,
        topic: str,
        kafka: str,
        database: str,
        origin: Origin,
        tracing: Tracing | None = None,
        replication: Replication | None = None,
        step: Step = _no_step,
    ) -> None:
        """``database`` is the URL of the store as its sequencer role, ``kafka`` the bootstrap servers, ``origin`` tags
        what is published."""
        self.source = source
        self.topic = topic
        self.role: Role = "contending"
        self.relay: Relay | None = None
        self._kafka = kafka
        self._database = make_url(database).set(drivername="postgresql").render_as_string(hide_password=False)
        self._origin = origin
        self._tracing = tracing or NoTracing()
        self._replication = replication or Replication()
        self._step = step
        self._next = 0
        self._up = asyncio.Event()
        self._leads = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """Whether it leads or stands by: it has its database."""
        return self.role != "contending"

    @property
    def behind(self) -> int | None:
        """Of a leader, how many records are numbered and not yet known to be in Kafka; ``None`` when that cannot be
        told."""
        published = self.relay.published if self.relay else None
        return None if published is None else self._next - 1 - published

    async def up(self) -> None:
        """Returns once it leads or stands by."""
        await self._up.wait()

    async def leads(self) -> None:
        """Returns once it leads."""
        await self._leads.wait()

    async def run(self) -> None:
        """Contends and leads until cancelled, through every loss of its database or of Kafka.

        Raises `Diverged` and `TopicUnfit`, after which nothing was numbered that a person has not looked at.
        """
        backoff = Backoff()
        while True:
            try:
                await self._contend(backoff)
            except psycopg.OperationalError as error:
                self._become("contending")
                await backoff.wait(
                    _log, "the database is away, nothing is numbered", source=self.source, error=type(error).__name__
                )
            finally:
                self._become("contending")

    async def _contend(self, backoff: Backoff) -> None:
        lock = struct.unpack(">q", hashlib.sha256(f"amparo sequencer {self.source}".encode()).digest()[:8])[0]
        async with self._connected() as connection, self._connected() as store:
            while not await _value(connection, "SELECT pg_try_advisory_lock(%s)", lock):
                self._become("standby")
                backoff.reset()
                await asyncio.sleep(CONTEND_S)
            backoff.reset()
            self._step("locked")
            await connection.execute(f"LISTEN {CHANNEL}")
            # In a statement of its own: one that waited for the lock would see the table as it was before.
            self._next = await _value(connection, "SELECT coalesce(max(index) + 1, 0) FROM records")
            relay = Relay(
                source=self.source,
                topic=self.topic,
                kafka=self._kafka,
                store=store,
                origin=self._origin,
                tracing=self._tracing,
                replication=self._replication,
                step=self._step,
            )
            relay.start_after(self._next - 1)
            self.relay = relay
            self._become("leader")
            try:
                await _until_one_ends(relay.run(), self._stamp_on(connection, relay))
            finally:
                self.relay = None

    async def _stamp_on(self, connection: psycopg.AsyncConnection[Any], relay: Relay) -> None:
        try:
            async with asyncio.timeout(FIRST_LOOK_S):
                await relay.looked.wait()
        except TimeoutError:
            pass  # Kafka does not hold up the numbering
        now = asyncio.get_running_loop().time
        while True:
            began = now()
            stamped = await self._stamp(connection)
            if stamped:
                relay.offer(stamped)
            if len(stamped) < STAMP_EVENTS:
                async for _ in connection.notifies(timeout=POLL_S, stop_after=1):
                    pass
                if len(stamped) > 1:
                    await asyncio.sleep(began + ROUND_S - now())

    async def _stamp(self, connection: psycopg.AsyncConnection[Any]) -> Sequence[Framed]:
        """Numbers the lowest pending events, in one transaction. Any snapshot that shows an event shows those it was
        decided on, at lower pos."""
        async with connection.transaction(), connection.cursor(binary=True) as cursor:
            await cursor.execute(_TAKE, [STAMP_EVENTS])
            rows = await cursor.fetchall()
            self._step("taken")
            if not rows:
                return ()
            framed = [
                Framed(index, frame(self.source, index, event), event, read_headers(headers))
                for index, (_, event, headers) in enumerate(rows, start=self._next)
            ]
            poses, headers = [row[0] for row in rows], [row[2] for row in rows]
            await cursor.execute(_NUMBER, [self._next, poses, [f.record for f in framed], headers])
            self._step("inserted")
        self._next += len(framed)
        self._step("committed")
        return framed

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
        """A connection that notices within half a minute that the other side is gone, on either side."""
        connection = await psycopg.AsyncConnection.connect(
            self._database,
            autocommit=True,
            connect_timeout=CONNECT_S,
            application_name=f"sequencer {self.source}",
            keepalives_idle=10,
            keepalives_interval=5,
            keepalives_count=3,
            tcp_user_timeout=25_000,
            options="-c timezone=UTC -c tcp_keepalives_idle=10 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3",
        )
        try:
            yield connection
        finally:
            await connection.close()

    def _become(self, role: Role) -> None:
        if role != self.role:
            self.role = role
            _log.info("sequencer", source=self.source, role=role)
        for event, is_so in ((self._up, self.is_up), (self._leads, role == "leader")):
            if is_so:
                event.set()
            else:
                event.clear()


def frame(source: str, index: int, event: bytes) -> bytes:
    """The bytes of a record: made once, by the sequencer, and never built again."""
    return record_pb2.Record(source=source, index=index, event=event).SerializeToString(deterministic=True)


async def _value(connection: psycopg.AsyncConnection[Any], statement: str, *given: object) -> Any:
    row = await (await connection.execute(statement, given)).fetchone()
    return row[0] if row else None


async def _until_one_ends(*work: Coroutine[Any, Any, None]) -> None:
    """Runs them together until the first ends or fails, and ends the others before anything else is done."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
