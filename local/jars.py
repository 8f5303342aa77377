"""Kafka's jars: fetched by pinned coordinates, checked against their SHA-256, kept in the user's cache."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from local.faults import StackFault

LOCK = Path(__file__).with_name("kafka.lock")
AT_ONCE = 8
FETCH_SECONDS = 60
ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Jar:
    """One line of the lock: Maven coordinates and the SHA-256 (hex) of the file."""

    group: str
    artifact: str
    version: str
    sha256: str

    def path(self, repository: Path) -> Path:
        """Where the file lies below a Maven repository."""
        name = f"{self.artifact}-{self.version}.jar"
        return repository.joinpath(*self.group.split("."), self.artifact, self.version, name)

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"


def cache() -> Path:
    """AMPARO_CACHE, or ``amparo`` in the user's cache folder: what can be fetched again, shared by all checkouts."""
    given = os.environ.get("AMPARO_CACHE")
    if given:
        return Path(given).absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "amparo"


def read_lock(lock: Path = LOCK) -> list[Jar]:
    jars = []
    for line in lock.read_text().splitlines():
        if line and not line.startswith("#"):
            coordinates, sha256 = line.split()
            group, artifact, version = coordinates.split(":")
            jars.append(Jar(group=group, artifact=artifact, version=version, sha256=sha256))
    return jars


def fetch(repository: Path, jars: list[Jar]) -> list[Path]:
    """The files of all jars, in order; missing ones are fetched, several at once.

    Every file is checked each time, whether fetched or found. Raises ``StackFault`` when one cannot be had or is not
    the file of the lock.
    """
    repository.mkdir(mode=0o700, parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda jar: _one(repository, jar), jars))


def _one(repository: Path, jar: Jar) -> Path:
    path = jar.path(repository)
    if path.exists() and _sha256(path) == jar.sha256:
        return path
    path.unlink(missing_ok=True)  # a download that was cut short
    _download(repository, jar)
    if not path.exists() or _sha256(path) != jar.sha256:
        path.unlink(missing_ok=True)
        raise StackFault(
            "Kafka",
            f"what was fetched as {jar} is not the file that {LOCK.name} names",
            advice="try again; if it stays so, something between here and the Maven repository changes files",
        )
    return path


def _download(repository: Path, jar: Jar) -> None:
    from jgo.maven import MavenContext  # slow to import, and mostly not needed

    for attempt in range(ATTEMPTS):
        try:
            context = MavenContext(repo_cache=repository, timeout=FETCH_SECONDS, remote_repos=_mirror())
            context.project(jar.group, jar.artifact).at_version(jar.version).artifact(packaging="jar").resolve()
            return
        except Exception as error:  # jgo lets its HTTP library's errors and its own through
            if attempt == ATTEMPTS - 1:
                raise StackFault(
                    "Kafka",
                    f"{jar} could not be fetched: {error}",
                    advice="check the network and run `make up` again, or set AMPARO_KAFKA to a broker of yours",
                ) from error


def _mirror() -> dict[str, str] | None:
    """AMPARO_MAVEN, the URL of a Maven repository to use instead of the central one."""
    given = os.environ.get("AMPARO_MAVEN")
    return {"mirror": given.rstrip("/")} if given else None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
