"""A broker of the test's own, whose data is deleted while it is stopped. The store fills it again."""

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import kafka, ports
from local.supervisor import Supervisor
from tests.eventlog.conftest import Log
from tests.stack import START_SECONDS

pytestmark = pytest.mark.slow


@dataclass
class Broker:
    """One Kafka node below a folder, always at the same address."""

    folder: Path

    def __post_init__(self) -> None:
        chosen = ports.choose(["broker", "controller"])
        self.port, self.controller_port = chosen["broker"], chosen["controller"]
        self.address = f"{ports.LOOPBACK}:{self.port}"
        self.supervisor = Supervisor(self.folder)
        self.start()

    def start(self) -> None:
        folder = self.folder / "kafka"
        folder.mkdir(mode=0o700)
        program = kafka.program(folder)
        kafka.prepare(folder, port=self.port, controller_port=self.controller_port)
        self.supervisor.start([program])
        self.supervisor.start_program(program.name)
        self.supervisor.await_health(program.name, lambda: kafka.check(self.address), seconds=START_SECONDS)

    def lose_everything(self) -> None:
        """Stops it, deletes its data, starts it again."""
        self.supervisor.shutdown([])
        shutil.rmtree(self.folder / "kafka")
        self.start()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A Kafka that no other test uses."""
    made = Broker(tmp_path)
    yield made
    made.supervisor.shutdown([])


async def test_nobody_notices_that_kafka_lost_all_it_had(log: Log, broker: Broker) -> None:
    """While everything runs: the same bytes are published again, and each record is still taken once."""
    log.kafka = broker.address
    log.start(log.sequencer())
    log.start(consumer := log.consumer())
    await log.append_many(30)
    await log.took(30)
    before = [message.value for message in await log.published(30)]
    await asyncio.to_thread(broker.lose_everything)
    await log.append_many(10)
    after = [message.value for message in await log.published(40)]
    assert after[:30] == before
    assert await log.took(40) == list(range(40))
    assert consumer.counts["parked"] == 0
