"""Owns the way from Kafka into Temporal: each event that moves a stream's clocks or next act is told to the stream's
workflow.

A telling is a signal with start: a workflow that is missing is started by it, asks where its stream stands, and ends
at once if that is closed. The dedupe table ``told`` moves in one transaction with the consumer's position; a crash
between Temporal's answer and the commit tells once more, which the workflow knows for a copy. `reconcile` starts the
workflows of open streams that are missing without any event, such as after Temporal's database was lost.
"""

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import structlog
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from amparo.activities.v1.activities_pb2 import Happened, StreamOpened
from eventlog.consumer import Delivered
from eventlog.faults import TryAgain
from workflows.ids import ENDS, HAPPENED, WORKFLOW_QUEUE, workflow_told, workflow_type

RECONCILE_EVERY_S = 60.0
LOOK_EVERY_S = 2.0
"""How soon it is noticed that Temporal was lost and came back with nothing: until then no clock runs."""
STARTED_AT_ONCE = 20
"""Workflows started side by side when many are missing."""

log = structlog.get_logger(__name__)

_NOTE = text(
    """
    INSERT INTO told (source, stream, version) VALUES (:source, :stream, :version)
    ON CONFLICT (source, stream) DO UPDATE SET version = excluded.version WHERE told.version < excluded.version
    RETURNING version
    """
)
_FORGET = text("UPDATE told SET version = 0 WHERE source = :source")
_OPEN = text(
    "INSERT INTO open_streams (stream, case_id) VALUES (:stream, :case_id) ON CONFLICT DO NOTHING",
)
_CLOSE = text("DELETE FROM open_streams WHERE stream = :stream")
_OPEN_STREAMS = text("SELECT stream, case_id FROM open_streams ORDER BY stream")


@dataclass(frozen=True, slots=True)
class Bridge:
    """Tells workflows. One instance per process; a second process is harmless, for every telling may come twice."""

    client: Client

    async def __call__(self, session: AsyncConnection, delivered: Delivered) -> None:
        """Takes one record in the consumer's transaction. Raises `TryAgain` while Temporal cannot be reached."""
        event = delivered.event
        told = workflow_told(event_type=event.type, stream=event.stream, case_id=event.correlation)
        if told is None:
            return
        version = {"source": delivered.source, "stream": event.stream, "version": event.version}
        if (await session.execute(_NOTE, version)).one_or_none() is None:
            return  # told before: a record that was read again
        if told == event.stream:
            await self._keep_account(session, event.stream, event.correlation, ended=event.type in ENDS)
        happened = Happened(source=delivered.source, stream=event.stream, version=event.version, type=event.type)
        try:
            await self.tell(told, case_id=event.correlation, happened=happened)
        except RPCError as error:
            raise TryAgain(f"Temporal: {error.status.name}") from error

    async def forget(self, session: AsyncConnection, source: str) -> None:
        """Lets records of a source be told again: see `eventlog.consumer.Consumer.retake`."""
        await session.execute(_FORGET, {"source": source})

    async def _keep_account(self, session: AsyncConnection, stream: str, case_id: str, *, ended: bool) -> None:
        if ended:
            await session.execute(_CLOSE, {"stream": stream})
        else:
            await session.execute(_OPEN, {"stream": stream, "case_id": case_id})

    async def tell(self, workflow_id: str, *, case_id: str, happened: Happened | None = None) -> None:
        """Starts the workflow if it does not run, and signals it. Raises ``RPCError``."""
        await self.client.start_workflow(
            workflow_type(workflow_id),
            StreamOpened(stream=workflow_id, case_id=case_id),
            id=workflow_id,
            task_queue=WORKFLOW_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=HAPPENED if happened else None,
            start_signal_args=[happened] if happened else [],
        )

    async def reconcile(self, engine: AsyncEngine) -> int:
        """Starts the workflow of each open stream that has none; how many were missing. Raises ``RPCError``."""
        async with engine.connect() as connection:
            expected = await self.open_streams(connection)
        if not expected:
            return 0
        running = {found.id async for found in self.client.list_workflows('ExecutionStatus = "Running"')}
        return await self.start_missing(expected, running=running)

    async def open_streams(self, session: AsyncConnection) -> Mapping[str, str]:
        """Streams whose clocks run, each with its case."""
        return {row.stream: row.case_id for row in await session.execute(_OPEN_STREAMS)}

    async def start_missing(self, expected: Mapping[str, str], *, running: Collection[str]) -> int:
        """Starts the workflows of streams that are not ``running``; how many. Raises ``RPCError``."""
        missing = [(stream, case_id) for stream, case_id in expected.items() if stream not in running]
        places = asyncio.Semaphore(STARTED_AT_ONCE)

        async def start(stream: str, case_id: str) -> None:
            async with places:
                await self.tell(stream, case_id=case_id)

        async with asyncio.TaskGroup() as group:
            for stream, case_id in missing:
                group.create_task(start(stream, case_id))
        if missing:
            log.warning("workflows_started_for_open_streams", count=len(missing))
        return len(missing)

    async def keep_reconciled(
        self, engine: AsyncEngine, *, every_s: float = RECONCILE_EVERY_S, look_s: float = LOOK_EVERY_S
    ) -> None:
        """Reconciles at start, on a beat, and at once where another database of Temporal's answers than before.

        Goes on until cancelled. Raises ``RPCError``, also when Temporal is away between two beats: whoever starts it
        again reconciles as soon as Temporal is back.
        """
        while True:
            database = await self._database()
            await self.reconcile(engine)
            for _ in range(max(1, round(every_s / look_s))):
                await asyncio.sleep(look_s)
                if await self._database() != database:
                    break

    async def _database(self) -> str:
        """What tells one database of Temporal's from another: the id that its namespace was given when it was made."""
        asked = DescribeNamespaceRequest(namespace=self.client.namespace)
        answer = await self.client.workflow_service.describe_namespace(asked)
        return str(answer.namespace_info.id)
