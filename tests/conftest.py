"""Fixtures of the real servers. None starts before a test asks for it, so pure tests cost nothing."""

import asyncio
import secrets
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from local import temporal as temporal_server
from local.faults import NotReady
from tests.eventually import eventually
from tests.stack import Databases, Servers


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "servers: uses a real server; set by the fixtures that a test asks for")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "servers" in getattr(item, "fixturenames", ()):
            item.add_marker("servers")


@pytest.fixture(scope="module", autouse=True)
def no_client_is_left() -> Iterator[None]:
    """A module's Kafka clients end with it. One that lives on is a leak, and its thread draws random numbers, which
    Hypothesis takes for a test's own."""
    before = threads_of_clients()
    yield
    asyncio.run(eventually(lambda: threads_of_clients() - before, accept=lambda left: not left, timeout=30))


def threads_of_clients() -> set[threading.Thread]:
    """The threads on which this process's Kafka clients do their input and output."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("kafka-")}


@pytest.fixture(scope="session")
def servers() -> Iterator[Servers]:
    """This run's servers, shared by its workers."""
    shared = Servers()
    yield shared
    shared.leave()


@pytest.fixture(scope="session")
def postgres(servers: Servers) -> str:
    """The administrator's URL of a real PostgreSQL."""
    return servers.postgres()


@pytest.fixture(scope="session")
def kafka(servers: Servers) -> str:
    """The bootstrap address of a real Kafka. Topics carry a test's mechanism, so tests do not meet."""
    return servers.kafka()


@pytest.fixture(scope="session")
def temporal(servers: Servers) -> str:
    """The address of a real Temporal server."""
    return servers.temporal()


@pytest.fixture(scope="session")
def temporal_namespace(temporal: str) -> str:
    """A namespace of this worker's own, ready for use."""
    name = f"t{secrets.token_hex(4)}"
    asyncio.run(_register(temporal, name))
    return name


@pytest.fixture
def databases(postgres: str) -> Iterator[Databases]:
    """Databases and roles under a random prefix; ``databases.migrate("intake")`` gives one its tables."""
    fresh = Databases(postgres)
    yield fresh
    fresh.drop()


async def _register(address: str, namespace: str) -> None:
    from google.protobuf.duration_pb2 import Duration
    from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
    from temporalio.client import Client

    client = await Client.connect(address)
    retention = Duration()
    retention.FromTimedelta(timedelta(days=1))
    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(namespace=namespace, workflow_execution_retention_period=retention)
    )

    def usable() -> bool:
        try:
            temporal_server.check(address, namespace)
        except NotReady:
            return False
        return True

    await eventually(lambda: asyncio.to_thread(usable), timeout=30)
