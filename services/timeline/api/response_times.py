"""How fast each agency answers, and the referrals behind each figure."""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import Select, select, tuple_

from access.authorization import allowed, may
from access.policy import DataClass
from access.problems import FieldError, Problem, responses
from eventlog.store import Actor
from procedures import packs
from runtime.answers import Answer, Says
from runtime.forms import Instant
from runtime.pages import DEFAULT_PAGE, Cursor, Limit, cursor, place
from services.timeline import visibility
from services.timeline.api.reached import MarkOf, is_stale
from services.timeline.parts import Parts, PartsOf
from services.timeline.projections import agencies, cases, referrals
from services.timeline.response_times import ACTS, DEFINITION, Figures, Milestone, Times, Wait, by_agency

router = APIRouter(tags=["response times"])

AgencyId = Annotated[str, Path(max_length=128, pattern=r"^[A-Za-z0-9._:@-]+$")]
Purpose = Annotated[
    str | None, Query(max_length=64, pattern=r"^[A-Za-z0-9_.-]+$", description="Only referrals for this")
]
From = Annotated[Instant | None, Query(alias="from", description="Only referrals sent at or after this instant")]
To = Annotated[Instant | None, Query(alias="to", description="Only referrals sent before this instant")]
AsOf = Annotated[Instant | None, Query(description="As things stood then; by default now. Not in the future")]


class AgencyItem(Answer, says=DataClass.AGENCY_FACTS):
    """One agency. ``name`` and ``kind`` are empty until its registration is here."""

    agency: str
    kind: str
    name: str
    figures: Figures


class ResponseTimes(Answer, says=DataClass.PUBLIC):
    """Times are in milliseconds between recorded instants, as ``definition`` says; what is open at ``as_of`` is
    censored.
    """

    definition: str
    measured_by: Literal["recorded_at"] = "recorded_at"
    as_of: datetime
    stale: bool
    items: list[AgencyItem]
    next_cursor: None = None


class Reached(Answer, says=DataClass.AGENCY_FACTS):
    """A recorded act: when it was recorded, when its actor says it happened, and its record."""

    recorded_at: datetime
    claimed_at: datetime
    record: Annotated[str, Says(DataClass.EVIDENCE_METADATA)] = Field(description="`<source>:<index>`")
    late: bool | None = Field(description="What the record itself states; null where it states nothing")


class Obligation(Answer, says=DataClass.AGENCY_FACTS):
    """One limit of a referral and what became of it. ``waited_ms`` runs on to ``as_of`` while it is waiting."""

    state: Literal["waiting", "met", "ended"]
    kind: str = Field(description="`statutory` or `service_target`; empty where the pack is not known")
    due: datetime | None
    overdue: bool = Field(description="Waits beyond `due`, or ended after it")
    waited_ms: int
    record: Annotated[str | None, Says(DataClass.EVIDENCE_METADATA)] = Field(description="The record that ended it")


class ReferralItem(Answer, says=DataClass.AGENCY_FACTS):
    """One referral behind the figures. ``case_id`` only for whom the policy tells facts of the case here."""

    referral_id: str
    case_id: Annotated[str, Says(DataClass.CASE_FACTS)]
    agency: str
    purpose: str
    round: int
    pack: str
    pack_version: str
    sent: Reached
    acknowledged: Reached | None
    accepted: Reached | None
    rejected: Reached | None
    answered: Reached | None
    recalled: Reached | None
    to_acknowledge: Obligation
    to_answer: Obligation


class ReferralPage(Answer, says=DataClass.PUBLIC):
    """Referrals, the latest sent first."""

    definition: str
    as_of: datetime
    stale: bool
    items: list[ReferralItem]
    next_cursor: str | None


