"""What the disclosing transaction needs of a case, kept from the registry's events: `disclosure.CaseFile` as tables.

Ciphertext copies only. A case's row is locked by whoever changes it, and shared by whoever discloses: each disclosure
sees every withdrawal that was read before it, and a withdrawal finds, and recalls, every referral sent before it.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, MetaData, Table, Text, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from amparo.intake.v1 import events_pb2 as intake
from amparo.record.v1 import record_pb2
from services.referral.disclosure import (
    CONTACT,
    IDENTITY,
    NARRATIVE,
    PLACE,
    CaseFile,
    Consent,
    Disclosed,
    SealedField,
)
from services.referral.projections import agreements

metadata = MetaData()
Word = Text(collation="C")

cases = Table(
    "cases",
    metadata,
    Column("case_id", Word, primary_key=True),
    Column("subject_id", Text, nullable=False),
    Column("subjects", ARRAY(Text), nullable=False),
    Column("region", Text, nullable=False),
    Column("pack", Text, nullable=False),
    Column("pack_version", Text, nullable=False),
    Column("imminent", Boolean, nullable=False),
    Column("no_accompaniment", Boolean, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("excluded", ARRAY(Text), nullable=False),
    Column("conflicted", ARRAY(Text), nullable=False),
    Column("project", Word, nullable=False),
    Column("request_version", BigInteger, nullable=False),
)
consents = Table(
    "consents",
    metadata,
    Column("case_id", Word, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("subject_id", Text, nullable=False),
    Column("agency", Text, nullable=False),
    Column("discloses", ARRAY(Text), nullable=False),
    Column("two_persons", Boolean, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
)
copies = Table(
    "copies",
    metadata,
    Column("case_id", Word, primary_key=True),
    Column("event_id", LargeBinary, primary_key=True),
    Column("path", Word, primary_key=True),
    Column("data_class", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("commitment", LargeBinary, nullable=False),
)

_CLASS_OF_PATH = (
    (re.compile(r"subjects\.\d+\.name"), IDENTITY),
    (re.compile(r"subjects\.\d+\.contact"), CONTACT),
    (re.compile(r"subjects\.\d+\.place"), PLACE),
    (re.compile(r"narrative"), NARRATIVE),
)


def data_class(path: str) -> str | None:
    """The class that a sealed field of the filing belongs to; ``None`` for what no agency is ever told."""
    return next((name for pattern, name in _CLASS_OF_PATH if pattern.fullmatch(path)), None)


async def read(session: AsyncConnection, case_id: str, *, share: bool = False) -> CaseFile | None:
    """The file of a case, with ``share`` held against changes until the transaction ends; ``None`` if none was read."""
    rows = select(cases).where(cases.c.case_id == case_id)
    case = (await session.execute(rows.with_for_update(read=True) if share else rows)).one_or_none()
    if case is None:
        return None
    given = select(consents).where(consents.c.case_id == case_id).order_by(consents.c.version)
    kept = select(copies).where(copies.c.case_id == case_id).order_by(copies.c.event_id, copies.c.path)
    return CaseFile(
        case_id=case.case_id,
        subject_id=case.subject_id,
        subjects=frozenset(case.subjects),
        region=case.region,
        pack=case.pack,
        pack_version=case.pack_version,
        imminent=case.imminent,
        no_accompaniment=case.no_accompaniment,
        withdrawn=case.withdrawn,
        request_version=case.request_version,
        excluded=frozenset(case.excluded),
        conflicted=frozenset(case.conflicted) | await _tied_to(session, case.project),
        consents=tuple(
            Consent(
                version=row.version,
                subject_id=row.subject_id,
                agency=row.agency,
                discloses=frozenset(row.discloses),
                two_persons=row.two_persons,
                withdrawn=row.withdrawn,
            )
            for row in await session.execute(given)
        ),
        copies=tuple(
            Disclosed(
                data_class=row.data_class,
                event_id=row.event_id,
                field=SealedField(
                    path=row.path, key_id=row.key_id, ciphertext=row.ciphertext, commitment=row.commitment
                ),
            )
            for row in await session.execute(kept)
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Whom the filer excluded from a case, who is in conflict, and where it is (ISO 3166-2, empty where the case is not
    known)."""

    excluded: frozenset[str] = frozenset()
    conflicted: frozenset[str] = frozenset()
    region: str = ""


async def limits(session: AsyncConnection, case_id: str) -> Limits:
    """Who may not learn of a case, as read so far."""
    columns = select(cases.c.excluded, cases.c.conflicted, cases.c.project, cases.c.region)
    row = (await session.execute(columns.where(cases.c.case_id == case_id))).one_or_none()
    if row is None:
        return Limits()
    conflicted = frozenset(row.conflicted) | await _tied_to(session, row.project)
    return Limits(excluded=frozenset(row.excluded), conflicted=conflicted, region=row.region)


