"""An entry as it is read: one record in plain words, how long after it was asked, and against which limit."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import Select, and_, or_, select, true

from access.policy import DataClass
from runtime.answers import Answer, Says
from services.timeline.projections import cases, clocks, entries, referrals
from services.timeline.reading import CLOCK_STOPPED, FILING, SENDING
from services.timeline.response_times import milliseconds


class Actor(Answer, says=DataClass.AGENCY_FACTS):
    """For whom somebody acted. Never who."""

    role: str
    unit: str = Field(description="Agency or organisation, empty where there is none")


class Limit(Answer, says=DataClass.CASE_FACTS):
    """What an act is measured against."""

    clock: str = Field(description="Name of the clock in the rule pack, empty for an act on a referral")
    kind: str = Field(description="`statutory` or `service_target`; empty where the record does not say")
    due: datetime | None
    late: bool | None = Field(description="Whether it came after `due`; null where nothing was owed by it")


class Entry(Answer, says=DataClass.CASE_FACTS):
    """One record of a source."""

    id: Annotated[str, Says(DataClass.EVIDENCE_METADATA)] = Field(
        description="`<source>:<index>`", examples=["pe.referral:7"]
    )
    source: Annotated[str, Says(DataClass.EVIDENCE_METADATA)]
    index: Annotated[int, Says(DataClass.EVIDENCE_METADATA)]
    event_hash: Annotated[str, Says(DataClass.EVIDENCE_METADATA)] = Field(
        description="Hex SHA-256 of the event's bytes: what a receipt signs"
    )
    case_id: str = Field(description="Empty where the record belongs to no case")
    stream: str
    version: int
    type: str
    kind: str = Field(description="What happened, as a closed word; `unknown` for a type of a later version")
    recorded_at: datetime = Field(description="When it was recorded, the receipt's instant: all is measured by it")
    occurred_at: datetime = Field(description="When it happened, as its actor claims")
    actor: Annotated[Actor, Says(DataClass.AGENCY_FACTS)]
    agency: Annotated[str, Says(DataClass.AGENCY_FACTS)] = Field(
        description="The agency asked or acting, empty where there is none"
    )
    since: Literal["filing", "referral"] | None = Field(description="What `after_ms` counts from")
    after_ms: int | None = Field(description="From the recorded filing, or sending of the referral, to `recorded_at`")
    limit: Limit | None
    details: Annotated[Mapping[str, Any], Says(DataClass.CASE_FACTS, DataClass.RISK)] = Field(
        description="Closed codes, numbers and truths of the record"
    )


def selected() -> Select[Any]:
    """Entries with what they are measured by; joined with `cases`, so that who may see them can be asked for."""
    run = _run_stopped_by_entry().lateral("run")
    return (
        select(
            entries,
            cases.c.filed_at,
            referrals.c.sent_at,
            run.c.clock.label("run_clock"),
            run.c.kind.label("run_kind"),
            run.c.due.label("run_due"),
            run.c.late.label("run_late"),
        )
        .select_from(entries)
        .outerjoin(cases, cases.c.case_id == entries.c.case_id)
        .outerjoin(referrals, and_(referrals.c.referral_id == entries.c.referral_id, entries.c.referral_id != ""))
        .outerjoin(run, true())
    )


def _run_stopped_by_entry() -> Select[Any]:
    """The clock that the entry's act stopped: the records of one act share their stream and their instant.

    Where one act meets several duties, the limit that came first is shown.
    """
    same_act = and_(entries.c.clock == "", clocks.c.met, clocks.c.stopped_recorded_at == entries.c.recorded_at)
    itself = and_(entries.c.kind == CLOCK_STOPPED, clocks.c.stopped_index == entries.c.index)
    here = and_(clocks.c.source == entries.c.source, clocks.c.stream == entries.c.stream, or_(same_act, itself))
    found = select(clocks).where(here).order_by(clocks.c.due.nulls_last(), clocks.c.clock).limit(1)
    return found.correlate(entries)


def entry(row: Any) -> Entry:
    """The model of one row of `selected`."""
    asked = {FILING: row.filed_at, SENDING: row.sent_at}.get(row.since)
    return Entry(
        id=f"{row.source}:{row.index}",
        source=row.source,
        index=row.index,
        event_hash=row.event_hash.hex(),
        case_id=row.case_id,
        stream=row.stream,
        version=row.version,
        type=row.type,
        kind=row.kind,
        recorded_at=row.recorded_at,
        occurred_at=row.occurred_at,
        actor=Actor(role=row.actor_role, unit=row.actor_unit),
        agency=row.agency,
        since=row.since if asked else None,
        after_ms=milliseconds(asked, row.recorded_at) if asked else None,
        limit=_limit(row),
        details=row.details,
    )


def _limit(row: Any) -> Limit | None:
    if row.due is None and row.run_due is None:
        return None
    if row.run_due is None:
        return Limit(clock=row.clock, kind=str(row.details.get("kind", "")), due=row.due, late=row.late)
    return Limit(clock=row.run_clock, kind=row.run_kind, due=row.run_due, late=row.run_late)