@router.get("/v1/response-times", responses=responses())
async def read_response_times(
    parts: PartsOf,
    actor: Annotated[Actor, may("figures.read")],
    at_least: MarkOf,
    purpose: Purpose = None,
    sent_from: From = None,
    sent_to: To = None,
    as_of: AsOf = None,
) -> ResponseTimes:
    """Per agency: how many referrals, what became of them, what is overdue, and the times to the first act and to the
    answer.

    An agency sees its own figures. Every figure names the records it comes from. The plain median, p90 and slowest know
    closed referrals only, and flatter whoever leaves the hard ones open; the estimates beside them (Kaplan–Meier) do
    not.
    """
    at, stale = await _asked(parts, actor, at_least, as_of, sent=(sent_from, sent_to))
    found = _filtered(actor, purpose=purpose, sent_from=sent_from, sent_to=sent_to, as_of=at)
    async with parts.engine.connect() as session:
        times = [_times(row) for row in (await session.execute(found)).all()]
        known = {row.agency: row for row in (await session.execute(select(agencies))).all()}
    return ResponseTimes(
        definition=DEFINITION,
        as_of=at,
        stale=stale,
        items=[
            AgencyItem(
                agency=figures.agency,
                kind=known[figures.agency].kind if figures.agency in known else "",
                name=known[figures.agency].name if figures.agency in known else "",
                figures=figures,
            )
            for figures in by_agency(times, as_of=at)
        ],
    )


@router.get("/v1/response-times/{agency}/referrals", responses=responses("invalid-cursor"))
async def list_referrals(
    parts: PartsOf,
    actor: Annotated[Actor, may("figures.read")],
    agency: AgencyId,
    at_least: MarkOf,
    purpose: Purpose = None,
    sent_from: From = None,
    sent_to: To = None,
    as_of: AsOf = None,
    after: Annotated[Cursor, Query(alias="cursor")] = None,
    limit: Limit = DEFAULT_PAGE,
) -> ReferralPage:
    """The rows behind an agency's figures, the latest sent first."""
    at, stale = await _asked(parts, actor, at_least, as_of, sent=(sent_from, sent_to))
    found = _filtered(actor, purpose=purpose, sent_from=sent_from, sent_to=sent_to, as_of=at)
    found = found.where(referrals.c.agency == agency)
    order = (referrals.c.sent_at, referrals.c.referral_id)
    page = found.order_by(*(column.desc() for column in order)).limit(limit + 1)
    if after is not None:
        page = page.where(tuple_(*order) < tuple_(*place(after, datetime, str)))
    async with parts.engine.connect() as session:
        rows = (await session.execute(page)).all()
        if not rows and not await _is_known(session, actor, agency):
            raise Problem("not-found")
    items = [_item(_times(row).at(at), row, as_of=at) for row in rows[:limit]]
    following = cursor(items[-1].sent.recorded_at, items[-1].referral_id) if len(rows) > limit else None
    return ReferralPage(definition=DEFINITION, as_of=at, stale=stale, items=items, next_cursor=following)


async def _asked(
    parts: Parts,
    actor: Actor,
    at_least: MarkOf,
    as_of: datetime | None,
    *,
    sent: tuple[datetime | None, datetime | None],
) -> tuple[datetime, bool]:
    """For which instant, and whether what the caller waits for is missing. Raises `Problem` for a future instant, and
    for a range that ends before it begins.
    """
    start, end = sent
    if start is not None and end is not None and start > end:
        raise Problem("invalid-request", errors=[FieldError(reason="out-of-order", parameter="to")])
    visible = visibility.of_case(actor) if allowed(actor.role, "timeline.read") else visibility.of_answers(actor)
    stale = await is_stale(at_least, engine=parts.engine, wake=parts.wake, visible=visible)
    now = parts.clock()
    if as_of is not None and as_of > now:
        raise Problem("invalid-request", errors=[FieldError(reason="in-future", parameter="as_of")])
    return as_of or now, stale


async def _is_known(session: Any, actor: Actor, agency: str) -> bool:
    """Whether the agency exists for the actor: its own, or a registered one for those who see all."""
    if agency == actor.unit:
        return True
    registered = select(agencies.c.agency).where(agencies.c.agency == agency)
    return visibility.sees_every_agency(actor) and (await session.execute(registered)).one_or_none() is not None


