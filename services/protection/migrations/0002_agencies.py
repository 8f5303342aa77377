"""The ids of registered agencies, so that no measure waits for an implementer that does not exist."""

from alembic import op

from runtime.agencies import TABLE
from runtime.database import role

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the table and grants its use."""
    op.execute(TABLE)
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON agencies TO "{role(op.get_bind(), "app")}"')
