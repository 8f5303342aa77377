"""The order in which records were taken in: one sequence over all sources, gapless from 0. The timeline's own truth.

It cannot be had again from Kafka, whose topics know nothing of each other; so nothing that runs may change or remove
it, and a rebuild keeps it and checks every replayed record against it. Writing a place takes the lock of the one row
that counts them, and holds it to the end of the transaction: so places become visible in their order, and whoever reads
past a place has seen all before it.
"""

from hashlib import sha256

from sqlalchemy import BigInteger, Boolean, Column, LargeBinary, MetaData, Table, Text, text
from sqlalchemy.ext.asyncio import AsyncConnection

CHANNEL = "amparo_timeline"

metadata = MetaData()

places = Table(
    "log",
    metadata,
    Column("position", BigInteger, primary_key=True),
    Column("source", Text(collation="C"), nullable=False),
    Column("index", BigInteger, nullable=False),
    Column("leaf", LargeBinary, nullable=False),
)
"""The record at each place. ``leaf`` is the RFC 6962 leaf hash of its bytes."""

size = Table("log_size", metadata, Column("one", Boolean, primary_key=True), Column("size", BigInteger, nullable=False))

_PLACE = text(
    "WITH taken AS (UPDATE log_size SET size = size + 1 RETURNING size - 1 AS position),"
    " placed AS (INSERT INTO log SELECT position, :source, :index, :leaf FROM taken RETURNING position)"
    " SELECT position, pg_notify(:channel, '') FROM placed"
).bindparams(channel=CHANNEL)
_HOLD = text("SELECT size FROM log_size FOR UPDATE")


def leaf(record: bytes) -> bytes:
    """The 32 bytes by which a Merkle tree knows the record (RFC 6962, 2.1)."""
    return sha256(b"\x00" + record).digest()


async def place(session: AsyncConnection, *, source: str, index: int, record: bytes) -> int:
    """Gives the record the next position, and tells whoever waits for news once the transaction commits.

    Raises ``sqlalchemy.exc.IntegrityError`` for a record that has a place already.
    """
    given = {"source": source, "index": index, "leaf": leaf(record)}
    position: int = (await session.execute(_PLACE, given)).one().position
    return position


async def hold(session: AsyncConnection) -> int:
    """The number of places; until the transaction ends nobody adds one."""
    return int((await session.execute(_HOLD)).scalar_one())
