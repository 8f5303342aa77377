"""Owns the fifth measurement: whole cases against Temporal's own ceiling for them.

A case here is filed with consents for three agencies, its workflow refers it to each of them, and it is withdrawn: the
referrals are recalled, the case is closed, and its four workflows have ended. *Ours* is everything by which that
happens, through the public interface, with the whole stack running. The ceiling has the same workflows, tellings and
number of activities, but the activities are empty and nothing else is done.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from benchmarks.ceiling import AGENCIES, FILED, LOOK_EVERY_S, NAMESPACE, PATIENCE_S, until_running
from benchmarks.filing import FILING
from benchmarks.ground import Ground
from benchmarks.harness import Figure, Target, plain, ratio, turns
from benchmarks.helper import Helper
from benchmarks.load import Load
from benchmarks.telling import file_cases, withdraw
from local import postgres

GROUP = "Cases ÷ Temporal's ceiling (same workflows, empty activities)"
TARGET = Target(goal=0.5, aim=0.8, at_most=False)
CONSENTED: Mapping[str, Any] = {
    **FILING,
    "consents": [{"agency": agency, "discloses": ["narrative"], "text_version": "drill-es-1"} for agency in AGENCIES],
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is measured: rounds, and cases in a round of each form."""

    rounds: int
    cases: int


FULL = Size(rounds=5, cases=40)
QUICK = Size(rounds=2, cases=15)


async def measure(ground: Ground, load: Load, size: Size) -> list[Figure]:
    """The stack and the ceiling take turns on the same Temporal server, in namespaces of their own."""
    address = ground.value("AMPARO_TEMPORAL")
    ours = await Client.connect(address, namespace=ground.value("AMPARO_TEMPORAL_NAMESPACE"))
    theirs = await _namespace(address)
    rates: dict[str, list[float]] = defaultdict(list)
    costs: dict[str, list[tuple[float, float]]] = defaultdict(list)
    await _until_quiet(ground, ours)
    async with AsyncExitStack() as helpers:
        await helpers.enter_async_context(Helper("benchmarks.ceiling", "workflows", address))
        acting = await helpers.enter_async_context(Helper("benchmarks.ceiling", "activities", address))
        for number, form in turns(("ours", "ceiling"), rounds=size.rounds + 1):
            since = datetime.now(UTC)
            if form == "ours":
                seconds = await _ours(ground, load, ours, size.cases)
            else:
                seconds = (await acting.ask({"cases": size.cases}))["seconds"]
            if number:
                rates[form].append(size.cases / seconds)
                costs[form].append(await _cost(ours if form == "ours" else theirs, since, size.cases))
    figures = [
        ratio(rates["ours"], rates["ceiling"], group=GROUP, name="cases per second", unit="/s", target=TARGET),
    ]
    for place, name in enumerate(("state transitions of a case", "history events of a case")):
        mine, its = ([cost[place] for cost in costs[form]] for form in ("ours", "ceiling"))
        figures.append(ratio(mine, its, group=GROUP, name=name, unit=""))
    per_second = [rate * cost[1] for rate, cost in zip(rates["ours"], costs["ours"], strict=True)]
    figures.append(plain(per_second, group=GROUP, name="history events per second", unit="/s"))
    return figures


async def _ours(ground: Ground, load: Load, client: Client, count: int) -> float:
    began = datetime.now(UTC)
    async with asyncio.timeout(PATIENCE_S):
        cases = await file_cases(ground, load, [CONSENTED] * count)
        await until_running(client, count * FILED)
        await withdraw(ground, load, cases)
        await _until_quiet(ground, client)
    return (datetime.now(UTC) - began).total_seconds()


async def _until_quiet(ground: Ground, client: Client) -> None:
    """Returns once every stream's end was told, and no workflow runs any more."""
    async with asyncio.timeout(PATIENCE_S):
        with postgres.connect(ground.stack.database("workflows_owner")) as connection:
            while connection.execute("SELECT FROM open_streams LIMIT 1").fetchone() is not None:  # noqa: ASYNC110
                await asyncio.sleep(LOOK_EVERY_S)
        await until_running(client, 0)


async def _cost(client: Client, since: datetime, count: int) -> tuple[float, float]:
    """State transitions and history events of a case, by what Temporal keeps of every run since an instant."""
    transitions = events = 0
    async for run in client.list_workflows(f"StartTime >= '{since.isoformat()}'"):
        handle = client.get_workflow_handle(run.id, run_id=run.run_id)
        info = (await handle.describe()).raw_description.workflow_execution_info
        transitions += info.state_transition_count
        events += info.history_length
    return transitions / count, events / count


async def _namespace(address: str) -> Client:
    client = await Client.connect(address, namespace=NAMESPACE)
    retention = Duration()
    retention.FromTimedelta(timedelta(days=1))
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=NAMESPACE, workflow_execution_retention_period=retention)
    )
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                await client.count_workflows("")
                return client
            except RPCError:
                await asyncio.sleep(LOOK_EVERY_S)
