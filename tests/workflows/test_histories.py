"""The past is a fixture: histories that real runs left replay under today's code."""

import warnings
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, Worker

from runtime.temporal import workflow_runner
from workflows.app import WORKFLOWS
from workflows.ids import WORKFLOW_QUEUE

HISTORIES = {file.stem: file.read_text() for file in sorted((Path(__file__).parent / "histories").glob("*.json"))}


@pytest.mark.parametrize("name", HISTORIES)
async def test_a_recorded_history_replays(name: str) -> None:
    """A change of the code that an open case could not follow must not be released."""
    history = WorkflowHistory.from_json(name.replace("_", "/", 1), HISTORIES[name])
    await Replayer(workflows=WORKFLOWS, workflow_runner=workflow_runner()).replay_workflow(history)


def test_there_are_histories_of_both_workflows() -> None:
    """An empty folder would replay well."""
    kinds = {name.partition("_")[0] for name in HISTORIES}
    assert kinds == {"case", "referral"}


async def test_workflows_load_without_sandbox_notices(temporal: str, temporal_namespace: str) -> None:
    """Each module that the sandbox loads anew costs every workflow of every case."""
    client = await Client.connect(temporal, namespace=temporal_namespace)
    with warnings.catch_warnings(record=True) as noticed:
        warnings.simplefilter("always")
        Worker(client, task_queue=WORKFLOW_QUEUE, workflows=WORKFLOWS, workflow_runner=workflow_runner())
    assert [str(notice.message) for notice in noticed] == []
