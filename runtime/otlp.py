"""The recording half of `runtime.telemetry`: OpenTelemetry's SDK, sending over OTLP/HTTP. Imported only where an
endpoint is set.

What leaves the process is cut down to an allow-list of attribute names, and exceptions to their types: their texts
may quote what somebody filed. That holds for spans of libraries too, such as Temporal's.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from runtime.telemetry import Kind, Span, Trace, Value

if TYPE_CHECKING:
    from temporalio.client import Interceptor

STOP_SECONDS = 2.0

ATTRIBUTES = frozenset(
    {
        "amparo.case_id",
        "amparo.stream",
        "db.namespace",
        "db.operation.name",
        "db.query.summary",
        "db.system.name",
        "error.type",
        "exception.type",
        "http.request.method",
        "http.response.status_code",
        "http.route",
        "messaging.destination.name",
        "messaging.destination.partition.id",
        "messaging.kafka.offset",
        "messaging.operation.name",
        "messaging.operation.type",
        "messaging.system",
        "temporalActivityID",
        "temporalActivityType",
        "temporalRunID",
        "temporalUpdateID",
        "temporalWorkflowID",
    }
)

SECONDS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METRICS: Mapping[str, tuple[str, str, str]] = {
    "http.server.request.duration": ("histogram", "s", "Time to answer, by route and status."),
    "messaging.client.sent.messages": (
        "counter",
        "{message}",
        "Records handed to the broker, by topic: the events appended.",
    ),
    "messaging.process.duration": ("histogram", "s", "Time to apply one record, by topic."),
    "amparo.relay.lag": ("gauge", "{event}", "Records that are numbered and not published yet, by source."),
    "amparo.source.published": ("gauge", "{record}", "Records of a source that Kafka holds."),
    "amparo.consumer.taken": ("gauge", "{record}", "Records of a source that a consumer has taken, by consumer."),
    "amparo.messages.passed_over": ("counter", "{message}", "Messages of a topic that its source did not publish."),
    "amparo.loop.failures": ("counter", "{failure}", "Crashes of a supervised loop, by its name."),
}

KINDS: Mapping[Kind, SpanKind] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}


class Recorder:
    """Spans and metrics of one process, sent in batches from threads of the SDK. A receiver that is away costs them,
    and nothing else.
    """

    def __init__(self, *, service_name: str, endpoint: str) -> None:
        base = endpoint.rstrip("/")
        resource = Resource.create({"service.name": service_name, "service.namespace": "amparo"})
        self._traces = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._traces.add_span_processor(BatchSpanProcessor(Discreet(OTLPSpanExporter(endpoint=f"{base}/v1/traces"))))
        self._tracer = self._traces.get_tracer("amparo")
        reader = PeriodicExportingMetricReader(OTLPMetricExporter(endpoint=f"{base}/v1/metrics"))
        self._metrics = MeterProvider(metric_readers=[reader], resource=resource, shutdown_on_exit=False)
        self._instruments = self._make_instruments()

    def _make_instruments(self) -> dict[str, Any]:
        meter = self._metrics.get_meter("amparo")
        made: dict[str, Any] = {}
        for name, (sort, unit, description) in METRICS.items():
            match sort:
                case "histogram":
                    made[name] = meter.create_histogram(
                        name, unit, description, explicit_bucket_boundaries_advisory=list(SECONDS)
                    ).record
                case "counter":
                    made[name] = meter.create_counter(name, unit, description).add
                case "gauge":
                    made[name] = meter.create_gauge(name, unit, description).set
        return made

    def current(self) -> Trace | None:
        context = trace.get_current_span().get_span_context()
        if not context.is_valid:
            return None
        return Trace(f"{context.trace_id:032x}", f"{context.span_id:016x}", context.trace_flags.sampled)

    @contextmanager
    def span(self, name: str, *, kind: Kind, parent: Trace | None, attributes: Mapping[str, Value]) -> Iterator[Span]:
        context = set_span_in_context(NonRecordingSpan(_remote(parent))) if parent else None
        with self._tracer.start_as_current_span(
            name, context, KINDS[kind], attributes, record_exception=False, set_status_on_exception=False
        ) as opened:
            handle = _Recorded(opened)
            try:
                yield handle
            except BaseException as error:
                handle.fail(type(error).__name__)
                raise

    def measure(self, name: str, value: float, attributes: Mapping[str, Value]) -> None:
        self._instruments[name](value, attributes)

    def interceptors(self) -> "list[Interceptor]":
        from runtime.workflow_tracing import ActTracing

        return [ActTracing(tracer=self._traces.get_tracer("temporalio"))]

    def stop(self) -> None:
        def flush() -> None:
            self._traces.shutdown()
            self._metrics.shutdown(timeout_millis=STOP_SECONDS * 1000)

        # A receiver that hangs must not hold up the process's end.
        worker = threading.Thread(target=flush, name="telemetry-stop", daemon=True)
        worker.start()
        worker.join(STOP_SECONDS)


class _Recorded:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def name(self, name: str) -> None:
        self._span.update_name(name)

    def set(self, name: str, value: Value) -> None:
        self._span.set_attribute(name, value)

    def fail(self, kind: str) -> None:
        self._span.set_attribute("error.type", kind)
        self._span.set_status(Status(StatusCode.ERROR))


def _remote(parent: Trace) -> SpanContext:
    flags = TraceFlags(TraceFlags.SAMPLED if parent.recorded else TraceFlags.DEFAULT)
    return SpanContext(int(parent.trace_id, 16), int(parent.span_id, 16), is_remote=True, trace_flags=flags)


class Discreet(SpanExporter):
    """Passes spans on with the allowed attributes only, and with exceptions as their types."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_cut(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _cut(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=span.name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=span.resource,
        attributes=_allowed(span.attributes),
        events=[Event(event.name, _allowed(event.attributes), event.timestamp) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _allowed(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (attributes or {}).items() if name in ATTRIBUTES}
