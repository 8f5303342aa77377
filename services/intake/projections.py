"""Owns the registry's read tables: `requests` and `incidents`, written in the transaction of the act that changed them.

They hold codes, counts and ids, never personal data. A row is what its stream folds to, so `rebuild` replays all.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce

from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    DateTime,
    Integer,
    MetaData,
    Row,
    Select,
    Table,
    Text,
    and_,
    delete,
    false,
    or_,
    select,
    text,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from access.policy import Action, State, Subject, reach
from eventlog.store import Actor, Beside, EventStore, History, Recorded
from services.intake import domain, incident
from services.intake.domain import Request
from services.intake.events import EvidenceAdded, IncidentReported, IncidentVerified, RequestFiled
from services.intake.incident import Incident
from services.intake.vocabulary import Verification

TABLES = MetaData()
"""What is read and written here; the migration says the rest (not null, indexes, grants)."""

requests = Table(
    "requests",
    TABLES,
    Column("case_id", Text, primary_key=True),
    Column("owner", Text),
    Column("recorded_at", DateTime(timezone=True)),
    Column("version", Integer),
    Column("stage", Text),
    Column("filed_by", Text),
    Column("subjects", JSONB),
    Column("incident", Text),
    Column("perpetrator", Text),
    Column("repeated_perpetrator", Boolean),
    Column("imminent", Boolean),
    Column("region", Text),
    Column("causes", ARRAY(Text)),
    Column("project", Text),
    Column("territory", Text),
    Column("no_accompaniment", Boolean),
    Column("language", Text),
    Column("pack", Text),
    Column("pack_version", Text),
    Column("excluded", ARRAY(Text)),
    Column("conflicted", ARRAY(Text)),
    Column("consents", JSONB),
    Column("evidence", Integer),
)

incidents = Table(
    "incidents",
    TABLES,
    Column("incident_id", Text, primary_key=True),
    Column("owner", Text),
    Column("recorded_at", DateTime(timezone=True)),
    Column("version", Integer),
    Column("case_id", Text),
    Column("kind", Text),
    Column("perpetrator", Text),
    Column("repeated_perpetrator", Boolean),
    Column("happened_at", DateTime(timezone=True)),
    Column("region", Text),
    Column("charges", ARRAY(Text)),
    Column("violence", ARRAY(Text)),
    Column("causes", ARRAY(Text)),
    Column("project", Text),
    Column("territory", Text),
    Column("office", Text),
    Column("verification", Text),
    Column("duplicate_of", Text),
)

STATE: Mapping[domain.Stage, State] = {
    domain.Stage.UNFILED: State.OPEN,
    domain.Stage.OPEN: State.OPEN,
    domain.Stage.WITHDRAWN: State.WITHDRAWN,
}
"""Where a request stands, as the policy asks."""

# In the driver's own form, and with one parameter instead of twenty: on the path of a filing, working out statement and
# parameters costs more than storing them.
_INSERT_REQUEST = "INSERT INTO requests SELECT * FROM jsonb_populate_record(NULL::requests, %s::jsonb)"
REQUEST_ROW = Beside(
    "INSERT INTO requests SELECT r.* FROM act, jsonb_populate_record(NULL::requests, %s::jsonb) AS r WHERE act.stored",
    given=lambda recorded: (_as_json(_request(recorded, fold_request(History(recorded, len(recorded))))),),
)
"""The row of a request just filed, written in the append's own statement."""
_INSERT_INCIDENT = "INSERT INTO incidents SELECT * FROM jsonb_populate_record(NULL::incidents, %s::jsonb)"


def owner(actor: Actor) -> str:
    """To whom a filing belongs: the actor's unit, or the actor where it acts for none."""
    return Subject.of(actor).owner


async def kept_from(session: AsyncConnection, case_id: str) -> tuple[Collection[str], Collection[str], domain.Stage]:
    """Who must not learn of a case, who is in conflict, and where its request stands; nobody, and open, where there is
    no case."""
    found = select(requests.c.excluded, requests.c.conflicted, requests.c.stage).where(requests.c.case_id == case_id)
    row = (await session.execute(found)).one_or_none() if case_id else None
    return ((), (), domain.Stage.OPEN) if row is None else (row.excluded, row.conflicted, domain.Stage(row.stage))


def in_reach(table: Table, subject: Subject, action: Action) -> ColumnElement[bool]:
    """The rows to which the subject may do this, as `access.policy` decides for each of them."""
    allowed = reach(subject, action)
    own = table.c.owner == subject.owner if allowed.own else false()
    whole = table.c.region == subject.region if subject.region else true()
    conditions = [whole if allowed.all_of else own]
    if subject.unit:
        kept = or_(requests.c.excluded.contains([subject.unit]), requests.c.conflicted.contains([subject.unit]))
        excluding = select(requests.c.case_id).where(kept)
        conditions.append(table.c.case_id.not_in(excluding))
    return and_(*conditions)


async def insert_request(session: AsyncConnection, recorded: Sequence[Recorded], state: Request) -> None:
    """The row of a request just filed; ``state`` is folded from ``recorded``."""
    await session.exec_driver_sql(_INSERT_REQUEST, (_as_json(_request(recorded, state)),))


async def update_request(session: AsyncConnection, state: Request, *, version: int, added_evidence: int) -> None:
    """What may change of a request's row after an act."""
    changed = {
        "version": version,
        "stage": state.stage.value,
        "excluded": sorted(state.excluded),
        "conflicted": sorted(state.conflicted),
        "consents": consents(state),
        "evidence": requests.c.evidence + added_evidence,
    }
    await session.execute(update(requests).where(requests.c.case_id == state.case_id).values(changed))


