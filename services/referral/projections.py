"""The read tables made of this room's own events, each with the page it serves. Written in the transaction of the act.

Every change of an agency's referrals takes the next number of that agency's counter, while the agency's row is locked
(`hold`): numbers become visible in their order, so whoever reads past a number has seen all before it.
"""

from collections.abc import Iterable, Sequence

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    MetaData,
    RowMapping,
    Select,
    Table,
    Text,
    TextClause,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncConnection

from eventlog.store import EventStore, Recorded
from services.referral.agency import AgencyRegistered, AgreementRecorded
from services.referral.domain import (
    DisclosureWidened,
    ReferralAccepted,
    ReferralAcknowledged,
    ReferralAnswered,
    ReferralRecalled,
    ReferralRejected,
    ReferralSent,
    SilenceNoted,
    Stage,
)

metadata = MetaData()
Word = Text(collation="C")
Instant = DateTime(timezone=True)

agencies = Table(
    "agencies",
    metadata,
    Column("agency", Word, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("superior", Word),
    Column("registered_at", Instant, nullable=False),
    Column("changes", BigInteger, nullable=False),
)
"""Pages: the agencies. ``changes`` counts what happened to the agency's referrals."""

referrals = Table(
    "referrals",
    metadata,
    Column("referral_id", Word, primary_key=True),
    Column("agency", Word, nullable=False),
    Column("case_id", Word, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("round", BigInteger, nullable=False),
    Column("measure_id", Text, nullable=False),
    Column("measure", Text, nullable=False),
    Column("measure_family", Text, nullable=False),
    Column("measure_urgent", Boolean, nullable=False),
    Column("stage", Text, nullable=False),
    Column("imminent", Boolean, nullable=False),
    Column("no_accompaniment", Boolean, nullable=False),
    Column("discloses", ARRAY(Text), nullable=False),
    Column("sent_at", Instant, nullable=False),
    Column("acknowledge_due", Instant, nullable=False),
    Column("answer_due", Instant, nullable=False),
    Column("next_due", Instant),
    Column("version", BigInteger, nullable=False),
    Column("arrival", BigInteger, nullable=False),
    Column("changed", BigInteger, nullable=False),
)
"""Page: an agency's inbox. ``arrival`` is the agency's counter at the sending, ``changed`` at the last event;
``next_due`` is null once nothing is owed."""

agreements = Table(
    "agreements",
    metadata,
    Column("agency", Word, primary_key=True),
    Column("project", Word, primary_key=True),
)
"""Which offices are tied to which projects; no page."""

_ABOVE = text(
    "WITH RECURSIVE above (agency, superior, depth) AS ("
    " SELECT agency, superior, 0 FROM agencies WHERE agency = :agency"
    " UNION ALL SELECT a.agency, a.superior, depth + 1 FROM agencies a JOIN above b ON a.agency = b.superior"
    " WHERE depth < 16) SELECT agency FROM above WHERE depth > 0 ORDER BY depth"
)

_AGENCY_OF = text(
    "SELECT a.agency FROM agencies a JOIN referrals r ON r.agency = a.agency WHERE r.referral_id = :referral_id"
    " FOR UPDATE OF a"
)
_MOVE = text(
    "WITH counted AS (UPDATE agencies SET changes = changes + 1"
    "  WHERE agency = (SELECT agency FROM referrals WHERE referral_id = :referral_id) RETURNING changes)"
    " UPDATE referrals SET version = :version, changed = counted.changes, stage = COALESCE(:stage, stage),"
    " next_due = CASE WHEN CAST(:stage AS text) IS NULL THEN next_due WHEN :owes = 'answer' THEN answer_due END"
    " FROM counted WHERE referral_id = :referral_id"
)


async def hold(session: AsyncConnection, named: Iterable[str]) -> dict[str, RowMapping]:
    """The agencies' rows, locked until the transaction ends. Whoever changes a referral holds its agency first.

    Locks are taken in the order of the ids, so two holders never wait for each other.
    """
    rows = select(agencies).where(agencies.c.agency.in_(set(named))).order_by(agencies.c.agency).with_for_update()
    return {row["agency"]: row for row in (await session.execute(rows)).mappings()}


def agency_of(referral_id: str) -> TextClause:
    """The agency that a referral was sent to, its row locked; no row where there is no such referral."""
    return _AGENCY_OF.bindparams(referral_id=referral_id)


def open_referrals(case_id: str) -> Select[tuple[str, str]]:
    """The referrals of a case that still owe something, and so still disclose."""
    columns = select(referrals.c.referral_id, referrals.c.agency)
    still = columns.where(referrals.c.case_id == case_id, referrals.c.next_due.is_not(None))
    return still.order_by(referrals.c.agency, referrals.c.referral_id)


async def standing(session: AsyncConnection, *, case_id: str, agency: str, purpose: str, measure_id: str) -> str | None:
    """The open referral that asks an agency for the same already, the oldest; ask only while the agency is held."""
    alike = select(referrals.c.referral_id).where(
        referrals.c.case_id == case_id,
        referrals.c.agency == agency,
        referrals.c.purpose == purpose,
        referrals.c.measure_id == measure_id,
        referrals.c.next_due.is_not(None),
    )
    return (await session.execute(alike.order_by(referrals.c.arrival).limit(1))).scalar_one_or_none()


async def above(session: AsyncConnection, agency: str) -> tuple[str, ...]:
    """The offices that command an agency, the nearest first."""
    return tuple((await session.execute(_ABOVE, {"agency": agency})).scalars())


async def apply(session: AsyncConnection, recorded: Sequence[Recorded]) -> None:
    """Brings the tables up to events that were just appended, in their order."""
    for stored in recorded:
        match stored.event:
            case AgencyRegistered() as event:
                await _registered(session, stored, event)
            case AgreementRecorded() as event:
                await session.execute(insert(agreements), {"agency": event.agency, "project": event.project})
            case ReferralSent() as event:
                await _sent(session, stored, event)
            case ReferralAcknowledged():
                await _moved(session, stored, stage=Stage.ACKNOWLEDGED, owes="answer")
            case ReferralAccepted():
                await _moved(session, stored, stage=Stage.ACCEPTED, owes="answer")
            case ReferralRejected():
                await _moved(session, stored, stage=Stage.REJECTED)
            case ReferralAnswered():
                await _moved(session, stored, stage=Stage.ANSWERED)
            case ReferralRecalled():
                await _moved(session, stored, stage=Stage.RECALLED)
            case DisclosureWidened() as event:
                await _widened(session, stored, event)
            case SilenceNoted():
                await _moved(session, stored)
            case _:
                raise KeyError(stored.type)


async def rebuild(session: AsyncConnection, store: EventStore) -> None:
    """Makes the tables again from the events, in the order in which they were appended. The caller holds the acts."""
    await session.execute(delete(agreements))
    await session.execute(delete(referrals))
    await session.execute(delete(agencies))
    found = (await session.execute(text("SELECT event FROM events ORDER BY pos"))).scalars().all()
    await apply(session, [store.read(event) for event in found])


async def _registered(session: AsyncConnection, stored: Recorded, event: AgencyRegistered) -> None:
    row = {
        "agency": event.agency,
        "kind": event.kind.value,
        "name": event.name,
        "region": event.region,
        "superior": event.superior or None,
        "registered_at": stored.recorded_at,
        "changes": 0,
    }
    await session.execute(insert(agencies), row)


async def _sent(session: AsyncConnection, stored: Recorded, event: ReferralSent) -> None:
    number = await _next_change(session, event.agency)
    row = {
        "referral_id": event.referral_id,
        "agency": event.agency,
        "case_id": event.case_id,
        "purpose": event.purpose,
        "round": event.round,
        "measure_id": event.measure_id,
        "measure": event.measure,
        "measure_family": event.measure_family,
        "measure_urgent": event.measure_urgent,
        "stage": Stage.SENT.value,
        "imminent": event.imminent,
        "no_accompaniment": event.no_accompaniment,
        "discloses": sorted({disclosed.data_class for disclosed in event.disclosed}),
        "sent_at": event.sent_at,
        "acknowledge_due": event.acknowledge_due,
        "answer_due": event.answer_due,
        "next_due": event.acknowledge_due,
        "version": stored.version,
        "arrival": number,
        "changed": number,
    }
    await session.execute(insert(referrals), row)


async def _widened(session: AsyncConnection, stored: Recorded, event: DisclosureWidened) -> None:
    own = referrals.c.referral_id == stored.stream.removeprefix("referral/")
    before = (await session.execute(select(referrals.c.discloses).where(own))).scalar_one()
    classes = sorted({*before, *(disclosed.data_class for disclosed in event.disclosed)})
    await session.execute(update(referrals).where(own).values(discloses=classes))
    await _moved(session, stored)


async def _moved(
    session: AsyncConnection, stored: Recorded, *, stage: Stage | None = None, owes: str | None = None
) -> None:
    """``owes`` is the due instant that comes next; ``None``, with a new stage, that nothing is owed any more."""
    given = {
        "referral_id": stored.stream.removeprefix("referral/"),
        "stage": stage,
        "owes": owes,
        "version": stored.version,
    }
    await session.execute(_MOVE, given)


async def _next_change(session: AsyncConnection, agency: str) -> int:
    counted = update(agencies).where(agencies.c.agency == agency).values(changes=agencies.c.changes + 1)
    number: int = (await session.execute(counted.returning(agencies.c.changes))).scalar_one()
    return number
