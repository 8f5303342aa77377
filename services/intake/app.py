"""Joins the registry's parts: nothing else does."""

from collections.abc import Sequence
from functools import partial

from access.tokens import Verifier
from access.vault import Vault
from eventlog.consumer import Consumer
from eventlog.store import EventStore, Ring
from eventlog.transparency.note import NoteSigner
from procedures import packs
from runtime import agencies, database, gaps, keyrings, telemetry
from runtime.clock import Clock, system_clock
from runtime.gaps import Fetch
from runtime.secrets import origin
from runtime.service import Service
from runtime.settings import Settings
from services.intake import ties
from services.intake.activities import TASK_QUEUE, activities
from services.intake.api import incidents, openings, requests
from services.intake.handlers import CODEC, Parts
from services.intake.openings import keep_noting

NAME = "intake"
CONSUMER = "agencies"
HEARS = "referral"
"""The service whose records say which agencies there are."""
URGENT = (("POST", "/v1/requests"),)
"""Nothing else that is asked of the registry may keep a filing out."""


def create_parts(settings: Settings, *, clock: Clock = system_clock, fetch: Fetch | None = None) -> Parts:
    """The registry's parts, from settings. ``fetch`` gives other services' records, by default from them.

    Raises `SettingMissing`, ``PackError``, ``UnsafeKeyFile``.
    """
    engine = database.engine(settings.need("database"), name=NAME)
    signer = NoteSigner.load(settings.need("receipt_key").read_text())
    vault_engine = database.engine(settings.need("vault_database"), name=NAME)
    pack = packs.chosen(settings.pack)
    return Parts(
        engine=engine,
        at_once=database.engine(settings.need("database"), name=NAME, statement_by_statement=True),
        vault_engine=vault_engine,
        store=EventStore(
            source=settings.source(NAME), codec=CODEC, signer=signer, clock=clock, tracing=telemetry.messaging
        ),
        ring=Ring(engine),
        vault=Vault(vault_engine, keyrings.keyring(settings), clock=clock, tracing=telemetry.messaging),
        signer=signer,
        clock=clock,
        pack=(pack.id, pack.version),
        agencies=agencies.Register(
            engine, source=settings.source(HEARS), consumer=CONSUMER, fetch=fetch or gaps.when_needed(settings)
        ),
    )


def create_service(
    settings: Settings, *, clock: Clock = system_clock, verifier: Verifier | None = None, fetch: Fetch | None = None
) -> Service:
    """The registry's process. ``verifier``: whose tokens it takes, by default those of the issuer in the settings;
    ``fetch`` as for the parts."""

    def consumers(parts: Parts) -> Sequence[Consumer]:
        heard = Consumer(
            name=CONSUMER,
            sources=(settings.source(HEARS),),
            kafka=settings.need("kafka"),
            engine=parts.engine,
            apply=ties.hearing(parts),
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
        routers=(requests.router, incidents.router, openings.router),
        store=parts.store,
        consumers=consumers,
        loops=lambda parts: (("reviews", partial(keep_noting, parts)),),
        activities=activities,
        task_queue=TASK_QUEUE,
        clock=clock,
        verifier=verifier,
        urgent=URGENT,
        title="Amparo: the registry",
        summary="Requests for protection and reports of incidents",
    )
