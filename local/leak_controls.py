"""Owns the controls of the drill that looks for leaks: one word put on purpose into each place that is searched, in a
way in which a leak would stand there. A search that misses one proves nothing.
"""

import asyncio
import base64
import gzip
import json
import secrets
from collections.abc import Mapping
from pathlib import Path

from temporalio.client import Client

from eventlog.kafka import Replication, drop_producer, ensure_topic, open_producer
from local import postgres
from local.stackfile import Stack

TOPIC = "leak-controls"
DATABASE = "leak_controls"


def plant(stack: Stack, telemetry: Path) -> Mapping[str, str]:
    """Puts one control into each place of a running stack: the place's name → its control."""
    controls = {
        name: f"Control{secrets.token_hex(8)}" for name in ("postgres", "kafka", "temporal", "logs", "telemetry")
    }
    _into_postgres(stack, controls["postgres"])
    _into_kafka(stack, controls["kafka"])
    asyncio.run(_into_temporal(stack, controls["temporal"]))
    with (stack.home / "logs" / "intake.log").open("a") as log:
        log.write(json.dumps({"event": base64.b64encode(f"name={controls['logs']}".encode()).decode()}) + "\n")
    (telemetry / "control").write_bytes(gzip.compress(f"name={controls['telemetry']}".encode()))
    return controls


def _into_postgres(stack: Stack, control: str) -> None:
    """Into a value that the server compresses and cuts into parts."""
    admin = stack.values["AMPARO_POSTGRES"]
    with postgres.connect(admin) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    long = f"{'the same words again; ' * 2000}{secrets.token_hex(2500)} {control} {secrets.token_hex(2500)}"
    with postgres.connect(admin, database=DATABASE) as connection:
        connection.execute("CREATE TABLE control (text text COMPRESSION pglz)")
        connection.execute("INSERT INTO control VALUES (%s)", [long])


def _into_kafka(stack: Stack, control: str) -> None:
    """Into a message whose body is compressed."""
    bootstrap = stack.values["AMPARO_KAFKA"]
    ensure_topic(bootstrap, TOPIC, Replication.of(1))
    producer = open_producer(bootstrap)
    try:
        producer.send(TOPIC, value=gzip.compress(f"name={control}".encode())).get(timeout=30)
    finally:
        drop_producer(producer)


async def _into_temporal(stack: Stack, control: str) -> None:
    """Into the memo of a workflow that nobody runs."""
    client = await Client.connect(stack.values["AMPARO_TEMPORAL"], namespace=stack.values["AMPARO_TEMPORAL_NAMESPACE"])
    await client.start_workflow(
        "control", id=f"control-{secrets.token_hex(4)}", task_queue="nobody", memo={"name": control}
    )
