"""Referrals on a real PostgreSQL, with real keys, a clock that is set, and clients with real tokens."""

import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from access.vault import SubjectKey
from amparo.intake.v1 import events_pb2 as intake
from amparo.protection.v1 import events_pb2 as protection
from amparo.record.v1 import record_pb2
from eventlog.consumer import Delivered
from eventlog.sealing import seal
from eventlog.store import ActKey, Actor
from runtime.service import Service
from runtime.settings import Settings
from runtime.versions import SourceSilent
from services.referral import handlers, seed
from services.referral.agency import AgencyKind, RegisterAgency
from services.referral.app import create_service
from services.referral.following import following
from services.referral.handlers import Parts
from services.referral.sending import send_referral
from tests.accesses import Access, accesses
from tests.services.people import Issuer, door, migrated, rows
from tests.services.referral.invented import MONDAY, POLICE

STORED = ("events", "pending", "acts", "agencies", "referrals")
ADMINISTRATOR = Actor(id="administrator", role="administrator", unit="dgdh")
NAME, CONTACT = "Illari Invented", "By the radio of an invented organisation"
PLACE, NARRATIVE = "Third house of an invented hamlet", "Two men left a cartridge on the table."


class SetClock:
    """A clock that stands until it is moved."""

    def __init__(self, now: datetime = MONDAY) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True, kw_only=True)
class Case:
    """A filed request, as the registry publishes it. ``feed`` appends an event and lets the room read it."""

    case_id: str
    subject: SubjectKey
    linked: SubjectKey
    feed: Callable[..., Any]
    consents: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def consent(
        self, agency: str = POLICE, *discloses: str, subject: SubjectKey | None = None, two_persons: bool = False
    ) -> int:
        """A consent, or two persons' decision, for one addressee; to all classes by default. Its version."""
        said: dict[str, Any] = {
            "subject_id": (subject or self.subject).id,
            "agency": agency,
            "consent_version": next(self.consents),
            "discloses": discloses or ("identity", "contact", "place", "narrative"),
        }
        if two_persons:
            await self.feed(intake.DisclosureDecided(**said, first_person="ana", second_person="luz"))
        else:
            await self.feed(intake.ConsentGiven(**said, text_version="es-1"))
        return int(said["consent_version"])

    async def withdraw(self, version: int, agency: str = POLICE, *, subject: SubjectKey | None = None) -> None:
        """The subject takes its consent back."""
        subject_id = (subject or self.subject).id
        await self.feed(intake.ConsentWithdrawn(subject_id=subject_id, agency=agency, consent_version=version))


class Streams:
    """How far the registry's streams are, and whether it says so."""

    def __init__(self) -> None:
        self.versions: dict[str, int] = {}
        self.silent = False

    async def of(self, stream: str) -> int:
        if self.silent:
            raise SourceSilent("intake")
        return self.versions.get(stream, 0)

    async def close(self) -> None:
        pass


class Registry:
    """The registry's side: frames events as its source does, and hands them to the room's consumer.

    ``behind``: the room's consumer stands still meanwhile.
    """

    def __init__(self, parts: Parts, source: str, streams: Streams) -> None:
        self._parts = parts
        self._source = source
        self._index = itertools.count()
        self.streams = streams
        self.behind = False
        self.records: list[Delivered] = []

    async def file(self, **changes: Any) -> Case:
        """A request about a defender and a linked lawyer, with name, contact, place and narrative."""
        case_id = str(uuid.uuid4())
        subject, linked = await self._parts.vault.take(), await self._parts.vault.take()
        filed = intake.RequestFiled(
            case_id=case_id,
            subjects=[
                intake.Subject(subject_id=subject.id, kind=intake.SUBJECT_KIND_PERSON),
                intake.Subject(subject_id=linked.id, kind=intake.SUBJECT_KIND_PERSON, linked=True),
            ],
            region="PE-UCA",
            pack="drill",
            pack_version="1",
            **changes,
        )
        texts = {
            "subjects.0.name": (subject, NAME),
            "subjects.0.contact": (subject, CONTACT),
            "subjects.0.place": (subject, PLACE),
            "subjects.1.name": (linked, "Sumaq Invented"),
            "narrative": (subject, NARRATIVE),
            "wanted": (subject, "That nobody but the mechanism reads this."),
            "excluded_persons": (subject, "A cousin of the mayor."),
        }

        async def feed(message: Message) -> Delivered:
            return await self.publish(f"request/{case_id}", message)

        await self.publish(f"request/{case_id}", filed, texts)
        return Case(case_id=case_id, subject=subject, linked=linked, feed=feed)

    async def measure(self, case: Case, agency: str = POLICE, *, how: str = "", **changes: Any) -> str:
        """A measure that was proposed in protection, as it publishes it. Its id."""
        measure_id = str(uuid.uuid4())
        proposed = protection.MeasureProposed(
            measure_id=measure_id,
            case_id=case.case_id,
            measure="patrol_home",
            family=protection.MEASURE_FAMILY_PHYSICAL,
            implementer=agency,
            subject_id=case.subject.id,
            urgent=True,
        )
        proposed.MergeFrom(protection.MeasureProposed(**changes))
        await self.publish(f"measure/{measure_id}", proposed, {"details": (case.subject, how)} if how else None)
        return measure_id

    async def change(self, case: Case, measure_id: str, *, how: str) -> None:
        """The measure was modified."""
        texts = {"details": (case.subject, how)}
        await self.publish(f"measure/{measure_id}", protection.MeasureModified(evaluation_id="e-2"), texts)

    async def publish(
        self, stream: str, message: Message, texts: Mapping[str, tuple[SubjectKey, str]] | None = None
    ) -> Delivered:
        """Appends an event to a stream of the registry, and lets the room take its record."""
        event_id = uuid.uuid4().bytes
        version = self.streams.versions.get(stream, 0) + 1
        event = record_pb2.Event(
            id=event_id,
            stream=stream,
            version=version,
            type=message.DESCRIPTOR.full_name,
            correlation=stream.partition("/")[2],
            payload=message.SerializeToString(deterministic=True),
            sealed=[
                seal(written, secret=key.secret, key_id=key.id, event_id=event_id, path=path)[0]
                for path, (key, written) in (texts or {}).items()
            ],
        )
        record = record_pb2.Record(source=self._source, index=next(self._index), event=event.SerializeToString())
        self.records.append(Delivered.of(record, record.SerializeToString(), {}))
        self.streams.versions[stream] = version
        if not self.behind:
            await self.deliver(self.records[-1])
        return self.records[-1]

    async def deliver(self, record: Delivered) -> None:
        """The room takes a record, in a transaction."""
        async with self._parts.engine.begin() as session:
            await following(self._parts)(session, record)

    def version(self, case: Case) -> int:
        """Version of the case's request stream."""
        return self.streams.versions[f"request/{case.case_id}"]


