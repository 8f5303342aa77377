"""Joins the parts of the process that conducts: the bridge from Kafka, its reconciliation, and the workflow worker."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from eventlog.consumer import Consumer
from runtime import database, telemetry
from runtime.clock import system_clock
from runtime.gaps import fetcher
from runtime.secrets import origin
from runtime.service import Service
from runtime.settings import Settings
from workflows.bridge import Bridge
from workflows.ids import WORKFLOW_QUEUE
from workflows.protection_case import ProtectionCase
from workflows.referral import Referral

NAME = "workflows"
SOURCES = ("intake", "protection", "referral")
WORKFLOWS: Sequence[type] = (ProtectionCase, Referral)


@dataclass(frozen=True, slots=True)
class Parts:
    """What the loops of this process share."""

    settings: Settings
    engine: AsyncEngine


def create_service(settings: Settings) -> Service:
    """The process `python -m workflows`. Raises ``SettingMissing``."""
    parts = Parts(settings, database.engine(settings.need("database"), name=NAME))
    return Service(
        settings=settings,
        name=NAME,
        parts=parts,
        workflows=WORKFLOWS,
        task_queue=WORKFLOW_QUEUE,
        loops=lambda parts: (("bridge", lambda: bridge(parts)), ("reconcile", lambda: reconcile(parts))),
        looping=_bridges,
        title="Amparo: workflows",
    )


async def bridge(parts: Parts) -> None:
    """Tells workflows what is recorded, until cancelled."""
    (consumer,) = await _bridges(parts)
    await consumer.run()


async def _bridges(parts: Parts) -> Sequence[Consumer]:
    from runtime.temporal import connect

    settings = parts.settings
    consumer = Consumer(
        name="bridge",
        sources=tuple(settings.source(service) for service in SOURCES),
        kafka=settings.need("kafka"),
        engine=parts.engine,
        apply=Bridge(await connect(settings)),
        fetch=fetcher(settings),
        clock=system_clock,
        origin=origin(settings),
        tracing=telemetry.messaging,
    )
    return (consumer,)


async def reconcile(parts: Parts) -> None:
    """Starts missing workflows at start and every minute, until cancelled."""
    from runtime.temporal import connect

    await Bridge(await connect(parts.settings)).keep_reconciled(parts.engine)
