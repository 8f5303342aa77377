"""Owns the fourth measurement: how long after an act's commit its workflow has been told and its handler has run.

The whole stack runs. The act is an exclusion on a request, over HTTP on a beat: the case's workflow is signalled, its
handler notes the news, and it asks the registry where the request stands. The time is that between the event's
``recorded_at`` (taken before the commit) and the completion of the workflow task that the signal is in, as Temporal's
history has it; both ends err to our disadvantage. All clocks are the same machine's.
"""

import asyncio
import json
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from amparo.activities.v1.activities_pb2 import Happened
from benchmarks.filing import FILING
from benchmarks.ground import Ground
from benchmarks.harness import Figure, Target, plain, quantile
from benchmarks.load import Load, Plan

GROUP = "Commit → the workflow's handler ran, everything running"
GOAL_RATE = 20
TARGET = Target(goal=100.0, aim=30.0, at_most=True)
CONNECTIONS = 8
PATIENCE_S = 60.0
LOOK_EVERY_S = 0.5

Told = Mapping[tuple[str, int], datetime]
"""(stream, version) → when the workflow task that had the signal was completed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is measured: rounds, acts per second, seconds of a round, cases that the acts go round."""

    rounds: int
    rates: Sequence[int]
    seconds: float
    cases: int


FULL = Size(rounds=3, rates=(5, 20, 50), seconds=10.0, cases=25)
QUICK = Size(rounds=1, rates=(5, 20, 50), seconds=5.0, cases=25)


async def measure(ground: Ground, load: Load, size: Size) -> list[Figure]:
    """The rates take turns, each round on fresh cases that are withdrawn afterwards."""
    client = await Client.connect(ground.value("AMPARO_TEMPORAL"), namespace=ground.value("AMPARO_TEMPORAL_NAMESPACE"))
    taken: dict[int, list[Sequence[float]]] = defaultdict(list)
    for number in range(size.rounds + 1):
        for rate in size.rates if number else (GOAL_RATE,):  # one round that does not count
            times = await _round(ground, load, client, rate=rate, size=size)
            if number:
                taken[rate].append(times)
    figures = []
    for rate in size.rates:
        for q, name in ((0.5, "p50"), (0.99, "p99")):
            target = TARGET if (rate, name) == (GOAL_RATE, "p50") else None
            values = [quantile(times, q) for times in taken[rate]]
            figures.append(plain(values, group=GROUP, name=f"{name} at {rate} acts/s", unit="ms", target=target))
    return figures


async def _round(ground: Ground, load: Load, client: Client, *, rate: int, size: Size) -> Sequence[float]:
    cases = await file_cases(ground, load, [FILING] * size.cases)
    await asyncio.gather(*(_asked(client, case) for case in cases))
    count = int(rate * size.seconds)
    agencies = await _registered(ground, -(-count // len(cases)))
    acts = [
        (f"/v1/requests/{cases[n % len(cases)]}/exclusions", json.dumps({"agency": agencies[n // len(cases)]}), 1)
        for n in range(count)
    ]
    done = await load.run(
        Plan(
            port=ground.port("intake"),
            **await ground.credentials(),
            requests=acts,
            clients=CONNECTIONS,
            rate=rate,
            keep=True,
        )
    )
    recorded = {(act["stream"], act["version"]): datetime.fromisoformat(act["recorded_at"]) for act in done.answers}
    told = await _all_told(client, cases, wanted=set(recorded))
    await withdraw(ground, load, cases)
    return [(told[act] - at).total_seconds() * 1000 for act, at in recorded.items()]


async def _registered(ground: Ground, count: int) -> list[str]:
    """Agencies that can be excluded one after the other: only a registered one can be named."""
    names = [f"bench-{n}" for n in range(count)]
    url = f"http://127.0.0.1:{ground.port('referral')}"
    async with httpx.AsyncClient(base_url=url, auth=ground.tokens("coordinator"), trust_env=False) as client:
        for name in names:
            body = {"agency": name, "kind": "judiciary", "name": "Of a measurement", "region": "PE-UCA"}
            headers = {"Idempotency-Key": f"register-{uuid.uuid4()}"}
            (await client.post("/v1/agencies", json=body, headers=headers)).raise_for_status()
    return names


async def file_cases(ground: Ground, load: Load, filings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Files requests; the cases' ids."""
    filed = await load.run(
        Plan(
            port=ground.port("intake"),
            **await ground.credentials(),
            requests=[("/v1/requests", json.dumps(filing), 1) for filing in filings],
            clients=CONNECTIONS,
            keep=True,
        )
    )
    return [answer["case_id"] for answer in filed.answers]


async def withdraw(ground: Ground, load: Load, cases: Sequence[str]) -> None:
    """Withdraws the requests, so that their workflows end."""
    await load.run(
        Plan(
            port=ground.port("intake"),
            **await ground.credentials(),
            requests=[(f"/v1/requests/{case}/withdrawal", "{}", 1) for case in cases],
            clients=CONNECTIONS,
        )
    )


async def _asked(client: Client, case: str) -> None:
    """Returns once the case's workflow waits to be told: it has asked both services where the case stands."""
    from temporalio.service import RPCError

    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                history = await client.get_workflow_handle(f"case/{case}").fetch_history()
            except RPCError:
                history = None  # it has not been started yet
            if history and history.events[-1].event_type == EventType.EVENT_TYPE_TIMER_STARTED:
                return
            await asyncio.sleep(LOOK_EVERY_S)


async def _all_told(client: Client, cases: Sequence[str], *, wanted: set[tuple[str, int]]) -> Told:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            told: dict[tuple[str, int], datetime] = {}
            for case in cases:
                history = await client.get_workflow_handle(f"case/{case}").fetch_history()
                told |= handled(history.events)
            if wanted <= told.keys():
                return told
            await asyncio.sleep(LOOK_EVERY_S)


def handled(events: Sequence[Any]) -> Told:
    """For each signal of a history, when the first workflow task that began after it was completed."""
    found: dict[tuple[str, int], datetime] = {}
    waiting: list[tuple[str, int]] = []
    running: list[tuple[str, int]] = []
    for event in events:
        match event.event_type:
            case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
                signal = Happened.FromString(_protobuf(event.workflow_execution_signaled_event_attributes.input))
                waiting.append((signal.stream, signal.version))
            case EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                running, waiting = [*running, *waiting], []
            case EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
                at = event.event_time.ToDatetime(tzinfo=UTC)
                for act in running:
                    found.setdefault(act, at)
                running = []
    return found


def _protobuf(payloads: Any) -> bytes:
    """The bytes of the one argument; the SDK writes protobuf messages as JSON or as they are."""
    payload = payloads.payloads[0]
    if payload.metadata["encoding"] == b"json/protobuf":
        from google.protobuf.json_format import Parse

        return Parse(payload.data, Happened()).SerializeToString()
    data: bytes = payload.data
    return data
