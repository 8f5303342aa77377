"""The virtual environment: made and filled from a lock file with hashes, again only when that file changed.

Run by the machine's own Python, before anything is installed: standard library only, and the first lines must be read
by an old Python too, so that it can say what is missing.
"""

import hashlib
import os
import subprocess
import sys
import time

CHECKOUT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(CHECKOUT, ".venv")
OLDEST = (3, 11)


def main(kind: str) -> int:
    """``run``: what the stack needs; ``dev``: also what tests and checks need."""
    began = time.monotonic()
    if sys.version_info[:2] < OLDEST:
        return _complain(
            "Python %d.%d is too old: Amparo needs %d.%d or newer" % (*sys.version_info[:2], *OLDEST),  # noqa: UP031
            "install a newer Python and run `make PYTHON=python3.11 up`",
        )
    names = ["run"] if kind == "run" else ["run", "dev"]
    locks = [os.path.join(CHECKOUT, "locks", name + ".txt") for name in names]
    stamps = {name: _digest(name, lock) for name, lock in zip(names, locks, strict=True)}
    if all(_read(_stamp(name)) == stamps[name] for name in names):
        _say(began, "")
        return 0
    python = os.path.join(FOLDER, "bin", "python")
    if not os.path.exists(python) and not _run(sys.executable, "-m", "venv", FOLDER):
        advice = "install its venv module (Debian, Ubuntu: apt install python3-venv) and run it again"
        return _complain("Python could not make a virtual environment in " + FOLDER, advice)
    requirements = [word for lock in locks for word in ("-r", lock)]
    if not _run(python, "-m", "pip", "install", "--quiet", "--require-hashes", "--only-binary=:all:", *requirements):
        advice = "check the network and the package index that pip uses, and run it again"
        return _complain("the packages of %s could not be installed" % ", ".join(locks), advice)  # noqa: UP031
    if not _run(python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "-e", CHECKOUT):
        return _complain("Amparo itself could not be installed", "see the lines above")
    for name, digest in stamps.items():
        with open(_stamp(name), "w") as file:
            file.write(digest)
    _say(began, "packages installed")
    return 0


def _digest(name: str, lock: str) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in (lock, os.path.join(CHECKOUT, "pyproject.toml")):
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def _stamp(name: str) -> str:
    return os.path.join(FOLDER, "." + name + ".stamp")


def _read(path: str) -> str:
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def _run(*command: str) -> bool:
    return subprocess.run([*command], check=False, cwd=CHECKOUT).returncode == 0


def _say(began: float, note: str) -> None:
    print(f"✓ {'environment':<14} {time.monotonic() - began:5.1f} s  {note}".rstrip(), flush=True)


def _complain(what: str, advice: str) -> int:
    print(f"environment: {what}\nWhat to do: {advice}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] or ["run"])))
