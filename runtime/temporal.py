"""The way to Temporal: clients, and the worker that serves activities and workflows in a process.

What leaves an activity as an exception is kept in Temporal's history, so of an unforeseen one only the type is told;
the log has the lines that it passed. ``temporalio`` costs 0.3 s and 45 MB to import: a process without workflows or
activities never does.
"""

import logging
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import structlog
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError, CancelledError, FailureError
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    Worker,
)
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from eventlog.decider import Refused
from runtime import logs, telemetry
from runtime.settings import Settings

PASSED_THROUGH = ("amparo", "eventlog", "google", "opentelemetry", "procedures", "structlog")
"""Modules that workflows import once for the process and not once for each instance: data and pure functions only."""
AT_ONCE = 8
"""Activities that run side by side in a process: each takes a connection, and HTTP needs the rest of the pool's ten."""
CACHED_WORKFLOWS = 500
DRAIN = timedelta(seconds=2)

_log = structlog.get_logger("runtime.temporal")


async def connect(settings: Settings, *, lazy: bool = False) -> Client:
    """A client with this process's tracing. A ``lazy`` one connects at its first call, and serves no worker.

    Raises ``RuntimeError`` when the server does not answer, `SettingMissing`.
    """
    return await Client.connect(
        settings.need("temporal"),
        namespace=settings.temporal_namespace,
        interceptors=telemetry.interceptors(),
        identity=f"{logs.service_name() or 'amparo'}-{os.getpid()}",
        runtime=_runtime(),
        lazy=lazy,
    )


def workflow_runner() -> SandboxedWorkflowRunner:
    """The sandbox that workflows run in, here and where their histories are replayed."""
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
    return SandboxedWorkflowRunner(restrictions=restrictions)


class Serving:
    """One process's worker, to be kept by `runtime.supervision`: ``run`` connects anew each time.

    Activities are coroutine functions.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        task_queue: str,
        activities: Sequence[Callable[..., Any]] = (),
        workflows: Sequence[type] = (),
    ) -> None:
        self._settings = settings
        self._task_queue = task_queue
        self._activities = activities
        self._workflows = workflows
        self._worker: Worker | None = None

    def up(self) -> bool:
        """Whether the worker polls. It goes on polling while the server is away."""
        return self._worker is not None and self._worker.is_running

    async def run(self) -> None:
        """Connect and serve until cancelled; then what runs has two seconds to end."""
        client = await connect(self._settings)
        self._worker = Worker(
            client,
            task_queue=self._task_queue,
            activities=list(self._activities),
            workflows=list(self._workflows),
            workflow_runner=SandboxedWorkflowRunner(
                restrictions=SandboxRestrictions.default.with_passthrough_modules(*PASSED_THROUGH)
            ),
            interceptors=[_Discretion()],
            max_cached_workflows=CACHED_WORKFLOWS,
            max_concurrent_activities=AT_ONCE,
            graceful_shutdown_timeout=DRAIN,
        )
        try:
            await self._worker.run()
        finally:
            self._worker = None


class _Discretion(Interceptor):
    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        return _DiscreetActivity(next)


class _DiscreetActivity(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        ids = {"activity": info.activity_type, "workflow_id": info.workflow_id or ""}
        # Logs need a trace here too where none is recorded; where one is, Temporal's interceptor has opened a span.
        headers = telemetry.inject()
        with logs.bound(**ids):
            if telemetry.recording():
                return await self._run(input)
            with telemetry.span(f"RunActivity:{info.activity_type}", headers=headers):
                return await self._run(input)

    async def _run(self, input: ExecuteActivityInput) -> Any:
        try:
            return await super().execute_activity(input)
        except (FailureError, CancelledError):
            raise
        except Refused as refused:
            raise ApplicationError(refused.code, type=refused.code, non_retryable=True) from None
        except Exception as error:
            attempt = activity.info().attempt
            _log.error("activity_failed", attempt=attempt, exc_info=error)
            raise ApplicationError("see the log of the service", type=logs.kind(error)) from None


@cache
def _runtime() -> Runtime:
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"), append_log_fields_to_message=False)
    quiet = TelemetryFilter(core_level="WARN", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=quiet, forwarding=forwarding)))
