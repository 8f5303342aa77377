"""Owns making what production keeps secret: `python -m deploy.make_secrets --folder F`. What exists is kept.

Every container reads only files of its own, and runs as a user that is not root: a file has mode 0600 and belongs to
the user that reads it, which takes root (`deploy/make-secrets` runs this in a container that has it). The passwords of
all databases are together in ``databases.json``, for the job that makes the roles, and each again in its process's
file.
"""

import argparse
import json
import os
import secrets
import sys
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from joserfc.jwk import ECKey
from sqlalchemy.engine import URL

from access import private_files
from access.private_files import UnsafeKeyFile
from deploy import realm
from deploy.realm import BadClient, Client
from eventlog.origin import KEY_BYTES
from eventlog.transparency.note import NoteSigner
from runtime.provisioning import ADMIN, SERVICES, VAULT_CLIENTS, role_urls

# The users that containers run as, as docker-compose.yml says.
AMPARO, POSTGRES, KAFKA, KEYCLOAK, TEMPORAL, OPENBAO, GRAFANA = 10000, 999, 1000, 1000, 1000, 10002, 472

STORES = ("intake", "protection", "referral", "vault")
"""The services that append events, so have a sequencer and sign receipts."""
PROCESSES = (*STORES, "timeline", "workflows")
CALLERS = ("intake", "protection", "referral", "timeline", "vault", "workflows")
"""The processes that fetch records from others, so have to show who they are."""
HOST = "postgres"
PORT = 5432
PLATFORM = {"keycloak": ("keycloak",), "temporal": ("temporal", "temporal_visibility")}
"""Servers that keep something in PostgreSQL besides Amparo: role → its databases."""

FILES: Mapping[str, int] = {
    "postgres_admin_password": POSTGRES,
    "postgres_admin_url": AMPARO,
    "databases.json": AMPARO,
    **{f"{process}_database": AMPARO for process in PROCESSES},
    **{f"{service}_owner_database": AMPARO for service in SERVICES},
    **{f"{service}_sequencer_database": AMPARO for service in STORES},
    **{f"{service}_vault_database": AMPARO for service in VAULT_CLIENTS},
    **{f"{service}_receipt_key": AMPARO for service in STORES},
    **{f"{process}_client_key": AMPARO for process in CALLERS},
    "keycloak_database_password": KEYCLOAK,
    "keycloak_admin_password": KEYCLOAK,
    "keycloak_realm.json": KEYCLOAK,
    "temporal_database_password": TEMPORAL,
    "kafka_cluster_id": KAFKA,
    "transport_key": AMPARO,
    "openbao_seal_key": OPENBAO,
    "openbao_admin_password": OPENBAO,
    "grafana_admin_password": GRAFANA,
}
"""Every secret file and the user that reads it."""


class Folder:
    """The files of one deployment. ``owned``: files are handed to the users that read them, which takes root."""

    def __init__(self, path: Path, *, owned: bool) -> None:
        self.path = path
        self.made: list[str] = []
        self._owned = owned

    def text(self, name: str) -> str | None:
        """What a file holds; ``None`` where it is not there. Raises `UnsafeKeyFile` when others can read it."""
        return private_files.read(self.path / name).strip() if (self.path / name).exists() else None

    def keep(self, name: str, text: str) -> str:
        """Write a file unless it holds just that. It ends without a line's end: OpenBao takes every byte for its
        key."""
        if self.text(name) != text:
            private_files.write(self.path / name, text)
            self.made.append(name)
        if self._owned:  # each time: an earlier run may not have been root
            os.chown(self.path / name, FILES[name], FILES[name])
        return text

    def once(self, name: str, fresh: str) -> str:
        """The text of a file, which is ``fresh`` where there is none."""
        return self.keep(name, self.text(name) or fresh)


def make(path: Path, *, mechanism: str, owned: bool, table: tuple[Client, ...]) -> tuple[list[str], list[str]]:
    """Make what is missing below ``path``: names of the files that were written, and of the clients without a key.

    Raises `UnsafeKeyFile`, `BadClient`, ``OSError``.
    """
    with _private(path):
        folder = Folder(path, owned=owned)
        _databases(folder, mechanism)
        for service in STORES:
            folder.once(f"{service}_receipt_key", NoteSigner.generate(f"{mechanism}.{service}").key_text)
        for name in ("keycloak_admin_password", "openbao_admin_password", "grafana_admin_password"):
            folder.once(name, secrets.token_urlsafe(24))
        folder.once("openbao_seal_key", b64encode(secrets.token_bytes(32)).decode())
        folder.once("transport_key", b64encode(secrets.token_bytes(KEY_BYTES)).decode())
        folder.once("kafka_cluster_id", urlsafe_b64encode(uuid4().bytes).decode().rstrip("="))
        keys = {client.id: key for client in table if (key := _key(folder, client)) is not None}
        rendered = realm.render(mechanism=mechanism, keys=keys, table=table)
        folder.keep("keycloak_realm.json", json.dumps(rendered, indent=1))
        return folder.made, [client.id for client in table if client.id not in keys]


def _databases(folder: Folder, mechanism: str) -> None:
    password = folder.once("postgres_admin_password", secrets.token_urlsafe(24))
    admin = _url(ADMIN, password, "postgres")
    folder.keep("postgres_admin_url", admin)
    known: dict[str, str] = json.loads(folder.text("databases.json") or "{}")
    urls = role_urls(admin, mechanism=mechanism, known=known)
    for role, (database, *_) in PLATFORM.items():
        urls[role] = _url(role, folder.once(f"{role}_database_password", secrets.token_urlsafe(24)), database)
    folder.keep("databases.json", json.dumps(urls, indent=1))
    for process in PROCESSES:
        folder.keep(f"{process}_database", urls[f"{process}_app"])
    for service in SERVICES:
        folder.keep(f"{service}_owner_database", urls[f"{service}_owner"])
    for service in STORES:
        folder.keep(f"{service}_sequencer_database", urls[f"{service}_sequencer"])
    for service in VAULT_CLIENTS:
        folder.keep(f"{service}_vault_database", urls[f"vault_{service}"])


def _url(user: str, password: str, database: str) -> str:
    url = URL.create("postgresql+psycopg", user, password, HOST, PORT, database)
    return url.render_as_string(hide_password=False)


def _key(folder: Folder, client: Client) -> ECKey | None:
    if client.key == "made":
        fresh = json.dumps(ECKey.generate_key("P-256").as_dict(private=True))
        return ECKey.import_key(json.loads(folder.once(f"{client.id}_client_key", fresh)))
    return realm.given_key(client)


@contextmanager
def _private(path: Path) -> Iterator[None]:
    before = os.umask(0o077)
    try:
        path.mkdir(parents=True, exist_ok=True)
        yield
    finally:
        os.umask(before)


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m deploy.make_secrets", description="Secrets of a deployment.")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--mechanism", default=os.environ.get("AMPARO_MECHANISM", "pe"))
    given = parser.parse_args(arguments)
    owned = os.geteuid() == 0
    try:
        made, missing = make(given.folder, mechanism=given.mechanism, owned=owned, table=realm.clients())
    except (UnsafeKeyFile, BadClient, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print("made " + ", ".join(made) if made else "everything is there")
    if missing:
        print("without a key, so not in the realm: " + ", ".join(missing))
    if not owned:
        print("not run as root: the files are yours, and containers that run as other users cannot read them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
