"""The mechanism under skipped time: the services' own handlers on a real PostgreSQL, the bridge, and the workflows.

Kafka's part is played by `carry`, which hands each service's events on in their order. Every clock is the test
server's.
"""

import uuid
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import text
from temporalio import activity
from temporalio.client import Client
from temporalio.worker import Worker

from access import keys
from amparo.record.v1.record_pb2 import Record
from eventlog.delivered import Delivered
from eventlog.store import ActKey, Actor
from procedures import packs
from runtime import database
from runtime.settings import Settings
from runtime.temporal import workflow_runner
from services.intake import activities as intake_activities
from services.intake import app as intake_app
from services.intake import domain as intake
from services.intake import handlers as intake_handlers
from services.intake.vocabulary import FiledBy, IncidentKind, PerpetratorKind, SubjectKind
from services.protection import activities as protection_activities
from services.protection import app as protection_app
from services.protection import inbound
from services.referral import activities as referral_activities
from services.referral import app as referral_app
from services.referral import following, seed
from services.referral.domain import ReferralSent
from tests.stack import Databases
from workflows.app import WORKFLOWS
from workflows.bridge import Bridge
from workflows.ids import WORKFLOW_QUEUE

NGO = Actor(id="ngo", role="filer", unit="ngo-rios-vivos")
AGENCIES = ("pnp-ucayali", "mp-fema-ucayali", "dp-ucayali")


class Hands:
    """A clock that shows the test server's time: an activity's own start, else where it was last set."""

    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        if activity.in_activity():
            self.now = max(self.now, activity.info().started_time.astimezone(UTC))
        return self.now


class Streams:
    """How far the registry's streams are, as it would answer."""

    def __init__(self, registry: intake_handlers.Parts) -> None:
        self._registry = registry

    async def of(self, stream: str) -> int:
        async with self._registry.engine.connect() as session:
            return (await self._registry.store.load(session, stream)).version

    async def close(self) -> None:
        pass


