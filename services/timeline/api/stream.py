"""New entries as they are taken in: server-sent events, in the log's order, resumable."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from sqlalchemy import ColumnElement, and_, exists, or_, select

from access.authorization import may
from access.problems import Problem, responses
from eventlog.store import Actor
from services.timeline import log, visibility
from services.timeline.api.entries import entry, selected
from services.timeline.api.reached import WAIT_S, within
from services.timeline.parts import Parts, PartsOf
from services.timeline.projections import cases, entries

BATCH = 200
BEAT_S = 15.0
"""A comment line after this long without news, so that a lost connection is noticed on both sides."""
LIFE_S = 300.0
"""The client then connects again by itself, with its last id and a fresh token: a right that was taken away ends."""
RETRY_MS = 1000

router = APIRouter(tags=["stream"])


@router.get(
    "/v1/stream",
    response_class=StreamingResponse,
    responses={
        **responses("invalid-cursor"),
        200: {"content": {"text/event-stream": {"schema": {"type": "string"}}}, "description": "Events named `entry`"},
    },
)
async def follow(
    parts: PartsOf,
    actor: Annotated[Actor, may("timeline.read")],
    case: Annotated[str | None, Query(max_length=64, pattern=r"^[0-9A-Za-z-]+$")] = None,
    last_event_id: Annotated[
        str | None,
        Header(alias="Last-Event-ID", max_length=100, pattern=r"^[A-Za-z0-9._-]+:[0-9]{1,18}$"),
    ] = None,
) -> StreamingResponse:
    """New entries that you may see, of one case or of all, from now on or after the last one you have.

    Each event's ``id`` is ``<source>:<index>``, its data an entry as in a case's timeline. It ends after five minutes;
    clients connect again with ``Last-Event-ID`` and miss nothing. A case that the timeline has not heard of within a
    second, or that is not yours, is not found.
    """
    visible = _visible(actor, case)
    if case is not None and not await within(WAIT_S, lambda: _is_there(parts, visible), wake=parts.wake):
        raise Problem("not-found")
    start = await _start(parts, visible, last_event_id)
    return StreamingResponse(
        _events(parts, visible, start), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


def _visible(actor: Actor, case: str | None) -> ColumnElement[bool]:
    """Over entries with their case. What belongs to no case is for those who see every case."""
    allowed, own = visibility.of_case(actor), visibility.of_entry(actor)
    if case is not None:
        return and_(entries.c.case_id == case, allowed, own)
    return and_(or_(entries.c.case_id == "", allowed), own) if visibility.sees_every_case(actor) else and_(allowed, own)


def _joined(visible: ColumnElement[bool]) -> Any:
    places = log.places.c
    return (
        select(places.position)
        .select_from(log.places)
        .join(entries, and_(entries.c.source == places.source, entries.c.index == places.index))
        .outerjoin(cases, cases.c.case_id == entries.c.case_id)
        .where(visible)
    )


async def _is_there(parts: Parts, visible: ColumnElement[bool]) -> bool:
    async with parts.engine.connect() as session:
        return bool((await session.execute(select(exists(_joined(visible))))).scalar_one())


async def _start(parts: Parts, visible: ColumnElement[bool], last: str | None) -> int:
    """The position after which the stream begins. An id that was never given to this reader is no place to begin."""
    async with parts.engine.connect() as session:
        if last is None:
            return int((await session.execute(select(log.size.c.size))).scalar_one()) - 1
        source, _, index = last.rpartition(":")
        here = _joined(and_(visible, entries.c.source == source, entries.c.index == int(index)))
        position = (await session.execute(here)).scalar_one_or_none()
    if position is None:
        raise Problem("invalid-cursor")
    return int(position)


async def _events(parts: Parts, visible: ColumnElement[bool], after: int) -> AsyncIterator[str]:
    now = asyncio.get_running_loop().time
    end = now() + LIFE_S
    quiet_since = now()
    yield f"retry: {RETRY_MS}\n\n"
    while now() < end and not parts.wake.is_over:
        news = parts.wake.next
        rows = await _after(parts, visible, after)
        for row in rows:
            after, item = row.position, entry(row)
            yield f"id: {item.id}\nevent: entry\ndata: {item.model_dump_json()}\n\n"
        if rows:
            quiet_since = now()
        elif now() - quiet_since >= BEAT_S:
            quiet_since = now()
            yield ": still here\n\n"
        if len(rows) < BATCH:
            await parts.wake.wait(news, seconds=end - now())


async def _after(parts: Parts, visible: ColumnElement[bool], position: int) -> Any:
    places = log.places.c
    found = (
        selected()
        .add_columns(places.position)
        .join(log.places, and_(places.source == entries.c.source, places.index == entries.c.index))
        .where(places.position > position, visible)
        .order_by(places.position)
        .limit(BATCH)
    )
    async with parts.engine.connect() as session:
        return (await session.execute(found)).all()
