"""A sequencer is killed between any two steps; the next one leaves no gap, loses nothing and numbers nothing twice."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.eventlog.conftest import Log
from tests.eventually import eventually

STEPS = ("inserted", "committed", "sent")  # before, after and past the two moments that nothing can undo
OTHER_STEPS = ("locked", "compared", "taken", "acknowledged")
ROOT = Path(__file__).parents[2]


async def doomed(log: Log, *, step: str, times: int) -> asyncio.subprocess.Process:
    """A sequencer in its own process that dies after a step."""
    url = log.databases.url("intake", "sequencer")
    arguments = (log.source, log.topic, log.kafka, url, step, str(times))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "proto")))}
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.eventlog.doomed", *arguments),
        cwd=ROOT,
        env=environment,
        stderr=asyncio.subprocess.DEVNULL,
    )


@pytest.mark.parametrize("step", [*STEPS, *(pytest.param(step, marks=pytest.mark.slow) for step in OTHER_STEPS)])
async def test_whoever_comes_next_goes_on_where_it_ended(log: Log, step: str) -> None:
    """Every act is numbered once and taken once, in its stream's order, whatever was published twice."""
    await log.append_many(30)
    first = await doomed(log, step=step, times=1)
    assert await asyncio.wait_for(first.wait(), 20) == -9
    await log.append_many(10)
    log.start(log.sequencer())
    log.start(log.consumer())
    records = await log.numbered(40)
    assert len(records) == 40
    assert await log.took(40) == list(range(40))
    messages = await log.published(40)
    assert {message.value for message in messages} == set(records)
    assert log.pending() == 0


async def test_a_standby_takes_over_from_one_that_is_killed(log: Log) -> None:
    """Within the time that PostgreSQL needs to notice, with nobody's help."""
    first = await doomed(log, step="sent", times=2)
    await log.append_many(5)
    await log.published(5)
    log.start(standby := log.sequencer())
    await eventually(lambda: standby.role == "standby")
    await log.append_many(5)
    assert await asyncio.wait_for(first.wait(), 20) == -9
    await eventually(lambda: standby.role == "leader")
    await log.append_many(5)
    log.start(log.consumer())
    assert len(await log.numbered(15)) == 15
    assert await log.took(15) == list(range(15))