async def insert_incident(session: AsyncConnection, recorded: Sequence[Recorded]) -> None:
    """The row of an incident just reported."""
    await session.exec_driver_sql(_INSERT_INCIDENT, (_as_json(incident_row(recorded)),))


async def update_incident(session: AsyncConnection, state: Incident, *, version: int, duplicate_of: str) -> None:
    """How far an incident is established now."""
    changed = {"version": version, "verification": state.standing, "duplicate_of": duplicate_of}
    await session.execute(update(incidents).where(incidents.c.incident_id == state.incident_id).values(changed))


async def page(
    session: AsyncConnection,
    table: Table,
    *,
    subject: Subject,
    action: Action,
    filters: Iterable[tuple[str, str]],
    after: tuple[datetime, str] | None,
    limit: int,
) -> Sequence[Row[tuple[object, ...]]]:
    """Up to ``limit`` rows, newest first, behind ``after`` (recorded_at, id): those to which the subject may do this.

    ``filters`` are (column, value); of an array column, one of its values.
    """
    id_column = next(iter(table.primary_key.columns))
    query: Select[tuple[object, ...]] = (
        select(table)
        .where(in_reach(table, subject, action))
        .order_by(table.c.recorded_at.desc(), id_column.desc())
        .limit(limit)
    )
    for name, value in filters:
        column = table.c[name]
        query = query.where(column.contains([value]) if isinstance(column.type, ARRAY) else column == value)
    if after is not None:
        query = query.where(tuple_(table.c.recorded_at, id_column) < after)
    return (await session.execute(query)).all()


async def rebuild(session: AsyncConnection, store: EventStore) -> int:
    """Makes both tables anew from the streams, in the caller's transaction. Answers with the number of streams.

    Acts wait until it has ended, reads do not.
    """
    await session.execute(text("LOCK TABLE requests, incidents IN SHARE ROW EXCLUSIVE MODE"))
    await session.execute(delete(requests))
    await session.execute(delete(incidents))
    streams = (await session.execute(text("SELECT stream FROM events WHERE version = 1 ORDER BY pos"))).scalars().all()
    for stream in streams:
        history = await store.load(session, stream)
        if stream.startswith("request/"):
            await insert_request(session, history.events, fold_request(history))
        elif stream.startswith("incident/"):
            await insert_incident(session, history.events)
    return len(streams)


def fold_request(history: History) -> Request:
    """The request that a stream tells of; its initial state for an empty stream."""
    return reduce(domain.evolve, (recorded.event for recorded in history.events), Request())


def fold_incident(history: History) -> Incident:
    """The incident that a stream tells of; its initial state for an empty stream."""
    return reduce(incident.evolve, (recorded.event for recorded in history.events), Incident())


def _request(recorded: Sequence[Recorded], state: Request) -> dict[str, object]:
    filed = recorded[0].event
    assert isinstance(filed, RequestFiled)
    return {
        "case_id": filed.case_id,
        "owner": owner(recorded[0].actor),
        "recorded_at": recorded[0].recorded_at,
        "version": recorded[-1].version,
        "stage": state.stage.value,
        "filed_by": filed.filed_by.value,
        "subjects": [
            {"subject_id": subject.subject_id, "kind": subject.kind.value, "linked": subject.linked}
            for subject in filed.subjects
        ],
        "incident": filed.incident.value,
        "perpetrator": filed.perpetrator.value,
        "repeated_perpetrator": filed.repeated_perpetrator,
        "imminent": filed.imminent,
        "region": filed.region,
        "causes": list(filed.causes),
        "project": filed.project,
        "territory": filed.territory,
        "no_accompaniment": filed.no_accompaniment,
        "language": filed.language,
        "pack": filed.pack,
        "pack_version": filed.pack_version,
        "excluded": sorted(state.excluded),
        "conflicted": sorted(state.conflicted),
        "consents": consents(state),
        "evidence": evidence_in(recorded),
    }


def _as_json(row: dict[str, object]) -> str:
    return json.dumps(row, default=datetime.isoformat)


def evidence_in(recorded: Sequence[Recorded]) -> int:
    """How many pieces of evidence these events add."""
    return sum(isinstance(each.event, EvidenceAdded) for each in recorded)


def consents(state: Request) -> list[dict[str, object]]:
    return [
        {
            "agency": agency,
            "subject_id": subject,
            "consent_version": ground.version,
            "discloses": sorted(ground.discloses),
            "by_two": ground.by_two,
        }
        for (subject, agency), ground in sorted(state.grounds.items(), key=lambda item: item[1].version)
    ]


def incident_row(recorded: Sequence[Recorded]) -> dict[str, object]:
    reported, last = recorded[0].event, recorded[-1].event
    assert isinstance(reported, IncidentReported)
    judged = last if isinstance(last, IncidentVerified) else None
    return {
        "incident_id": reported.incident_id,
        "owner": owner(recorded[0].actor),
        "recorded_at": recorded[0].recorded_at,
        "version": recorded[-1].version,
        "case_id": reported.case_id,
        "kind": reported.kind.value,
        "perpetrator": reported.perpetrator.value,
        "repeated_perpetrator": reported.repeated_perpetrator,
        "happened_at": reported.happened_at,
        "region": reported.region,
        "charges": [charge.value for charge in reported.charges],
        "violence": [form.value for form in reported.violence],
        "causes": list(reported.causes),
        "project": reported.project,
        "territory": reported.territory,
        "office": reported.office,
        "verification": (judged.verification if judged else Verification.REPORTED).value,
        "duplicate_of": judged.duplicate_of if judged else "",
    }
