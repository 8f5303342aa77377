"""Joins the parts of referrals: nothing else does."""

from collections.abc import Awaitable, Callable, Sequence

from access.tokens import Verifier
from access.vault import Vault
from eventlog.consumer import Consumer
from eventlog.store import EventStore, Ring
from eventlog.transparency.note import NoteSigner
from runtime import database, gaps, keyrings, telemetry
from runtime.clock import Clock, system_clock
from runtime.secrets import origin
from runtime.service import Service
from runtime.settings import Settings
from runtime.versions import Versions
from services.referral.activities import TASK_QUEUE, activities
from services.referral.api import agencies, inbox, referrals
from services.referral.bell import Bell
from services.referral.following import following
from services.referral.handlers import CODEC, Parts
from services.referral.registry import Registry

NAME = "referral"
CONSUMER = "case-files"
FOLLOWS = ("intake", "protection")
"""The services whose records say what may be disclosed, and what a measure is."""


def create_parts(settings: Settings, *, clock: Clock = system_clock, registry: Registry | None = None) -> Parts:
    """The parts, from settings. ``registry``: who is asked how far a request is, by default intake. Raises
    `SettingMissing`, ``UnsafeKeyFile``.
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
        bell=Bell(engine),
        vault=Vault(vault_engine, keyrings.keyring(settings), clock=clock, tracing=telemetry.messaging),
        signer=signer,
        registry=registry or Versions(settings, "intake"),
        clock=clock,
    )


def create_service(
    settings: Settings,
    *,
    clock: Clock = system_clock,
    verifier: Verifier | None = None,
    registry: Registry | None = None,
) -> Service:
    """The process of agencies and referrals. ``verifier``: whose tokens it takes, by default those of the settings'
    issuer. ``registry`` as in `create_parts`.
    """

    def consumers(parts: Parts) -> Sequence[Consumer]:
        files = Consumer(
            name=CONSUMER,
            sources=tuple(settings.source(service) for service in FOLLOWS),
            kafka=settings.need("kafka"),
            engine=parts.engine,
            apply=following(parts),
            clock=clock,
            origin=origin(settings),
            fetch=gaps.fetcher(settings),
            tracing=telemetry.messaging,
        )
        return (files,)

    def loops(parts: Parts) -> Sequence[tuple[str, Callable[[], Awaitable[None]]]]:
        return (("bell", parts.bell.listen),)

    parts = create_parts(settings, clock=clock, registry=registry)
    return Service(
        settings=settings,
        name=NAME,
        parts=parts,
        routers=(inbox.router, referrals.router, agencies.router),
        store=parts.store,
        consumers=consumers,
        activities=activities,
        task_queue=TASK_QUEUE,
        loops=loops,
        clock=clock,
        verifier=verifier,
        title="Amparo: agencies and referrals",
        summary="What agencies are asked, what they may read, and what they did in time",
    )
