"""Owns making the embedded stack's keys: `python -m access.keys init --folder F --mechanism pe`. What exists is never
touched.

keyring/keyring.json      master keys of the vault, and the root of derived keys issuer.json               the token
issuer's signing keys, newest first; `rotate-issuer` adds one and keeps one clients.json              client id → public
key, role, unit: what the issuer knows clients/<client id>.jwk   each client's private key receipts/<source>
each source's receipt signer, a C2SP note key; beside it <source>.pub, the verifier key, which is public transport
the key of the tags on what goes through Kafka, the same for every process
"""

import argparse
import fcntl
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from access import keyring, private_files
from access.private_files import UnsafeKeyFile
from eventlog.transparency.note import NoteSigner

TABLE = Path(__file__).with_name("clients.yaml")
SOURCES = ("intake", "protection", "referral", "timeline", "vault")
ISSUER_FILE = "issuer.json"
TRANSPORT_FILE = "transport"
REGISTRY_FILE = "clients.json"
LIVE_ISSUER_KEYS = 2


class LostKeyring(Exception):
    """The keyring is gone and its place is not new. The text says what is lost and what to do."""


def init(folder: Path, *, mechanism: str, table: Path = TABLE, new_keyring: bool = False) -> list[str]:
    """Make the keys that are missing below ``folder``; the answer names them.

    Raises `UnsafeKeyFile` for a key that cannot be read, and `LostKeyring` where other keys are there and the keyring
    is not, unless a ``new_keyring`` is asked for: nothing may hide that what was sealed cannot be opened any more.
    """
    with _alone(folder):
        made = _keyring(folder, anew=new_keyring)
        made += [*_issuer(folder), *_transport(folder)]
        return [*made, *_receipt_signers(folder, mechanism), *_clients(folder, table)]


def rotate_issuer(folder: Path) -> str:
    """A new signing key, used at once; the one before stays live for the tokens it signed. The answer is the new key's
    id.
    """
    with _alone(folder):
        file = folder / ISSUER_FILE
        keys = json.loads(private_files.read(file))["keys"]
        fresh = _signing_key()
        private_files.write(file, json.dumps({"keys": [fresh, *keys][:LIVE_ISSUER_KEYS]}, indent=1))
    return str(fresh["kid"])


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(mode=private_files.PRIVATE_FOLDER, parents=True, exist_ok=True)
    with open(os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, private_files.PRIVATE)) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _keyring(folder: Path, *, anew: bool) -> list[str]:
    file = folder / "keyring" / keyring.FILE
    if file.exists():
        return []
    others = (ISSUER_FILE, REGISTRY_FILE, "receipts", "clients")  # all are made after it
    if not anew and any((folder / name).exists() for name in others):
        raise LostKeyring(
            f"{file} is missing, and the keys beside it are there: every name, place and text sealed so far can be"
            " opened with it only. Put it back from your copy of the keys. Where there is none, --new-keyring makes"
            " another, for what is filed from now on"
        )
    name = keyring.new_version()
    held = {"current": name, "keys": {name: keyring.new_key()}, "root": keyring.new_key()}
    private_files.write(file, json.dumps(held, indent=1))
    return ["keyring"]


def _issuer(folder: Path) -> list[str]:
    file = folder / ISSUER_FILE
    if file.exists():
        return []
    private_files.write(file, json.dumps({"keys": [_signing_key()]}, indent=1))
    return ["issuer"]


def _transport(folder: Path) -> list[str]:
    file = folder / TRANSPORT_FILE
    if file.exists():
        return []
    private_files.write(file, keyring.new_key() + "\n")
    return ["transport"]


def _receipt_signers(folder: Path, mechanism: str) -> list[str]:
    made = []
    for source in (f"{mechanism}.{name}" for name in SOURCES):
        file, public = folder / "receipts" / source, folder / "receipts" / f"{source}.pub"
        if not file.exists():
            private_files.write(file, NoteSigner.generate(source).key_text + "\n")
            made.append(f"receipts/{source}")
        if not public.exists():
            private_files.write(public, NoteSigner.load(private_files.read(file)).verifier_text + "\n")
    return made


def _clients(folder: Path, table: Path) -> list[str]:
    made = []
    registry_file = folder / REGISTRY_FILE
    # A client that is in the registry but not in the table was registered by hand: it stays.
    registry: dict[str, Any] = json.loads(private_files.read(registry_file)) if registry_file.exists() else {}
    known = json.dumps(registry, sort_keys=True)
    for client_id, row in _read_table(table).items():
        file = folder / "clients" / f"{client_id}.jwk"
        if not file.exists():
            private_files.write(file, json.dumps(_key_pair()))
            made.append(f"clients/{client_id}")
        public = ECKey.import_key(json.loads(private_files.read(file))).as_dict(private=False)
        told = {name: row[name] for name in ("region", "person") if name in row}
        registry[client_id] = {"jwk": public, "role": row["role"], "unit": row.get("unit", ""), **told}
    if json.dumps(registry, sort_keys=True) != known:
        private_files.write(registry_file, json.dumps(registry, indent=1))
    return made


def _read_table(table: Path) -> Mapping[str, Mapping[str, str]]:
    import yaml

    found: Mapping[str, Mapping[str, str]] = yaml.safe_load(table.read_text())
    return found


def _key_pair() -> dict[str, Any]:
    return dict(ECKey.generate_key("P-256").as_dict(private=True))


def _signing_key() -> dict[str, Any]:
    key = ECKey.generate_key("P-256")
    return {**key.as_dict(private=True), "kid": key.thumbprint(), "use": "sig", "alg": "ES256"}


def main(arguments: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m access.keys", description="Keys of the embedded stack.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("init", "make the keys that are missing"), ("rotate-issuer", "sign tokens with a new key")):
        command = commands.add_parser(name, help=text)
        command.add_argument("--folder", type=Path, required=True)
        if name == "init":
            command.add_argument("--mechanism", default="pe")
            command.add_argument("--new-keyring", action="store_true", help="the old one is lost for good")
    given = parser.parse_args(arguments)
    try:
        if given.command == "init":
            made = init(given.folder, mechanism=given.mechanism, new_keyring=given.new_keyring)
            print("made " + ", ".join(made) if made else "all keys are there")
        else:
            print(f"tokens are signed with {rotate_issuer(given.folder)} from now on")
    except (UnsafeKeyFile, LostKeyring, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
