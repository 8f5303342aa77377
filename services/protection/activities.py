"""The activities that protection serves to workflows, on the queue ``amparo.protection``. Ids and instants only.

Each act is done under its business key, so that a workflow built anew repeats nothing. What other services recorded is
believed from their records alone (`services.protection.inbound`): no order closes a case or sends a measure. `Refused`
reaches the workflow as a failure that is not retried, whose type is the code.
"""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection
from temporalio import activity
from temporalio.exceptions import ApplicationError

from amparo.activities.v1 import activities_pb2 as contracts
from eventlog.codec import timestamp
from eventlog.decider import Refused
from eventlog.store import ActKey, retry_when_moved
from services.protection import domain, projections
from services.protection.handlers import By, Parts, case_in, case_stream, do_to_case, measure_in, states_of
from services.protection.inbound import ACTOR, WORKFLOW

TASK_QUEUE = "amparo.protection"


def activities(parts: Parts) -> Sequence[Callable[..., Any]]:
    """The activities, each with its contract's name."""

    @activity.defn(name="protection.case_standing")
    async def case_standing(asked: contracts.AskCaseStanding) -> contracts.CaseStanding:
        async with parts.engine.connect() as session:
            try:
                return await standing_in(session, asked.case_id, parts=parts)
            except Refused as refused:
                # A consent can reach the workflow before the filing was read here: asked again, the case is there.
                raise ApplicationError(refused.code, type="case-not-opened-yet") from None

    @activity.defn(name="protection.note_silence")
    async def note_silence(asked: contracts.NoteCaseSilence) -> contracts.CaseStanding:
        return await noted(asked.case_id, clock=asked.clock, rung=asked.rung, parts=parts)

    @activity.defn(name="protection.note_measure_sent")
    async def note_measure_sent(asked: contracts.NoteMeasureSent) -> contracts.CaseStanding:
        # Nothing is written on a workflow's word: the record of the referral, once it is read, carries the measure on.
        async with parts.engine.connect() as session:
            _, state = await measure_in(session, asked.measure_id, parts=parts)
            if state.proposed is None:
                raise Refused("not-found", "there is no such measure")
            if await projections.measure_asked_by(session, asked.referral_id) != asked.measure_id:
                raise ApplicationError("the referral's record is still being read", type="referral-not-read-yet")
            return await standing_in(session, state.proposed.case_id, parts=parts)

    return (case_standing, note_silence, note_measure_sent)


@retry_when_moved(times=3)
async def noted(case_id: str, *, clock: str, rung: int, parts: Parts) -> contracts.CaseStanding:
    """Records a rung of silence once its instant has come, and tells how the case stands then.

    Nothing is recorded where the rung was noted, the clock has stopped, or it is too early. Raises `Refused`
    `not-found`.
    """
    async with parts.engine.begin() as session:
        _, state = await case_in(session, case_id, parts=parts)
        # A clock may run twice in a case, so the deed is named by the run's due instant too.
        due = next((running.due for running in state.clocks if running.name == clock), None)
        recorded = None
        if due is not None:
            key = f"silence:{case_stream(case_id)}:{clock}:{due.isoformat()}:{rung}"
            by = By(actor=ACTOR, act=ActKey(client=WORKFLOW, key=key))
            command = domain.NoteSilence(at=parts.clock(), clock=clock, rung=rung)
            recorded = await do_to_case(session, command, case_id=case_id, by=by, parts=parts)
        standing = await standing_in(session, case_id, parts=parts)
    if recorded is not None and not recorded.repeated:
        parts.ring.ring()
    return standing


async def standing_in(session: AsyncConnection, case_id: str, *, parts: Parts) -> contracts.CaseStanding:
    """How a case stands, folded from its own stream and those of its measures. Raises `Refused` `not-found`."""
    history, state = await case_in(session, case_id, parts=parts)
    if state.opened is None:
        raise Refused("not-found", "there is no such case")
    standing = await states_of(session, state, parts=parts)
    return contracts.CaseStanding(
        version=history.version,
        stage=state.stage.value,
        closed=state.stage is domain.Stage.CLOSED,
        clocks=[
            contracts.Clock(
                name=clock.name,
                due=timestamp(clock.due),
                rungs=[contracts.Rung(percent=rung.percent, at=timestamp(rung.at)) for rung in clock.coming],
            )
            for clock in state.clocks
        ],
        measures=[
            contracts.MeasureStanding(
                measure_id=measure_id,
                state=each.state.value,
                implementer=each.proposed.implementer if each.proposed else "",
            )
            for measure_id, each in standing.items()
        ],
    )
