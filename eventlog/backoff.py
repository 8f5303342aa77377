"""Owns how the log waits for what is away: a database, a broker, another service's API."""

import asyncio
import random
from typing import Any

FIRST_S = 0.1
MOST_S = 5.0


class Backoff:
    """Waits twice as long each time, up to 5 s, and tells of it once in a while rather than at each attempt."""

    def __init__(self) -> None:
        self._next = FIRST_S
        self._failures = 0

    def reset(self) -> None:
        """What was away is back."""
        self._next, self._failures = FIRST_S, 0

    async def wait(self, log: Any, said: str, **about: object) -> None:
        """Logs the first failure and then each time the number of them doubles; waits."""
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:
            log.warning(said, failures=self._failures, **about)
        await asyncio.sleep(self._next * random.uniform(0.8, 1.2))  # noqa: S311  # spreads attempts
        self._next = min(MOST_S, self._next * 2)
