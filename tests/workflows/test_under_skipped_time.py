"""Whole procedures under skipped time: nobody answers, somebody answers, somebody takes the request back."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.testing import WorkflowEnvironment

from eventlog.store import ActKey, Actor
from services.intake import domain as intake
from services.referral import domain as referral
from services.referral import handlers as referral_handlers
from tests.stack import Databases
from tests.workflows.mechanism import AGENCIES, Mechanism
from tests.workflows.server import program

STEP = timedelta(seconds=1)
POLICE = Actor(id="police", role="police_unit", unit="pnp-ucayali")


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    """A test server of the test's own: its clock is global and jumps."""
    async with await WorkflowEnvironment.start_time_skipping(test_server_existing_path=program()) as started:
        yield started


@pytest.fixture
async def mechanism(databases: Databases, tmp_path: Path, env: WorkflowEnvironment) -> AsyncIterator[Mechanism]:
    """The mechanism at the test server's time."""
    now = await env.get_current_time()
    async with Mechanism(databases=databases, folder=tmp_path, client=env.client, now=now, pack="drill") as started:
        yield started


async def referred(mechanism: Mechanism, env: WorkflowEnvironment) -> str:
    """A case whose three agencies were asked."""
    case_id = await mechanism.file()
    await mechanism.consent(case_id, *AGENCIES)
    await mechanism.carry()
    await mechanism.pass_time(env, STEP, step=STEP)
    return case_id


async def test_silence_is_recorded_at_each_rung_once(mechanism: Mechanism, env: WorkflowEnvironment) -> None:
    """Nobody ever acts: every rung of every clock is an event, none twice, and the clocks' ends wake nobody again."""
    await referred(mechanism, env)
    await mechanism.pass_time(env, timedelta(seconds=150), step=timedelta(seconds=5))
    referrals = Counter((clock, rung) for _, clock, rung in await mechanism.silences("referral"))
    assert referrals == {(clock, rung): 3 for clock in ("acknowledge", "answer") for rung in (50, 75, 100, 150)}
    case = Counter((clock, rung) for _, clock, rung in await mechanism.silences("protection"))
    assert case == {
        (clock, rung): 1 for clock in ("preliminary_report", "evaluation", "resolution") for rung in (50, 75, 100, 150)
    }


@pytest.mark.parametrize("down", ["referral", "intake"])
async def test_another_services_stop_leaves_the_cases_clocks_running(
    mechanism: Mechanism, env: WorkflowEnvironment, down: str
) -> None:
    """Whoever stops the referral service stops no clock of the mechanism's own duties; what was ordered of it is done
    when it is back.
    """
    case_id = await mechanism.file()
    if down == "intake":
        await mechanism.stop(down)
    await mechanism.carry()
    await mechanism.pass_time(env, STEP, step=STEP)
    if down == "referral":
        await mechanism.stop(down)
    await mechanism.consent(case_id, *AGENCIES)
    await mechanism.carry()
    await mechanism.pass_time(env, timedelta(seconds=50), step=timedelta(seconds=5))
    noted = Counter((clock, rung) for _, clock, rung in await mechanism.silences("protection"))
    assert noted == {
        **{("preliminary_report", rung): 1 for rung in (50, 75, 100, 150)},
        **{("evaluation", rung): 1 for rung in (50, 75)},
        ("resolution", 50): 1,
    }
    assert not await mechanism.sent()
    await mechanism.serve(down)
    await mechanism.pass_time(env, timedelta(seconds=20), step=timedelta(seconds=5))
    assert sorted(sent.agency for sent in await mechanism.sent()) == sorted(AGENCIES)


async def test_an_answer_ends_the_silence(mechanism: Mechanism, env: WorkflowEnvironment) -> None:
    """An agency that answered is not reminded, and its workflow ends; the others' go on."""
    await referred(mechanism, env)
    sent = [mechanism.referral.store.read(event) for event in await mechanism.events("referral")]
    (asked,) = [r.event for r in sent if r.type.endswith(".ReferralSent") and r.event.agency == POLICE.unit]
    await referral_handlers.act_on_referral(
        referral.Answer(agency=POLICE.unit, done=True, now=mechanism.hands()),
        referral_id=asked.referral_id,
        actor=POLICE,
        act=ActKey(client=POLICE.id, key="answer"),
        parts=mechanism.referral,
    )
    await mechanism.carry()
    await mechanism.pass_time(env, timedelta(seconds=40), step=timedelta(seconds=5))
    assert f"referral/{asked.referral_id}" not in {stream for stream, _, _ in await mechanism.silences("referral")}
    ended = await mechanism.client.get_workflow_handle(f"referral/{asked.referral_id}").describe()
    assert ended.status is WorkflowExecutionStatus.COMPLETED


async def test_a_consent_that_outruns_the_opening_is_not_lost(mechanism: Mechanism, env: WorkflowEnvironment) -> None:
    """The bridge may tell of a consent before protection has read the filing: one run waits, and refers."""
    case_id = await mechanism.file()
    await mechanism.bridge.tell(f"case/{case_id}", case_id=case_id)
    await mechanism.consent(case_id, *AGENCIES)
    await mechanism.pass_time(env, timedelta(seconds=2), step=STEP)
    case = mechanism.client.get_workflow_handle(f"case/{case_id}")
    assert (await case.describe()).status is WorkflowExecutionStatus.RUNNING
    recorded = list(map(mechanism.referral.store.read, await mechanism.events("referral")))
    assert sum(r.type.endswith(".ReferralSent") for r in recorded) == len(AGENCIES)


async def test_a_withdrawn_request_ends_the_case(mechanism: Mechanism, env: WorkflowEnvironment) -> None:
    """Who takes the request back is not followed up: case and referrals end, and nobody is reminded."""
    case_id = await referred(mechanism, env)
    await mechanism.request(intake.Withdraw(reason=""), case_id=case_id)
    await mechanism.carry()
    before = await mechanism.silences("referral")
    await mechanism.pass_time(env, timedelta(seconds=60), step=timedelta(seconds=5))
    assert await mechanism.silences("referral") == before
    case = await mechanism.client.get_workflow_handle(f"case/{case_id}").describe()
    assert case.status is WorkflowExecutionStatus.COMPLETED


async def test_a_lost_workflow_is_started_again_and_repeats_nothing(
    mechanism: Mechanism, env: WorkflowEnvironment
) -> None:
    """Workflows that are gone in mid-flight are started anew, and note the rest of the silence, each rung once."""
    case_id = await referred(mechanism, env)
    await mechanism.pass_time(env, timedelta(seconds=8), step=timedelta(seconds=2))
    async with mechanism.engine.connect() as session:
        streams = await mechanism.bridge.open_streams(session)
    assert f"case/{case_id}" in streams
    for stream in streams:
        await mechanism.client.get_workflow_handle(stream).terminate()
    await mechanism.bridge.start_missing(streams, running=set())
    await mechanism.pass_time(env, timedelta(seconds=120), step=timedelta(seconds=5))
    noted = Counter(await mechanism.silences("referral"))
    assert set(noted.values()) == {1}
    assert len(noted) == 3 * 2 * 4
    sent = list(map(mechanism.referral.store.read, await mechanism.events("referral")))
    assert sum(r.type.endswith(".ReferralSent") for r in sent) == 3
