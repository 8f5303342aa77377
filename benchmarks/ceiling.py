"""Owns Temporal's own ceiling for our cases: the same workflows, with activities that answer at once what the services
would answer, and with the same tellings. Nothing but Temporal and the workflows' code is left.

`python -m benchmarks.ceiling workflows <address>` is the workflow worker, as `python -m workflows` has one;
`… activities <address>` has the activities and plays the bridge, eight tellings at a time.
"""

import asyncio
import sys
import time
import uuid
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.worker import Worker

from amparo.activities.v1 import activities_pb2 as contracts
from benchmarks.helper import serve
from eventlog.codec import timestamp
from runtime.temporal import AT_ONCE, CACHED_WORKFLOWS, workflow_runner
from workflows.app import WORKFLOWS
from workflows.ids import (
    HAPPENED,
    INTAKE_QUEUE,
    PROTECTION_QUEUE,
    REFERRAL_QUEUE,
    WORKFLOW_QUEUE,
    workflow_type,
)

NAMESPACE = "ceiling"
AGENCIES = ("pnp-ucayali", "mp-fema-ucayali", "dp-ucayali")
TELLINGS_AT_ONCE = 8
LOOK_EVERY_S = 0.1
PATIENCE_S = 120.0
FILED = 1 + len(AGENCIES)
"""Version of a request filed with a consent for each agency."""


class Ceiling:
    """Answers for the services and tells for the bridge."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._withdrawn: set[str] = set()
        self._tellings: asyncio.Queue[Coroutine[Any, Any, None]] = asyncio.Queue()

    async def cases(self, count: int) -> float:
        """Plays so many cases from their filing to the end of their withdrawal; seconds."""
        tellers = [asyncio.create_task(self._keep_telling()) for _ in range(TELLINGS_AT_ONCE)]
        cases = [str(uuid.uuid4()) for _ in range(count)]
        began = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE_S):
                for case in cases:
                    self._tell(f"case/{case}", case, f"request/{case}", 2, "amparo.intake.v1.ConsentGiven")
                    self._tell(f"case/{case}", case, f"request/{case}", 3, "amparo.intake.v1.ConsentGiven")
                    self._tell(f"case/{case}", case, f"request/{case}", FILED, "amparo.intake.v1.ConsentGiven")
                    self._tell(f"case/{case}", case, f"case/{case}", 1, "amparo.protection.v1.CaseOpened")
                await until_running(self._client, count * FILED)
                self._withdrawn.update(cases)
                for case in cases:
                    request, protection = f"request/{case}", "amparo.protection.v1"
                    self._tell(f"case/{case}", case, request, FILED + 1, "amparo.intake.v1.RequestWithdrawn")
                    for agency in AGENCIES:
                        referral = f"referral/{case}.{agency}"
                        self._tell(referral, case, referral, 2, "amparo.referral.v1.ReferralRecalled")
                    self._tell(f"case/{case}", case, f"case/{case}", 2, f"{protection}.CaseWithdrawn")
                await self._tellings.join()
                await until_running(self._client, 0)
            return time.perf_counter() - began
        finally:
            for teller in tellers:
                teller.cancel()

    def _tell(self, workflow_id: str, case_id: str, stream: str, version: int, kind: str) -> None:
        happened = contracts.Happened(source="ceiling", stream=stream, version=version, type=kind)
        self._tellings.put_nowait(self._told(workflow_id, case_id, happened))

    async def _told(self, workflow_id: str, case_id: str, happened: contracts.Happened) -> None:
        await self._client.start_workflow(
            workflow_type(workflow_id),
            contracts.StreamOpened(stream=workflow_id, case_id=case_id),
            id=workflow_id,
            task_queue=WORKFLOW_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=HAPPENED,
            start_signal_args=[happened],
        )

    async def _keep_telling(self) -> None:
        while True:
            await (await self._tellings.get())
            self._tellings.task_done()

    def activities(self) -> Sequence[tuple[str, Sequence[Callable[..., Any]]]]:
        """(queue, functions) with the contracts' names, each as empty as its answer allows."""

        @activity.defn(name="intake.request_standing")
        async def request_standing(asked: contracts.AskRequestStanding) -> contracts.RequestStanding:
            if asked.case_id in self._withdrawn:
                return contracts.RequestStanding(version=FILED + 1, withdrawn=True)
            consented = [contracts.Addressee(agency=agency, consent_version=1) for agency in AGENCIES]
            return contracts.RequestStanding(version=FILED, addressees=consented)

        @activity.defn(name="protection.case_standing")
        async def case_standing(asked: contracts.AskCaseStanding) -> contracts.CaseStanding:
            if asked.case_id in self._withdrawn:
                return contracts.CaseStanding(version=2, stage="closed", closed=True)
            clocks = [_clock(name) for name in ("preliminary_report", "evaluation", "resolution")]
            return contracts.CaseStanding(version=1, stage="opened", clocks=clocks)

        @activity.defn(name="referral.send")
        async def send(order: contracts.SendReferral) -> contracts.ReferralSent:
            sent = f"{order.case_id}.{order.agency}"
            stream = f"referral/{sent}"
            self._tell(stream, order.case_id, stream, 1, "amparo.referral.v1.ReferralSent")
            return contracts.ReferralSent(referral_id=sent)

        @activity.defn(name="referral.standing")
        async def standing(asked: contracts.AskReferralStanding) -> contracts.ReferralStanding:
            clocks = [_clock("acknowledge"), _clock("answer")]
            return contracts.ReferralStanding(version=1, stage="sent", clocks=clocks)

        return (
            (INTAKE_QUEUE, (request_standing,)),
            (PROTECTION_QUEUE, (case_standing,)),
            (REFERRAL_QUEUE, (send, standing)),
        )


