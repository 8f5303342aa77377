"""A real OTLP/HTTP receiver in this process: parses what arrives with OpenTelemetry's own protobuf, and keeps it.

Source: OpenTelemetry Protocol, OTLP/HTTP with binary protobuf.
"""

import gzip
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

KINDS = {1: "internal", 2: "server", 3: "client", 4: "producer", 5: "consumer"}


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceivedSpan:
    """A span as it arrived; ids in hex, ``parent`` empty for a root, times in nanoseconds of the epoch."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    start: int
    end: int
    failed: bool
    attributes: dict[str, Any]
    events: tuple[dict[str, Any], ...]
    links: tuple[str, ...]
    """Traces that it points to."""


@dataclass(slots=True)
class Receiver:
    """What arrived so far. ``url`` is what OTEL_EXPORTER_OTLP_ENDPOINT is set to."""

    url: str = ""
    spans: list[ReceivedSpan] = field(default_factory=list)
    metrics: dict[str, list[Any]] = field(default_factory=dict)
    bodies: list[bytes] = field(default_factory=list)

    def trace(self, trace_id: str) -> list[ReceivedSpan]:
        """The spans of one trace, in order of their start."""
        return sorted((span for span in tuple(self.spans) if span.trace == trace_id), key=lambda span: span.start)

    def take(self, path: str, body: bytes) -> bytes:
        """One export request; gives the response's body."""
        self.bodies.append(body)
        if path == "/v1/traces":
            for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                service = _plain(of_resource.resource.attributes).get("service.name", "")
                for scope in of_resource.scope_spans:
                    self.spans.extend(_received(service, span) for span in scope.spans)
            return ExportTraceServiceResponse().SerializeToString()
        for of_resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            for scope in of_resource.scope_metrics:
                for metric in scope.metrics:
                    self.metrics.setdefault(metric.name, []).append(metric)
        return ExportMetricsServiceResponse().SerializeToString()


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on a free loopback port."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            answer = receiver.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, name="otlp-receiver", daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def tree(spans: Sequence[ReceivedSpan]) -> str:
    """One trace as an indented tree: service, span, duration. Siblings in order of their start."""
    known = {span.id for span in spans}
    lines: list[str] = []

    def walk(parent: str, depth: int) -> None:
        for span in sorted(spans, key=lambda found: found.start):
            if (span.parent if span.parent in known else "") == parent:
                milliseconds = (span.end - span.start) / 1e6
                mark = " (failed)" if span.failed else ""
                lines.append(f"{'  ' * depth}{span.service}: {span.name} [{span.kind}] {milliseconds:.1f} ms{mark}")
                walk(span.id, depth + 1)

    walk("", 0)
    return "\n".join(lines)


def _received(service: str, span: Any) -> ReceivedSpan:
    return ReceivedSpan(
        service=service,
        name=span.name,
        kind=KINDS.get(span.kind, "?"),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
        failed=span.status.code == 2,
        attributes=_plain(span.attributes),
        events=tuple({"name": event.name, **_plain(event.attributes)} for event in span.events),
        links=tuple(link.trace_id.hex() for link in span.links),
    )


def _plain(attributes: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in attributes}
