"""Secrets that a process derives from those that it was given."""

import secrets
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from access import private_files
from eventlog.origin import Origin
from runtime.settings import Settings

PURPOSE = b"amparo/idempotency-fingerprint/v1"


def fingerprint_key(receipt_key: Path | None) -> bytes:
    """32 bytes: the key of the fingerprints that tell a repeated request from another one under the same idempotency
    key.

    Derived from the source's receipt key, so that every replica has the same and it outlives a restart. After a
    change of that key a repetition of an older act is refused as a reuse of its key, and nothing is done twice.
    Without a receipt key nothing is appended here; then it is random.
    """
    if receipt_key is None:
        return secrets.token_bytes(32)
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=PURPOSE).derive(receipt_key.read_bytes().strip())


def origin(settings: Settings) -> Origin:
    """What tags and checks the records that go through Kafka. Raises `SettingMissing`, `UnsafeKeyFile`,
    `eventlog.origin.BadTransportKey`.
    """
    return Origin.load(private_files.read(settings.need("transport_key")))
