"""A mechanism's databases and roles on a PostgreSQL server: their names, their passwords, and making them.

The same for the embedded stack's server, for one given by AMPARO_POSTGRES, and in production.
"""

import secrets
from collections.abc import Iterator, Mapping, Sequence

import psycopg
from psycopg import sql
from sqlalchemy.engine import make_url

ADMIN = "amparo_admin"
SERVICES = ("intake", "protection", "referral", "timeline", "workflows", "vault")
ROLES = ("owner", "app", "sequencer")
VAULT_CLIENTS = ("intake", "protection", "referral")  # the services that seal or unseal personal data
CONNECT_SECONDS = 2


def connect(url: str, *, database: str | None = None) -> psycopg.Connection:
    """A psycopg connection in autocommit from an SQLAlchemy or plain URL."""
    target = make_url(url).set(drivername="postgresql")
    if database is not None:
        target = target.set(database=database)
    plain = target.render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True, connect_timeout=CONNECT_SECONDS)


def role_urls(
    admin: str, *, mechanism: str, services: Sequence[str] = SERVICES, known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The URL of every role of a mechanism's services, whether it exists yet or not.

    Databases are ``<mechanism>_<service>``. Keys are ``<service>_owner``, ``<service>_app``, ``<service>_sequencer``
    for each service, and ``vault_<service>`` for the roles with which services reach the vault. ``known`` is an
    earlier answer: its passwords are kept, all others are new.
    """
    known = known or {}
    urls = {}
    for service, kind in _kinds(services):
        key, database = f"{service}_{kind}", f"{mechanism}_{service}"
        password = (make_url(known[key]).password if key in known else None) or secrets.token_urlsafe(24)
        url = make_url(admin).set(drivername="postgresql+psycopg", database=database)
        url = url.set(username=f"{database}_{kind}", password=password)
        urls[key] = url.render_as_string(hide_password=False)
    return urls


def provision(
    admin: str, *, mechanism: str, services: Sequence[str] = SERVICES, known: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Make a mechanism's databases and roles; the answer is that of `role_urls`. Safe to repeat.

    A password reaches the server as its SCRAM verifier only, so no log can hold it.
    """
    urls = role_urls(admin, mechanism=mechanism, services=services, known=known)
    with connect(admin) as connection:
        for service in services:
            roles = []
            for _, kind in _kinds([service]):
                url = make_url(urls[f"{service}_{kind}"])
                roles.append(url.username or "")
                _role(connection, roles[-1], url.password or "")
            _database(connection, f"{mechanism}_{service}", roles=roles)
    return urls


def package(service: str) -> str:
    """The package whose ``python -m <package> migrate`` gives a service's database its tables."""
    return {"workflows": "workflows", "vault": "access.vault"}.get(service, f"services.{service}")


def drop(admin_url: str, *, mechanism: str) -> None:
    """Remove a mechanism's databases and roles, ending their sessions. For tests."""
    with connect(admin_url) as admin:
        for service in SERVICES:
            database = f"{mechanism}_{service}"
            admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database)))
            for _, kind in _kinds([service]):
                admin.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(f"{database}_{kind}")))


def _role(admin: psycopg.Connection, role: str, password: str) -> None:
    name = sql.Identifier(role)
    verifier = admin.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        admin.execute(sql.SQL("CREATE ROLE {}").format(name))
        # A server's administrator who is no superuser must belong to a role to make it an owner.
        admin.execute(sql.SQL("GRANT {} TO CURRENT_USER").format(name))
    admin.execute(sql.SQL("ALTER ROLE {} LOGIN NOINHERIT PASSWORD {}").format(name, sql.Literal(verifier)))


def _database(admin: psycopg.Connection, database: str, *, roles: Sequence[str]) -> None:
    name = sql.Identifier(database)
    if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone() is None:
        owner = sql.Identifier(f"{database}_owner")
        admin.execute(sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0").format(name, owner))
    admin.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    users = sql.SQL(", ").join(sql.Identifier(role) for role in roles)
    admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(name, users))


def _kinds(services: Sequence[str]) -> Iterator[tuple[str, str]]:
    for service in services:
        for kind in (*ROLES, *(VAULT_CLIENTS if service == "vault" else ())):
            yield service, kind
