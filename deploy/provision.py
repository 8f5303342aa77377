"""Owns the jobs that prepare the servers before Amparo's processes start; each is safe to repeat.

`python -m deploy.provision databases` makes databases and roles, with the passwords of the secrets; `… topics` makes
the topics, on as many brokers as AMPARO_REPLICATION says, and tells of one that is on fewer.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

from deploy.make_secrets import PLATFORM, STORES
from eventlog.kafka import KafkaError, Replication, TopicUnfit, ensure_topic, open_admin
from runtime.provisioning import connect, provision
from runtime.settings import SECRETS, SettingMissing, Settings


class BadTopic(Exception):
    """A topic is on fewer brokers than it has to be."""


def databases(folder: Path, *, mechanism: str) -> None:
    """Make the databases and roles of ``databases.json`` below ``folder``. Raises ``psycopg.Error``, ``OSError``."""
    admin = (folder / "postgres_admin_url").read_text().strip()
    urls: Mapping[str, str] = json.loads((folder / "databases.json").read_text())
    with connect(admin) as connection:
        # Whoever may log in has no business in databases that are not named to it.
        connection.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
        for role, names in PLATFORM.items():
            _role(connection, role, make_url(urls[role]).password or "")
            for name in names:
                _database(connection, name, owner=role)
    provision(admin, mechanism=mechanism, known=urls)


def topics(settings: Settings) -> list[str]:
    """Make the topics of the services that append events; their names. Raises ``KafkaError``, `BadTopic`,
    `TopicUnfit`."""
    bootstrap, replication = settings.need("kafka"), Replication.of(settings.replication)
    names = [settings.topic(service) for service in STORES]
    for name in names:
        ensure_topic(bootstrap, name, replication)
    with open_admin(bootstrap) as admin:
        for topic in admin.describe_topics(names):
            copies = len(topic["partitions"][0]["replica_nodes"])
            if copies < replication.factor:
                raise BadTopic(f"{topic['name']} is on {copies} brokers and has to be on {replication.factor}")
    return names


def _role(connection: psycopg.Connection, role: str, password: str) -> None:
    name = sql.Identifier(role)
    if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
        connection.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
    # Only the verifier is sent, so no log can hold the password.
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN NOINHERIT PASSWORD {}").format(name, sql.Literal(verifier)))


def _database(connection: psycopg.Connection, database: str, *, owner: str) -> None:
    name, role = sql.Identifier(database), sql.Identifier(owner)
    if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(name, role))
    connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))


def main(arguments: list[str]) -> int:
    """The command line."""
    try:
        match arguments:
            case ["databases"]:
                databases(SECRETS, mechanism=Settings().mechanism)
                print("databases and roles are there")
            case ["topics"]:
                print("topics are there: " + ", ".join(topics(Settings())))
            case _:
                print("usage: python -m deploy.provision [databases | topics]", file=sys.stderr)
                return 2
    except (psycopg.Error, KafkaError, BadTopic, TopicUnfit, SettingMissing, OSError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