class Mechanism:
    """Intake, protection, referral, bridge and workflows. Use as an async context."""

    def __init__(self, *, databases: Databases, folder: Path, client: Client, now: datetime, pack: str) -> None:
        self.client = client
        self.hands = Hands(now)
        self.bridge = Bridge(client)
        self._databases = databases.migrate("intake", "protection", "referral", "workflows", "vault")
        self._taken: Counter[str] = Counter()
        self._context = AsyncExitStack()
        self._serving: dict[str, Worker] = {}
        self._pack = pack
        keys.init(folder, mechanism=databases.mechanism)
        self._folder = folder
        self.intake = intake_app.create_parts(self._settings("intake"), clock=self.hands)
        self.protection = protection_app.create_parts(self._settings("protection"), clock=self.hands)
        streams = Streams(self.intake)
        self.referral = referral_app.create_parts(self._settings("referral"), clock=self.hands, registry=streams)
        self.engine = database.engine(self._databases.url("workflows"))

    def _settings(self, service: str) -> Settings:
        mechanism, url = self._databases.mechanism, self._databases.url
        return Settings(
            environment="embedded",
            mechanism=mechanism,
            database=url(service),
            vault_database=url("vault", service),
            keyring=self._folder / "keyring",
            transport_key=self._folder / "transport",
            receipt_key=self._folder / "receipts" / f"{mechanism}.{service}",
            pack=self._pack,
        )

    async def __aenter__(self) -> "Mechanism":
        await seed.seed(self.referral)
        queues: Sequence[tuple[str, str, Sequence[Any]]] = (
            ("intake", intake_activities.TASK_QUEUE, intake_activities.activities(self.intake)),
            ("protection", protection_activities.TASK_QUEUE, protection_activities.activities(self.protection)),
            ("referral", referral_activities.TASK_QUEUE, referral_activities.activities(self.referral)),
        )
        for service, queue, served in queues:
            worker = Worker(self.client, task_queue=queue, activities=served)
            self._serving[service] = await self._context.enter_async_context(worker)
        conducting = Worker(
            self.client, task_queue=WORKFLOW_QUEUE, workflows=WORKFLOWS, workflow_runner=workflow_runner()
        )
        await self._context.enter_async_context(conducting)
        return self

    async def __aexit__(self, *failure: object) -> None:
        await self._context.aclose()
        for parts in (self.intake, self.protection, self.referral):
            await parts.close()
        await self.engine.dispose()

    async def stop(self, service: str) -> None:
        """A service stops doing what workflows order."""
        await self._serving[service].shutdown()

    async def serve(self, service: str) -> None:
        """It does it again."""
        queue, made = {
            "intake": (intake_activities.TASK_QUEUE, intake_activities.activities(self.intake)),
            "referral": (referral_activities.TASK_QUEUE, referral_activities.activities(self.referral)),
        }[service]
        await self._context.enter_async_context(Worker(self.client, task_queue=queue, activities=made))

    async def file(self, *, imminent: bool = False) -> str:
        """Files a request; the case's id."""
        filed = await intake_handlers.file_request(
            lambda case_id, subjects: intake.File(
                case_id=case_id,
                filed_by=FiledBy.THIRD_PARTY_WITH_CONSENT,
                for_authority=False,
                subjects=(
                    intake.SubjectGiven(
                        subject_id=subjects[0],
                        kind=SubjectKind.PERSON,
                        linked=False,
                        name="Illari Invented",
                        contact="",
                        place="",
                        profile="",
                    ),
                ),
                incident=IncidentKind.THREAT,
                perpetrator=PerpetratorKind.UNKNOWN,
                repeated_perpetrator=False,
                imminent=imminent,
                region="PE-UCA",
                language="es",
                pack=self.intake.pack[0],
                pack_version=self.intake.pack[1],
                narrative="An invented threat.",
                wanted="",
                impediment="",
                excluded_persons="",
                no_accompaniment=False,
                causes=(),
                project="",
                territory="",
                excluded=(),
                consents=(),
                evidence=(),
            ),
            subjects=1,
            prove=False,
            actor=NGO,
            act=_act(),
            parts=self.intake,
        )
        return filed.receipt.stream.removeprefix("request/")

    async def request(self, command: intake.Command, *, case_id: str) -> None:
        """An act of the filer on the request."""
        await intake_handlers.act_on_request(
            command, case_id=case_id, at_version=None, actor=NGO, act=_act(), parts=self.intake
        )

    async def consent(self, case_id: str, *agencies: str) -> None:
        """The person lets these agencies know."""
        for agency in agencies:
            given = intake.GiveConsent(
                agency=intake.AgencyId(agency), discloses=("identity",), text_version="es-1", subject_id=None
            )
            await self.request(given, case_id=case_id)

    async def carry(self) -> int:
        """Hands on what was recorded until nothing new is: to the services that follow, then to the bridge."""
        carried = 0
        while fresh := [*await self._fresh("intake"), *await self._fresh("protection"), *await self._fresh("referral")]:
            for record in fresh:
                await self._hand_on(record)
            carried += len(fresh)
        return carried

    async def _hand_on(self, record: Delivered) -> None:
        source = record.source.rpartition(".")[2]
        if source in ("intake", "referral"):
            async with self.protection.engine.begin() as session:
                await inbound.projection(self.protection)(session, record)
        if source == "intake":
            async with self.referral.engine.begin() as session:
                await following.following(self.referral)(session, record)
        async with self.engine.begin() as session:
            await self.bridge(session, record)

    async def _fresh(self, service: str) -> list[Delivered]:
        events = (await self.events(service))[self._taken[service] :]
        first = self._taken[service]
        self._taken[service] += len(events)
        source = f"{self._databases.mechanism}.{service}"
        found = []
        for index, event in enumerate(events, start=first):
            record = Record(source=source, index=index, event=event)
            found.append(Delivered.of(record, record.SerializeToString(deterministic=True), {}))
        return found

    async def events(self, service: str) -> list[bytes]:
        """A service's events in the order of their appends."""
        async with getattr(self, service).engine.connect() as session:
            return list((await session.execute(text("SELECT event FROM events ORDER BY pos"))).scalars())

    async def pass_time(self, env: Any, by: timedelta, *, step: timedelta) -> None:
        """Skips time in steps, and hands on after each what was recorded in it."""
        passed = timedelta(0)
        while passed < by:
            await env.sleep(min(step, by - passed))
            passed += step
            self.hands.now = max(self.hands.now, await env.get_current_time())
            await self.carry()

    async def sent(self) -> list[ReferralSent]:
        """What was asked of agencies, in order."""
        recorded = [self.referral.store.read(event) for event in await self.events("referral")]
        return [r.event for r in recorded if isinstance(r.event, ReferralSent)]

    async def silences(self, service: str) -> list[tuple[str, str, int]]:
        """(stream, clock, rung) of each silence recorded, in order."""
        parts = getattr(self, service)
        recorded = [parts.store.read(event) for event in await self.events(service)]
        return [(r.stream, r.event.clock, r.event.rung) for r in recorded if r.type.endswith(".SilenceNoted")]


def limits(pack: str) -> packs.Pack:
    """The pack that the cases of a test are under."""
    return packs.load(pack)


def _act() -> ActKey:
    return ActKey(client=NGO.id, key=uuid.uuid4().hex)
