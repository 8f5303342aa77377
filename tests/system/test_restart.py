"""Everything is stopped and started again, as whenever a machine is restarted."""

import pytest

from tests.eventually import eventually
from tests.system import evidence
from tests.system.conftest import Restarted
from tests.system.whole import Whole

pytestmark = [pytest.mark.slow, pytest.mark.servers]


def test_a_restart_keeps_every_record(restarted: Restarted, whole: Whole) -> None:
    """What was filed before the office closed is there in the morning, to the byte."""
    print(f"\nwarm start: {restarted.warm_s:.1f} s")
    now = {(stored.source, stored.index): stored for stored in evidence.all_records(whole.stack)}
    assert len(restarted.kept) > 0
    assert [now[stored.source, stored.index] for stored in restarted.kept] == restarted.kept
    evidence.check_receipts(whole.stack, f"{whole.stack.mechanism}.intake", [act.answer for act in restarted.acts])


async def test_an_open_case_goes_on_after_a_restart(restarted: Restarted, whole: Whole) -> None:
    """Whoever waited need not file again: each agency that was consented to is asked once, and answers."""
    asked = {deed: n for deed, n in evidence.referrals(whole.stack).items() if deed[0] == restarted.open_case}
    assert sorted(asked.values()) == [1, 1, 1]
    coordinator = whole.party("coordinator")

    async def answered() -> int:
        page = await coordinator.get("timeline", f"/v1/cases/{restarted.open_case}/timeline", limit=200)
        return [entry["kind"] for entry in page["items"]].count("referral.answered")

    await eventually(answered, timeout=120, accept=lambda count: count == len(asked))
    await coordinator.close()


async def test_the_drill_runs_on_kept_data(restarted: Restarted, whole: Whole) -> None:
    """After a restart nothing is stuck, doubled or lost."""
    outcome = restarted.outcome
    assert evidence.table(outcome) == {
        "dp-ucayali": evidence.counted(3),
        "mp-fema-ucayali": evidence.counted(3),
        "pnp-ucayali": evidence.counted(6),
    }
    await evidence.check_all(whole.stack)
