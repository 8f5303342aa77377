"""An agency's inbox: everything it was asked, in an order that polling by cursor never misses anything in."""

import asyncio
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import Field
from sqlalchemy import Row, select

from access.authorization import may
from access.policy import DataClass
from access.problems import Problem, responses
from eventlog.store import Actor
from runtime.answers import Answer, Says
from runtime.forms import Instant
from runtime.pages import DEFAULT_PAGE, Cursor, Limit, Page, place
from runtime.pages import cursor as cursor_at
from services.referral.api.forms import Due, KnownTag
from services.referral.domain import ACKNOWLEDGE, ANSWER, Stage
from services.referral.handlers import Parts
from services.referral.projections import agencies, referrals

LONGEST_WAIT_S = 20.0

router = APIRouter(prefix="/v1/inbox", tags=["inbox"])


class Order(StrEnum):
    """By arrival each referral comes once; by change, again after each thing that happened to it, a recall included."""

    ARRIVAL = "arrival"
    CHANGE = "change"


class InboxItem(Answer, says=DataClass.AGENCY_FACTS):
    """A referral to your agency: codes and ids only. What it discloses is fetched from the referral, each time."""

    referral_id: str
    case_id: Annotated[str, Says(DataClass.CASE_FACTS)]
    purpose: str = Field(description="What is asked for, such as `protect`, `investigate`, `follow`, `implement`.")
    measure_id: Annotated[str, Says(DataClass.CASE_FACTS)] = Field(
        description="The measure to carry out, empty where it is none."
    )
    measure: Annotated[str, Says(DataClass.CASE_FACTS)] = Field(
        description="What that measure is, such as `patrol_home`: its name in the rule pack."
    )
    measure_family: Annotated[str, Says(DataClass.CASE_FACTS)] = Field(description="Such as `physical`.")
    measure_urgent: Annotated[bool, Says(DataClass.CASE_FACTS)] = Field(description="Whether it is an urgent measure.")
    state: Stage
    imminent: Annotated[bool, Says(DataClass.CASE_FACTS)] = Field(
        description="Danger to life or body that cannot wait."
    )
    no_accompaniment: Annotated[bool, Says(DataClass.CASE_FACTS)] = Field(
        description="The person must not be asked to come along to the place."
    )
    discloses: Annotated[list[str], Says(DataClass.CASE_FACTS)] = Field(
        description="Classes of data that were disclosed at the sending."
    )
    sent_at: datetime
    acknowledge_due: datetime
    answer_due: datetime
    next: Due | None = Field(description="What your agency owes next; null where nothing.")
    version: int
    arrival: int = Field(description="Counts what reached your agency; rises, with holes.")
    changed: int = Field(description="The same count at the last thing that happened to the referral.")


class InboxPage(Page[InboxItem]):
    """Part of the inbox. `next_cursor` stands behind the last item; null where there is none: keep the one you have."""


@router.get(
    "",
    response_model=InboxPage,
    responses={**responses("invalid-cursor"), 304: {"description": "Nothing happened in your inbox since that ETag."}},
)
async def read_inbox(
    request: Request,
    response: Response,
    actor: Annotated[Actor, may("referral.inbox")],
    cursor: Cursor = None,
    limit: Limit = DEFAULT_PAGE,
    state: Annotated[list[Stage] | None, Query(max_length=7, description="Only these; may be repeated.")] = None,
    since: Annotated[Instant | None, Query(description="Only what was sent at this instant or later.")] = None,
    due_before: Annotated[Instant | None, Query(description="Only what is owed before this instant.")] = None,
    order: Order = Order.ARRIVAL,
    wait: Annotated[
        float, Query(ge=0, le=LONGEST_WAIT_S, description="Seconds to wait for something, where there is nothing yet.")
    ] = 0,
    known: KnownTag = None,
) -> Any:
    """Your own agency's referrals, the oldest first.

    To follow the inbox: read to the end, keep the last cursor, ask again with it and with `wait`. `If-None-Match` with
    the last `ETag` answers 304 while nothing happened.
    """
    parts: Parts = request.app.state.parts
    counted = referrals.c.arrival if order is Order.ARRIVAL else referrals.c.changed
    found = select(referrals).where(referrals.c.agency == actor.unit).order_by(counted).limit(limit)
    found = found.where(counted > _last_seen(cursor, order))
    if state:
        found = found.where(referrals.c.stage.in_([stage.value for stage in state]))
    if since is not None:
        found = found.where(referrals.c.sent_at >= since)
    if due_before is not None:
        found = found.where(referrals.c.next_due < due_before)
    counter = select(agencies.c.changes).where(agencies.c.agency == actor.unit)

    clock = asyncio.get_running_loop().time
    until = clock() + wait
    with parts.bell.at(actor.unit) as rung:
        while True:
            rung.clear()
            async with parts.engine.connect() as session:
                # The counter first: what is committed in between makes the tag too old, never too new.
                tag = f'"{(await session.execute(counter)).scalar_one_or_none() or 0}"'
                rows = (await session.execute(found)).all() if tag != known else ()
            if rows or parts.bell.is_over or (left := until - clock()) <= 0:
                break
            try:
                async with asyncio.timeout(left):
                    await rung.wait()
            except TimeoutError:
                continue  # one last look: a ring may have been lost
    if tag == known:
        return Response(status_code=304, headers={"ETag": tag})
    response.headers["ETag"] = tag
    following = cursor_at(order.value, rows[-1]._mapping[counted.name]) if rows else None
    return InboxPage(items=[_item(row) for row in rows], next_cursor=following)


def _last_seen(given: str | None, order: Order) -> int:
    """The counter that a cursor of this order stands for. Raises `Problem` ``invalid-cursor``."""
    if given is None:
        return 0
    of, number = place(given, str, int)
    if of != order.value:
        raise Problem("invalid-cursor")
    return int(number)


def _item(row: Row[Any]) -> InboxItem:
    members = {name: value for name, value in row._mapping.items() if name in InboxItem.model_fields}
    owed = ACKNOWLEDGE if row.stage == Stage.SENT else ANSWER
    due = Due(clock=owed, due=row.next_due) if row.next_due is not None else None
    return InboxItem.model_validate({**members, "state": row.stage, "next": due})
