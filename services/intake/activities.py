"""Owns what workflows may ask of the registry."""

from collections.abc import Callable, Sequence
from typing import Any

from temporalio import activity

from amparo.activities.v1.activities_pb2 import Addressee, AskRequestStanding, RequestStanding
from eventlog.decider import Refused
from services.intake.domain import Stage, addressees
from services.intake.handlers import Parts, request_stream
from services.intake.projections import fold_request

TASK_QUEUE = "amparo.intake"


def activities(parts: Parts) -> Sequence[Callable[..., Any]]:
    """The activities, bound to the service's parts."""

    @activity.defn(name="intake.request_standing")
    async def request_standing(asked: AskRequestStanding) -> RequestStanding:
        """Where a request stands, folded from its stream. Raises ``Refused`` `not-found` for an unknown case."""
        async with parts.engine.connect() as session:
            history = await parts.store.load(session, request_stream(asked.case_id))
        if not history.events:
            raise Refused("not-found", "no request was filed under this case id")
        request = fold_request(history)
        return RequestStanding(
            version=history.version,
            withdrawn=request.stage is Stage.WITHDRAWN,
            imminent=request.imminent,
            addressees=[
                Addressee(agency=agency, consent_version=ground.version, two_person_decision=ground.by_two)
                for agency, ground in addressees(request)
            ],
        )

    return (request_standing,)
