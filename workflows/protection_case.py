"""The protection case: filed, referred to whom the person consented to tell, evaluated, resolved, its measures carried
out.

Source: DS 004-2021-JUS arts. 16 to 27. The stages and their clocks are the service's and the rule pack's; the workflow
orders the acts that no person has to decide, and lets no clock pass unnoticed.
"""

from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from amparo.activities.v1.activities_pb2 import (
        Addressee,
        AskCaseStanding,
        AskRequestStanding,
        CaseStanding,
        CloseWithdrawn,
        Happened,
        MeasureStanding,
        NoteCaseSilence,
        NoteMeasureSent,
        ReferralSent,
        RequestStanding,
        SendReferral,
        StreamOpened,
    )
    from workflows.clockwork import Telling, ask, give_way, next_rung, told_or
    from workflows.ids import INTAKE_QUEUE, PROTECTION_QUEUE, REFERRAL_QUEUE

REFUSED_AGAIN = timedelta(hours=1)
"""A referral that was refused, such as to an agency that nobody has registered yet, is tried again after this."""

IMPLEMENT = "implement"
"""The purpose under which the implementer of a measure is asked to carry it out."""


@workflow.defn
class ProtectionCase:
    """One case, from its opening to its closing."""

    def __init__(self) -> None:
        self._telling = Telling()
        self._referred: set[tuple[str, int]] = set()
        self._ask_again: datetime | None = None

    @workflow.signal
    def happened(self, happened: Happened) -> None:
        """Something was recorded on the case, its request, or one of its measures."""
        self._telling.tell(happened)

    @workflow.run
    async def run(self, opened: StreamOpened) -> None:
        """Asks where the case stands, orders what follows from it, sleeps until it is told or silence has to be
        noted.
        """
        request = await self._request(opened)
        case = await self._case(opened)
        while not case.closed:
            await give_way(opened)
            if request.withdrawn:
                case = await self._close_withdrawn(opened)
                continue
            self._ask_again = None
            await self._refer_to_the_consented(opened, request)
            case = await self._have_measures_carried_out(opened, case, request)
            rung = next_rung(case.clocks)
            wake = min((at for at in (rung[2] if rung else None, self._ask_again) if at), default=None)
            if not await told_or(wake, self._telling):
                if rung and rung[2] <= workflow.now():
                    case = await self._note_silence(opened, clock=rung[0], percent=rung[1])
                continue
            if self._telling.news_of("request"):
                request = await self._request(opened)
            if self._telling:
                case = await self._case(opened)

    async def _refer_to_the_consented(self, opened: StreamOpened, request: RequestStanding) -> None:
        """Art. 19: each agency that the person consented to tell is asked for its part, once for each consent."""
        for addressee in request.addressees:
            asked = (addressee.agency, addressee.consent_version)
            if asked not in self._referred and await self._send(opened, request, addressee):
                self._referred.add(asked)

    async def _have_measures_carried_out(
        self, opened: StreamOpened, case: CaseStanding, request: RequestStanding
    ) -> CaseStanding:
        """Art. 22-A: a measure that was granted and that the beneficiary accepted is sent to its implementer.

        Nobody is told of a case for a measure's sake: the person has to have consented to the implementer first.
        """
        consented = {addressee.agency: addressee for addressee in request.addressees}
        for measure in [m for m in case.measures if m.state == "accepted" and m.implementer in consented]:
            if sent := await self._send(opened, request, consented[measure.implementer], measure):
                note = NoteMeasureSent(measure_id=measure.measure_id, referral_id=sent.referral_id)
                case = self._read(
                    opened, await ask(PROTECTION_QUEUE, "protection.note_measure_sent", note, CaseStanding)
                )
        return case

    async def _send(
        self,
        opened: StreamOpened,
        request: RequestStanding,
        addressee: Addressee,
        measure: MeasureStanding | None = None,
    ) -> ReferralSent | None:
        order = SendReferral(
            case_id=opened.case_id,
            agency=addressee.agency,
            purpose=IMPLEMENT if measure else "",
            round=addressee.consent_version,
            measure_id=measure.measure_id if measure else "",
            request_version=request.version,
        )
        try:
            return await ask(REFERRAL_QUEUE, "referral.send", order, ReferralSent)
        except ActivityError as refused:  # such as a consent withdrawn meanwhile: the news of it is on its way
            workflow.logger.warning("referral refused: %s", getattr(refused.cause, "type", ""))
            self._ask_again = workflow.now() + REFUSED_AGAIN
            return None

    async def _request(self, opened: StreamOpened) -> RequestStanding:
        self._telling.take("request")
        question = AskRequestStanding(case_id=opened.case_id)
        request = await ask(INTAKE_QUEUE, "intake.request_standing", question, RequestStanding)
        self._telling.knows(f"request/{opened.case_id}", request.version)
        return request

    async def _case(self, opened: StreamOpened) -> CaseStanding:
        self._telling.take("case")
        self._telling.take("measure")
        question = AskCaseStanding(case_id=opened.case_id)
        return self._read(opened, await ask(PROTECTION_QUEUE, "protection.case_standing", question, CaseStanding))

    async def _note_silence(self, opened: StreamOpened, *, clock: str, percent: int) -> CaseStanding:
        silence = NoteCaseSilence(case_id=opened.case_id, clock=clock, rung=percent)
        return self._read(opened, await ask(PROTECTION_QUEUE, "protection.note_silence", silence, CaseStanding))

    async def _close_withdrawn(self, opened: StreamOpened) -> CaseStanding:
        order = CloseWithdrawn(case_id=opened.case_id)
        return self._read(opened, await ask(PROTECTION_QUEUE, "protection.close_withdrawn", order, CaseStanding))

    def _read(self, opened: StreamOpened, standing: CaseStanding) -> CaseStanding:
        self._telling.knows(opened.stream, standing.version)
        return standing
