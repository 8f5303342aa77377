"""The workflow of the smallest service: it asks for the standing and ends."""

from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from amparo.activities.v1.activities_pb2 import AskRequestStanding, RequestStanding

QUEUE = "parcels"


@workflow.defn(name="Ask")
class Ask:
    @workflow.run
    async def run(self, ask: AskRequestStanding) -> RequestStanding:
        return await workflow.execute_activity(
            "intake.request_standing",
            ask,
            result_type=RequestStanding,
            start_to_close_timeout=timedelta(seconds=10),
            retry_policy=RetryPolicy(maximum_attempts=1),
        )
