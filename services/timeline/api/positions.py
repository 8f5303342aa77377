"""How far the timeline has come in each source."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select, text

from access.authorization import may
from access.policy import DataClass
from access.problems import responses
from eventlog.store import Actor
from runtime.answers import Answer
from services.timeline import log
from services.timeline.parts import CONSUMER, PartsOf

router = APIRouter(tags=["positions"])

_TAKEN = text(
    "SELECT p.source, p.index, e.recorded_at FROM positions p"
    " LEFT JOIN entries e ON e.source = p.source AND e.index = p.index WHERE p.consumer = :consumer"
)


class Position(Answer, says=DataClass.EVIDENCE_METADATA):
    """One source. Indexes count from 0; -1 is none."""

    source: str
    last_index: int
    last_recorded_at: datetime | None
    head_index: int | None = Field(description="Last record in the source's topic; null where Kafka does not say")
    lag: int | None = Field(description="Records in the topic that are not taken yet")


class Positions(Answer, says=DataClass.EVIDENCE_METADATA):
    """Every source that the timeline takes, and the size of its log."""

    as_of: datetime
    log_size: int
    items: list[Position]


@router.get("/v1/positions", responses=responses())
async def read_positions(parts: PartsOf, actor: Annotated[Actor, may("records.read")]) -> Positions:
    """Whether the timeline is up to date. For machines and auditors only: whoever could watch it grow would know when
    somebody files.
    """
    async with parts.engine.connect() as session:
        found = (await session.execute(_TAKEN, {"consumer": CONSUMER})).all()
        size = int((await session.execute(select(log.size.c.size))).scalar_one())
    taken: dict[str, tuple[int, datetime | None]] = {source: (index, at) for source, index, at in found}
    heads = await parts.heads.read()
    return Positions(
        as_of=parts.clock(),
        log_size=size,
        items=[_position(source, taken.get(source, (-1, None)), heads.get(source)) for source in parts.sources],
    )


def _position(source: str, taken: tuple[int, datetime | None], head: int | None) -> Position:
    last, at = taken
    lag = None if head is None else max(0, head - last)
    return Position(source=source, last_index=last, last_recorded_at=at, head_index=head, lag=lag)
