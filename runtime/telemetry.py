"""One trace through everything that an act sets off: HTTP, database, outbox, Kafka, workflow, activity, timeline.

Each process always knows the trace that it works in, so that logs of several processes can be joined; spans and
metrics are recorded and sent (OTLP over HTTP, `runtime.otlp`) only where OTEL_EXPORTER_OTLP_ENDPOINT is set, and only
then is OpenTelemetry imported.

Source: W3C Trace Context, https://www.w3.org/TR/trace-context/. Of a caller's headers only ``traceparent`` is taken:
``tracestate`` and ``baggage`` are free text, which could carry what nobody should see.
"""

import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncEngine
    from temporalio.client import Interceptor

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool

TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
TABLE = re.compile(r"\b(?:FROM|INTO|UPDATE)\s+([a-z_][a-z0-9_.]*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Trace:
    """Where we are: 32 and 16 lower-case hex digits, and whether the trace is being recorded."""

    trace_id: str
    span_id: str
    recorded: bool = False

    @property
    def traceparent(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{'01' if self.recorded else '00'}"


class Span(Protocol):
    """One piece of work. Attributes hold opaque ids at most, never personal data; unknown names are not exported."""

    def name(self, name: str) -> None: ...

    def set(self, name: str, value: Value) -> None: ...

    def fail(self, kind: str) -> None:
        """The work failed; ``kind`` is a stable code or the exception's type, never its text."""
        ...


class Backend(Protocol):
    """What `Unrecorded` here and `runtime.otlp.Recorder` have in common."""

    def current(self) -> Trace | None: ...

    def span(
        self, name: str, *, kind: Kind, parent: Trace | None, attributes: Mapping[str, Value]
    ) -> AbstractContextManager[Span]: ...

    def measure(self, name: str, value: float, attributes: Mapping[str, Value]) -> None: ...

    def interceptors(self) -> "list[Interceptor]": ...

    def stop(self) -> None: ...


def start(service_name: str, *, endpoint: str = "") -> bool:
    """Record and send traces and metrics of this process, if ``endpoint`` (default: OTEL_EXPORTER_OTLP_ENDPOINT) is
    set; whether it is.

    ``endpoint`` is the base URL; traces go to ``/v1/traces``, metrics to ``/v1/metrics``. The other OTEL_ variables
    hold too.
    """
    global _backend
    import os

    endpoint = endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
    if endpoint:
        from runtime.otlp import Recorder

        _backend.stop()
        _backend = Recorder(service_name=service_name, endpoint=endpoint)
    return bool(endpoint)


def stop() -> None:
    """Send what is left (at most a few seconds) and record no more."""
    global _backend
    _backend.stop()
    _backend = Unrecorded()


def recording() -> bool:
    """Whether this process records."""
    return not isinstance(_backend, Unrecorded)


def current() -> Trace | None:
    """The trace we are in."""
    return _backend.current()


def span(
    name: str,
    *,
    kind: Kind = "internal",
    headers: Mapping[str, str] | None = None,
    attributes: Mapping[str, Value] | None = None,
) -> AbstractContextManager[Span]:
    """A piece of work in the trace that ``headers`` carry, else in the current one, else in a new one.

    An exception that leaves it is noted by its type, and goes on.
    """
    return _backend.span(name, kind=kind, parent=extract(headers or {}), attributes=attributes or {})


def inject() -> dict[str, str]:
    """The headers that carry the current trace; empty outside any."""
    here = _backend.current()
    return {"traceparent": here.traceparent} if here else {}


def extract(headers: Mapping[str, str]) -> Trace | None:
    """The trace that headers carry (names in lower case); ``None`` where they carry none, or not a valid one."""
    found = TRACEPARENT.fullmatch(headers.get("traceparent", ""))
    return Trace(found[1], found[2], bool(int(found[3], 16) & 1)) if found else None


def measure(name: str, value: float, **attributes: Value) -> None:
    """One figure of a metric that `runtime.otlp.METRICS` declares."""
    _backend.measure(name, value, attributes)


def interceptors() -> "list[Interceptor]":
    """For ``temporalio.client.Client.connect``; the worker made with that client has them too."""
    return _backend.interceptors()


class Messaging:
    """`eventlog.tracing.Tracing`: the trace of an append is kept with its outbox row and travels in Kafka's record
    headers.

    Span names and attributes: OpenTelemetry semantic conventions for messaging and Kafka.
    """

    def inject(self) -> dict[str, str]:
        return inject()

    def sending(self, topic: str, headers: Mapping[str, str]) -> AbstractContextManager[Mapping[str, str]]:
        if not recording():
            return nullcontext(headers)  # on the way of every record; the trace goes on as its append left it
        return self._sending(topic, headers)

    @contextmanager
    def _sending(self, topic: str, headers: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
        with span(f"send {topic}", kind="producer", headers=headers, attributes=_messaging("send", topic)):
            measure("messaging.client.sent.messages", 1, topic=topic)
            yield {**headers, **inject()}

    @contextmanager
    def processing(self, topic: str, headers: Mapping[str, str], *, offset: int) -> Iterator[None]:
        started = time.perf_counter()
        attributes = {**_messaging("process", topic), "messaging.kafka.offset": offset}
        with span(f"process {topic}", kind="consumer", headers=headers, attributes=attributes):
            yield
        measure("messaging.process.duration", time.perf_counter() - started, topic=topic)

    def passed_over(self, topic: str, count: int) -> None:
        measure("amparo.messages.passed_over", count, topic=topic)


def _messaging(operation: str, topic: str) -> dict[str, Value]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.type": operation,
        "messaging.operation.name": operation,
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": "0",
    }


messaging = Messaging()
"""To be handed to `eventlog`'s store, sequencer and consumers as ``tracing``."""


class Unrecorded:
    """No telemetry: carries the trace's ids for the logs, and nothing else."""

    def __init__(self) -> None:
        self._here: ContextVar[Trace | None] = ContextVar("trace", default=None)

    def current(self) -> Trace | None:
        return self._here.get()

    @contextmanager
    def span(self, name: str, *, kind: Kind, parent: Trace | None, attributes: Mapping[str, Value]) -> Iterator[Span]:
        above = parent or self._here.get()
        here = Trace(above.trace_id if above else secrets.token_hex(16), secrets.token_hex(8))
        before = self._here.set(here)
        try:
            yield _NOTHING
        finally:
            self._here.reset(before)

    def measure(self, name: str, value: float, attributes: Mapping[str, Value]) -> None:
        return

    def interceptors(self) -> "list[Interceptor]":
        return []

    def stop(self) -> None:
        return


class _Nothing:
    def name(self, name: str) -> None:
        return

    def set(self, name: str, value: Value) -> None:
        return

    def fail(self, kind: str) -> None:
        return


_NOTHING = _Nothing()
_backend: Backend = Unrecorded()


def trace_statements(engine: "AsyncEngine") -> None:
    """A client span for each SQL statement inside a recorded trace: operation and first table, never text or
    parameters.
    """
    if not recording():
        return
    from sqlalchemy import event

    namespace = engine.url.database or ""

    def before(_c: object, _cursor: object, statement: str, _p: object, context: object, _many: bool) -> None:
        here = _backend.current()
        if here is None or not here.recorded:
            return  # the sequencer's polling would be a trace of its own, four times a second
        operation = statement.split(None, 1)[0].upper()
        table = TABLE.search(statement)
        summary = f"{operation} {table[1]}" if table else operation
        attributes = {
            "db.system.name": "postgresql",
            "db.namespace": namespace,
            "db.operation.name": operation,
            "db.query.summary": summary,
        }
        opened = span(summary, kind="client", attributes=attributes)
        opened.__enter__()
        context.amparo_span = opened  # type: ignore[attr-defined]

    def after(_c: object, _cursor: object, _s: str, _p: object, context: object, _many: bool) -> None:
        _close(context, None)

    def failed(raised: object) -> None:
        context = raised.execution_context  # type: ignore[attr-defined]
        if context is not None:
            _close(context, raised.original_exception)  # type: ignore[attr-defined]

    event.listen(engine.sync_engine, "before_cursor_execute", before)
    event.listen(engine.sync_engine, "after_cursor_execute", after)
    event.listen(engine.sync_engine, "handle_error", failed)


def _close(context: object, error: BaseException | None) -> None:
    opened: AbstractContextManager[Span] | None = getattr(context, "amparo_span", None)
    if opened is None:
        return
    context.amparo_span = None  # type: ignore[attr-defined]
    if error is None:
        opened.__exit__(None, None, None)
        return
    try:
        opened.__exit__(type(error), error, error.__traceback__)
    except BaseException as same:  # a context manager of a generator raises what it was given
        if same is not error:
            raise