async def until_running(client: Client, count: int) -> None:
    """Returns once exactly so many workflows run."""
    while (await client.count_workflows('ExecutionStatus = "Running"')).count != count:  # noqa: ASYNC110
        await asyncio.sleep(LOOK_EVERY_S)


def _clock(name: str) -> contracts.Clock:
    due = datetime.now(UTC) + timedelta(hours=4)
    rungs = [contracts.Rung(percent=percent, at=timestamp(due - timedelta(hours=n))) for n, percent in _RUNGS]
    return contracts.Clock(name=name, due=timestamp(due), rungs=rungs)


_RUNGS = ((2, 50), (1, 75), (0, 100), (-2, 150))


async def _conduct(address: str) -> None:
    client = await Client.connect(address, namespace=NAMESPACE)
    await Worker(
        client,
        task_queue=WORKFLOW_QUEUE,
        workflows=WORKFLOWS,
        workflow_runner=workflow_runner(),
        max_cached_workflows=CACHED_WORKFLOWS,
    ).run()


async def _act(address: str) -> None:
    client = await Client.connect(address, namespace=NAMESPACE)
    ceiling = Ceiling(client)
    loop = asyncio.get_running_loop()

    def play(question: dict[str, Any]) -> dict[str, float]:
        return {"seconds": asyncio.run_coroutine_threadsafe(ceiling.cases(question["cases"]), loop).result()}

    async with AsyncExitStack() as workers:
        for queue, functions in ceiling.activities():
            worker = Worker(client, task_queue=queue, activities=functions, max_concurrent_activities=AT_ONCE)
            await workers.enter_async_context(worker)
        await asyncio.to_thread(serve, play)


def main() -> None:
    """Serves one of the two until its input ends."""
    part, address = sys.argv[1:]
    if part == "activities":
        asyncio.run(_act(address))
        return

    async def conduct() -> None:
        conducting = asyncio.create_task(_conduct(address))
        await asyncio.to_thread(serve, lambda _: {})
        conducting.cancel()

    asyncio.run(conduct())


if __name__ == "__main__":
    main()
