"""Joins the vault's parts: nothing else does."""

from functools import partial

from access.tokens import Verifier
from eventlog.store import EventStore, Ring
from eventlog.transparency.note import NoteSigner
from runtime import database, telemetry
from runtime.clock import Clock, system_clock
from runtime.service import Service
from runtime.settings import Settings
from services.vault.handlers import CODEC, Parts, keep_telling

NAME = "vault"


def create_parts(settings: Settings, *, clock: Clock = system_clock) -> Parts:
    """The vault's parts, from settings. Raises `SettingMissing`."""
    engine = database.engine(settings.need("database"), pool_size=4, name=NAME)
    signer = NoteSigner.load(settings.need("receipt_key").read_text())
    return Parts(
        engine=engine,
        store=EventStore(
            source=settings.source(NAME), codec=CODEC, signer=signer, clock=clock, tracing=telemetry.messaging
        ),
        ring=Ring(engine),
        clock=clock,
    )


def create_service(settings: Settings, *, clock: Clock = system_clock, verifier: Verifier | None = None) -> Service:
    """The vault's process. ``verifier``: whose tokens it takes, by default those of the issuer in the settings."""
    parts = create_parts(settings, clock=clock)
    return Service(
        settings=settings,
        name=NAME,
        parts=parts,
        store=parts.store,
        loops=lambda parts: (("refusals", partial(keep_telling, parts)),),
        clock=clock,
        verifier=verifier,
        title="Amparo: the vault",
        summary="Who read personal data, and what for",
    )
