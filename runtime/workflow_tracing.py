"""Temporal's tracing interceptor, bent so that a trace follows an act and not a case.

As it comes, everything that a workflow ever does belongs to the trace that started it: one trace for the years of a
case. Here it belongs to the trace of what the workflow was last told, linked to the one that started the run; and
what happens more than a minute later, such as a rung of a clock, begins a trace of its own.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import temporalio.api.common.v1
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import SpanKind
from temporalio import workflow
from temporalio.contrib.opentelemetry import TracingInterceptor, TracingWorkflowInboundInterceptor
from temporalio.worker import (
    ExecuteWorkflowInput,
    HandleSignalInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

FOLLOWS_FOR = timedelta(minutes=1)

Headers = Mapping[str, temporalio.api.common.v1.Payload]
Carrier = Any
"""W3C headers as Temporal's interceptor carries them."""


class ActTracing(TracingInterceptor):
    """For clients and workers alike."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type["FollowingActs"]:
        """The workflow's part."""
        super().workflow_interceptor_class(input)
        return FollowingActs


class FollowingActs(TracingWorkflowInboundInterceptor):
    """Keeps whose act the workflow follows. Deterministic: it reads headers and the workflow's own clock."""

    def __init__(self, next: WorkflowInboundInterceptor) -> None:
        super().__init__(next)
        self._began: Carrier = None
        self._told: Carrier = None
        self._told_at: datetime | None = None

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        """A run begins."""
        self._began = self._carrier(input.headers)
        if self._told is None:  # a signal that came with the start is handled before it
            self._follow(self._began)
        return await super().execute_workflow(input)

    async def handle_signal(self, input: HandleSignalInput) -> None:
        """The workflow is told of an act."""
        self._follow(self._carrier(input.headers))
        with self._top_level_workflow_context(success_is_complete=False):
            self._completed_span(f"HandleSignal:{input.signal}", link_context_carrier=self._began, kind=SpanKind.SERVER)
            await self.next.handle_signal(input)

    def _follow(self, carrier: Carrier) -> None:
        if carrier:
            self._told, self._told_at = carrier, workflow.now()

    def _carrier(self, headers: Headers) -> Carrier:
        header = headers.get(self.header_key)
        return self.payload_converter.from_payloads([header])[0] if header else None

    def _load_workflow_context_carrier(self) -> Carrier:
        fresh = self._told_at is not None and workflow.now() - self._told_at <= FOLLOWS_FOR
        return self._told if fresh else None

    def _completed_span(self, span_name: str, **options: Any) -> None:
        if options.get("new_span_even_on_replay"):  # a query is nobody's act
            super()._completed_span(span_name, **options)
            return
        with self._followed():
            super()._completed_span(span_name, **options)

    def _context_to_headers(self, headers: Headers) -> Headers:
        with self._followed():
            return super()._context_to_headers(headers)

    @contextmanager
    def _followed(self) -> Iterator[None]:
        carrier = self._load_workflow_context_carrier()
        context = self.text_map_propagator.extract(carrier, Context()) if carrier else Context()
        token = attach(self._set_on_context(context))
        try:
            yield
        finally:
            detach(token)
