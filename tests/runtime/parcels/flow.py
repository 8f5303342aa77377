"""Workflows of the smallest service."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from amparo.activities.v1.activities_pb2 import AskRequestStanding, RequestStanding

QUEUE = "parcels"


@workflow.defn(name="Ask")
class Ask:
    """Asks for the standing and ends."""

    @workflow.run
    async def run(self, ask: AskRequestStanding) -> RequestStanding:
        return await workflow.execute_activity(
            "intake.request_standing",
            ask,
            result_type=RequestStanding,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )


@workflow.defn(name="Following")
class Following:
    """Notes each thing that it is told, one at its start, and one two minutes after the last."""

    def __init__(self) -> None:
        self._told: list[str] = []

    @workflow.signal
    def tell(self, what: str) -> None:
        self._told.append(what)

    @workflow.run
    async def run(self, things: int) -> None:
        await self._note("start")
        for _ in range(things):
            await workflow.wait_condition(lambda: bool(self._told))
            await self._note(self._told.pop(0))
        await workflow.sleep(timedelta(minutes=2))
        await self._note("rung")

    async def _note(self, what: str) -> None:
        await workflow.execute_activity("note", what, activity_id=what, start_to_close_timeout=timedelta(seconds=5))
