"""Temporal's database is deleted while it is stopped: it was clock and conductor; the events say where all stands."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime

import pytest

from amparo.referral.v1 import events_pb2 as referral
from eventlog.codec import instant
from local import drill, programs
from tests.eventually import eventually
from tests.system import evidence
from tests.system.whole import Whole

pytestmark = [pytest.mark.slow, pytest.mark.servers]

LIMITS = ("acknowledge", "answer")
RUNGS = (50, 75, 100, 150)
REACHED = 100
"""Per cent of a limit: the deadline itself."""

Rung = tuple[str, str, int]
"""A referral's stream, its limit, per cent."""


@pytest.fixture
def silent_agencies(whole: Whole) -> Iterator[None]:
    """No agency does anything until the test lets them."""
    whole.stop(*programs.SIMULATORS)
    yield
    whole.start(*programs.SIMULATORS)


@pytest.mark.usefixtures("silent_agencies")
async def test_open_cases_go_on_from_the_events(whole: Whole) -> None:
    """Whoever waits for the police is not forgotten, and nobody is asked or escalated twice: each deadline that passed
    while nobody watched is recorded once, as soon as somebody does.
    """
    ngo = whole.party("ngo")
    case = await drill.file(drill.stories()[0], ngo)
    await drill.consent(case, ngo)
    await eventually(lambda: len(sendings(whole, case)) == len(drill.AGENCIES), timeout=90)
    sent = sendings(whole, case)
    await eventually(lambda: {stream for stream, _, _ in noted(whole)} >= set(sent), timeout=90)

    whole.stop("temporal")
    for file in (whole.home / "temporal").glob("temporal.db*"):
        file.unlink()
    asked, silences = evidence.referrals(whole.stack), evidence.rungs(whole.stack)
    known = noted(whole)
    meanwhile = await drill.file(drill.stories()[1], ngo)
    await drill.consent(meanwhile, ngo)
    await ngo.close()
    missed = {stream: next_deadline(stream, each, known) for stream, each in sent.items()}
    last = max(at for _, at in missed.values())
    await eventually(lambda: datetime.now(UTC) > last, timeout=90)
    assert not {rung for rung, _ in missed.values()} & set(noted(whole))
    back = datetime.now(UTC)
    whole.start("temporal")

    every = {(stream, limit, percent) for stream in sent for limit in LIMITS for percent in RUNGS}
    await eventually(lambda: noted(whole), timeout=120, accept=lambda found: every <= set(found))
    for rung, _ in missed.values():
        assert noted(whole)[rung] > back
    await eventually(lambda: len(sendings(whole, meanwhile)) == len(drill.AGENCIES), timeout=90)

    whole.start(*programs.SIMULATORS)
    streams = {*sent, *sendings(whole, meanwhile)}
    await eventually(lambda: streams <= of_type(whole, "ReferralAcknowledged"), timeout=90)
    await evidence.check_all(whole.stack)
    for before, after in ((asked, evidence.referrals(whole.stack)), (silences, evidence.rungs(whole.stack))):
        assert {deed: after[deed] for deed in before} == before
    assert len(sendings(whole, case)) == len(drill.AGENCIES)


def next_deadline(stream: str, sent: referral.ReferralSent, known: Collection[Rung]) -> tuple[Rung, datetime]:
    """The first deadline of a referral that was not noted yet, and its instant."""
    dues = {"acknowledge": instant(sent.acknowledge_due), "answer": instant(sent.answer_due)}
    return next(((stream, limit, REACHED), dues[limit]) for limit in LIMITS if (stream, limit, REACHED) not in known)


def sendings(whole: Whole, case: str) -> dict[str, referral.ReferralSent]:
    """The referrals of a case, by their streams."""
    return {
        stored.event.stream: referral.ReferralSent.FromString(stored.event.payload)
        for stored in evidence.records(whole.stack, "referral")
        if stored.event.type == "amparo.referral.v1.ReferralSent" and stored.event.correlation == case
    }


def noted(whole: Whole) -> dict[Rung, datetime]:
    """When which silence of an agency was recorded."""
    found = {}
    for stored in evidence.records(whole.stack, "referral"):
        if stored.event.type == "amparo.referral.v1.SilenceNoted":
            silence = referral.SilenceNoted.FromString(stored.event.payload)
            found[stored.event.stream, silence.clock, silence.rung] = instant(stored.event.recorded_at)
    return found


def of_type(whole: Whole, name: str) -> set[str]:
    """The streams of the referrals to which this happened."""
    kind = f"amparo.referral.v1.{name}"
    return {s.event.stream for s in evidence.records(whole.stack, "referral") if s.event.type == kind}
