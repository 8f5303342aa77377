"""Owns key files on disk: written whole or not at all, readable by their owner only, and refused when they are not."""

import os
import secrets
import stat
from pathlib import Path

PRIVATE = 0o600
PRIVATE_FOLDER = 0o700


class UnsafeKeyFile(Exception):
    """A key file is missing, malformed, or others can read it. The text says what to do, and holds no key."""


def write(file: Path, text: str) -> None:
    """Write ``file`` with mode 0600, in one step: a reader sees the old text or the new one."""
    file.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE), "w") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        beside.rename(file)
    finally:
        beside.unlink(missing_ok=True)


def read(file: Path) -> str:
    """The text of a key file. Raises `UnsafeKeyFile` when it is missing or its mode lets others in."""
    try:
        with file.open() as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
            if mode & 0o077:
                raise UnsafeKeyFile(
                    f"others can read {file} (mode {mode:03o}); run chmod 600 on it and replace its keys"
                )
            return opened.read()
    except FileNotFoundError:
        raise UnsafeKeyFile(f"{file} is missing; make it with python -m access.keys init") from None
