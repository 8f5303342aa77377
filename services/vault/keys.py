"""Owns the keeper's commands: `python -m services.vault.keys rotate --by ID` puts every subject's key under a new
version of the key-encryption key, `… retire --by ID` destroys the versions before it, `… versions` tells how it stands.

They reach the vault's database as its owner (AMPARO_OWNER_DATABASE), and the keyring as its keeper.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from access.keyring import CannotUnwrap, KeyringUnavailable
from access.private_files import UnsafeKeyFile
from access.vault.rotation import AnotherRuns, NotYet, Rotation, Version
from eventlog.store import Actor
from runtime import database, keyrings
from runtime.settings import SettingMissing, Settings

ROLE = "administrator"
FAULTS = (AnotherRuns, NotYet, UnsafeKeyFile, KeyringUnavailable, CannotUnwrap, SettingMissing)


async def run(command: str, *, settings: Settings, by: str) -> list[str]:
    """Does a command; the lines to print. Raises `FAULTS` and the database's errors."""
    engine = database.engine(settings.need("owner_database"), pool_size=1, name="keeper")
    try:
        async with keyrings.keeper(settings) as keeper:
            return await _do(command, Rotation(engine, keeper), Actor(id=by, role=ROLE))
    finally:
        await engine.dispose()


async def _do(command: str, rotation: Rotation, actor: Actor) -> list[str]:
    match command:
        case "rotate":
            version, keys = await rotation.rotate(actor)
            return [f"{keys} keys were put under {version}; `retire` destroys the versions before it"]
        case "retire":
            return ["retired: " + (", ".join(await rotation.retire(actor)) or "none")]
        case _:
            return [f"{each.name}: {_state(each)}, {each.keys} keys" for each in await rotation.versions()]


def _state(version: Version) -> str:
    if version.retired:
        return "retired"
    if version.closed:
        return "still opens"
    return "the change to it has not ended" if version.unfinished else "current"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m services.vault.keys", description="The key over all keys.")
    commands = parser.add_subparsers(dest="command", required=True)
    texts = {"rotate": "put every key under a new version", "retire": "destroy the versions before it"}
    for name, text in texts.items():
        commands.add_parser(name, help=text).add_argument(
            "--by", required=True, help="who does it, as an opaque id: it is recorded"
        )
    commands.add_parser("versions", help="how it stands")
    given = parser.parse_args(arguments)
    try:
        for line in asyncio.run(run(given.command, settings=Settings(), by=getattr(given, "by", "-"))):
            print(line)
    except ValidationError as wrong:  # only places and reasons: values may be passwords
        print("; ".join(f"{error['loc']}: {error['msg']}" for error in wrong.errors()), file=sys.stderr)
        return 2
    except FAULTS as fault:
        print(f"vault: {str(fault) or type(fault).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
