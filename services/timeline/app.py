"""Joins the timeline's parts: one consumer of all sources, the routes, and what wakes those who wait."""

from access.tokens import Verifier
from eventlog.consumer import Consumer
from runtime import database, gaps, telemetry
from runtime.clock import Clock, system_clock
from runtime.secrets import origin
from runtime.service import Service
from runtime.settings import Settings
from services.timeline.api import accesses, cases, positions, response_times, stream
from services.timeline.heads import Heads
from services.timeline.parts import CONSUMER, Parts
from services.timeline.taking import apply
from services.timeline.wake import Wake

NAME = "timeline"
SOURCES = ("intake", "protection", "referral", "vault")
ROUTERS = (cases.router, accesses.router, response_times.router, stream.router, positions.router)


def create_parts(settings: Settings, *, clock: Clock = system_clock) -> Parts:
    """The timeline's parts, from settings. Raises `runtime.settings.SettingMissing`."""
    engine = database.engine(settings.need("database"), name=NAME)
    topics = {settings.source(name): settings.topic(name) for name in SOURCES}
    heads = Heads(kafka=settings.need("kafka"), topics=topics, origin=origin(settings))
    return Parts(engine=engine, clock=clock, wake=Wake(engine), heads=heads, sources=tuple(topics))


def create_service(settings: Settings, *, clock: Clock = system_clock, verifier: Verifier | None = None) -> Service:
    """The timeline's process. ``verifier`` is by default that of the settings' issuer."""

    def consumers(parts: Parts) -> tuple[Consumer, ...]:
        consumer = Consumer(
            name=CONSUMER,
            sources=parts.sources,
            kafka=settings.need("kafka"),
            engine=parts.engine,
            apply=apply,
            clock=clock,
            origin=origin(settings),
            fetch=gaps.fetcher(settings),
            tracing=telemetry.messaging,
        )
        return (consumer,)

    return Service(
        settings=settings,
        name=NAME,
        parts=create_parts(settings, clock=clock),
        routers=ROUTERS,
        consumers=consumers,
        loops=lambda parts: (("wake", parts.wake.run), ("heads", parts.heads.run)),
        clock=clock,
        verifier=verifier,
        title="Amparo: the timeline",
        summary="What happened in each case, and how fast each agency answers",
    )
