"""A trace follows an act, not a case: what a workflow does belongs to what it was last told."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from runtime import telemetry
from tests.eventually import eventually
from tests.otlp import ReceivedSpan, Receiver, receiving, tree
from tests.runtime.parcels.flow import Following

QUEUE = "following"
SERVER = Path(sys.executable).with_name("temporal-test-server")


@activity.defn(name="note")
async def note(what: str) -> None:
    return None


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver to which this process sends."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with receiving() as found:
        telemetry.start("workflows", endpoint=found.url)
        yield found
        telemetry.stop()


@pytest.fixture
async def temporal_client(receiver: Receiver) -> AsyncIterator[Client]:
    """A client with our tracing, on a server that skips time, with a worker."""
    async with (
        await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=str(SERVER), interceptors=telemetry.interceptors()
        ) as environment,
        Worker(environment.client, task_queue=QUEUE, workflows=[Following], activities=[note]),
    ):
        yield environment.client


async def test_what_a_workflow_does_belongs_to_the_act_that_it_was_last_told(
    temporal_client: Client, receiver: Receiver
) -> None:
    """Start, then a telling in another trace, then silence: three traces, none of them the case's for years."""
    with telemetry.span("filing"):
        filing = telemetry.current()
        handle = await temporal_client.start_workflow(Following.run, 1, id="case/1", task_queue=QUEUE)
    assert filing is not None
    await eventually(lambda: _activity(receiver, "start"))
    with telemetry.span("consent"):
        consent = telemetry.current()
        await handle.signal(Following.tell, "consent")
    assert consent is not None
    async with asyncio.timeout(30):
        await handle.result()
    rung = await eventually(lambda: _activity(receiver, "rung"))
    start, told = await eventually(lambda: _activity(receiver, "start")), _activity(receiver, "consent")
    assert told is not None
    assert (start.trace, told.trace) == (filing.trace_id, consent.trace_id), tree(receiver.spans)
    assert rung.trace not in (filing.trace_id, consent.trace_id), tree(receiver.spans)
    assert "HandleSignal:tell" in [span.name for span in receiver.trace(consent.trace_id)]
    (signalled,) = [span for span in receiver.spans if span.name == "HandleSignal:tell"]
    assert signalled.links == (filing.trace_id,)


def _activity(receiver: Receiver, name: str) -> ReceivedSpan | None:
    ran = [span for span in tuple(receiver.spans) if span.name == "RunActivity:note"]
    return next((span for span in ran if span.attributes["temporalActivityID"] == name), None)
