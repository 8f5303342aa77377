"""The vault as a source: what its database recorded is ordered, published and served as any other source's."""

import asyncio
import base64
from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from access.vault import Vault
from amparo.record.v1 import record_pb2
from eventlog.kafka import Reader
from eventlog.store import Actor
from runtime.service import Service
from services.vault.domain import PersonalDataRead, PersonalDataRefused, PersonalDataSealed
from services.vault.handlers import tell_refusals
from tests.eventually import eventually
from tests.services.people import Issuer, door
from tests.services.vault.conftest import Vaulted

OFFICER = Actor(id="police-one", role="police_unit", unit="pnp-one")


async def test_who_looked_is_numbered_published_and_served(
    vaulted: Vaulted, service: Service, referral: Vault, issuer: Issuer
) -> None:
    """From the database that hands out a key to Kafka and the read API, the same bytes; replay gives typed events."""
    key = await referral.take()
    read = {"purpose": "referral.disclosure", "rule": "consent:1", "about": "referral/r-1", "case_id": "c-1"}
    await referral.release([key.id], actor=OFFICER, classes=("place",), **read)
    await referral.refused(actor=OFFICER, purpose="referral.texts", rule="absent-or-not-disclosed", case_id="c-1")
    sequencer = asyncio.create_task(service._sequencer_loop().run())
    try:
        async with door(service, issuer) as opened:
            auditor = opened.enter(role="auditor", unit="")

            async def served() -> list[bytes]:
                answer = (await auditor.get("/v1/records")).json()
                assert answer["source"] == f"{vaulted[0].mechanism}.vault"
                return [base64.b64decode(item["record"]) for item in answer["items"]]

            records = await eventually(served, accept=lambda found: len(found) == 2, timeout=30)
            assert (await opened.enter(role="coordinator", unit="dgdh").get("/v1/records")).status_code == 403
        topic = service.topic
        published: list[bytes] = []
        async with Reader(bootstrap=str(vaulted[0].kafka), offsets={topic: 0}) as reader, asyncio.timeout(30):
            while len(published) < 2:
                published += [message.value for message in await reader.poll()]
    finally:
        sequencer.cancel()
        with suppress(asyncio.CancelledError):
            await sequencer
    assert published == records
    framed = [record_pb2.Record.FromString(record) for record in records]
    assert [(each.source, each.index) for each in framed] == [(service.source, 0), (service.source, 1)]
    events = [service.parts.store.read(each.event) for each in framed]
    assert events[0].event == PersonalDataRead(
        subjects=(key.id,),
        classes=("place",),
        purpose="referral.disclosure",
        about="referral/r-1",
        rule="consent:1",
        asked=1,
        released=1,
        service="referral",
    )
    assert isinstance(events[1].event, PersonalDataRefused)
    assert [event.actor for event in events] == [OFFICER, OFFICER]
    assert [event.correlation for event in events] == ["c-1", "c-1"]


async def test_the_store_reads_what_the_database_wrote(service: Service, referral: Vault) -> None:
    """One stream for a case; what was released to seal is told apart."""
    key = await referral.take()
    for _ in range(2):
        await referral.release([key.id], actor=OFFICER, purpose="read", rule="r", classes=(), case_id="c-2")
    await referral.close()  # forgets what it had for sealing
    await referral.for_sealing([key.id], actor=OFFICER, case_id="c-2")
    async with service.parts.engine.connect() as session:
        history = await service.parts.store.load(session, "access/c-2")
    assert [event.version for event in history.events] == [1, 2, 3]
    assert history.events[-1].event == PersonalDataSealed(
        subjects=(key.id,), about="", asked=1, released=1, service="referral"
    )


async def test_the_process_tells_of_refusals_and_forgets_releases(
    service: Service, referral: Vault, owner: AsyncEngine
) -> None:
    """What is counted in one minute is an event in the next."""
    key = await referral.take()
    await referral.release([key.id], actor=OFFICER, purpose="read", rule="r", classes=(), case_id="c-3")
    trying = Actor(id="trying", role="police_unit", unit="pnp-two")
    for _ in range(3):
        await referral.refused(actor=trying, purpose="referral.texts", rule="absent-or-not-disclosed")
    async with owner.begin() as connection:
        await connection.execute(text("UPDATE refusals SET minute = minute - interval '1 minute'"))
        await connection.execute(text("UPDATE releases SET at = at - interval '6 minutes'"))
    assert await tell_refusals(service.parts) == 1
    async with owner.connect() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM releases"))).scalar_one() == 0
    async with service.parts.engine.connect() as session:
        history = await service.parts.store.load(session, "refusal/trying")
    assert [event.event.times for event in history.events] == [1, 2]


@pytest.mark.parametrize("role", ["app", "sequencer"])
@pytest.mark.parametrize(
    "statement",
    [
        "SELECT wrapped FROM subject_keys",
        "UPDATE subject_keys SET wrapped = NULL",
        "DELETE FROM subject_keys",
        "UPDATE events SET event = ''",
        "DELETE FROM events",
        "SELECT * FROM released_keys('5c1d1f8e-6a35-4bd7-9c0b-51f1c5a1a001')",
        "SELECT * FROM refusals",
        "DELETE FROM refusals",
    ],
)
async def test_who_orders_the_record_reads_no_key(
    vaulted: Vaulted, service: Service, role: str, statement: str
) -> None:
    """The process that publishes who looked can itself look at nothing, nor change what was recorded."""
    engine = create_async_engine(vaulted[1].url("vault", role))
    try:
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with engine.begin() as connection:
                await connection.execute(text(statement))
    finally:
        await engine.dispose()
