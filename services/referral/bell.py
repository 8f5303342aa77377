"""Wakes whoever waits at an agency's inbox, in this process and the others of its kind, when something changed there.

A ring tells nothing but the agency: who is woken reads the inbox again. A lost one costs the wait, nothing else.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import structlog
from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

CHANNEL = "amparo_inbox"
GATHER_S = 0.005
"""The rings of this long leave the process together, after the commit: a NOTIFY in each act slows all of them down."""

_NOTIFY = text("SELECT pg_notify(:channel, agency) FROM unnest(CAST(:agencies AS text[])) AS agency").bindparams(
    channel=CHANNEL
)


_log = structlog.get_logger("services.referral.bell")


class Bell:
    """The bells of all inboxes, by agency. ``is_over``: nothing more is waited for."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._gathered: set[str] = set()
        self._gathering = False
        self._sending: set[asyncio.Task[None]] = set()
        self.is_over = False

    @contextmanager
    def at(self, agency: str) -> Iterator[asyncio.Event]:
        """An event that is set at each ring for the agency from now on; so look into the inbox after taking it."""
        rung = asyncio.Event()
        self._waiting[agency].add(rung)
        try:
            yield rung
        finally:
            self._waiting[agency].discard(rung)
            if not self._waiting[agency]:
                del self._waiting[agency]

    def ring(self, agency: str) -> None:
        """Returns at once; call it after the commit."""
        self._wake(agency)
        self._gathered.add(agency)
        if not self._gathering:
            self._gathering = True
            sending = asyncio.create_task(self._send())
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def listen(self) -> None:
        """Passes on the rings of other processes, until cancelled. Raises ``psycopg.Error`` when the server is lost."""
        url = make_url(self._engine.url).set(drivername="postgresql").render_as_string(hide_password=False)
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            async for notification in connection.notifies():
                self._wake(notification.payload)

    def end(self) -> None:
        """Wakes all who wait; from now on nobody should wait: the process ends."""
        self.is_over = True
        for agency in list(self._waiting):
            self._wake(agency)

    async def close(self) -> None:
        """Waits for the rings that are still to leave."""
        await asyncio.gather(*self._sending)

    def _wake(self, agency: str) -> None:
        for rung in self._waiting.get(agency, ()):
            rung.set()

    async def _send(self) -> None:
        await asyncio.sleep(GATHER_S)
        agencies, self._gathered, self._gathering = sorted(self._gathered), set(), False
        try:
            async with self._engine.connect() as connection:
                await connection.execution_options(isolation_level="AUTOCOMMIT")
                await connection.execute(_NOTIFY, {"agencies": agencies})
        except SQLAlchemyError as error:  # the act is committed; whoever waits in another process looks again by itself
            _log.warning("inbox_not_rung", agencies=len(agencies), error=type(error).__name__)


async def ring_at_commit(session: AsyncConnection, agencies: list[str]) -> None:
    """Rings with the transaction, for the few acts whose commit is somebody else's."""
    await session.execute(_NOTIFY, {"agencies": agencies})
