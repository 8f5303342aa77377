"""Kafka's data is deleted while it is stopped: it was transport, and the stores fill it again."""

import shutil

import pytest

from local import drill
from tests.eventually import eventually
from tests.system import evidence
from tests.system.whole import Whole

pytestmark = [pytest.mark.slow, pytest.mark.servers]


async def test_deleted_topics_are_filled_again_from_the_stores(whole: Whole) -> None:
    """A broken disk of the broker loses no act, and nobody waits for it to file: what was published is published again,
    byte for byte, whoever listens goes on where it was, and nothing happens twice.
    """
    ngo = whole.party("ngo")
    earlier = await drill.file(drill.stories()[1], ngo)
    await evidence.settled(whole.stack)
    before = evidence.all_records(whole.stack)
    asked = evidence.referrals(whole.stack)

    whole.stop("kafka")
    shutil.rmtree(whole.home / "kafka" / "data")
    meanwhile = await drill.file(drill.stories()[2], ngo)
    await drill.consent(meanwhile, ngo)
    whole.up()

    expected = {(meanwhile, agency) for agency in drill.AGENCIES}
    await eventually(
        lambda: {(deed[0], deed[1]) for deed in evidence.referrals(whole.stack) - asked} == expected, timeout=90
    )
    await drill.consent(earlier, ngo)
    await ngo.close()
    expected |= {(earlier, agency) for agency in drill.AGENCIES}
    await eventually(
        lambda: {(deed[0], deed[1]) for deed in evidence.referrals(whole.stack) - asked} == expected, timeout=90
    )
    copies = await evidence.check_all(whole.stack)
    print(f"\ncopies in the topics: {copies}")
    kept = {(stored.source, stored.index): stored for stored in evidence.all_records(whole.stack)}
    assert [kept[stored.source, stored.index] for stored in before] == before
