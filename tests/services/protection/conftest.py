"""Protection on a real PostgreSQL, with real keys, records of other services, and clients with real tokens."""

import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from google.protobuf.message import Message
from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from amparo.intake.v1 import events_pb2 as intake
from amparo.record.v1 import record_pb2
from amparo.referral.v1 import events_pb2 as referral
from eventlog.codec import timestamp
from eventlog.delivered import Delivered
from eventlog.store import Recorded
from runtime.clock import system_clock
from runtime.service import Service
from runtime.settings import Settings
from services.protection import inbound
from services.protection.app import create_service
from services.protection.handlers import Parts, case_stream, measure_stream
from tests.services.people import Issuer, Referrals, door, migrated, rows
from tests.services.protection.invented import PACK

STORED = ("events", "pending", "acts", "cases", "clocks", "measures")
NGO = "ngo-test"


class Hands:
    """A clock whose hands a test moves; it stands still else."""

    def __init__(self) -> None:
        self.now = system_clock()

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture(scope="session")
def protection_settings(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A migrated database and vault, with keys of their own."""
    with migrated(postgres, tmp_path_factory.mktemp("keys"), service="protection") as (settings, _):
        yield settings


@dataclass(kw_only=True)
class Office:
    """Protection's process in one test, and the mechanism's other services as far as it hears of them."""

    service: Service
    parts: Parts
    owner: AsyncEngine
    issuer: Issuer
    hands: Hands
    referrals: Referrals
    heard: list[Delivered] = field(default_factory=list)

    async def hear(
        self, message: Message, *, stream: str, correlation: str = "", repeat: bool = False, unit: str = NGO
    ) -> Delivered:
        """A record of another service is taken; with ``repeat`` the last one is taken again."""
        if not repeat:
            event = record_pb2.Event(
                id=uuid.uuid4().bytes,
                stream=stream,
                version=1,
                type=message.DESCRIPTOR.full_name,
                occurred_at=timestamp(self.hands.now),
                recorded_at=timestamp(self.hands.now),
                actor=record_pb2.Actor(id="ngo-client", role="filer", unit=unit),
                correlation=correlation,
                payload=message.SerializeToString(deterministic=True),
            )
            record = record_pb2.Record(
                source=f"other.{message.DESCRIPTOR.file.package.split('.')[1]}",
                index=len(self.heard),
                event=event.SerializeToString(deterministic=True),
            )
            self.heard.append(Delivered.of(record, record.SerializeToString(deterministic=True), {}))
        async with self.parts.engine.begin() as session:
            await inbound.apply(session, self.heard[-1], parts=self.parts)
        return self.heard[-1]

    async def filed(
        self, *, imminent: bool = False, excluded: Sequence[str] = (), region: str = "PE-UCA", unit: str = NGO
    ) -> str:
        """A request was filed: the id of its case, which is open now."""
        case_id, key = str(uuid.uuid4()), await self.parts.vault.take()
        message = intake.RequestFiled(
            case_id=case_id,
            filed_by=intake.FILED_BY_DEFENDER,
            subjects=[intake.Subject(subject_id=key.id, kind=intake.SUBJECT_KIND_PERSON)],
            imminent=imminent,
            region=region,
            excluded=excluded,
            pack=PACK.id,
            pack_version=PACK.version,
        )
        await self.hear(message, stream=f"request/{case_id}", correlation=case_id, unit=unit)
        return case_id

    async def sent(self, measure_id: str, *, referral_id: str) -> None:
        """A referral asks the measure's implementer."""
        message = referral.ReferralSent(referral_id=referral_id, measure_id=measure_id, purpose="implement")
        await self.hear(message, stream=f"referral/{referral_id}")

    def renumbered(self, delivered: Delivered, *, source: str, index: int) -> bytes:
        """What was heard, as the record of that index of a source; it counts as heard so from then on."""
        record = record_pb2.Record.FromString(delivered.record)
        record.source, record.index = source, index
        value = record.SerializeToString(deterministic=True)
        self.heard.append(Delivered.of(record, value, {}))
        return value

    async def case_events(self, case_id: str) -> tuple[Recorded, ...]:
        """What is on the case's stream."""
        async with self.parts.engine.connect() as session:
            return (await self.parts.store.load(session, case_stream(case_id))).events

    async def measure_events(self, measure_id: str) -> tuple[Recorded, ...]:
        """What is on the measure's stream."""
        async with self.parts.engine.connect() as session:
            return (await self.parts.store.load(session, measure_stream(measure_id))).events

    async def stored(self) -> dict[str, int]:
        """How many rows each table has."""
        return await rows(self.owner, *STORED)


@pytest.fixture
async def office(protection_settings: Settings) -> AsyncIterator[Office]:
    """The process, without its loops."""
    issuer, hands = Issuer(), Hands()
    referrals = Referrals(protection_settings.mechanism)
    service = create_service(protection_settings, clock=hands, verifier=issuer.verifier, fetch=referrals.fetch)
    owner = create_async_engine(protection_settings.owner_database, poolclass=NullPool)
    made = Office(service=service, parts=service.parts, owner=owner, issuer=issuer, hands=hands, referrals=referrals)
    for record in referrals.register("police-north", "an-agency"):
        async with service.parts.engine.begin() as session:
            await inbound.apply(session, record, parts=service.parts)
    yield made
    await service.parts.close()


@dataclass(kw_only=True, slots=True)
class Desk:
    """Somebody at the API: a client with a token."""

    client: httpx.AsyncClient

    async def read(self, path: str) -> httpx.Response:
        """One GET."""
        return await self.client.get(path)

    async def do(self, path: str, body: Any = None, *, key: str = "", **headers: str) -> httpx.Response:
        """One act, under a key of its own unless it is given."""
        named = {"Idempotency-Key": key or str(uuid.uuid4()), **{n.replace("_", "-"): v for n, v in headers.items()}}
        return await self.client.post(path, json={} if body is None else body, headers=named)


Enter = Callable[..., Desk]


@pytest.fixture
async def enter(office: Office) -> AsyncIterator[Enter]:
    """``enter(role, unit=…)``: somebody at the API in that role."""
    async with door(office.service, office.issuer) as opened:

        def desk(role: str, *, unit: str = "", sub: str = "", **said: Any) -> Desk:
            unit = unit or (NGO if role in ("filer", "defender") else "dgdh")
            return Desk(client=opened.enter(role=role, unit=unit, sub=sub or f"{role}-1", **said))

        yield desk


def evaluation(**changes: Any) -> dict[str, Any]:
    """A body that scores every variable of the pack: extreme is proposed and decided."""
    scores = {"threat": "high", "vulnerability": "medium", "capacity": "low"}
    variables = [
        {"axis": axis, "name": name, "score": scores[axis], "source": "interview", "reason": "told by the person"}
        for axis, name in PACK.risk.variables
    ]
    return {"variables": variables, "level": "extreme", **changes}


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """A case with one granted measure."""

    case_id: str
    measure_id: str


@pytest.fixture
async def granted_measure(office: Office, enter: Enter) -> Granted:
    """Reported, evaluated, proposed, resolved: by the acts of people."""
    case_id, coordinator = await office.filed(), enter("coordinator")
    office.hands.forward(5)
    assert (await coordinator.do(f"/v1/cases/{case_id}/preliminary-report", {"admissible": True})).status_code == 201
    assert (await enter("evaluator").do(f"/v1/cases/{case_id}/evaluations", evaluation())).status_code == 201
    proposal = {"measure": "patrol_home", "implementer": "police-north", "details": "twice a night"}
    proposed = await coordinator.do(f"/v1/cases/{case_id}/measures", proposal)
    resolved = await coordinator.do(f"/v1/cases/{case_id}/resolutions", {"granted": True})
    assert resolved.status_code == 201, resolved.text
    return Granted(case_id=case_id, measure_id=proposed.json()["measure_id"])
