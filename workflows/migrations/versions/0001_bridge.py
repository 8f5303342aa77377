"""The bridge's tables: where it stands in each source, what it told, and which streams have clocks to keep."""

from alembic import op

from eventlog import schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    database = str(op.get_bind().engine.url.database)
    schema.upgrade(op, database=database, store=False)
    op.execute(
        f"""
        CREATE TABLE told (
            source text NOT NULL, stream text NOT NULL, version bigint NOT NULL, PRIMARY KEY (source, stream)
        );
        COMMENT ON TABLE told IS 'The last version of each stream that its workflow was told of.';
        CREATE TABLE open_streams (stream text PRIMARY KEY, case_id text NOT NULL);
        COMMENT ON TABLE open_streams IS 'Streams whose clocks run: each has a workflow, or gets one.';
        GRANT SELECT, INSERT, UPDATE ON told TO "{database}_app";
        GRANT SELECT, INSERT, DELETE ON open_streams TO "{database}_app";
        """
    )
