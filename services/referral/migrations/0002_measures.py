"""What is known of measures, so that the agency that carries one out learns what it is.

A referral is no longer the only one of its case, agency, purpose, round and measure: a changed measure is asked for
again under the same consent.
"""

from alembic import op

from runtime.database import role

revision = "0002"
down_revision = "0001"

MEASURES = """
    CREATE TABLE measures (
        measure_id text COLLATE "C" PRIMARY KEY,
        case_id text COLLATE "C" NOT NULL,
        measure text NOT NULL,
        family text NOT NULL,
        urgent boolean NOT NULL,
        implementer text NOT NULL,
        version bigint NOT NULL,
        event_id bytea,
        key_id text,
        ciphertext bytea,
        commitment bytea
    )
"""


def upgrade() -> None:
    """Adds the table, and to each referral the measure that it asks for."""
    op.execute(MEASURES)
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON measures TO "{role(op.get_bind(), "app")}"')
    op.execute(
        "ALTER TABLE referrals ADD COLUMN measure text NOT NULL DEFAULT '',"
        " ADD COLUMN measure_family text NOT NULL DEFAULT '',"
        " ADD COLUMN measure_urgent boolean NOT NULL DEFAULT false,"
        " DROP CONSTRAINT referrals_case_id_agency_purpose_round_measure_id_key"
    )
    op.execute("CREATE INDEX referrals_standing ON referrals (case_id, agency) WHERE next_due IS NOT NULL")