@dataclass(frozen=True, kw_only=True)
class Room:
    """The service in one test: its parts and clock, the registry beside it, and who may be let in."""

    service: Service
    parts: Parts
    clock: SetClock
    registry: Registry
    owner: AsyncEngine
    vault_owner: AsyncEngine
    issuer: Issuer

    async def register(self, agency: str, kind: AgencyKind = AgencyKind.POLICE, *, superior: str = "") -> None:
        """An office, registered by the administrator."""
        command = RegisterAgency(agency=agency, kind=kind, name=agency, region="PE-UCA", superior=superior)
        act = ActKey(client="administrator", key=f"register {agency}")
        await handlers.register_agency(command, actor=ADMINISTRATOR, act=act, parts=self.parts)

    async def send(self, case: Case, agency: str = POLICE, **changes: Any) -> str:
        """A referral, as a workflow sends it. Its id."""
        asked: dict[str, Any] = {"purpose": "", "round": 1, "measure_id": "", "request_version": 1, **changes}
        return await send_referral(case_id=case.case_id, agency=agency, parts=self.parts, **asked)

    async def sent(self, agency: str = POLICE, *discloses: str, **changes: Any) -> tuple[Case, str]:
        """A new case, with a consent for the agency, and its referral's id."""
        case = await self.registry.file(**changes)
        await case.consent(agency, *discloses)
        return case, await self.send(case, agency)

    async def types(self, referral_id: str) -> list[str]:
        """The names of a referral's events."""
        async with self.parts.engine.connect() as session:
            history = await self.parts.store.load(session, f"referral/{referral_id}")
        return [type(stored.event).__name__ for stored in history.events]

    async def stored(self) -> dict[str, int]:
        """How many rows each table has."""
        return await rows(self.owner, *STORED)

    async def accesses(self) -> Sequence[Access]:
        """What the vault recorded: who asked for which keys, and for what."""
        return await accesses(self.vault_owner)


@pytest.fixture(scope="session")
def room_settings(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A migrated database and vault, with keys of their own."""
    with migrated(postgres, tmp_path_factory.mktemp("keys"), service="referral") as (settings, databases):
        yield settings.model_copy(update={"url_intake": databases.url("vault", "owner")})


@pytest.fixture
async def room(room_settings: Settings) -> AsyncIterator[Room]:
    """The process without its loops, with the three offices of the seed. Tests share the tables, never a case."""
    issuer, clock, streams = Issuer(), SetClock(), Streams()
    service = create_service(room_settings, clock=clock, verifier=issuer.verifier, registry=streams)
    await seed.seed(service.parts)
    made = Room(
        service=service,
        parts=service.parts,
        clock=clock,
        registry=Registry(service.parts, room_settings.source("intake"), streams),
        owner=create_async_engine(room_settings.owner_database, poolclass=NullPool),
        vault_owner=create_async_engine(room_settings.url_intake, poolclass=NullPool),
        issuer=issuer,
    )
    yield made
    await service.parts.close()


Enter = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def enter(room: Room) -> AsyncIterator[Enter]:
    """``enter(unit, role=…)``: a client of the API with a token of that unit."""
    async with door(room.service, room.issuer) as opened:

        def client(unit: str = POLICE, *, role: str = "police_unit", sub: str = "", **said: Any) -> httpx.AsyncClient:
            return opened.enter(role=role, unit=unit, sub=sub, **said)

        yield client
