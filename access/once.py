"""Owns the memory of what is good for one use: assertions, proofs, codes. It lives in one process and ends with it."""

from collections import deque
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta

MOST = 200_000


class Full(Exception):
    """More than can be remembered was used within the time; forgetting something would let it be used again."""


class Once:
    """Remembers for ``keep`` what was used. ``keep`` has to be as long as anything used could still be good."""

    def __init__(self, *, keep: timedelta, clock: Callable[[], datetime], most: int = MOST) -> None:
        self._keep = keep.total_seconds()
        self._clock = clock
        self._most = most
        self._used: set[Hashable] = set()
        self._until: deque[tuple[float, Hashable]] = deque()  # in order, since all are kept as long

    def use(self, thing: Hashable) -> bool:
        """Whether this is its first use. Raises `Full`."""
        now = self._clock().timestamp()
        while self._until and self._until[0][0] <= now:
            self._used.discard(self._until.popleft()[1])
        if thing in self._used:
            return False
        if len(self._used) >= self._most:
            raise Full
        self._used.add(thing)
        self._until.append((now + self._keep, thing))
        return True
