"""Owns which faults pass by on their own: the same work, done again later, may succeed."""

import psycopg
from kafka.errors import KafkaError
from sqlalchemy import exc


class TryAgain(Exception):
    """Raised by a projection that cannot do its work now, through no fault of the record: it is handed over again until
    it can, and never parked."""


TRANSIENT: tuple[type[Exception], ...] = (
    exc.OperationalError,  # the connection, the server's resources, deadlocks, serialisation
    exc.InterfaceError,
    exc.TimeoutError,  # no free connection in the pool
    psycopg.OperationalError,
    KafkaError,
    ConnectionError,
    TimeoutError,
    TryAgain,
)


def passes_by(error: BaseException) -> bool:
    """Whether it is the world's fault and not the work's."""
    lost = isinstance(error, exc.DBAPIError) and error.connection_invalidated
    return lost or isinstance(error, TRANSIENT)


def reason_of(error: BaseException) -> str:
    """Type and code of an exception, never its text: that may hold what somebody filed."""
    inner = getattr(error, "orig", None) or error
    code = getattr(inner, "sqlstate", None) or getattr(inner, "code", None)
    name = type(inner).__name__
    return f"{name}:{code}" if isinstance(code, str | int) else name
