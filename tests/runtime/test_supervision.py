"""Loops are kept running, and health tells of each."""

import asyncio

import pytest

from runtime import supervision
from runtime.supervision import Loop, Supervision
from tests.eventually import eventually


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses of milliseconds."""
    monkeypatch.setattr(supervision, "FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(supervision, "SETTLED_S", 0.05)


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_loop_that_crashes_or_returns_is_started_again() -> None:
    """Either is a fault: a loop ends only when it is told to."""
    starts: list[str] = []

    async def crashing() -> None:
        starts.append("crashed")
        if len(starts) < 3:
            raise OSError

    kept = Supervision([Loop(name="crashing", run=crashing)])
    kept.start()
    await eventually(lambda: len(starts) >= 4)
    await kept.stop(seconds=1)


async def test_health_is_false_until_a_loop_is_up_and_after_it_crashed() -> None:
    """By its own word, or by having run for a while."""
    up, crash = asyncio.Event(), asyncio.Event()

    async def until_crash() -> None:
        await crash.wait()
        raise OSError

    kept = Supervision([Loop(name="says", run=forever, up=up.is_set), Loop(name="runs", run=until_crash)])
    kept.start()
    assert kept.health() == {"says": False, "runs": False}
    await eventually(lambda: kept.health() == {"says": False, "runs": True})
    up.set()
    assert kept.health()["says"]
    crash.set()
    await eventually(lambda: not kept.health()["runs"])
    await kept.stop(seconds=1)
    assert kept.health() == {"says": False, "runs": False}


async def test_stopping_does_not_wait_for_a_loop_that_will_not_end() -> None:
    """The process has five seconds, whatever a library does with its cancellation."""
    let_go = asyncio.Event()

    async def deaf() -> None:
        while not let_go.is_set():
            try:
                await let_go.wait()
            except asyncio.CancelledError:
                continue

    kept = Supervision([Loop(name="deaf", run=deaf), Loop(name="obedient", run=forever)])
    kept.start()
    await eventually(lambda: kept.health()["obedient"])
    async with asyncio.timeout(1):
        await kept.stop(seconds=0.05)
    let_go.set()


def test_two_loops_cannot_share_a_name() -> None:
    """Health could not tell them apart."""
    with pytest.raises(ValueError, match="same name"):
        Supervision([Loop(name="a", run=forever), Loop(name="a", run=forever)])
