"""Reading one's own writes: ``at_least=<stream>:<version>`` waits until the timeline has taken what an act returned."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query
from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.timeline.projections import cases, entries
from services.timeline.wake import Wake

WAIT_S = 1.0

AtLeast = Annotated[
    str | None,
    Query(
        pattern=r"^[a-z]{1,20}/[0-9A-Za-z._:-]{1,128}:[1-9][0-9]{0,17}$",
        description="`<stream>:<version>` of an act: waits up to 1 s until it is here, then answers with `stale: true`",
        examples=["request/7d0c5f6e-3a52-4d7e-9f52-8a5d7a0a1c11:3"],
    ),
]


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a stream."""

    stream: str
    version: int


def mark(at_least: AtLeast = None) -> Mark | None:
    """The place that the caller wants to have been reached."""
    if at_least is None:
        return None
    stream, _, version = at_least.rpartition(":")
    return Mark(stream, int(version))


MarkOf = Annotated[Mark | None, Depends(mark)]


async def is_stale(given: Mark | None, *, engine: AsyncEngine, wake: Wake, visible: ColumnElement[bool]) -> bool:
    """Whether the mark was not reached within a second. What the caller may not see is never reached, and takes as
    long.
    """
    if given is None:
        return False
    here = and_(entries.c.stream == given.stream, entries.c.version >= given.version, visible)
    joined = select(1).select_from(entries).outerjoin(cases, cases.c.case_id == entries.c.case_id).where(here)

    async def is_there() -> bool:
        async with engine.connect() as session:
            return bool((await session.execute(select(exists(joined)))).scalar_one())

    return not await within(WAIT_S, is_there, wake=wake)


async def within(seconds: float, is_so: Callable[[], Awaitable[bool]], *, wake: Wake) -> bool:
    """Whether it became so within the time; asked anew on news."""
    now = asyncio.get_running_loop().time
    end = now() + seconds
    while True:
        news = wake.next
        if await is_so():
            return True
        if (left := end - now()) <= 0:
            return False
        await wake.wait(news, seconds=left)