async def of_project(session: AsyncConnection, project: str) -> Sequence[str]:
    """The cases that name a project."""
    found = select(cases.c.case_id).where(cases.c.project == project).order_by(cases.c.case_id)
    return (await session.execute(found)).scalars().all()


async def _tied_to(session: AsyncConnection, project: str) -> frozenset[str]:
    """The offices that have an agreement with a project: asked where something is disclosed, so none counts late."""
    if not project:
        return frozenset()
    found = select(agreements.c.agency).where(agreements.c.project == project)
    return frozenset((await session.execute(found)).scalars())


async def request_version(session: AsyncConnection, case_id: str) -> int:
    """How far the request's stream has been read; 0 for a case that is not known yet."""
    found = await session.execute(select(cases.c.request_version).where(cases.c.case_id == case_id))
    return found.scalar_one_or_none() or 0


async def keep(session: AsyncConnection, event: record_pb2.Event) -> None:
    """Takes one event of a request's stream into the file. Taken again, it changes nothing."""
    case_id = event.stream.removeprefix("request/")
    if event.type == intake.RequestFiled.DESCRIPTOR.full_name:
        await _filed(session, event, intake.RequestFiled.FromString(event.payload))
        return
    own = cases.c.case_id == case_id
    read_to = update(cases).where(own, cases.c.request_version < event.version).values(request_version=event.version)
    await session.execute(read_to)  # first of all: it locks the case's row
    match event.type:
        case "amparo.intake.v1.ConsentGiven":
            given = intake.ConsentGiven.FromString(event.payload)
            await _consented(session, case_id, given, two_persons=False)
        case "amparo.intake.v1.DisclosureDecided":
            decided = intake.DisclosureDecided.FromString(event.payload)
            if decided.first_person and decided.second_person not in ("", decided.first_person):
                await _consented(session, case_id, decided, two_persons=True)
        case "amparo.intake.v1.ConsentWithdrawn":
            withdrawn = intake.ConsentWithdrawn.FromString(event.payload)
            # All that the subject ever said of this addressee, so that no older consent revives.
            ended = (
                update(consents)
                .where(consents.c.case_id == case_id, consents.c.subject_id == withdrawn.subject_id)
                .where(consents.c.agency == withdrawn.agency, consents.c.version <= withdrawn.consent_version)
            )
            await session.execute(ended.values(withdrawn=True))
        case "amparo.intake.v1.AgencyExcluded":
            named = intake.AgencyExcluded.FromString(event.payload).agency
            exclude = update(cases).where(own, ~cases.c.excluded.any(named))
            await session.execute(exclude.values(excluded=cases.c.excluded.op("||")([named])))
        case "amparo.intake.v1.ConflictRecorded":
            tied = intake.ConflictRecorded.FromString(event.payload).agency
            keep_out = update(cases).where(own, ~cases.c.conflicted.any(tied))
            await session.execute(keep_out.values(conflicted=cases.c.conflicted.op("||")([tied])))
        case "amparo.intake.v1.RequestWithdrawn":
            await session.execute(update(cases).where(own).values(withdrawn=True))


async def _filed(session: AsyncConnection, event: record_pb2.Event, filed: intake.RequestFiled) -> None:
    case = {
        "case_id": filed.case_id,
        "subject_id": filed.subjects[0].subject_id,
        "subjects": [subject.subject_id for subject in filed.subjects if not subject.linked],
        "region": filed.region,
        "pack": filed.pack,
        "pack_version": filed.pack_version,
        "imminent": filed.imminent,
        "no_accompaniment": filed.no_accompaniment,
        "withdrawn": False,
        "excluded": list(filed.excluded),
        "conflicted": [],
        "project": filed.project,
        "request_version": event.version,
    }
    await session.execute(insert(cases).values(case).on_conflict_do_nothing())
    kept = [
        {
            "case_id": filed.case_id,
            "event_id": event.id,
            "path": field.path,
            "data_class": name,
            "key_id": field.key_id,
            "ciphertext": field.ciphertext,
            "commitment": field.commitment,
        }
        for field, name in _told(event.sealed)
    ]
    if kept:
        await session.execute(insert(copies).values(kept).on_conflict_do_nothing())


def _told(sealed: Iterable[record_pb2.SealedField]) -> Iterable[tuple[record_pb2.SealedField, str]]:
    for field in sealed:
        if (name := data_class(field.path)) is not None:
            yield field, name


async def _consented(
    session: AsyncConnection, case_id: str, given: intake.ConsentGiven | intake.DisclosureDecided, *, two_persons: bool
) -> None:
    row = {
        "case_id": case_id,
        "version": given.consent_version,
        "subject_id": given.subject_id,
        "agency": given.agency,
        "discloses": list(given.discloses),
        "two_persons": two_persons,
        "withdrawn": False,
    }
    await session.execute(insert(consents).values(row).on_conflict_do_nothing())
