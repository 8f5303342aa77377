"""Joins the parts of the smallest service."""

import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from temporalio import activity

from access.authorization import may
from access.idempotency import ActHeader
from access.tokens import Verifier
from amparo.activities.v1.activities_pb2 import AskRequestStanding, RequestStanding
from amparo.intake.v1 import events_pb2
from eventlog.codec import Codec
from eventlog.consumer import Consumer, Delivered
from eventlog.decider import Refused
from eventlog.store import Actor, EventStore, Ring
from eventlog.transparency.note import NoteSigner
from runtime import database, telemetry
from runtime.clock import system_clock
from runtime.secrets import origin
from runtime.service import Service
from runtime.settings import Settings
from tests.runtime.parcels.flow import QUEUE, Ask

PERSONAL = "Rosa Quispe, Calle Lima 5"
"""Invented; no log line, span or history may ever hold it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AgencyExcluded:
    """As in `amparo.intake.v1`."""

    agency: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    engine: AsyncEngine
    store: EventStore
    ring: Ring

    async def close(self) -> None:
        await self.ring.close()


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")

    agency: str


router = APIRouter()


@router.post("/v1/parcels", status_code=201)
async def exclude(
    request: Request, body: Body, act: ActHeader, actor: Annotated[Actor, may("request.exclude")]
) -> dict[str, str]:
    parts: Parts = request.app.state.parts
    case_id = str(uuid.uuid4())
    async with parts.engine.begin() as session:
        done = await parts.store.append(
            session,
            stream=f"request/{case_id}",
            expected=0,
            events=[AgencyExcluded(agency=body.agency)],
            actor=actor,
            act=act,
            correlation=case_id,
        )
    parts.ring.ring()
    return {"case_id": done.receipt.stream.removeprefix("request/"), "event_hash": done.receipt.event_hash}


@router.get("/v1/parcels/{case_id}")
async def read(case_id: str, actor: Annotated[Actor, may("request.read")], who: str = "") -> dict[str, str]:
    raise ValueError(PERSONAL)


async def see(session: AsyncConnection, record: Delivered) -> None:
    seen = {"index": record.index, "case_id": record.event.correlation}
    await session.execute(text("INSERT INTO seen VALUES (:index, :case_id)"), seen)


@activity.defn(name="intake.request_standing")
async def standing(ask: AskRequestStanding) -> RequestStanding:
    match ask.case_id:
        case "refused":
            raise Refused("wrong-stage", "no such case")
        case "broken":
            raise ValueError(PERSONAL)
    return RequestStanding(version=7)


def create_service(settings: Settings, *, verifier: Verifier | None = None) -> Service:
    engine = database.engine(settings.need("database"))
    signer = NoteSigner.load(Path(settings.need("receipt_key")).read_text())
    codec = Codec.of((AgencyExcluded,), module=events_pb2)
    source = settings.source("intake")
    store = EventStore(source=source, codec=codec, signer=signer, clock=system_clock, tracing=telemetry.messaging)
    with_worker = bool(settings.temporal)
    return Service(
        settings=settings,
        name="intake",
        parts=Parts(engine=engine, store=store, ring=Ring(engine)),
        routers=(router,),
        store=store,
        consumers=lambda parts: (
            Consumer(
                name="seeing",
                sources=(source,),
                kafka=settings.kafka,
                engine=parts.engine,
                apply=see,
                clock=system_clock,
                origin=origin(settings),
                tracing=telemetry.messaging,
            ),
        ),
        activities=(lambda parts: (standing,)) if with_worker else None,
        workflows=(Ask,) if with_worker else (),
        task_queue=f"{QUEUE}-{settings.mechanism}",
        loops=(lambda parts: (("crashing", _crash),)) if os.environ.get("PARCELS_CRASH") else None,
        verifier=verifier,
    )


async def _crash() -> None:
    raise ValueError(PERSONAL)
