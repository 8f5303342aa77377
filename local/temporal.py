"""Temporal of the embedded stack: one server with its web pages, kept in a file."""

import asyncio
import shutil
import sys
from pathlib import Path

from local.faults import NotReady, StackFault
from local.ports import LOOPBACK
from local.supervisor import Program

NAME = "temporal"
NAMESPACE = "default"
# One partition per task queue: with one server on two cores, more only add polls that forward to each other.
DYNAMIC_CONFIG = ("matching.numTaskqueueReadPartitions=1", "matching.numTaskqueueWritePartitions=1")
# Without the write-ahead log every step of a workflow waits for the disk, at a third of the speed.
PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")
CHECK_SECONDS = 3


def program(folder: Path, *, port: int, ui_port: int, http_port: int, metrics_port: int) -> Program:
    """The program; its data is one file below ``folder``. Raises ``StackFault`` when the command is missing."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    command = [
        *(str(_binary()), "server", "start-dev", "--log-level", "warn", "--ip", LOOPBACK, "--port", str(port)),
        *("--ui-port", str(ui_port), "--http-port", str(http_port), "--metrics-port", str(metrics_port)),
        *("--db-filename", str(folder / "temporal.db"), "--ui-disable-news-fetch"),
    ]
    for pragma in PRAGMAS:
        command += ["--sqlite-pragma", pragma]
    for value in DYNAMIC_CONFIG:
        command += ["--dynamic-config-value", value]
    return Program(name=NAME, command=command, directory=folder, stop_signal="TERM", stop_seconds=15)


def check(address: str, namespace: str = NAMESPACE) -> None:
    """Describe the namespace: the server answers late, and its namespace later still. Raises ``NotReady``."""
    from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
    from temporalio.client import Client
    from temporalio.service import RPCError

    async def describe() -> None:
        client = await Client.connect(address, namespace=namespace)
        await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=namespace))

    try:
        asyncio.run(asyncio.wait_for(describe(), CHECK_SECONDS))
    except (RPCError, RuntimeError, TimeoutError) as error:
        raise NotReady(str(error)) from error


def _binary() -> Path:
    beside = Path(sys.executable).parent / "temporal"
    found = str(beside) if beside.exists() else shutil.which("temporal")
    if found is None:
        raise StackFault("Temporal", "the temporal command is missing", advice="run `make setup`")
    return Path(found)
