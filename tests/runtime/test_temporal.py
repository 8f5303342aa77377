"""The worker in a process: activities served, traced, and discreet about what went wrong."""

from collections.abc import Iterator

import pytest
from temporalio.client import WorkflowFailureError

from amparo.activities.v1.activities_pb2 import AskRequestStanding
from runtime import telemetry
from runtime.settings import Settings
from runtime.temporal import connect
from tests.eventually import eventually
from tests.otlp import ReceivedSpan, Receiver, receiving, tree
from tests.runtime.conftest import Serve
from tests.runtime.parcels.app import PERSONAL
from tests.runtime.parcels.flow import QUEUE, Ask


@pytest.fixture
def with_temporal(parcel_settings: Settings, temporal: str, temporal_namespace: str) -> Settings:
    """The small service with a worker."""
    return parcel_settings.model_copy(update={"temporal": temporal, "temporal_namespace": temporal_namespace})


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver to which this process sends."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
    with receiving() as found:
        telemetry.start("intake", endpoint=found.url)
        yield found
        telemetry.stop()


async def test_a_workflow_and_its_activity_are_in_the_trace_of_who_started_it(
    with_temporal: Settings, serve: Serve, receiver: Receiver
) -> None:
    """Below the start: the workflow's run, and the activity that it ordered."""
    queue = f"{QUEUE}-{with_temporal.mechanism}"
    async with serve(with_temporal):
        client = await connect(with_temporal)
        with telemetry.span("process", kind="consumer"):
            here = telemetry.current()
            answer = await client.execute_workflow(Ask.run, AskRequestStanding(), id="ask-1", task_queue=queue)
        assert answer.version == 7
        assert here is not None
        names = ["process", "StartWorkflow:Ask", "RunWorkflow:Ask", "RunActivity:intake.request_standing"]
        spans = await eventually(
            lambda: receiver.trace(here.trace_id), accept=lambda found: set(names) <= {s.name for s in found}
        )
    by_name = {span.name: span for span in spans}
    began = by_name["StartWorkflow:Ask"]
    assert began.parent == by_name["process"].id, tree(spans)
    assert by_name["RunWorkflow:Ask"].parent == began.id, tree(spans)
    assert by_name[names[3]].parent in _with_descendants(spans, began), tree(spans)
    assert by_name[names[3]].attributes["temporalWorkflowID"] == "ask-1"


def _with_descendants(spans: list[ReceivedSpan], span: ReceivedSpan) -> set[str]:
    below = [_with_descendants(spans, child) for child in spans if child.parent == span.id]
    return {span.id}.union(*below)


@pytest.mark.parametrize(("case", "kind"), [("refused", "wrong-stage"), ("broken", "ValueError")])
async def test_history_keeps_the_kind_of_a_failure_and_never_its_text(
    with_temporal: Settings, serve: Serve, case: str, kind: str
) -> None:
    """What an exception quotes would stay in Temporal's database, which no shredded key can make unreadable."""
    queue = f"{QUEUE}-{with_temporal.mechanism}"
    async with serve(with_temporal):
        client = await connect(with_temporal)
        handle = await client.start_workflow(
            Ask.run, AskRequestStanding(case_id=case), id=f"ask-{case}", task_queue=queue
        )
        with pytest.raises(WorkflowFailureError):
            await handle.result()
        history = (await handle.fetch_history()).to_json()
    assert kind in history
    assert PERSONAL not in history
    assert "no such case" not in history
