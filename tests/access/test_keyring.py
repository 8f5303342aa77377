"""The local keyring file."""

import json
from pathlib import Path

import pytest

from access import keys
from access.keyring import FileKeyring
from access.private_files import UnsafeKeyFile
from tests.access.keyring_contract import SECRETS, KeyringContract


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A keyring folder as `access.keys` makes it."""
    keys.init(tmp_path / "keys", mechanism="pe")
    return tmp_path / "keys" / "keyring"


class TestFileKeyring(KeyringContract):
    """The contract, by a file."""

    @pytest.fixture
    def keyring(self, folder: Path) -> FileKeyring:
        """From the file."""
        return FileKeyring.open(folder, environment="embedded")


@pytest.mark.parametrize("environment", ["production", "", "Embedded"])
def test_a_local_keyring_is_refused_outside_the_embedded_stack(folder: Path, environment: str) -> None:
    """A file beside the service is no place for the keys of real people."""
    with pytest.raises(UnsafeKeyFile, match="embedded stack only"):
        FileKeyring.open(folder, environment=environment)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_keyring_that_others_can_read_is_refused(folder: Path, mode: int) -> None:
    """Whoever reads the file reads everything: it has to be its owner's alone."""
    (folder / "keyring.json").chmod(mode)
    with pytest.raises(UnsafeKeyFile, match="chmod 600"):
        FileKeyring.open(folder, environment="embedded")


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"current": "a", "keys": {}, "root": ""}', '{"keys": {"a": "AAAA"}}']
)
def test_a_broken_keyring_is_refused_and_not_shown(folder: Path, text: str) -> None:
    """The message names the file and holds nothing of it."""
    (folder / "keyring.json").write_text(text)
    with pytest.raises(UnsafeKeyFile, match="is not a keyring") as refused:
        FileKeyring.open(folder, environment="embedded")
    assert refused.value.__cause__ is None


def test_a_missing_keyring_says_how_it_is_made(tmp_path: Path) -> None:
    """The first thing an operator reads."""
    with pytest.raises(UnsafeKeyFile, match=r"access\.keys init"):
        FileKeyring.open(tmp_path, environment="embedded")


async def test_earlier_master_keys_still_open_and_leave_derived_keys_alone(folder: Path) -> None:
    """After a change of the master key old subjects can be read, and a repeated act is still recognised."""
    before = FileKeyring.open(folder, environment="embedded")
    wrapped, derived = await before.wrap(SECRETS), await before.derive("idempotency")
    held = json.loads((folder / "keyring.json").read_text())
    held["keys"]["fresh"], held["current"] = held["root"], "fresh"
    (folder / "keyring.json").write_text(json.dumps(held))

    after = FileKeyring.open(folder, environment="embedded")

    assert list(await after.unwrap(wrapped)) == SECRETS
    assert {one.master for one in await after.wrap(SECRETS)} == {"fresh"}
    assert await after.derive("idempotency") == derived
