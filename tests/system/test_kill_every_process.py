"""Signal 9 to every process in turn during one drill: what was acknowledged is kept, and the drill comes to its end."""

import asyncio
import json
import time
from collections import Counter
from functools import partial

import pytest

from local import programs
from local.drill import Outcome
from tests.eventually import eventually
from tests.system import evidence
from tests.system.whole import BACK_S, Whole

pytestmark = [pytest.mark.slow, pytest.mark.servers]

KILLS = (
    ("intake", "request.filed"),
    ("workflows", "consent.given"),
    ("referral", "referral.sent"),
    *((simulator, "referral.acknowledged") for simulator in programs.SIMULATORS),
    ("postgres", "preliminary_report.issued"),
    ("protection", "measure.proposed"),
    ("vault", "resolution.issued"),
    ("kafka", "resolution.issued"),
    ("temporal", "measure.accepted"),
    ("timeline", "measure.sent"),
    ("issuer", "measure.reported_implemented"),
)
"""Who is killed, in turn, and what the timeline must have shown before."""
LAST_ACT = "confirmation"
"""No story comes to its end before this act, and none sends it before everybody was killed."""


async def test_kill_every_process(whole: Whole, undisturbed: Outcome) -> None:
    """No answer that somebody was given turns out to be untrue, nothing happens twice, and every case gets as far."""
    assert {name for name, _ in KILLS} == whole.programs()
    seen: Counter[str] = Counter()
    all_were_killed = asyncio.Event()

    async def before(path: str) -> None:
        if path.endswith(LAST_ACT):
            await all_were_killed.wait()

    async with asyncio.TaskGroup() as group:
        drill = group.create_task(whole.drill(seen=lambda entry: seen.update([entry["kind"]]), before=before))
        for program, kind in KILLS:
            await eventually(partial(seen.__getitem__, kind), timeout=BACK_S)
            began = time.monotonic()
            pid = await whole.kill(program)
            await whole.back(program, after=pid)
            print(f"\n{program} killed at {kind}, well again after {time.monotonic() - began:.1f} s", end="")
        all_were_killed.set()
    outcome = drill.result()

    copies = await evidence.check_all(whole.stack)
    print(f"\ncopies in the topics: {copies}")
    mechanism = whole.stack.mechanism
    for service in ("intake", "protection"):
        answers = [act.answer for act in outcome.acts if act.service == service]
        assert answers
        evidence.check_receipts(whole.stack, f"{mechanism}.{service}", answers)
    evidence.check_receipts(whole.stack, f"{mechanism}.referral", [*agencies_receipts(whole)])
    assert evidence.table(outcome) == evidence.table(undisturbed)
    assert evidence.acts(outcome) == evidence.acts(undisturbed)


def agencies_receipts(whole: Whole) -> list[dict[str, object]]:
    """The receipts that the agencies' own systems have kept, those of a line cut short by the kill aside."""
    found = []
    for name in programs.SIMULATORS:
        for line in whole.supervisor.log(name).read_text().splitlines():
            if line.startswith("{") and line.endswith("}"):
                found.append(json.loads(line))
    assert found
    return found
