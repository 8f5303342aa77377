"""Owns the first measurement: an acknowledged filing against a bare endpoint, at one and at eight clients.

Ours is the registry's own process as the stack runs it, sequencer and relay included, on PostgreSQL with fsync and on
Kafka. What follows a filing in other processes is stopped here, and measured by `telling` and `cases`.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import bare
from benchmarks.ground import BENCH, Ground
from benchmarks.harness import Figure, Target, quantile, ratio, turns
from benchmarks.load import Load, Plan
from local import programs

GROUP = "Acknowledged filing ÷ bare insert"
CLIENTS = (1, 8)
QUANTILES = ((0.5, "p50"), (0.99, "p99"))
TARGET = Target(goal=2.0, aim=1.5, at_most=True)

FILING: Mapping[str, Any] = {
    "filed_by": "third_party_with_consent",
    "language": "es",
    "region": "PE-UCA",
    "incident": "threat",
    "perpetrator": "unknown",
    "imminent": True,
    "narrative": "An unsigned letter under the door: whoever signs the next complaint about the road will not arrive.",
    "wanted": "That somebody comes by in the evenings until the hearing.",
    "subjects": [
        {
            "kind": "person",
            "activities": ["land_or_environment"],
            "name": "Killa Invented",
            "contact": "By the radio of the school, after six",
            "place": "The last house before the bridge",
        }
    ],
}
"""One subject, six sealed texts, one event."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """How much is measured: rounds, and requests of each form in a round, by number of clients."""

    rounds: int
    requests: Mapping[int, int]
    warm_up: int = 200


FULL = Size(rounds=9, requests={1: 600, 8: 1200})
QUICK = Size(rounds=3, requests={1: 200, 8: 400}, warm_up=100)


async def measure(ground: Ground, load: Load, size: Size) -> list[Figure]:
    """The registry's process and the bare one take turns; nothing else of the stack runs but what they need."""
    await ground.keep_only("postgres", "kafka", "temporal", "issuer", "intake")
    urls = ground.databases("bare")
    ground.make(urls["owner"], bare.TABLE, *(grant.format(role=f"{BENCH}_bare_app") for grant in bare.GRANTS))
    settings = programs.environment(ground.stack, "intake") | {"AMPARO_DATABASE": urls["app"]}
    figures = []
    async with ground.process("benchmarks.bare", settings) as port:
        ports = {"ours": ground.port("intake"), "bare": port}
        for clients in CLIENTS:
            for form in ports:
                await _file(ground, load, port=ports[form], clients=clients, requests=size.warm_up)
            taken: dict[tuple[str, str], list[float]] = defaultdict(list)
            for _, form in turns(list(ports), rounds=size.rounds):
                times = await _file(ground, load, port=ports[form], clients=clients, requests=size.requests[clients])
                for q, name in QUANTILES:
                    taken[form, name].append(quantile(times, q))
            for _, name in QUANTILES:
                label = f"{name}, {clients} client{'s' if clients > 1 else ''}"
                figures.append(
                    ratio(taken["ours", name], taken["bare", name], group=GROUP, name=label, unit="ms", target=TARGET)
                )
    return figures


async def _file(ground: Ground, load: Load, *, port: int, clients: int, requests: int) -> list[float]:
    plan = Plan(
        port=port,
        **await ground.credentials(),
        requests=[("/v1/requests", json.dumps(FILING), requests)],
        clients=clients,
    )
    return list((await load.run(plan)).latencies_ms)
