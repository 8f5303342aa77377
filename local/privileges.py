"""Running a program as nobody when we are root: PostgreSQL refuses user id 0.

util-linux ``setpriv`` changes the user and becomes the program, so the supervisor's child is the server itself. It
leaves one capability, to read through folders that only root may enter (a checkout below a home of mode 0700), where
the machine grants it.
"""

import os
import pwd
import shutil
import subprocess
from functools import cache
from pathlib import Path

from local.faults import StackFault

READ_THROUGH = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")


def unprivileged(reads: Path, writes: Path) -> tuple[str, ...]:
    """The words to put before a command, none when we are not root.

    ``reads`` is a program that the user must be able to run, ``writes`` a folder that is given to the user. Raises
    ``StackFault`` when no unprivileged user can be had or when the two cannot be reached as that user.
    """
    if os.geteuid() != 0:
        return ()
    nobody, setpriv = _nobody(), _setpriv()
    os.chown(writes, nobody.pw_uid, nobody.pw_gid)
    plain = (setpriv, f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups")
    for command in ((*plain, *READ_THROUGH), plain):
        probe = [*command, "sh", "-c", 'test -x "$1" && test -w "$2"', "sh", str(reads), str(writes)]
        if subprocess.run(probe, capture_output=True, check=False, cwd="/").returncode == 0:
            return command
    raise StackFault(
        "PostgreSQL",
        f"it does not run as root, and user {nobody.pw_name} cannot reach {reads} and {writes}",
        advice="run as an ordinary user, or move the checkout to a folder that others may enter, "
        "or set AMPARO_POSTGRES to the URL of a server of yours",
    )


def give(path: Path) -> None:
    """Hand a file or folder to the unprivileged user; nothing when we are not root."""
    if os.geteuid() == 0:
        nobody = _nobody()
        os.chown(path, nobody.pw_uid, nobody.pw_gid)


@cache
def _nobody() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("nobody")
    except KeyError:
        raise StackFault(
            "PostgreSQL",
            "it does not run as root, and this machine has no user nobody",
            advice="run as an ordinary user, or set AMPARO_POSTGRES to the URL of a server of yours",
        ) from None


@cache
def _setpriv() -> str:
    found = shutil.which("setpriv")
    if found is None:
        raise StackFault(
            "PostgreSQL",
            "it does not run as root, and setpriv (util-linux) is missing",
            advice="install it, run as an ordinary user, or set AMPARO_POSTGRES to the URL of a server of yours",
        )
    return found
