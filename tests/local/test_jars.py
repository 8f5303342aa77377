"""Kafka's jars come from anywhere, and are run only if they are the files of the lock."""

import gc
import hashlib
import os
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from local import jars
from local.faults import StackFault
from local.jars import Jar

# jgo leaves the answers open that it does not want.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")

CONTENT = b"classes"
JAR = Jar(group="org.example", artifact="broker", version="1.0", sha256=hashlib.sha256(CONTENT).hexdigest())


class Quiet(SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Repository(ThreadingHTTPServer):
    """Waits for its answers to be over before it closes."""

    daemon_threads = False


@pytest.fixture
def maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A Maven repository of ours, in the place of the central one."""
    folder = tmp_path / "maven"
    JAR.path(folder).parent.mkdir(parents=True)
    with Repository(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("AMPARO_MAVEN", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield folder
        server.shutdown()
        thread.join()
    gc.collect()


def test_a_jar_is_fetched_once(maven: Path, tmp_path: Path) -> None:
    """The second start needs no network."""
    JAR.path(maven).write_bytes(CONTENT)
    (path,) = jars.fetch(tmp_path / "cache", [JAR])
    assert path.read_bytes() == CONTENT
    JAR.path(maven).unlink()
    assert jars.fetch(tmp_path / "cache", [JAR]) == [path]


def test_another_file_under_the_same_name_is_refused_and_not_kept(maven: Path, tmp_path: Path) -> None:
    """A repository or a proxy that changes a jar must not run code beside defenders' records."""
    JAR.path(maven).write_bytes(b"something else")
    with pytest.raises(StackFault, match=r"org\.example:broker:1\.0 is not the file"):
        jars.fetch(tmp_path / "cache", [JAR])
    assert not JAR.path(tmp_path / "cache").exists()


def test_a_jar_damaged_in_the_cache_is_fetched_again(maven: Path, tmp_path: Path) -> None:
    """A download that was cut short heals by itself."""
    JAR.path(maven).write_bytes(CONTENT)
    (path,) = jars.fetch(tmp_path / "cache", [JAR])
    path.write_bytes(CONTENT[:3])
    assert jars.fetch(tmp_path / "cache", [JAR])[0].read_bytes() == CONTENT


def test_a_jar_that_cannot_be_had_is_named_with_what_to_do(maven: Path, tmp_path: Path) -> None:
    """Without a network the user reads which file is missing, not a traceback."""
    with pytest.raises(StackFault, match=r"org\.example:broker:1\.0") as caught:
        jars.fetch(tmp_path / "cache", [JAR])
    assert "AMPARO_KAFKA" in caught.value.advice


def test_the_lock_names_every_jar_by_version_and_digest() -> None:
    """Nothing unpinned is ever run."""
    locked = jars.read_lock()
    assert len(locked) == 46
    assert all(len(bytes.fromhex(jar.sha256)) == 32 and jar.version for jar in locked)
    assert "org.apache.kafka:kafka_2.13:4.3.1" in map(str, locked)


def test_the_cache_is_below_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Several checkouts fetch once."""
    for name in ("AMPARO_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    assert jars.cache() == tmp_path / ".cache" / "amparo"
