"""The loops that a process runs beside its HTTP: each started, watched, and started again when it ends.

A loop that crashes is logged and comes back after a pause that doubles up to five seconds; until then it is unwell,
and so is the process.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from runtime import telemetry

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0
STEADY_S = 30.0
"""A loop that ran this long before it crashed starts again with the first pause."""
SETTLED_S = 1.0
"""A loop that cannot say whether it is up counts as up when it has run this long."""

_log = structlog.get_logger("runtime.supervision")


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """``run`` goes on until it is cancelled; whatever else ends it is a crash. It is called anew for each start.

    ``up`` says whether it does its work now; without it, a loop that has run for a second is up.
    """

    name: str
    run: Callable[[], Awaitable[None]]
    up: Callable[[], bool] | None = None


class Supervision:
    """Keeps loops running. ``health()`` is true for each that is up."""

    def __init__(self, loops: Sequence[Loop]) -> None:
        names = [loop.name for loop in loops]
        if len(set(names)) != len(names):
            raise ValueError(f"two loops of one process have the same name: {sorted(names)}")
        self._loops = tuple(loops)
        self._running_since: dict[str, float] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Start all loops, in the running event loop; returns at once."""
        self._tasks = [asyncio.create_task(self._keep(loop), name=loop.name) for loop in self._loops]

    async def stop(self, *, seconds: float) -> None:
        """Cancel all loops and wait for them, at most so long; what has not ended then is logged and left."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            _, left = await asyncio.wait(self._tasks, timeout=seconds)
            for task in left:
                _log.warning("loop_did_not_end", loop=task.get_name(), seconds=seconds)

    def health(self) -> dict[str, bool]:
        """Each loop's name and whether it is up."""
        return {loop.name: self._is_up(loop) for loop in self._loops}

    def _is_up(self, loop: Loop) -> bool:
        since = self._running_since.get(loop.name)
        if since is None:
            return False
        return loop.up() if loop.up else asyncio.get_running_loop().time() - since >= SETTLED_S

    async def _keep(self, loop: Loop) -> None:
        now = asyncio.get_running_loop().time
        attempt = 0
        while True:
            started = now()
            self._running_since[loop.name] = started
            try:
                await loop.run()
                failure: BaseException = EndedByItself(loop.name)
            except Exception as error:
                failure = error
            finally:
                del self._running_since[loop.name]
            attempt = 1 if now() - started >= STEADY_S else attempt + 1
            pause = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** (attempt - 1))
            telemetry.measure("amparo.loop.failures", 1, loop=loop.name)
            _log.error("loop_crashed", loop=loop.name, attempt=attempt, seconds=pause, exc_info=failure)
            await asyncio.sleep(pause)


class EndedByItself(Exception):
    """A loop returned, though it should run until it is cancelled."""
