"""Waking whoever waits for news: one connection of the process listens for the notifications that taking a record sends
on its commit.
"""

import asyncio

import psycopg
from sqlalchemy.ext.asyncio import AsyncEngine

from services.timeline.log import CHANNEL

POLL_S = 0.25
"""How late news may come to a waiter while nobody listens."""
LOOK_S = 5.0
"""How long a waiter trusts the listening connection before it looks for itself."""


class Wake:
    """``run`` listens, as a supervised loop; waiters work without it too, a quarter of a second later. ``is_over``:
    nothing more is waited for.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._next = asyncio.Event()
        self._listening = False
        self.is_over = False

    async def run(self) -> None:
        """Listens until cancelled. Raises ``psycopg.OperationalError`` when the database is lost."""
        url = self._engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
        connecting = psycopg.AsyncConnection.connect(url, autocommit=True, application_name="timeline")
        async with await connecting as listening:
            await listening.execute(f"LISTEN {CHANNEL}")
            self._listening = True
            self.ring()  # what came before it listened
            try:
                async for _ in listening.notifies():
                    self.ring()
            finally:
                self._listening = False
                self.ring()  # waiters go on by polling

    def ring(self) -> None:
        """Wakes all who wait now."""
        waited, self._next = self._next, asyncio.Event()
        waited.set()

    def end(self) -> None:
        """Wakes all who wait; from now on nobody should wait: the process ends."""
        self.is_over = True
        self.ring()

    @property
    def next(self) -> asyncio.Event:
        """Set at the next news. Take it before looking, so that what comes while looking is not missed."""
        return self._next

    async def wait(self, news: asyncio.Event, *, seconds: float) -> None:
        """Returns on news, after ``seconds`` at the latest; also without news, so that the waiter looks again."""
        try:
            async with asyncio.timeout(min(LOOK_S if self._listening else POLL_S, seconds)):
                await news.wait()
        except TimeoutError:
            return
