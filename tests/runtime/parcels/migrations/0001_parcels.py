"""A store, a consumer's tables, and what the consumer has seen."""

from alembic import op

from eventlog import schema
from runtime.database import role

revision = "0001"
down_revision = None


def upgrade() -> None:
    schema.upgrade(op, database=op.get_bind().engine.url.database)
    op.execute("CREATE TABLE seen (index bigint PRIMARY KEY, case_id text NOT NULL)")
    op.execute(f'GRANT SELECT, INSERT ON seen TO "{role(op.get_bind(), "app")}"')
