"""What the event log tells a tracer, and the tracer that keeps nothing. The real one is `runtime.telemetry`'s."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Tracing(Protocol):
    """Carries one trace through the pending row, Kafka's headers and the consumer."""

    def inject(self) -> Mapping[str, str]:
        """The current context as W3C headers, kept in the pending row; empty where nobody traces."""
        ...

    def sending(self, topic: str, headers: Mapping[str, str]) -> AbstractContextManager[Mapping[str, str]]:
        """A producer span in the context of the append; gives the headers for Kafka."""
        ...

    def processing(self, topic: str, headers: Mapping[str, str], *, offset: int) -> AbstractContextManager[None]:
        """A consumer span in the context of the message."""
        ...

    def passed_over(self, topic: str, count: int) -> None:
        """Counts messages of a topic that its source did not publish."""
        ...


class NoTracing:
    """Keeps nothing and costs next to nothing."""

    def inject(self) -> Mapping[str, str]:
        return {}

    def sending(self, topic: str, headers: Mapping[str, str]) -> AbstractContextManager[Mapping[str, str]]:
        return nullcontext(headers)

    def processing(self, topic: str, headers: Mapping[str, str], *, offset: int) -> AbstractContextManager[None]:
        return nullcontext()

    def passed_over(self, topic: str, count: int) -> None: ...


def as_kafka_headers(headers: Mapping[str, str]) -> Iterable[tuple[str, bytes]]:
    """Kafka's form of the headers."""
    return [(name, value.encode()) for name, value in headers.items()]
