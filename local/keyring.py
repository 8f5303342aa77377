"""Whether the stack's keyring may be made: never in the place of one that the vault's keys are wrapped under.

The keyring's folder and the vault are copied apart, so each can be lost, or put back, without the other.
"""

from pathlib import Path

from access.keyring import FILE
from local import postgres
from local.faults import StackFault
from local.stackfile import Stack


def file(stack: Stack) -> Path:
    """The file of the master keys."""
    return stack.home / "keys" / "keyring" / FILE


def may_vault_hold_keys(stack: Stack) -> bool:
    """Whether the vault has to be asked: not where the keyring is there, nor before our server's first start."""
    begun = stack.given(postgres.NAME) or (stack.home / postgres.NAME / "data" / "PG_VERSION").exists()
    return begun and not file(stack).exists()


def refuse_where_lost(stack: Stack) -> None:
    """Raises ``StackFault`` when the vault, migrated, holds keys that a new keyring could not open."""
    with postgres.connect(stack.database("vault_owner")) as vault:
        if vault.execute("SELECT FROM subject_keys WHERE wrapped IS NOT NULL LIMIT 1").fetchone() is None:
            return
    make = f".venv/bin/python -m access.keys init --folder {file(stack).parents[1]} --mechanism {stack.mechanism}"
    raise StackFault(
        "keys",
        f"{file(stack)} is missing, and the vault holds keys that only it opens: without it every name, place and"
        " text filed so far stays unreadable",
        advice="put it back from your copy of the keys, and run `make up` again. Only where there is none: `make reset`"
        f" begins anew; or `{make} --new-keyring` makes one for what is filed from now on",
    )
