"""A lost keyring, as `make up` meets it."""

import shutil
from pathlib import Path

import pytest

from access import keys
from access.keyring import EMBEDDED, FileKeyring
from access.vault import Vault
from local import keyring, stackfile
from local.faults import StackFault
from local.stackfile import Stack
from runtime import database
from runtime.clock import system_clock
from tests.stack import Databases


@pytest.fixture
def begun(databases: Databases, tmp_path: Path) -> Stack:
    """A stack on a server of the user's own, with a migrated vault and keys."""
    databases.url("vault", "intake")
    databases.migrate("vault")
    settled = stackfile.settle(tmp_path / "home", {"AMPARO_POSTGRES": databases.admin_url})
    values = {**settled.values, "AMPARO_DATABASE_VAULT_OWNER": databases.url("vault", "owner")}
    keys.init(settled.home / "keys", mechanism="pe")
    return Stack(home=settled.home, values=values)


async def sealed_something(stack: Stack, databases: Databases) -> None:
    """A service made keys in the vault, under the stack's keyring."""
    engine = database.engine(databases.url("vault", "intake"))
    vault = Vault(engine, FileKeyring.open(keyring.file(stack).parent, environment=EMBEDDED), clock=system_clock)
    await vault.fill()
    await vault.close()
    await engine.dispose()


async def test_no_keyring_takes_the_place_of_one_that_the_vault_needs(begun: Stack, databases: Databases) -> None:
    """With a new one all would look well, and every case would be unreadable. Also where all keys are gone."""
    assert not keyring.may_vault_hold_keys(begun)
    await sealed_something(begun, databases)
    shutil.rmtree(begun.home / "keys")
    assert keyring.may_vault_hold_keys(begun)
    with pytest.raises(StackFault, match="every name, place and text filed so far stays unreadable") as refused:
        keyring.refuse_where_lost(begun)
    assert "your copy of the keys" in refused.value.advice
    assert not keyring.file(begun).exists()


def test_where_nothing_was_sealed_a_keyring_may_be_made(begun: Stack) -> None:
    """A first start that was interrupted goes on."""
    shutil.rmtree(begun.home / "keys")
    keyring.refuse_where_lost(begun)


def test_the_vault_is_not_asked_before_there_is_one(tmp_path: Path) -> None:
    """A first start makes keys while the database is made."""
    assert not keyring.may_vault_hold_keys(stackfile.settle(tmp_path / "home", {}))
