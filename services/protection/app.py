"""Joins protection's parts: nothing else does."""

from collections.abc import Sequence

from access.tokens import Verifier
from access.vault import Vault
from eventlog.consumer import Consumer
from eventlog.store import EventStore, Ring
from eventlog.transparency.note import NoteSigner
from runtime import agencies, database, gaps, keyrings, telemetry
from runtime.clock import Clock, system_clock
from runtime.gaps import Fetch
from runtime.secrets import origin
from runtime.service import Service
from runtime.settings import Settings
from services.protection import inbound
from services.protection.activities import TASK_QUEUE, activities
from services.protection.api import cases, evaluations, measures, packs, resolutions
from services.protection.handlers import CODEC, Parts

NAME = "protection"
CONSUMER = "cases"
HEARS = ("intake", "referral")
"""The services whose records concern a case or its measures."""
ROUTERS = (cases.router, evaluations.router, resolutions.router, measures.router, packs.router)


def create_parts(settings: Settings, *, clock: Clock = system_clock, fetch: Fetch | None = None) -> Parts:
    """The parts, from settings. ``fetch`` gives other services' records, by default from them.

    Raises `SettingMissing`, ``UnsafeKeyFile``.
    """
    engine = database.engine(settings.need("database"), name=NAME)
    signer = NoteSigner.load(settings.need("receipt_key").read_text())
    vault_engine = database.engine(settings.need("vault_database"), pool_size=4, name=NAME)
    return Parts(
        engine=engine,
        vault_engine=vault_engine,
        store=EventStore(
            source=settings.source(NAME), codec=CODEC, signer=signer, clock=clock, tracing=telemetry.messaging
        ),
        ring=Ring(engine),
        vault=Vault(vault_engine, keyrings.keyring(settings), clock=clock, tracing=telemetry.messaging),
        signer=signer,
        clock=clock,
        agencies=agencies.Register(
            engine, source=settings.source("referral"), consumer=CONSUMER, fetch=fetch or gaps.when_needed(settings)
        ),
    )


def create_service(
    settings: Settings, *, clock: Clock = system_clock, verifier: Verifier | None = None, fetch: Fetch | None = None
) -> Service:
    """The process of cases and measures. ``verifier``: whose tokens it takes, by default those of the issuer in the
    settings; ``fetch`` as for the parts."""

    def consumers(parts: Parts) -> Sequence[Consumer]:
        heard = Consumer(
            name=CONSUMER,
            sources=tuple(settings.source(service) for service in HEARS),
            kafka=settings.need("kafka"),
            engine=parts.engine,
            apply=inbound.projection(parts),
            clock=clock,
            origin=origin(settings),
            fetch=gaps.fetcher(settings),
            tracing=telemetry.messaging,
        )
        return (heard,)

    parts = create_parts(settings, clock=clock, fetch=fetch)
    return Service(
        settings=settings,
        name=NAME,
        parts=parts,
        routers=ROUTERS,
        store=parts.store,
        consumers=consumers,
        activities=activities,
        task_queue=TASK_QUEUE,
        clock=clock,
        verifier=verifier,
        title="Amparo: cases and measures",
        summary="The procedure of each case with its clocks, the evaluation of its risk, and measures of protection",
    )
