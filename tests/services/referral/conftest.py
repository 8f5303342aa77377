"""Referrals on a real PostgreSQL, with real keys, a clock that is set, and clients with real tokens."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message
from joserfc import jwt
from joserfc.jwk import ECKey
from sqlalchemy import NullPool, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from access import keys
from access.tokens import Verifier
from access.vault import SubjectKey
from amparo.intake.v1 import events_pb2 as intake
from amparo.record.v1 import record_pb2
from eventlog.consumer import Delivered
from eventlog.sealing import seal
from eventlog.store import ActKey, Actor
from runtime.clock import system_clock
from runtime.service import Service
from runtime.settings import Settings
from services.referral import handlers, seed
from services.referral.agency import AgencyKind, RegisterAgency
from services.referral.app import create_service
from services.referral.following import following
from services.referral.handlers import Parts
from tests.services.referral.invented import MONDAY, POLICE
from tests.stack import Databases

ISSUER, AUDIENCE = "https://issuer.test", "amparo:test"
STORED = ("events", "pending", "acts", "agencies", "referrals")
ADMINISTRATOR = Actor(id="administrator", role="administrator", unit="dgdh")
NAME, CONTACT = "Illari Invented", "By the radio of an invented organisation"
PLACE, NARRATIVE = "Third house of an invented hamlet", "Two men left a cartridge on the table."


class OneKey:
    """An issuer's key set of one key."""

    def __init__(self, key: ECKey) -> None:
        self.key = key

    async def find(self, kid: str) -> ECKey | None:
        return self.key if kid == self.key.kid else None


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
            "discloses": discloses or ("identity", "place", "narrative"),
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


class Registry:
    """The registry's side: frames events as its source does, and hands them to the room's consumer."""

    def __init__(self, parts: Parts, source: str) -> None:
        self._parts = parts
        self._source = source
        self._index = itertools.count()
        self._versions: dict[str, int] = {}
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

    async def publish(
        self, stream: str, message: Message, texts: Mapping[str, tuple[SubjectKey, str]] | None = None
    ) -> Delivered:
        """Appends an event to a stream of the registry, and lets the room take its record."""
        event_id = uuid.uuid4().bytes
        self._versions[stream] = self._versions.get(stream, 0) + 1
        event = record_pb2.Event(
            id=event_id,
            stream=stream,
            version=self._versions[stream],
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
        await self.deliver(self.records[-1])
        return self.records[-1]

    async def deliver(self, record: Delivered) -> None:
        """The room takes a record, in a transaction."""
        async with self._parts.engine.begin() as session:
            await following(self._parts)(session, record)

    def version(self, case: Case) -> int:
        """Version of the case's request stream."""
        return self._versions[f"request/{case.case_id}"]


@dataclass(frozen=True, kw_only=True)
class Room:
    """The service in one test: its parts and clock, the registry beside it, and who may be let in."""

    service: Service
    parts: Parts
    clock: SetClock
    registry: Registry
    owner: AsyncEngine
    vault_owner: AsyncEngine
    issuer_key: ECKey

    def token(self, *, sub: str, role: str, unit: str) -> str:
        now = int(system_clock().timestamp())
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": sub, "iat": now, "exp": now + 300}
        claims |= {"amparo_role": role, "amparo_unit": unit}
        header = {"alg": "ES256", "typ": "at+jwt", "kid": self.issuer_key.kid}
        return jwt.encode(header, claims, self.issuer_key)

    async def register(self, agency: str, kind: AgencyKind = AgencyKind.POLICE, *, superior: str = "") -> None:
        """An office, registered by the administrator."""
        command = RegisterAgency(agency=agency, kind=kind, name=agency, region="PE-UCA", superior=superior)
        act = ActKey(client="administrator", key=f"register {agency}")
        await handlers.register_agency(command, actor=ADMINISTRATOR, act=act, parts=self.parts)

    async def send(self, case: Case, agency: str = POLICE, **changes: Any) -> str:
        """A referral, as a workflow sends it. Its id."""
        asked: dict[str, Any] = {"purpose": "", "round": 1, "measure_id": "", "request_version": 1, **changes}
        return await handlers.send_referral(case_id=case.case_id, agency=agency, parts=self.parts, **asked)

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
        async with self.owner.connect() as connection:
            return {
                table: (await connection.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one()
                for table in STORED
            }

    async def accesses(self) -> Sequence[Any]:
        """What the vault recorded: who asked for which keys, and for what."""
        async with self.vault_owner.connect() as connection:
            return (await connection.execute(text("SELECT * FROM accesses ORDER BY access_id"))).all()


@pytest.fixture(scope="session")
def room_settings(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A migrated database and vault, with keys of their own."""
    databases = Databases(postgres).migrate("referral", "vault")
    folder = tmp_path_factory.mktemp("keys")
    keys.init(folder, mechanism=databases.mechanism)
    yield Settings(
        environment="embedded",
        mechanism=databases.mechanism,
        database=databases.url("referral"),
        sequencer_database=databases.url("referral", "sequencer"),
        owner_database=databases.url("referral", "owner"),
        vault_database=databases.url("vault", "referral"),
        keyring=folder / "keyring",
        receipt_key=folder / "receipts" / f"{databases.mechanism}.referral",
        issuer=ISSUER,
        audience=AUDIENCE,
        jwks=f"{ISSUER}/jwks",
        url_intake=databases.url("vault", "owner"),
    )
    databases.drop()


@pytest.fixture
async def room(room_settings: Settings) -> AsyncIterator[Room]:
    """The process without its loops, with the three offices of the seed. Tests share the tables, never a case."""
    key = ECKey.generate_key("P-256", parameters={"kid": "test"})
    clock = SetClock()
    verifier = Verifier(issuer=ISSUER, audience=AUDIENCE, keys=OneKey(key), clock=system_clock)
    service = create_service(room_settings, clock=clock, verifier=verifier)
    await seed.seed(service.parts)
    made = Room(
        service=service,
        parts=service.parts,
        clock=clock,
        registry=Registry(service.parts, room_settings.source("intake")),
        owner=create_async_engine(room_settings.owner_database, poolclass=NullPool),
        vault_owner=create_async_engine(room_settings.url_intake, poolclass=NullPool),
        issuer_key=key,
    )
    yield made
    rings = [task for task in asyncio.all_tasks() if "Ring" in repr(task.get_coro())]
    await asyncio.gather(*rings)
    await service.parts.close()


Enter = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def enter(room: Room) -> AsyncIterator[Enter]:
    """``enter(unit, role=…)``: a client of the API with a token of that unit."""
    transport = httpx.ASGITransport(app=room.service.app(), raise_app_exceptions=False)
    clients: list[httpx.AsyncClient] = []

    def client(unit: str = POLICE, *, role: str = "police_unit", sub: str = "") -> httpx.AsyncClient:
        token = room.token(sub=sub or f"{role}-{unit or 'alone'}", role=role, unit=unit)
        headers = {"Authorization": f"Bearer {token}"}
        clients.append(httpx.AsyncClient(transport=transport, base_url="http://referral.test", headers=headers))
        return clients[-1]

    yield client
    for each in clients:
        await each.aclose()
