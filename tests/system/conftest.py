"""The whole stack, started once a run and shared by its workers, one test at a time; one drill that nothing harmed."""

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from local import drill
from local.drill import Outcome
from local.locking import alone
from local.party import Act
from tests.eventually import eventually
from tests.stack import WHOLE, Servers
from tests.system import evidence
from tests.system.whole import Whole


@pytest.fixture(scope="session")
def started_whole(servers: Servers) -> Whole:
    """The stack's folder; whoever asks first starts it, and the run's last worker ends it."""
    with alone(servers.folder / f"{WHOLE}.lock"):
        whole = Whole(servers.folder / WHOLE)
        if not whole.home.exists():
            whole.up()
    return whole


@pytest.fixture
def whole(started_whole: Whole, servers: Servers) -> Iterator[Whole]:
    """The stack for one test alone: everything in it runs and is well."""
    with alone(servers.folder / f"{WHOLE}.lock"):
        if not started_whole.is_well():
            started_whole.up()
        yield started_whole


@dataclass(frozen=True, kw_only=True, slots=True)
class Restarted:
    """The stack was stopped while a case was open, started again, and ran a drill that nothing harmed."""

    kept: list[evidence.Stored]
    """What its stores held before it was stopped."""
    open_case: str
    acts: list[Act]
    """What was acknowledged of the open case."""
    warm_s: float
    outcome: Outcome


@pytest.fixture(scope="session")
def restarted(started_whole: Whole, servers: Servers) -> Restarted:
    """One request filed, everything stopped and started, then a drill."""
    with alone(servers.folder / f"{WHOLE}.lock"):
        return asyncio.run(_restart(started_whole))


@pytest.fixture(scope="session")
def undisturbed(restarted: Restarted) -> Outcome:
    """A drill that nothing harmed."""
    return restarted.outcome


async def _restart(whole: Whole) -> Restarted:
    ngo = whole.party("ngo")
    case = await drill.file(drill.stories()[0], ngo)
    await drill.consent(case, ngo)
    await ngo.close()
    kept = evidence.all_records(whole.stack)
    whole.local("down")
    assert not whole.supervisor.running()
    began = time.monotonic()
    whole.up()
    warm_s = time.monotonic() - began

    def is_referred() -> bool:
        return len([asked for asked in evidence.referrals(whole.stack) if asked[0] == case]) == len(drill.AGENCIES)

    await eventually(is_referred, timeout=60)
    return Restarted(
        kept=kept, open_case=case, acts=ngo.acts, warm_s=warm_s, outcome=await asyncio.to_thread(whole.demo)
    )
