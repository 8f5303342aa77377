"""What a lost broker leaves behind in a process: nothing."""

import secrets
import socket
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from kafka.errors import KafkaError

from eventlog import kafka
from eventlog.kafka import Replication, drop_producer, ensure_topic, open_consumer, open_producer
from tests.conftest import threads_of_clients
from tests.eventually import eventually


@pytest.fixture
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An address at which no broker answers, and clients that see so soon."""
    monkeypatch.setattr(kafka, "CONNECT_MS", 300)
    with socket.socket() as taken:  # bound, not listening: whoever connects is refused, and nobody else gets the port
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@pytest.mark.parametrize(
    "client",
    [open_producer, open_consumer, partial(ensure_topic, topic="no.such.topic", replication=Replication())],
    ids=["producer", "consumer", "administrator"],
)
def test_a_client_that_found_no_broker_leaves_no_thread(client: Callable[[str], object], nobody: str) -> None:
    before = threads_of_clients()
    with pytest.raises(KafkaError):
        client(nobody)
    assert threads_of_clients() <= before


async def test_a_producer_dropped_over_unsent_messages_leaves_no_thread(kafka: str) -> None:
    topic = f"t{secrets.token_hex(4)}"
    ensure_topic(kafka, topic, Replication())
    before = threads_of_clients()
    producer = open_producer(kafka)
    assert threads_of_clients() > before
    sent = [producer.send(topic, b"x" * 10_000, partition=0) for _ in range(1_000)]
    assert not all(message.is_done for message in sent)
    drop_producer(producer)
    await eventually(lambda: threads_of_clients() <= before)
