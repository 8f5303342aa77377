"""A source's own records by HTTP: what consumers fetch when Kafka has a gap, and what an auditor copies; and how far
one of its streams is, for who must not act on less (`runtime.versions`).

Records are sealed, so they hold no personal data in clear; still only the roles that may ``records.read`` get them.
"""

import base64
from typing import Annotated

from fastapi import APIRouter, Query, Request
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from access.authorization import may
from access.policy import DataClass
from access.problems import responses
from eventlog.store import Actor
from runtime.answers import Answer

LONGEST_PAGE = 500

router = APIRouter(tags=["records"])

_PAGE = text('SELECT "index", record, headers FROM records WHERE "index" > :after ORDER BY "index" LIMIT :limit')
_VERSION = text("SELECT COALESCE(max(version), 0) FROM events WHERE stream = :stream")


class RecordItem(Answer, says=DataClass.EVIDENCE_METADATA):
    """One record: its place in the source's order, its bytes as published and hashed (base64), its trace headers."""

    index: int
    record: str
    headers: dict[str, str]


class RecordPage(Answer, says=DataClass.EVIDENCE_METADATA):
    """Records in order, without a gap. ``next_after`` asks for the following page; ``null`` where there is none yet."""

    source: str
    items: list[RecordItem]
    next_after: int | None


@router.get("/v1/records", responses=responses())
async def list_records(
    request: Request,
    actor: Annotated[Actor, may("records.read")],
    after: Annotated[int, Query(ge=-1, lt=2**63, description="Index of the last record you have; -1 for none")] = -1,
    limit: Annotated[int, Query(ge=1, le=LONGEST_PAGE)] = LONGEST_PAGE,
) -> RecordPage:
    """The records behind ``after``, lowest index first. A page may be shorter than ``limit`` only at the log's end."""
    engine: AsyncEngine = request.app.state.engine
    async with engine.connect() as connection:
        found = (await connection.execute(_PAGE, {"after": after, "limit": limit})).all()
    items = [
        RecordItem(index=index, record=base64.b64encode(record).decode(), headers=headers)
        for index, record, headers in found
    ]
    full = len(items) == limit
    return RecordPage(source=request.app.state.source, items=items, next_after=items[-1].index if full else None)


class StreamVersion(Answer, says=DataClass.EVIDENCE_METADATA):
    """How far a stream is. ``version`` is that of its last event, 0 where it has none."""

    stream: str
    version: int


@router.get("/v1/streams", responses=responses())
async def read_stream_version(
    request: Request,
    actor: Annotated[Actor, may("records.read")],
    stream: Annotated[str, Query(max_length=200, description="Such as `request/` and a case's id")],
) -> StreamVersion:
    """The version of a stream as it is stored now: also events count that were not numbered or published yet."""
    engine: AsyncEngine = request.app.state.engine
    async with engine.connect() as connection:
        version = (await connection.execute(_VERSION, {"stream": stream})).scalar_one()
    return StreamVersion(stream=stream, version=version)
