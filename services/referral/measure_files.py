"""What this room knows of measures, kept from protection's events: `disclosure.MeasureFile` as a table.

A measure's words stay ciphertext. They are copied into the referral that asks its implementer, and nowhere else.
"""

from collections.abc import Iterable

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, Table, Text, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from amparo.protection.v1 import events_pb2 as protection
from amparo.record.v1 import record_pb2
from services.referral.case_files import Word, metadata
from services.referral.disclosure import MEASURE, Disclosed, MeasureFile, SealedField

HOW = "details"
"""The sealed field that says how a measure is to be carried out: of its proposal, then of its last change."""

measures = Table(
    "measures",
    metadata,
    Column("measure_id", Word, primary_key=True),
    Column("case_id", Word, nullable=False),
    Column("measure", Text, nullable=False),
    Column("family", Text, nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("implementer", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("event_id", LargeBinary),
    Column("key_id", Text),
    Column("ciphertext", LargeBinary),
    Column("commitment", LargeBinary),
)


async def read(session: AsyncConnection, measure_id: str) -> MeasureFile | None:
    """A measure as it is to be carried out now; ``None`` if none was read."""
    row = (await session.execute(select(measures).where(measures.c.measure_id == measure_id))).one_or_none()
    if row is None:
        return None
    how = None
    if row.event_id is not None:
        field = SealedField(path=HOW, key_id=row.key_id, ciphertext=row.ciphertext, commitment=row.commitment)
        how = Disclosed(data_class=MEASURE, event_id=row.event_id, field=field)
    return MeasureFile(
        measure_id=row.measure_id,
        case_id=row.case_id,
        measure=row.measure,
        family=row.family,
        urgent=row.urgent,
        implementer=row.implementer,
        version=row.version,
        how=how,
    )


async def keep(session: AsyncConnection, event: record_pb2.Event) -> None:
    """Takes one event of a measure's stream into the file. Taken again, it changes nothing."""
    match event.type:
        case "amparo.protection.v1.MeasureProposed":
            proposed = protection.MeasureProposed.FromString(event.payload)
            family = protection.MeasureFamily.Name(proposed.family).removeprefix("MEASURE_FAMILY_").lower()
            row = {
                "measure_id": proposed.measure_id,
                "case_id": proposed.case_id,
                "measure": proposed.measure,
                "family": family,
                "urgent": proposed.urgent,
                "implementer": proposed.implementer,
                "version": event.version,
                **_how(event.id, event.sealed),
            }
            await session.execute(insert(measures).values(row).on_conflict_do_nothing())
        case "amparo.protection.v1.MeasureModified":
            own = measures.c.measure_id == event.stream.removeprefix("measure/")
            newer = update(measures).where(own, measures.c.version < event.version)
            await session.execute(newer.values(version=event.version, **_how(event.id, event.sealed)))


def _how(event_id: bytes, sealed: Iterable[record_pb2.SealedField]) -> dict[str, object]:
    for field in sealed:
        if field.path == HOW:
            return {
                "event_id": event_id,
                "key_id": field.key_id,
                "ciphertext": field.ciphertext,
                "commitment": field.commitment,
            }
    return {}
