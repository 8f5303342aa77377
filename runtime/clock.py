"""The Clock: the only place where `now` is read. Everything that needs an instant is handed one of these."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""``clock() -> datetime``: the present instant, aware, UTC."""


def system_clock() -> datetime:
    """The machine's time, aware, UTC, to the microsecond."""
    return datetime.now(UTC)
