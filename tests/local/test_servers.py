"""The three servers as the tests share them."""

import psycopg
import pytest
from sqlalchemy.engine import make_url

from local import kafka as kafka_broker
from local import postgres as postgres_server
from local import temporal as temporal_server
from tests.stack import Databases


def test_the_broker_answers_a_metadata_request(kafka: str) -> None:
    """A real Kafka, not something that listens on its port."""
    kafka_broker.check(kafka)


def test_a_worker_has_a_namespace_of_its_own(temporal: str, temporal_namespace: str) -> None:
    """Workflows of two workers never meet."""
    temporal_server.check(temporal, temporal_namespace)


def test_each_role_enters_its_own_database_only(databases: Databases) -> None:
    """A service that is broken into reaches its own database, and no other's."""
    intake, referral = databases.url("intake"), databases.url("referral")
    with postgres_server.connect(intake) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (f"{databases.mechanism}_intake_app",)
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        postgres_server.connect(intake, database=make_url(referral).database)


@pytest.mark.parametrize("role", ["app", "sequencer"])
def test_no_role_of_a_running_service_owns_or_makes_anything(databases: Databases, role: str) -> None:
    """What a service may touch is what its migrations granted."""
    with (
        postgres_server.connect(databases.url("intake", role)) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("CREATE TABLE mine (n int)")


def test_a_wrong_password_is_refused(databases: Databases) -> None:
    """The loopback is no credential."""
    wrong = make_url(databases.url("intake")).set(password="wrong").render_as_string(hide_password=False)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        postgres_server.connect(wrong)


def test_provisioning_again_keeps_what_is_known(postgres: str, databases: Databases) -> None:
    """A second start changes no password, so a running service keeps its connections."""
    first = postgres_server.provision(postgres, mechanism=databases.mechanism, services=["vault"])
    again = postgres_server.provision(postgres, mechanism=databases.mechanism, services=["vault"], known=first)
    assert again == first
    with postgres_server.connect(first["vault_referral"]) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    postgres_server.drop(postgres, mechanism=databases.mechanism)


@pytest.mark.parametrize("service", ["intake", "vault"])
def test_a_migrated_database_gives_its_service_what_it_needs_and_no_more(databases: Databases, service: str) -> None:
    """Tables come from migrations; the role of a running service cannot remove one."""
    databases.migrate(service).migrate(service)
    with postgres_server.connect(databases.url(service, "owner")) as owner:
        tables = owner.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
    assert len(tables) > 1
    with postgres_server.connect(databases.url(service)) as app, pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("DROP TABLE alembic_version")
