"""A clock that a test sets."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class SetClock:
    """A `Clock` that stands still until it is moved."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        """Move by so many ``seconds=``, ``minutes=`` …"""
        self.now += timedelta(**by)

    @property
    def seconds(self) -> int:
        """Now, as a token says it."""
        return int(self.now.timestamp())