def _filtered(
    actor: Actor, *, purpose: str | None, sent_from: datetime | None, sent_to: datetime | None, as_of: datetime
) -> Select[Any]:
    joined = referrals.outerjoin(cases, cases.c.case_id == referrals.c.case_id)
    found = select(referrals).select_from(joined).where(visibility.of_referral(actor), referrals.c.sent_at <= as_of)
    if purpose is not None:
        found = found.where(referrals.c.purpose == purpose)
    if sent_from is not None:
        found = found.where(referrals.c.sent_at >= sent_from)
    if sent_to is not None:
        found = found.where(referrals.c.sent_at < sent_to)
    return found


def _times(row: Any) -> Times:
    acts = {act: _milestone(row, act) for act in ACTS}
    sent = Milestone(at=row.sent_at, claimed=row.sent_claimed, index=row.sent_index)
    acknowledge_kind, answer_kind = _kinds(row.pack, row.pack_version, row.purpose)
    return Times(
        source=row.source,
        referral_id=row.referral_id,
        case_id=row.case_id,
        agency=row.agency,
        purpose=row.purpose,
        round=row.round,
        pack=row.pack,
        sent=sent,
        acknowledge_due=row.acknowledge_due,
        acknowledge_kind=acknowledge_kind,
        answer_due=row.answer_due,
        answer_kind=answer_kind,
        **acts,
    )


def _milestone(row: Any, act: str) -> Milestone | None:
    values = row._mapping
    if values[f"{act}_at"] is None:
        return None
    return Milestone(
        at=values[f"{act}_at"],
        claimed=values[f"{act}_claimed"],
        index=values[f"{act}_index"],
        late=values[f"{act}_late"],
    )


@lru_cache(maxsize=1024)
def _kinds(pack: str, version: str, purpose: str) -> tuple[str, str]:
    """The kinds of the limits of the first act and of the answer; empty where this version does not know the pack."""
    try:
        rules = packs.load(pack, version=version).purpose(purpose)
    except (packs.PackError, KeyError):
        return "", ""
    kinds = {clock.name: str(clock.kind) for clock in rules.clocks}
    return kinds.get("acknowledge", ""), kinds.get("answer", "")


def _item(times: Times, row: Any, *, as_of: datetime) -> ReferralItem:
    return ReferralItem(
        referral_id=times.referral_id,
        case_id=times.case_id,
        agency=times.agency,
        purpose=times.purpose,
        round=times.round,
        pack=times.pack,
        pack_version=row.pack_version,
        sent=_reached(times, times.sent),
        acknowledged=_reached_or_none(times, times.acknowledged),
        accepted=_reached_or_none(times, times.accepted),
        rejected=_reached_or_none(times, times.rejected),
        answered=_reached_or_none(times, times.answered),
        recalled=_reached_or_none(times, times.recalled),
        to_acknowledge=_obligation(
            times, times.acknowledging(as_of), kind=times.acknowledge_kind, due=times.acknowledge_due, as_of=as_of
        ),
        to_answer=_obligation(times, times.answering(as_of), kind=times.answer_kind, due=times.answer_due, as_of=as_of),
    )


def _reached(times: Times, act: Milestone) -> Reached:
    record = f"{times.source}:{act.index}"
    return Reached(recorded_at=act.at, claimed_at=act.claimed, record=record, late=act.late)


def _reached_or_none(times: Times, act: Milestone | None) -> Reached | None:
    return None if act is None else _reached(times, act)


def _obligation(times: Times, wait: Wait, *, kind: str, due: datetime | None, as_of: datetime) -> Obligation:
    state: Literal["waiting", "met", "ended"] = "waiting" if wait.running else "met" if wait.met else "ended"
    return Obligation(
        state=state,
        kind=kind,
        due=due,
        overdue=wait.late or (wait.running and due is not None and as_of > due),
        waited_ms=wait.ms,
        record=f"{times.source}:{wait.by.index}" if wait.by else None,
    )
