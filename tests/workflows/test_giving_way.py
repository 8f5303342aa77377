"""A history that has grown long gives way to a fresh run, and what arrives meanwhile is not lost."""

import asyncio
from pathlib import Path

import pytest
from temporalio.client import Client

from amparo.activities.v1.activities_pb2 import Happened
from runtime.clock import system_clock
from tests.eventually import eventually
from tests.stack import Databases
from tests.workflows.mechanism import AGENCIES, Mechanism
from workflows.ids import HAPPENED

COPIES = 4_200
"""More than the 4,096 events after which Temporal suggests a fresh run."""
AT_ONCE = 50


@pytest.mark.slow
async def test_a_flood_of_copies_ends_in_a_fresh_run_that_goes_on(
    databases: Databases, tmp_path: Path, temporal: str, temporal_namespace: str
) -> None:
    """A bridge that tells everything twice must not end a case, nor refer it twice."""
    client = await Client.connect(temporal, namespace=temporal_namespace)
    async with Mechanism(
        databases=databases, folder=tmp_path, client=client, now=system_clock(), pack="drill"
    ) as mechanism:
        case_id = await mechanism.file()
        await mechanism.carry()
        case = client.get_workflow_handle(f"case/{case_id}")
        first = (await case.describe()).run_id
        opened = Happened(source="x", stream=f"case/{case_id}", version=1, type="amparo.protection.v1.CaseOpened")
        places = asyncio.Semaphore(AT_ONCE)

        async def tell_again() -> None:
            async with places:
                await case.signal(HAPPENED, opened)

        await asyncio.gather(*(tell_again() for _ in range(COPIES)))
        await mechanism.consent(case_id, *AGENCIES)
        await mechanism.carry()

        async def sent() -> int:
            recorded = map(mechanism.referral.store.read, await mechanism.events("referral"))
            return sum(r.type.endswith(".ReferralSent") for r in recorded)

        async def asked_all() -> bool:
            return await sent() == len(AGENCIES)

        await eventually(asked_all, timeout=60)
        assert (await case.describe()).run_id != first
        assert await sent() == len(AGENCIES)
